"""Diagnoses that the note itself gives and its list of diagnoses leaves out; each with its source."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from app.qc.facts.detectors.base import (
    ADMISSION_DIAGNOSIS,
    EXAMINATIONS,
    PAST_HISTORY,
    PRELIMINARY_DIAGNOSIS,
    PRESENT_ILLNESS,
    Detection,
    detector,
    is_empty,
    span_of,
)
from app.qc.facts.detectors.diagnosis_list import Diagnosis, all_diagnoses, diagnoses_of
from app.qc.facts.detectors.past_history import chronic_diseases
from app.records.model import Span
from app.text.assertion import Assertion, assertion_at
from app.text.lexicons import heads_by_term, load_mapping, load_tree
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section

_SHOWN = 6


class _Missing(NamedTuple):
    """A diagnosis not listed; ``covering`` finds the names that would list it, narrower ones too."""

    name: str
    source: Span
    covering: re.Pattern[str]


@detector
def diagnosis_missing(reading: Reading, section: Section | None) -> Detection:
    """Whether a chronic disease of the history or a conclusion of an examination is not among the diagnoses.

    Looked for in 既往史, 现病史 and 辅助检查, verbatim, not denied; what a listed diagnosis contains is not missing.
    """
    listed = all_diagnoses(reading)
    if not listed:
        return Detection(False)
    names = "\n".join(each.name for each in listed)
    found: dict[str, _Missing] = {}
    for each in (*_diseases(reading, names), *_conclusions(reading, names)):
        found.setdefault(each.name, each)
    if not found:
        return Detection(False)
    shown = _narrowest(list(found.values()))[:_SHOWN]
    text = reading.document.text
    detail = "、".join(f"{each.name}（见“{each.source.of(text)}”）" for each in shown)
    return Detection(True, tuple(each.source for each in shown), f"诊断中没有{detail}")


def _narrowest(missing: Sequence[_Missing]) -> list[_Missing]:
    """Of names of one disease the narrowest; of equal ones the first."""
    kept: list[_Missing] = []
    for each in missing:
        if not any(each.covering.search(other.name) for other in kept):
            kept = [other for other in kept if not other.covering.search(each.name)] + [each]
    return kept


def _diseases(reading: Reading, listed: str) -> Iterator[_Missing]:
    heads = heads_by_term("chronic_diseases")
    for section in _told_in(reading, PAST_HISTORY, PRESENT_ILLNESS):
        for mention in chronic_diseases(reading.half, section.body):
            if mention.assertion is not Assertion.PRESENT or mention.subject != "patient":
                continue
            if _TEST.match(reading.half, mention.span.end):
                continue
            covering = _covering(heads[mention.term])
            if not covering.search(listed) and mention.term not in listed:
                yield _Missing(mention.term, mention.span, covering)


_TEST = regex(r"表面|[eE核]?抗[原体]|相关抗|标[志记]物|两对半|[五六]项|DNA|筛查|疫苗|家族")


@cache
def _covering(family: str) -> re.Pattern[str]:
    patterns = load_mapping("diagnosis_synonyms").get(family, ())
    return regex("|".join((re.escape(family), *patterns)))


def _conclusions(reading: Reading, listed: str) -> Iterator[_Missing]:
    sections = list(_told_in(reading, EXAMINATIONS, PRESENT_ILLNESS))
    for name in load_tree("findings"):
        if _finding_pattern(name, "covered").search(listed):
            continue
        for section in sections:
            match = _said(reading, section, name)
            if match:
                yield _Missing(name, match, _finding_pattern(name, "covered"))
                break


def _said(reading: Reading, section: Section, name: str) -> Span | None:
    for match in _finding_pattern(name, "said").finditer(reading.half, *section.body):
        names_a_test = _TEST.match(reading.half, match.end())
        if not names_a_test and assertion_at(reading.half, span_of(match)) is not Assertion.ABSENT:
            return span_of(match)
    return None


@cache
def _finding_pattern(name: str, kind: str) -> re.Pattern[str]:
    return regex("|".join((re.escape(name), *load_tree("findings")[name][kind])))


def _told_in(reading: Reading, *names: str) -> Iterator[Section]:
    for name in names:
        section = reading.section(name)
        if section is not None:
            yield section


@detector
def diagnosis_lists_differ(reading: Reading, section: Section | None) -> Detection:
    """Whether one of 入院诊断 and 初步诊断, both filled, lacks a diagnosis that the other has."""
    places = [reading.section(name) for name in (ADMISSION_DIAGNOSIS, PRELIMINARY_DIAGNOSIS)]
    if any(is_empty(reading, place) for place in places):
        return Detection(False)
    first, second = (diagnoses_of(reading, place) for place in places if place)
    for there, here, name in ((second, first, ADMISSION_DIAGNOSIS), (first, second, PRELIMINARY_DIAGNOSIS)):
        lacking = _lacking(there, here)
        if lacking:
            words = "、".join(each.name for each in lacking)
            return Detection(True, tuple(each.span for each in lacking), f"{name}中没有{words}")
    return Detection(False)


def _lacking(there: tuple[Diagnosis, ...], here: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    names = [each.bare for each in here]
    return [
        d
        for d in there
        if len(d.bare) > 1 and not any(d.bare in name or name in d.bare for name in names if name)
    ]
