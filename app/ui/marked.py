"""A note cut into pieces at the edges of what is marked in it."""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from app.qc.rule import SEVERITIES, Severity


class Mark(NamedTuple):
    """Something to mark: code point offsets, end exclusive; ``is_now`` for what the page is about."""

    start: int
    end: int
    severity: Severity
    is_now: bool


class Piece(NamedTuple):
    """A stretch of text; ``severity`` is the gravest of the marks over it, ``is_first`` the first one to look at."""

    text: str
    severity: Severity | None = None
    is_now: bool = False
    is_first: bool = False


def pieces(text: str, marks: Iterable[Mark]) -> list[Piece]:
    """The whole text in pieces; overlapping marks share one. Marks beyond the text are cut off."""
    spans = [mark for mark in marks if 0 <= mark.start < mark.end and mark.start < len(text)]
    edges = sorted({0, len(text), *(min(edge, len(text)) for mark in spans for edge in mark[:2])})
    first = min((mark.start for mark in spans if mark.is_now), default=None)
    found = []
    for start, end in pairwise(edges):
        over = [mark for mark in spans if mark.start <= start and end <= mark.end]
        if not over:
            found.append(Piece(text[start:end]))
            continue
        worst = min((mark.severity for mark in over), key=SEVERITIES.index)
        is_now = any(mark.is_now for mark in over)
        found.append(Piece(text[start:end], worst, is_now, is_now and start == first))
    return found
