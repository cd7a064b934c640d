"""Regular expressions that are compiled when first used, and quick to say no.

``re`` tries every branch of a pattern at every character. Most patterns can start with only a few characters;
asked for one of these first, most places are passed over at once. What is matched stays the same.
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple, cast

_CLASSES = {ops.CATEGORY_DIGIT: r"\d", ops.CATEGORY_SPACE: r"\s", ops.CATEGORY_WORD: r"\w"}
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_WITHOUT_WIDTH = (ops.AT, ops.ASSERT, ops.ASSERT_NOT)


@lru_cache(maxsize=4096)
def regex(text: str, flags: int = 0) -> re.Pattern[str]:
    """The pattern, compiled when first used; an error in ``text`` shows then."""
    return cast(re.Pattern[str], _Deferred(text, flags))


class _Deferred:
    """Stands for a pattern; a method that has been used once stays at hand."""

    def __init__(self, text: str, flags: int) -> None:
        self._source = (text, flags)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a pattern has
        found = getattr(compiled(*self._source), name)
        setattr(self, name, found)
        return found


@cache
def compiled(text: str, flags: int = 0) -> re.Pattern[str]:
    """The compiled pattern, which at each place first asks whether a match can start there.

    Raises:
        re.error: not a regular expression.
    """
    parsed = parser.parse(text, flags)
    inline = parsed.state.flags & ~flags & ~re.UNICODE
    if inline or flags & re.IGNORECASE or _is_quick(parsed):
        return re.compile(text, flags)
    try:
        start = _start_of(parsed)
    except _UnboundedError:
        return re.compile(text, flags)
    if start.may_be_empty or not start.items:
        return re.compile(text, flags)
    return re.compile(f"(?=[{''.join(sorted(start.items))}])(?:{text})", flags)


class _Start(NamedTuple):
    """The characters that a piece can start with, as items of a class, and whether it can match nothing."""

    items: frozenset[str]
    may_be_empty: bool


class _UnboundedError(Exception):
    """The piece can start with too many characters to list."""


def _is_quick(sequence: Any) -> bool:  # noqa: ANN401 - as the parser gives it
    """Whether ``re`` finds the first character by itself: it sees plain ones only."""
    if not len(sequence):
        return True
    operation, argument = sequence[0]
    if operation is ops.SUBPATTERN:
        return _is_quick(argument[3])
    if operation is ops.BRANCH:
        return all(len(branch) and branch[0][0] is ops.LITERAL for branch in argument[1])
    if operation in _REPEATS:
        return argument[0] > 0 and _is_quick(argument[2])
    return operation in (ops.LITERAL, ops.IN, ops.AT)


def _start_of(sequence: Iterable[tuple[Any, Any]]) -> _Start:
    items: frozenset[str] = frozenset()
    for operation, argument in sequence:
        start = _start_of_one(operation, argument)
        items |= start.items
        if not start.may_be_empty:
            return _Start(items, may_be_empty=False)
    return _Start(items, may_be_empty=True)


def _start_of_one(operation: Any, argument: Any) -> _Start:  # noqa: ANN401 - as the parser gives them
    if operation is ops.LITERAL:
        return _Start(frozenset({re.escape(chr(argument))}), may_be_empty=False)
    if operation is ops.IN:
        return _Start(frozenset(_item(*each) for each in argument), may_be_empty=False)
    if operation is ops.BRANCH:
        branches = [_start_of(branch) for branch in argument[1]]
        items: frozenset[str] = frozenset().union(*(branch.items for branch in branches))
        return _Start(items, any(branch.may_be_empty for branch in branches))
    if operation is ops.SUBPATTERN and not argument[1] and not argument[2]:
        return _start_of(argument[3])
    if operation is ops.ATOMIC_GROUP:
        return _start_of(argument)
    if operation in _REPEATS:
        start = _start_of(argument[2])
        return _Start(start.items, start.may_be_empty or argument[0] == 0)
    if operation in _WITHOUT_WIDTH:
        return _Start(frozenset(), may_be_empty=True)
    raise _UnboundedError


def _item(operation: Any, argument: Any) -> str:  # noqa: ANN401 - as the parser gives them
    if operation is ops.LITERAL:
        return re.escape(chr(argument))
    if operation is ops.RANGE:
        return "-".join(re.escape(chr(end)) for end in argument)
    if operation is ops.CATEGORY and argument in _CLASSES:
        return _CLASSES[argument]
    raise _UnboundedError
