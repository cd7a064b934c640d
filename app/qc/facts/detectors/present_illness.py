"""Facts of 现病史: onset, attributes of the main symptoms, general condition."""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import islice

from app.qc.facts.detectors.base import (
    CHIEF_COMPLAINT,
    Detection,
    clause_around,
    detector,
    heading,
    is_empty,
    sentence_around,
    span_of,
)
from app.qc.facts.detectors.chief_complaint import Complaint, complaints, parts
from app.records.model import Span
from app.text.assertion import Assertion, Mention, assertion_at, find_mentions
from app.text.lexicons import heads_by_term, load_mapping, load_terms, load_tree
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section


@detector
def present_illness_blank(reading: Reading, section: Section | None) -> Detection:
    """Whether 现病史 is absent or empty."""
    blank = is_empty(reading, section)
    return Detection(blank, heading(section) if blank else (), "现病史为空" if blank else "")


def course(reading: Reading, section: Section) -> Span:
    """The account of the illness: 现病史 up to the general condition (病程中……)."""
    half = reading.half
    found = _pattern("symptom_attributes", "course_end").finditer(half, *section.body)
    ends = [
        m.start()
        for m in found
        if m.start() > section.body.start + (section.body.end - section.body.start) // 3
    ]
    return Span(section.body.start, ends[0] if ends else section.body.end)


# --- general condition ------------------------------------------------------------------------------------

_EXCRETION = ("大便", "小便")
_STATE_OF_EXCRETION = regex(
    r"正常|如常|尚可|可|无异常|无殊|无明显|调|无改变|无变化|规律|通畅|未见|软|干结|未解|尚好|良好|同前|无特殊"
)


@detector
def general_condition_recorded(reading: Reading, section: Section | None) -> Detection:
    """Whether at least one of 精神、睡眠、食欲、大小便、体重 is written as a general condition.

    大小便 counts only with a word on its state, so that frequency as the main symptom does not.
    """
    if section is None:
        return Detection(False)
    heads = heads_by_term("general_condition")
    for mention in find_mentions(reading.half, load_terms("general_condition"), section.body):
        if heads[mention.term] not in _EXCRETION or _has_state(reading, mention):
            return Detection(True, (mention.span,))
    return Detection(False, heading(section), "没有写精神、睡眠、饮食、大小便、体重中的任何一项")


def _has_state(reading: Reading, mention: Mention) -> bool:
    return bool(_STATE_OF_EXCRETION.search(reading.half, mention.span.start, mention.span.end + 10))


# --- symptoms at all --------------------------------------------------------------------------------------


@detector
def illness_tells_of_symptoms(reading: Reading, section: Section | None) -> Detection:
    """Whether 现病史 tells of any symptom, present or denied."""
    if section is None:
        return Detection(False)
    found = symptoms_in(reading, course(reading, section))
    if found:
        return Detection(True, (found[0].span,))
    return Detection(False, heading(section), "没有写任何阳性症状，也没有写有鉴别意义的阴性症状")


# --- onset ------------------------------------------------------------------------------------------------

_AFTER = regex(
    r"([^,。;]{1,14})后[^,。;]{0,8}?(?:出现|感|觉|发现|发生|开始|致|突|即|逐渐|渐|诉|自|反复|间断|阵|始|疼|痛|晕)"
)
_FOUND_BY_EXAM = regex(r"检查|体检|查体|产检|复查|筛查|查出|确诊|诊断|(?<![后时自])发现")
FINDINGS = frozenset(
    {
        "停经",
        "肿块",
        "乳房肿块",
        "颈部肿块",
        "生长迟缓",
        "畸形",
        "血糖升高",
        "血压升高",
        "肺结节",
        "外伤",
        "胎动减少",
        "不孕",
    }
)
"""What is found or happens, and is not felt."""


@detector
def trigger_recorded(reading: Reading, section: Section | None) -> Detection:
    """Whether the sentence in which the illness begins names a trigger, or says that there was none.

    Looked for up to the first of the symptoms of 主诉: what provokes later attacks (活动后加重) is no trigger.
    What an examination found needs none.
    """
    if section is None:
        return Detection(False)
    complained = [each for each in complaints(reading) if not _was_found(reading, each)]
    if not complained:
        return Detection(True)
    onset = _onset(reading, section, complained)
    match = _pattern("triggers_at_onset", "trigger").search(reading.half, *onset)
    if match is None:
        match = _NO_TRIGGER.search(reading.half, section.body.start, section.body.start + _OPENING)
    if match is None:
        match = next((m for m in _AFTER.finditer(reading.half, *onset) if not _no_trigger(m.group(1))), None)
    if match:
        return Detection(True, (span_of(match),))
    named = "、".join(dict.fromkeys(each.term for each in complained))
    return Detection(False, (onset,), f"没有写{named}的诱因")


_NO_TRIGGER = regex(r"无[^,。;]{0,6}(?:诱因|原因)|不慎")
_OPENING = 60


