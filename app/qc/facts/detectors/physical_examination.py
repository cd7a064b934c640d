"""Facts of 体格检查 and 专科检查: signs against the history and against one another, systems left out."""

import re
from functools import cache
from typing import NamedTuple

from app.qc.facts.detectors.base import (
    PRESENT_ILLNESS,
    Detection,
    detector,
    filled,
    heading,
    sentence_around,
    span_of,
)
from app.qc.facts.detectors.chief_complaint import complaints
from app.qc.facts.detectors.present_illness import course
from app.records.model import Span
from app.text.assertion import Assertion, assertion_at, subject_at
from app.text.lexicons import load_tree
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section

PHYSICAL_EXAMINATION = "体格检查"
SPECIALIST_EXAMINATION = "专科检查"
_LASTS = regex(
    r"目前|入院时|至今|一直|持续(?:存在|无)|现(?=仍|有|在)|仍|无(?:明显)?(?:缓解|好转|消退|改善|减轻)|进行性加重|逐渐加重"
)
_PASSES = regex(r"间断|间歇|反复|阵发|时有|时轻时重|偶|发作|(?<![无未])(?:好转|缓解|消退|消失|减轻)")
_NOT_EXAMINED = regex(r"不(?:能)?配合|未(?:能)?(?:完成|检查|查体|行)|无法(?:检查|查体|配合)|抢救|拒绝")


class _Signs(NamedTuple):
    told: re.Pattern[str] | None
    found: re.Pattern[str]
    denied: re.Pattern[str]


@cache
def _signs() -> dict[str, _Signs]:
    return {
        name: _Signs(
            regex(words["told"]) if "told" in words else None,
            regex(words["found"]),
            regex(words["denied"]),
        )
        for name, words in load_tree("physical_signs").items()
    }


def _only_denied(reading: Reading, signs: _Signs, within: Span) -> Span | None:
    """Where a sign is denied, unless it is found in the same stretch as well."""
    denied = signs.denied.search(reading.half, *within)
    return span_of(denied) if denied and not signs.found.search(reading.half, *within) else None


def _only_found(reading: Reading, signs: _Signs, within: Span) -> Span | None:
    found = signs.found.search(reading.half, *within)
    return span_of(found) if found and not signs.denied.search(reading.half, *within) else None


@detector
def examinations_contradict(reading: Reading, section: Section | None) -> Detection | None:
    """Whether 体格检查 and 专科检查 say the opposite of one sign; ``None`` where one of them is missing."""
    places = list(filled(reading, PHYSICAL_EXAMINATION, SPECIALIST_EXAMINATION))
    if len(places) < 2 or places[0].body == places[1].body:
        return None
    general, special = (place.body for place in places)
    for name, signs in _signs().items():
        for one, other in ((general, special), (special, general)):
            denied = _only_denied(reading, signs, one)
            found = _only_found(reading, signs, other) if denied else None
            if denied and found:
                text = reading.document.text
                both = f"{name}：一处写“{denied.of(text)}”，另一处写“{found.of(text)}”"
                return Detection(True, (denied, found), both)
    return Detection(False)


@detector
def lasting_sign_denied(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the examination denies a sign that 现病史 says is still there; ``None`` where that is not said."""
    illness = reading.section(PRESENT_ILLNESS)
    examined = list(filled(reading, PHYSICAL_EXAMINATION, SPECIALIST_EXAMINATION))
    if illness is None or not examined:
        return None
    is_open = False
    for name, signs in _signs().items():
        denied = [d for place in examined if (d := _only_denied(reading, signs, place.body))]
        if not denied or any(signs.found.search(reading.half, *place.body) for place in examined):
            continue
        told = _told(reading, signs, course(reading, illness))
        if told is None:
            continue
        if _is_lasting(reading, told, illness.body):
            text = reading.document.text
            said = f"现病史有{name}（“{told.of(text)}”），查体写“{denied[0].of(text)}”"
            return Detection(True, (told, denied[0]), said)
        is_open = True
    return None if is_open else Detection(False)


def _told(reading: Reading, signs: _Signs, within: Span) -> Span | None:
    """The last time the patient tells of a sign."""
    spans = [span_of(m) for m in signs.told.finditer(reading.half, *within)] if signs.told else []
    text = reading.document.text
    own = [
        s for s in spans if assertion_at(text, s) is Assertion.PRESENT and subject_at(text, s) == "patient"
    ]
    return own[-1] if own else None


def _is_lasting(reading: Reading, told: Span, within: Span) -> bool:
    sentence = sentence_around(reading.half, told, within)
    lasts = _LASTS.search(reading.half, *sentence)
    return lasts is not None and not _PASSES.search(reading.half, *sentence)


@detector
def complaint_unexamined(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the examinations leave out what a symptom of 主诉 calls for.

    ``None`` without 体格检查 or a symptom; what could not be examined, and says so, is not left out.
    """
    examined = list(filled(reading, PHYSICAL_EXAMINATION, SPECIALIST_EXAMINATION))
    if not any(place.name == PHYSICAL_EXAMINATION for place in examined) or not complaints(reading):
        return None
    if any(_NOT_EXAMINED.search(reading.half, *place.body) for place in examined):
        return Detection(False)
    families = {each.family: each for each in complaints(reading)}
    for what, entry in load_tree("examination_of_complaints").items():
        complained = next((families[f] for f in entry["complaints"] if f in families), None)
        told = regex(entry["told"])
        if complained and not any(told.search(reading.half, *place.body) for place in examined):
            detail = f"主诉有{complained.term}，查体没有写{what}"
            return Detection(True, (complained.span, *heading(examined[0])), detail)
    return Detection(False)
