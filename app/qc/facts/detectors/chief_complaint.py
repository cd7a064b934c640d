"""Facts of 主诉, and what other facts ask of it: which symptoms it names."""

import re
from functools import cache, lru_cache
from typing import NamedTuple

from app.qc.facts.detectors.base import (
    CHIEF_COMPLAINT,
    Detection,
    alternation,
    detector,
    heading,
    is_empty,
    span_of,
)
from app.records.model import Span
from app.text.assertion import Assertion, find_mentions
from app.text.lexicons import heads_by_term, load_terms
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section
from app.text.times import find_dates, find_durations

_LONGEST = 20
_LONGEST_MASKED = 24
_MOST_SYMPTOMS = 3
_CAUSES = frozenset({"外伤", "停经"})
_DISEASES = frozenset({"肿瘤", "停经", "骨折"})


class Complaint(NamedTuple):
    """One symptom that 主诉 names: the words, where they stand, and its family in the symptom lexicon."""

    term: str
    span: Span
    family: str


@lru_cache(maxsize=8)
def complaints(reading: Reading) -> tuple[Complaint, ...]:
    """The symptoms of 主诉 in order, each once; joined words (恶心呕吐) are taken apart."""
    section = reading.section(CHIEF_COMPLAINT)
    if section is None:
        return ()
    found: dict[str, Complaint] = {}
    for mention in find_mentions(reading.half, load_terms("symptoms"), section.body):
        if mention.assertion is not Assertion.ABSENT and mention.term not in _DISEASES:
            for term in parts(mention.term):
                found.setdefault(term, Complaint(term, mention.span, heads_by_term("symptoms")[term]))
    return tuple(found.values())


@cache
def parts(term: str) -> tuple[str, ...]:
    """A joined symptom word as its parts, any other as itself."""
    known = heads_by_term("symptoms")
    for cut in range(1, len(term)):
        first, second = term[:cut], term[cut:].lstrip("、")
        if first in known and second in known and known[first] != known[second]:
            return first, second
    return (term,)


@detector
def chief_complaint_blank(reading: Reading, section: Section | None) -> Detection:
    """Whether 主诉 is absent or empty."""
    blank = is_empty(reading, section)
    return Detection(blank, heading(section) if blank else (), "主诉为空" if blank else "")


_GESTATION = regex(r"(?:孕|停经)[^,。;]{0,6}(?:周|天|月|[*\d])")
_VAGUE_TIME = regex(
    r"[数几半多][年月周天日]|[*\dxX一二两三四五六七八九十]+\s*[+余]?\s*(?:年|月|周|天|日|小时|分钟)|^(?:个?月|年|周|天|日)余?前|自幼|自小|出生后|生后|产后|今|昨"
)
_MASKED_TIME = regex(r"[xX]{1,3}\s*(?:年|月|周|天|日|小时)")


@detector
def chief_complaint_duration_recorded(reading: Reading, section: Section | None) -> Detection:
    """Whether 主诉 gives any duration or date, masked or not; an unfilled template (XX天) gives none."""
    if section is None:
        return Detection(False, detail="没有持续时间")
    text, offset = reading.half[section.body.start : section.body.end], section.body.start
    if _MASKED_TIME.search(text):
        return Detection(False, (section.body,), "持续时间没有填写")
    found = [each.span for each in find_durations(text)] or [each.span for each in find_dates(text, None)]
    found = found or [span_of(m) for m in (_GESTATION.search(text), _VAGUE_TIME.search(text)) if m]
    if found:
        return Detection(True, (found[0].shifted(offset),))
    return Detection(False, (section.body,), "没有持续时间")


@detector
def chief_complaint_too_long(reading: Reading, section: Section | None) -> Detection:
    """Whether 主诉 has more than 20 characters, punctuation counted; masked digits leave room up to 24."""
    if section is None:
        return Detection(False)
    written = section.body.of(reading.document.text).strip().rstrip("。.")
    limit = _LONGEST_MASKED if "*" in written else _LONGEST
    return Detection(len(written) > limit, (section.body,), f"共{len(written)}字，超过{_LONGEST}字")


@detector
def chief_complaint_has_many_symptoms(reading: Reading, section: Section | None) -> Detection:
    """Whether 主诉 names more than three symptoms; an injury or 停经 is the cause of them, not one."""
    if section is None:
        return Detection(False)
    named = {each.family: each.term for each in complaints(reading) if each.family not in _CAUSES}
    symptoms = [*named.values(), *_unlisted(reading, section)]
    if len(symptoms) <= _MOST_SYMPTOMS:
        return Detection(False)
    return Detection(True, (section.body,), f"有{len(symptoms)}个症状（{'、'.join(symptoms)}）")


_PIECE = regex(r"[^、,;。.\s伴及和并与]+")
_NO_SYMPTOM = regex(
    r"术|入院|疗|检|发现|确诊|加重|再发|复发|缓解|好转|伤|摔|跌|停经|孕|要求|拟|透|综合|随访|病史?$|癌|瘤|占位|结节|增高|升高|异常|侧|后|前|[*\d]|年|月|周|天|小时"
)


def _unlisted(reading: Reading, section: Section) -> list[str]:
    """The members of an enumeration (、) that are in no lexicon, and no cause, plan or time."""
    taken = [each.span for each in complaints(reading)]
    found = []
    for match in _PIECE.finditer(reading.half, *section.body):
        listed = "、" in reading.half[max(section.body.start, match.start() - 1) : match.end() + 1]
        free = not any(span.start < match.end() and match.start() < span.end for span in taken)
        if listed and free and len(match.group()) > 1 and not _NO_SYMPTOM.search(match.group()):
            found.append(match.group())
    return found


@detector
def chief_complaint_is_colloquial(reading: Reading, section: Section | None) -> Detection:
    """Whether 主诉 uses everyday or clipped words (咳痰喘, 拉肚子) for symptoms."""
    if section is None:
        return Detection(False)
    match = _colloquial().search(reading.half, section.body.start, section.body.end)
    return (
        Detection(True, (span_of(match),), f"“{match.group()}”不是症状学用语") if match else Detection(False)
    )


@cache
def _colloquial() -> re.Pattern[str]:
    return regex(rf"(?:{alternation(load_terms('colloquial_symptoms')).pattern})(?!痛)")


@detector
def chief_complaint_names_no_symptom(reading: Reading, section: Section | None) -> Detection:
    """Whether 主诉 holds no symptom at all, so that onset and attributes cannot be asked of one."""
    return Detection(not complaints(reading), (section.body,) if section else ())
