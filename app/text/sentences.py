"""Numbered sentences: the units that a model sees and that evidence points at."""

from collections.abc import Iterator
from typing import NamedTuple

from app.records.model import Span
from app.text.patterns import regex
from app.text.width import half_width

# Brackets of up to 60 characters are one unit; the possessive groups keep matching linear.
_BRACKET = r"\([^()\n]{0,60}\)|【[^【】\n]{0,60}】|“[^“”\n]{0,60}”"
_LIST_NUMBER = r"(?:\(?\d{1,2}(?:[、)]|\.(?!\d))\s*|[①-⑳]\s*)?"
_SENTENCE = regex(rf"{_LIST_NUMBER}(?>[^。!?;\n(【“]+|{_BRACKET}|[(【“])+[。!?;]*[,、)】”’\"]*|[。!?;]+")
_LONG = 100
_CLAUSE = regex(rf"(?>(?>[^,\n(【“]|,(?=\d)|{_BRACKET}|[(【“])+,*|,+|\n+)")
_WORD = regex(r"\S")


class Sentence(NamedTuple):
    """One sentence; ``text[start:end] == quote``, offsets in code points, end exclusive."""

    start: int
    end: int
    quote: str


def split_sentences(text: str, within: Span | None = None) -> tuple[Sentence, ...]:
    """The sentences of ``text``, or of the stretch ``within``, in order, without outer whitespace.

    Sentences end at 。！？； and line ends; a clause of more than 100 characters is cut at commas.
    Short brackets and quotations stay whole, list numbers stay with their item. Blank ones are left out.
    """
    start, end = within or (0, len(text))
    half = half_width(text)
    return tuple(
        Sentence(s, e, text[s:e]) for s, e in _stretches(half, start, end) if _WORD.search(text, s, e)
    )


def _stretches(half: str, start: int, end: int) -> Iterator[Span]:
    for match in _SENTENCE.finditer(half, start, end):
        if match.end() - match.start() <= _LONG:
            yield _stripped(half, match.start(), match.end())
        else:
            yield from _pieces(half, match.start(), match.end())


def _pieces(half: str, start: int, end: int) -> Iterator[Span]:
    """A long sentence as runs of whole comma clauses, each run as long as allowed."""
    cut = start
    for clause in _CLAUSE.finditer(half, start, end):
        if clause.end() - start > _LONG and cut > start:
            yield _stripped(half, start, cut)
            start = cut
        cut = clause.end()
    yield _stripped(half, start, end)


def _stripped(half: str, start: int, end: int) -> Span:
    words = half[start:end]
    return Span(start + len(words) - len(words.lstrip()), end - len(words) + len(words.rstrip()))
