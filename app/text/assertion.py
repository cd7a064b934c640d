"""What the text claims of a mention: present, absent or uncertain; and whose it is.

Cues reach as far as Chinese notes let them: 无/未见 to the next comma (through 、), 否认 over further commas as
long as mere names follow. The cue words are in ``lexicons/assertion_cues.yaml``.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from app.records.model import Span
from app.text.lexicons import load_document, load_terms
from app.text.width import half_width

Subject = Literal["patient", "family", "other"]

_REACH = 300
_CLAUSE_ENDS = "。;!?\n"


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


class _Cue(NamedTuple):
    start: int
    end: int
    claims: Assertion
    crosses_commas: bool


def assertion_at(text: str, span: Span) -> Assertion:
    """What the clause around ``span`` claims; 不排除, 待查, 可能, 考虑, ？ and hypotheses are uncertain."""
    half = half_width(text)
    return _assertion(half, span, tuple(_cues(half, _sentence(half, span))))


def subject_at(text: str, span: Span) -> Subject:
    """Whom the words at ``span`` speak of: a relative named before them in the sentence, or a 家族史 heading,
    makes it the family's; 同事, 接触者 and the like another's. A relative who only tells or brings does not.
    """
    return _subject(half_width(text), span)


def find_mentions(text: str, terms: Iterable[str], within: Span | None = None) -> tuple[Mention, ...]:
    """The mentions of ``terms``: longest match, not overlapping, in order. Terms are matched in half-width form."""
    half = half_width(text)
    start, end = within or (0, len(text))
    found: list[Mention] = []
    sentence = Span(0, 0)
    cues: tuple[_Cue, ...] = ()
    for match in _alternation(tuple(terms)).finditer(half, start, end):
        span = Span(*match.span())
        if not sentence.contains(span):
            sentence = _sentence(half, span)
            cues = tuple(_cues(half, sentence))
        found.append(Mention(span, match.group(), _assertion(half, span, cues), _subject(half, span)))
    return tuple(found)


@lru_cache(maxsize=256)
def _alternation(terms: tuple[str, ...]) -> re.Pattern[str]:
    folded = sorted({half_width(term) for term in terms if term}, key=lambda term: (-len(term), term))
    by_first: dict[str, list[str]] = {}
    for term in folded:
        by_first.setdefault(term[0], []).append(re.escape(term[1:]))
    branches = (f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in by_first.items())
    firsts = "".join(re.escape(first) for first in by_first)
    return re.compile(f"(?=[{firsts}])(?:{'|'.join(branches)})" if by_first else r"(?!)")


def _sentence(half: str, span: Span) -> Span:
    """The sentence around ``span``; a question mark ends it only behind the mention's own clause."""
    start = max(0, span.start - _REACH)
    start = max(start, *(half.rfind(mark, start, span.start) + 1 for mark in _CLAUSE_ENDS))
    match = _pattern("sentence_end").search(half, span.end, span.end + _REACH)
    return Span(start, match.start() if match else min(len(half), span.end + _REACH))


def _cues(half: str, sentence: Span) -> Iterator[_Cue]:
    for match in _pattern("cue").finditer(half, *sentence):
        kind = match.lastgroup
        if kind in ("absent", "denied"):
            yield _Cue(match.start(), match.end(), Assertion.ABSENT, kind == "denied")
        elif kind == "uncertain":
            yield _Cue(match.start(), match.end(), Assertion.UNCERTAIN, crosses_commas=False)


def _assertion(half: str, span: Span, cues: tuple[_Cue, ...]) -> Assertion:
    before = next((cue for cue in reversed(cues) if cue.end <= span.start), None)
    claimed = before.claims if before and _reaches(half, before, span.start) else Assertion.PRESENT
    if claimed is Assertion.ABSENT:
        return claimed
    if _pattern("uncertain_after").match(half, span.end):
        return Assertion.UNCERTAIN
    if _pattern("absent_after").match(half, span.end):
        return Assertion.ABSENT
    return claimed


def _reaches(half: str, cue: _Cue, start: int) -> bool:
    if _pattern("turn").search(half, cue.end, start):
        return False
    comma = half.find(",", cue.end, start)
    if comma < 0:
        return True
    segment_end = _pattern("segment_end").search(half, start)
    return cue.crosses_commas and not _pattern("new_claim").search(
        half, comma, segment_end.start() if segment_end else len(half)
    )


def _subject(half: str, span: Span) -> Subject:
    start = max(0, span.start - 80)
    start = max(start, *(half.rfind(mark, start, span.start) + 1 for mark in _CLAUSE_ENDS))
    people = [match for match in _pattern("person").finditer(half, start, span.start) if match.lastgroup]
    if people:
        return people[-1].lastgroup  # type: ignore[return-value]
    return "family" if _in_family_history(half, span) else "patient"


def _in_family_history(half: str, span: Span) -> bool:
    named = half.rfind("家族", max(0, span.start - _REACH), span.start)
    heading = _pattern("family_heading").match(half, named) if named >= 0 else None
    return heading is not None and not _pattern("next_section").search(half, heading.end(), span.start)


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return _patterns()[name]


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    words = {name: "|".join(forms) for name, forms in load_document("assertion_cues").items()}
    denials = "|".join(sorted(load_terms("denials"), key=len, reverse=True))
    end = r"(?=[,。;、!\s)]|\Z)"
    gap = r"[^,。;:、!?\s()]"
    return {
        "sentence_end": re.compile(r"[。;!\n]|\?(?![,、)])"),
        "segment_end": re.compile(r"[,。;!?\n]"),
        "cue": re.compile(
            rf"(?P<uncertain>{words['uncertain_before']})|(?:{words['no_cue']})"
            rf"|(?P<denied>(?:{denials})(?:{words['carried']})*)"
            rf"|(?P<absent>(?:{words['absent_before']})(?:{words['carried']})*)"
        ),
        "turn": re.compile(words["turn"]),
        "new_claim": re.compile(words["new_claim"]),
        "uncertain_after": re.compile(
            rf"{gap}{{0,6}}?(?:{words['uncertain_after']})|[(\s]?\?|{gap}{{0,3}}\?|、{gap}{{1,8}}待[排查]"
        ),
        "absent_after": re.compile(
            rf"(?:史|病史|症状|体征|征)?(?::|均|已)*(?:{words['absent_after']}){end}"
            rf"|{gap}{{0,8}}(?:{words['negative_result']})"
            rf"|(?:、{gap}{{1,8}}){{1,4}}均(?:为|呈)?(?:{words['negative_result']}|无{end})"
        ),
        "person": re.compile(
            rf"(?:{words['teller']})|(?P<family>{words['family']})|(?P<other>{words['other']})"
            rf"|(?P<patient>{words['patient']})"
        ),
        "family_heading": re.compile(r"家族(?:病|遗传|疾病)?史[ \t]*[:】\s]\s*"),
        "next_section": re.compile(r"\n|(?:史|检查|查体|诊断)[ \t]*[:】]"),
    }
