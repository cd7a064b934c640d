"""Finding the terms of a list in a text, all in one pass."""

from collections.abc import Iterable
from functools import lru_cache

from ahocorasick_rs import AhoCorasick, MatchKind

from app.records.model import Span
from app.text.width import half_width


def find_terms(half: str, terms: Iterable[str], within: Span | None = None) -> tuple[Span, ...]:
    """Where half-width text bears one of ``terms``: longest match, not overlapping, in order.

    Terms are compared in half-width form. Pass the same tuple every time: the search is cached by it.
    """
    search = _search(tuple(terms))
    if search is None:
        return ()
    if within is None:
        return tuple(Span(start, end) for _, start, end in search.find_matches_as_indexes(half))
    offset, end = within
    found = search.find_matches_as_indexes(half[offset:end])
    return tuple(Span(offset + start, offset + end) for _, start, end in found)


@lru_cache(maxsize=512)
def _search(terms: tuple[str, ...]) -> AhoCorasick | None:
    forms = sorted({half_width(term) for term in terms if term})
    return AhoCorasick(forms, matchkind=MatchKind.LeftmostLongest, store_patterns=False) if forms else None
