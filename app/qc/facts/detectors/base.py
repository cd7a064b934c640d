"""The shape of a detector, the register of all of them, and the places they read."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from app.records.model import Span
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section, is_blank

CHIEF_COMPLAINT = "主诉"
PRESENT_ILLNESS = "现病史"
PAST_HISTORY = "既往史"
EXAMINATIONS = "辅助检查"
ADMISSION_DIAGNOSIS = "入院诊断"
PRELIMINARY_DIAGNOSIS = "初步诊断"
DIAGNOSES = (ADMISSION_DIAGNOSIS, PRELIMINARY_DIAGNOSIS)


class Detection(NamedTuple):
    """What a detector found, where, and in words what is missing or contradictory (``{detail}`` of a message)."""

    value: bool
    spans: tuple[Span, ...] = ()
    detail: str = ""


Detector = Callable[[Reading, Section | None], Detection | None]
DETECTORS: dict[str, Detector] = {}

_CLAUSE = regex(r"[^,。;!?\n]+")
_SENTENCE_ENDS = "。;!?\n"
_CLAUSE_ENDS = ",。;!?\n"


def detector(function: Detector) -> Detector:
    """Register a detector under its function name."""
    DETECTORS[function.__name__] = function
    return function


def is_empty(reading: Reading, section: Section | None) -> bool:
    """Whether a section is absent or holds nothing but a placeholder."""
    return section is None or is_blank(section.body.of(reading.document.text))


def filled(reading: Reading, *names: str) -> Iterator[Section]:
    """The sections of these names that hold something, in the order of the names."""
    for name in names:
        section = reading.section(name)
        if section is not None and not is_empty(reading, section):
            yield section


def heading(section: Section | None) -> tuple[Span, ...]:
    """The heading, as the place where something is missing; nothing for an absent section."""
    return (section.heading,) if section else ()


def span_of(match: re.Match[str]) -> Span:
    """Where a match lies."""
    return Span(*match.span())


def clauses(half: str, within: Span) -> Iterator[Span]:
    """The stretches between commas and sentence ends."""
    return (span_of(match) for match in _CLAUSE.finditer(half, within.start, within.end))


def clause_around(half: str, span: Span, within: Span) -> Span:
    """The stretch between commas and sentence ends that holds ``span``."""
    return _around(half, span, within, _CLAUSE_ENDS)


def sentence_around(half: str, span: Span, within: Span) -> Span:
    """The stretch between sentence ends (semicolons included) that holds ``span``."""
    return _around(half, span, within, _SENTENCE_ENDS)


def _around(half: str, span: Span, within: Span, marks: str) -> Span:
    start = max([within.start, *(half.rfind(mark, within.start, span.start) + 1 for mark in marks)])
    ends = [end for mark in marks if (end := half.find(mark, span.end, within.end)) >= 0]
    return Span(start, min([within.end, *ends]))


def alternation(terms: Iterable[str]) -> re.Pattern[str]:
    """One search for literal terms, the longest first."""
    return regex("|".join(re.escape(term) for term in sorted(terms, key=lambda term: (-len(term), term))))
