"""Sides of the body."""

import re
from functools import cache
from typing import Literal, NamedTuple

from app.records.model import Span
from app.text.lexicons import load_terms
from app.text.patterns import regex
from app.text.width import half_width

SideName = Literal["左", "右", "双侧"]


class Side(NamedTuple):
    """A side and, where the text names it, the part of the body (右下肢: 右, 下肢; 左肺上叶: 左, 肺上叶)."""

    span: Span
    side: SideName
    site: str | None


_SIDES: dict[str, SideName] = {"左": "左", "右": "右", "双": "双侧", "两": "双侧"}


def find_sides(text: str) -> tuple[Side, ...]:
    """The sides that ``text`` names, in order.

    Words that only hold the character are none: 左右, drugs (左氧氟沙星, 右美托咪定), parts that exist on one
    side only (左心室, 右束支), 双 or 两 without 侧 or a paired part (双氯芬酸, 两天).
    """
    return tuple(
        Side(Span(*match.span()), _SIDES[match["side"]], match["site_after"] or match["site"])
        for match in _side().finditer(half_width(text))
        if not match["unpaired"]
    )


@cache
def _side() -> re.Pattern[str]:
    sites = _alternation(load_terms("sites"))
    unpaired = _alternation(tuple(word[1:] for word in load_terms("not_sides")))
    return regex(
        rf"(?P<side>[左右双两])(?:(?P<unpaired>{unpaired})"
        rf"|侧的?(?P<site_after>{sites})?|(?P<site>{sites})|(?<=[左右]))"
    )


def _alternation(words: tuple[str, ...]) -> str:
    return "|".join(map(re.escape, sorted(set(words), key=len, reverse=True)))
