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
from app.text.lexicons import load_terms, load_tree
from app.text.patterns import compiled
from app.text.terms import find_terms
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


class _Told(NamedTuple):
    cues: tuple[_Cue, ...]
    people: tuple[tuple[int, Subject], ...]


class _Sentence(NamedTuple):
    span: Span
    cues: tuple[_Cue, ...]
    people: tuple[tuple[int, Subject], ...]
    is_family_history: bool


def assertion_at(text: str, span: Span) -> Assertion:
    """What the clause around ``span`` claims; 不排除, 待查, 可能, 考虑, ？ and hypotheses are uncertain."""
    half = half_width(text)
    return _assertion(half, span, _sentence(half, span))


def subject_at(text: str, span: Span) -> Subject:
    """Whom the words at ``span`` speak of.

    A relative named before them in the sentence, or a 家族史 heading, makes it the family's; 同事, 接触者 and the
    like another's. A relative who only tells, calls or brings does not.
    """
    return _subject(span, _sentence(half_width(text), span))


def find_mentions(text: str, terms: Iterable[str], within: Span | None = None) -> tuple[Mention, ...]:
    """The mentions of ``terms``: longest match, not overlapping, in order.

    Text and terms are compared in half-width form; ``term`` is that form. Pass the same tuple every time: the
    compiled search is cached by it.
    """
    half = half_width(text)
    found: list[Mention] = []
    sentence: _Sentence | None = None
    for span in find_terms(half, terms, within):
        if sentence is None or not sentence.span.contains(span):
            sentence = _sentence(half, span)
        claimed = _assertion(half, span, sentence)
        found.append(Mention(span, span.of(half), claimed, _subject(span, sentence)))
    return tuple(found)


def _sentence(half: str, span: Span) -> _Sentence:
    """The sentence around ``span`` with the cues and people in it."""
    start = max(0, span.start - _REACH)
    start = max(start, *(half.rfind(mark, start, span.start) + 1 for mark in _CLAUSE_ENDS))
    match = _pattern("sentence_end").search(half, span.end, span.end + _REACH)
    end = match.start() if match else min(len(half), span.end + _REACH)
    told = _told(half, start, end)
    return _Sentence(Span(start, end), *told, _in_family_history(half, start, span.start))


@lru_cache(maxsize=2048)
def _told(half: str, start: int, end: int) -> _Told:
    """The cues and the people of one sentence, found once for all that is asked of it."""
    people = (found for found in _pattern("person").finditer(half, start, end) if found.lastgroup)
    return _Told(
        tuple(_cues(half, start, end)),
        tuple((found.end(), found.lastgroup) for found in people),  # type: ignore[misc]
    )


def _cues(half: str, start: int, end: int) -> Iterator[_Cue]:
    for match in _pattern("cue").finditer(half, start, end):
        kind = match.lastgroup
        if kind in ("absent", "denied"):
            yield _Cue(match.start(), match.end(), Assertion.ABSENT, kind == "denied")
        elif kind == "uncertain":
            yield _Cue(match.start(), match.end(), Assertion.UNCERTAIN, crosses_commas=False)


def _assertion(half: str, span: Span, sentence: _Sentence) -> Assertion:
    before = next((cue for cue in reversed(sentence.cues) if cue.end <= span.start), None)
    claimed = before.claims if before and _reaches(half, before, span.start) else Assertion.PRESENT
    if claimed is Assertion.ABSENT:
        return claimed
    if _pattern("uncertain_after").match(half, span.end):
        return Assertion.UNCERTAIN
    if _pattern("absent_after").match(half, span.end):
        return Assertion.ABSENT
    return claimed


def _reaches(half: str, cue: _Cue, start: int) -> bool:
    comma = _pattern("comma").search(half, cue.end, start)
    turn = "turn" if comma or not cue.crosses_commas else "turn_of_denial"
    if _pattern(turn).search(half, cue.end, start):
        return False
    if not comma:
        return True
    segment_end = _pattern("segment_end").search(half, start)
    end = segment_end.start() if segment_end else len(half)
    return cue.crosses_commas and not _pattern("new_claim").search(half, comma.start(), end)


def _subject(span: Span, sentence: _Sentence) -> Subject:
    named = [subject for end, subject in sentence.people if end <= span.start]
    return named[-1] if named else "family" if sentence.is_family_history else "patient"


def _in_family_history(half: str, sentence_start: int, start: int) -> bool:
    named = half.rfind("家族", max(0, sentence_start - _REACH), start)
    heading = _pattern("family_heading").match(half, named) if named >= 0 else None
    return heading is not None and not _pattern("next_section").search(half, heading.end(), start)


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return _patterns()[name]


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    words = {name: "|".join(forms) for name, forms in load_tree("assertion_cues").items()}
    denials = "|".join(sorted(load_terms("denials"), key=len, reverse=True))
    end = r"(?=[,。;、!\s)]|\Z)"
    gap = r"[^,。;:、!?\s()]"
    return {
        "sentence_end": compiled(r"[。;!\n]|\?(?![,、)])"),
        "segment_end": compiled(r"[,。;!?\n]"),
        "cue": compiled(
            rf"(?P<uncertain>{words['uncertain_before']})|(?:{words['no_cue']})"
            rf"|(?P<denied>(?:{denials})(?:{words['carried']})*)"
            rf"|(?P<absent>(?:{words['absent_before']})(?:{words['carried']})*)"
        ),
        "comma": compiled(r",(?!如(?!有|出现|再)|例如|包括|比如|诸如)"),
        "turn": compiled(f"{words['turn_of_denial']}|{words['turn']}"),
        "turn_of_denial": compiled(words["turn_of_denial"]),
        "new_claim": compiled(words["new_claim"]),
        "uncertain_after": compiled(
            rf"{gap}{{0,6}}?(?:{words['uncertain_after']})|[(\s]?\?|{gap}{{0,3}}\?|、{gap}{{1,8}}待[排查]"
        ),
        "absent_after": compiled(
            rf"(?:史|病史|症状|体征|征)?(?::|均|已)*(?:{words['absent_after']}){end}"
            rf"|(?:史|病史|症状|体征|征)?:\s?(?:患者|既往|均)?(?:{words['absent_after']})(?!其他|其它)"
            rf"|{gap}{{0,8}}(?:{words['negative_result']})"
            rf"|(?:、{gap}{{1,8}}){{1,4}}均(?:为|呈)?(?:{words['negative_result']}|无{end})"
        ),
        "person": compiled(
            rf"(?:{words['teller']})|(?P<family>{words['family']})|(?P<other>{words['other']})"
            rf"|(?P<patient>{words['patient']})"
        ),
        "family_heading": compiled(r"家族(?:病|遗传|疾病)?史[ \t]*[:】\s]\s*"),
        "next_section": compiled(r"\n|(?:史|检查|查体|诊断)[ \t]*[:】]"),
    }
