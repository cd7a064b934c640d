"""Facts of how 现病史 is told: in the order of time, and with the patient's words in quotation marks."""

from itertools import pairwise

from app.qc.facts.detectors.base import Detection, clause_around, detector, sentence_around, span_of
from app.qc.facts.detectors.present_illness import course
from app.records.model import Span
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section
from app.text.times import find_durations

_LOOKS_BACK = regex("追问|追溯|回顾|既往|曾|此前|先前|更早|病史|以往|平素|术后|孕")
_MARGIN = 1.5


@detector
def told_out_of_order(reading: Reading, section: Section | None) -> Detection:
    """Whether a later sentence of 现病史 goes back in time (10天前 after 3天前) without saying so."""
    if section is None:
        return Detection(False)
    told = course(reading, section)
    text = reading.half[told.start : told.end]
    times = [d for d in find_durations(text) if d.is_ago and d.minimum_days is not None and d.maximum_days]
    for earlier, later in pairwise(times):
        spans = (earlier.span.shifted(told.start), later.span.shifted(told.start))
        goes_back = (later.minimum_days or 0) > (earlier.maximum_days or 0) * _MARGIN
        if goes_back and not _says_so(reading, told, spans[1]):
            quotes = [span.of(reading.document.text) for span in spans]
            return Detection(True, spans, f"先写“{quotes[0]}”，后写“{quotes[1]}”")
    return Detection(False)


def _says_so(reading: Reading, told: Span, span: Span) -> bool:
    sentence = sentence_around(reading.half, span, told)
    return bool(_LOOKS_BACK.search(reading.half, max(told.start, sentence.start - 12), sentence.end))


_ELSEWHERE = regex(r"外院|院外|当地|诊所|卫生[院所室]|(?<!我)(?<!本)(?<!住)(?<!出)(?<!入)医院")
_NAMED_DIAGNOSIS = regex(r"诊断(?:为|考虑|是)?:?(?=[^“”\"'‘,。;:明不依标意]{2})")
_QUOTES = regex("[“”\"'‘’「」]")


@detector
def outside_diagnosis_unquoted(reading: Reading, section: Section | None) -> Detection:
    """Whether a diagnosis made elsewhere is told without quotation marks."""
    if section is None:
        return Detection(False)
    for match in _NAMED_DIAGNOSIS.finditer(reading.half, *course(reading, section)):
        sentence = sentence_around(reading.half, span_of(match), section.body)
        rest = Span(match.start(), clause_around(reading.half, span_of(match), section.body).end)
        elsewhere = _ELSEWHERE.search(reading.half, sentence.start, match.start())
        if elsewhere and not _QUOTES.search(reading.half, *rest):
            return Detection(True, (rest,), f"院外诊断“{rest.of(reading.document.text)}”")
    return Detection(False)
