"""Kinds of anaesthesia and whether two descriptions mean the same."""

import re
from collections.abc import Mapping
from functools import cache

from app.text.lexicons import heads_by_term
from app.text.patterns import regex
from app.text.width import half_width

_SPINAL = frozenset({"腰硬联合麻醉", "腰麻", "硬膜外麻醉"})
_BROADER: Mapping[str, frozenset[str]] = {"椎管内麻醉": _SPINAL}


@cache
def _forms() -> re.Pattern[str]:
    return regex("|".join(map(re.escape, sorted(heads_by_term("anaesthesia"), key=len, reverse=True))))


def kinds_of_anaesthesia(words: str) -> frozenset[str]:
    """The kinds that ``words`` name; 腰麻 with 硬膜外 is the combination."""
    heads = heads_by_term("anaesthesia")
    found = {heads[form] for form in _forms().findall(half_width(words))}
    if {"腰麻", "硬膜外麻醉"} <= found:
        found = found - _SPINAL | {"腰硬联合麻醉"}
    return frozenset(found)


def same_anaesthesia(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two descriptions agree: one names no kind that the other lacks, narrower kinds included."""
    return _within(one, other) or _within(other, one)


def _within(one: frozenset[str], other: frozenset[str]) -> bool:
    return all(
        kind in other or other & _BROADER.get(kind, frozenset()) or _broad(kind) & other for kind in one
    )


def _broad(kind: str) -> set[str]:
    return {broad for broad, narrow in _BROADER.items() if kind in narrow}
