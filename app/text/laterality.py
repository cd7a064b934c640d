"""Sides of the body."""

from typing import Literal, NamedTuple

from app.records.model import Span


class Side(NamedTuple):
    """A side and, where the text names it, the part of the body."""

    span: Span
    side: Literal["左", "右", "双侧"]
    site: str | None


def find_sides(text: str) -> tuple[Side, ...]:
    """The sides that ``text`` names, in order."""
    return ()
