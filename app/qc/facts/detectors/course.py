"""Facts of course, operation and discharge notes: whether a passage speaks of this patient or of anyone.

Concrete words (symptoms, drugs, operations, examinations, quantities) decide for, bare stock phrases against;
what lies between is left to reading.
"""

import re
from functools import cache

from app.qc.facts.detectors.base import Detection, detector
from app.records.model import Span
from app.text.assertion import find_mentions
from app.text.lexicons import load_terms
from app.text.quantities import find_quantities
from app.text.reading import Reading
from app.text.sections import Section

_ENOUGH_CONCRETE = 2
_LONGEST_REMNANT = 8
_BARE = frozenset({"手术", "术后", "不适", "好转"})
_EXAMINATIONS = re.compile(
    r"CT|MRI|MRA|MRCP|超声|彩超|B超|X线|胸片|心电图|内镜|胃镜|肠镜|造影|病理|血常规|尿常规|肝功|肾功|凝血|电解质|血气|培养|血糖|血脂|心肌酶|肌钙蛋白"
    r"|征阳性|征阴性|征\s*[((]?[+±-]|压痛|反跳痛|啰音|杂音|肌力|瞳孔|切口|引流|愈合|移位|嵌顿|梗死|骨折|穿孔|狭窄|占位"
)
_DECISION = re.compile(
    r"考虑|分析|提示|原因|建议|意见|加用|停用?|改用?|换用|调整|复查|加查|完善|会诊|手术|鉴别|支持|不支持|警惕|注意"
)


def _scope(reading: Reading, section: Section | None) -> Span:
    return section.body if section else Span(0, len(reading.half))


def _concrete(reading: Reading, scope: Span) -> tuple[Span, ...]:
    terms = (*load_terms("symptoms"), *load_terms("drug_classes"), *load_terms("operations"))
    words = [
        mention.span for mention in find_mentions(reading.half, terms, scope) if mention.term not in _BARE
    ]
    exams = [Span(*m.span()) for m in _EXAMINATIONS.finditer(reading.half, scope.start, scope.end)]
    values = [q.span.shifted(scope.start) for q in find_quantities(scope.of(reading.half))]
    return tuple(sorted({*words, *exams, *values}))


@cache
def _generic() -> re.Pattern[str]:
    phrases = sorted(load_terms("generic_phrases"), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, phrases)))


def _says_nothing(text: str) -> bool:
    remnant = re.sub(r"[^\u4e00-\u9fffA-Za-z]", "", _generic().sub("", text))
    return len(remnant) <= _LONGEST_REMNANT


@detector
def speaks_of_this_patient(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the passage holds findings, results or measures of this patient."""
    if section is None:
        return None
    found = _concrete(reading, section.body)
    if len(found) >= _ENOUGH_CONCRETE:
        return Detection(True, found[:_ENOUGH_CONCRETE])
    if not found and _says_nothing(section.body.of(reading.half)):
        return Detection(False, (section.body,))
    return None


@detector
def round_gives_opinion(reading: Reading, section: Section | None) -> Detection | None:
    """Whether a ward round decides or explains something about this patient."""
    scope = _scope(reading, section)
    found = _concrete(reading, scope)
    decision = _DECISION.search(reading.half, scope.start, scope.end)
    if decision and len(found) >= _ENOUGH_CONCRETE:
        return Detection(True, (Span(*decision.span()), *found[:1]))
    if not found and _says_nothing(_without_heading(scope.of(reading.half))):
        return Detection(False, (scope,))
    return None


def _without_heading(text: str) -> str:
    return re.sub(r"^[^\n。:]{0,40}(?:医师|查房)[^\n。:]{0,10}(?:[:\n]|查房记录)", "", text.strip())
