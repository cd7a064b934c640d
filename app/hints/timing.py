"""When a hint speaks: a note that is being written is not yet to blame for what it has not come to."""

from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from app.qc.checks.presence import is_written
from app.records.model import DocumentType
from app.text.reading import Reading
from app.text.sections import Section
from app.yaml_data import read_yaml

_HERE = Path(__file__).parent


class Timing(StrEnum):
    """When the findings of a rule speak; see ``quiet.yaml``."""

    NEVER = "never"
    WHEN_ASKED = "when_asked"
    WHEN_PAST = "when_past"
    AT_ONCE = "at_once"


@cache
def timing_of(code: str) -> Timing:
    """When the rule of this code speaks; the first list that matches decides."""
    for name, patterns in _quiet().items():
        if any(fnmatchcase(code, pattern) for pattern in patterns):
            return Timing(name)
    return Timing.AT_ONCE


class Writing:
    """How far a note has come: the last section that says something is the one being written."""

    def __init__(self, reading: Reading, cursor: int | None) -> None:
        """Look at the note with the writer at ``cursor``, a code point offset, or at an unknown place."""
        self._reading = reading
        self._cursor = cursor
        text = reading.document.text
        written = [s for s in reading.sections if s.name and is_written(s.body.of(text))]
        self._current = written[-1] if written else None

    def is_past(self, section: str) -> bool:
        """Whether the writer has left this section behind, filled in or not."""
        if self._current is None:
            return False
        own = self._reading.section(section)
        if own is None:
            return self._is_skipped(section)
        if own.heading.start >= self._current.heading.start:
            return False
        return self._cursor is None or not self._is_blank(own) or self._cursor > own.body.end

    def section_at(self, place: int) -> str:
        """The section that a place of the text lies in; empty before the first."""
        around = [s.name for s in self._reading.sections if s.heading.start <= place]
        return around[-1] if around else ""

    def _is_blank(self, section: Section) -> bool:
        return not is_written(section.body.of(self._reading.document.text))

    def _is_skipped(self, name: str) -> bool:
        """Whether a section without heading belongs before the current one."""
        order = _order().get(self._reading.document.kind, ())
        current = self._current.name if self._current else ""
        return name in order and current in order and order.index(name) < order.index(current)


@cache
def _quiet() -> Mapping[str, tuple[str, ...]]:
    return {name: tuple(patterns) for name, patterns in read_yaml(_HERE / "quiet.yaml").items()}


@cache
def _order() -> Mapping[DocumentType, tuple[str, ...]]:
    return {kind: tuple(names) for kind, names in read_yaml(_HERE / "order.yaml").items()}
