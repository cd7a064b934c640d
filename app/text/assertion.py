"""What the text claims of a mention: present, absent or uncertain; and whose it is."""

import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import Literal, NamedTuple

from app.records.model import Span
from app.text.width import half_width

Subject = Literal["patient", "family", "other"]


class Assertion(Enum):
    """Whether the text says that something is there."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"


class Mention(NamedTuple):
    """One term found in a text."""

    span: Span
    term: str
    assertion: Assertion
    subject: Subject


def assertion_at(text: str, span: Span) -> Assertion:
    """What the clause around ``span`` claims."""
    return (
        Assertion.ABSENT
        if re.search(r"[无未]|否认", half_width(text)[max(0, span.start - 8) : span.start])
        else Assertion.PRESENT
    )


def subject_at(text: str, span: Span) -> Subject:
    """Whom the words at ``span`` speak of."""
    return "patient"


def find_mentions(text: str, terms: Iterable[str], within: Span | None = None) -> tuple[Mention, ...]:
    """The mentions of ``terms``: longest match, not overlapping, in order."""
    start, end = within or (0, len(text))
    found = []
    for match in _alternation(tuple(terms)).finditer(half_width(text), start, end):
        span = Span(*match.span())
        found.append(Mention(span, match.group(), assertion_at(text, span), subject_at(text, span)))
    return tuple(found)


@lru_cache(maxsize=256)
def _alternation(terms: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(t) for t in sorted(terms, key=len, reverse=True)) or r"(?!)")