def _was_found(reading: Reading, each: Complaint) -> bool:
    """Whether 主诉 says of it that an examination found it."""
    chief = reading.section(CHIEF_COMPLAINT)
    clause = clause_around(reading.half, each.span, chief.body) if chief else each.span
    return bool(_FOUND_BY_EXAM.search(reading.half, *clause))


def _no_trigger(words: str) -> bool:
    return bool(_pattern("triggers_at_onset", "no_trigger").search(words))


def _onset(reading: Reading, section: Section, complained: Sequence[Complaint]) -> Span:
    """From the start of its sentence to the end of the clause in which a symptom of 主诉 first stands."""
    first = next(mentions_of(reading, section.body, {each.family for each in complained}), None)
    if first is None:
        return sentence_around(reading.half, Span(section.body.start, section.body.start), section.body)
    sentence = sentence_around(reading.half, first.span, section.body)
    return Span(sentence.start, clause_around(reading.half, first.span, section.body).end)


def spoken_of(reading: Reading, within: Span, families: set[str]) -> Iterator[Mention]:
    """What is said of symptoms of these families, denied or not."""
    return (each for each in symptoms_in(reading, within) if families.intersection(_families(each.term)))


@lru_cache(maxsize=8)
def symptoms_in(reading: Reading, within: Span) -> tuple[Mention, ...]:
    """Every mention of a symptom in a stretch, denied or not; many facts of one note ask for the same."""
    return find_mentions(reading.half, load_terms("symptoms"), within)


def mentions_of(reading: Reading, within: Span, families: set[str]) -> Iterator[Mention]:
    """What is said, and not denied, of symptoms of these families."""
    return (each for each in spoken_of(reading, within, families) if each.assertion is not Assertion.ABSENT)


def kin_of(family: str) -> set[str]:
    """The family and those that a note may use for it."""
    groups = load_mapping("symptom_kin").values()
    return {family}.union(*(set(group) for group in groups if family in group))


@cache
def _families(term: str) -> frozenset[str]:
    return frozenset(heads_by_term("symptoms")[part] for part in (term, *parts(term)))


# --- attributes -------------------------------------------------------------------------------------------

_REACH = 30
_LONGEST_CLAUSE = 100


@detector
def main_symptoms_described(reading: Reading, section: Section | None) -> Detection:
    """Whether every symptom of 主诉 that can have them is told with its degree and, for pain, its quality.

    A symptom that 现病史 does not mention is not asked for here.
    """
    if section is None:
        return Detection(True)
    lacking: list[str] = []
    shown: list[Span] = []
    for family in dict.fromkeys(each.family for each in complaints(reading)):
        places = _places(reading, course(reading, section), family)
        missing = [name for name in _asked_of(family) if not _is_told(reading, section, places, name)]
        if places and missing:
            term = next(each.term for each in complaints(reading) if each.family == family)
            lacking.append(f"{term}未写{'、'.join(_ATTRIBUTES[name] for name in missing)}")
            shown.append(places[0])
    return Detection(not lacking, tuple(shown), "；".join(lacking))


_ATTRIBUTES = {"degree": "程度", "quality": "性质"}


def _asked_of(family: str) -> tuple[str, ...]:
    kinds = load_tree("symptom_attributes")["families"]
    if _is_pain(family):
        return ("degree", "quality")
    asked = [name for name in ("degree", "quality") if family in kinds[name]]
    return tuple(asked)


def _is_told(reading: Reading, section: Section, places: Sequence[Span], name: str) -> bool:
    pattern = _pattern("symptom_attributes", name)
    return any(pattern.search(reading.half, *_surroundings(reading, section, place)) for place in places)


def _places(reading: Reading, within: Span, family: str) -> list[Span]:
    """Where a symptom is told, under whatever name; pain also by its quality alone (锐痛)."""
    places = [m.span for m in mentions_of(reading, within, {family})]
    loose = _loosely("pain" if _is_pain(family) else family)
    matches = islice(loose.finditer(reading.half, *within), _MOST_PLACES) if loose else ()
    found = (span_of(match) for match in matches)
    places += [span for span in found if assertion_at(reading.half, span) is not Assertion.ABSENT]
    places = places or [m.span for m in mentions_of(reading, within, kin_of(family))]
    return places[:_MOST_PLACES]


_MOST_PLACES = 20


@cache
def _loosely(name: str) -> re.Pattern[str] | None:
    pattern = load_tree("symptom_attributes")["also_told_as"].get(name)
    return regex(pattern) if pattern else None


def _is_pain(family: str) -> bool:
    return family in load_tree("symptom_attributes")["families"]["pain"]


def _surroundings(reading: Reading, section: Section, span: Span) -> Span:
    """The clause of a mention and what follows within reach in the same sentence."""
    sentence = sentence_around(reading.half, span, section.body)
    clause = clause_around(reading.half, span, section.body)
    end = min(sentence.end, max(min(clause.end, span.end + _LONGEST_CLAUSE), span.end + _REACH))
    return Span(max(clause.start, span.start - _LONGEST_CLAUSE), end)


@cache
def _pattern(lexicon: str, name: str) -> re.Pattern[str]:
    return regex("|".join(load_mapping(lexicon)[name]))
