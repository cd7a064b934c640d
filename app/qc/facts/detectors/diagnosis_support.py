"""Whether what is said supports a diagnosis, by the words without which nothing can."""

import re
from functools import cache
from typing import NamedTuple

from app.qc.facts.detectors.base import Detection, detector, heading, is_empty, span_of
from app.records.model import Span
from app.text.assertion import Assertion, assertion_at
from app.text.diagnoses import find_diagnoses
from app.text.lexicons import load_mapping
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section
from app.text.width import half_width

_SHORTEST_REASONS = 12
_ELSEWHERE = regex(r"同上|见上|如上|见病例特点|同病例特点|根据(?:病史|患者病史|以上)|结合病史|上述")
_UNCERTAIN = regex(r"\?|待查|待排|可能|疑似|考虑|拟诊|个人史|术后|史$")


class Support(NamedTuple):
    """A kind of diagnosis, and the words that can support it."""

    diagnosis: re.Pattern[str]
    words: re.Pattern[str]


@cache
def _table() -> tuple[Support, ...]:
    listed = load_mapping("diagnosis_support").items()
    return tuple(Support(regex(name), regex("|".join(words))) for name, words in listed)


def support_for(diagnosis: str) -> Support | None:
    """What can support a diagnosis; ``None`` for one that is uncertain, over, or not in the list."""
    name = half_width(diagnosis)
    if _UNCERTAIN.search(name):
        return None
    return next((each for each in _table() if each.diagnosis.search(name)), None)


@detector
def reasons_support_diagnosis(reading: Reading, section: Section | None) -> Detection | None:
    """Whether 诊断依据 holds, and does not deny, a word that can support the first diagnosis.

    ``None`` where the diagnosis is not in the list, or the reasons are given elsewhere.
    """
    listed = reading.section("初步诊断", "入院诊断")
    if section is None or listed is None or is_empty(reading, section):
        return None
    first = next(iter(find_diagnoses(reading.document.text, listed.body)), None)
    support = support_for(first.name) if first else None
    body = section.body.of(reading.half)
    if first is None or support is None or len(body) < _SHORTEST_REASONS or _ELSEWHERE.search(body):
        return None
    names = [Span(m.start(), m.end()) for m in support.diagnosis.finditer(reading.half, *section.body)]
    said = [
        span_of(match)
        for match in support.words.finditer(reading.half, *section.body)
        if not any(name.contains(span_of(match)) for name in names)
    ]
    affirmed = [s for s in said if assertion_at(reading.document.text, s) is not Assertion.ABSENT]
    if affirmed:
        return Detection(True, (affirmed[0],))
    detail = f"第一诊断“{first.name}”，依据中{'只有否定的表现' if said else '没有相关的症状、体征或检查'}"
    return Detection(False, (*heading(section), first.span), detail)


@detector
def differential_given(reading: Reading, section: Section | None) -> Detection:
    """Whether a differential diagnosis is written at all."""
    return Detection(not is_empty(reading, section))
