"""Sections of a document by their headings, in whatever form a hospital writes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from app.records.model import DocumentType, Span
from app.text.lexicons import load_tree
from app.text.patterns import regex
from app.text.width import half_width

_HAN = "\u3400-\u9fff\U00020000-\U0003ffff"
_MARK = r"(?:[ \t]*(?:[*#•●■◆▲★◎]+|-+)[ \t]*)?+"
_NUMERAL = r"[一二三四五六七八九十]{1,3}"
_NUMBER = (
    rf"(?:(?:\((?:{_NUMERAL}|\d{{1,2}})\)[、.,]?|{_NUMERAL}[、.,]|\d{{1,2}}[).、,]{{0,2}}|[①-⑳])[ \t]*)?+"
)
_NAME = (
    rf"(?P<name>[{_HAN}](?>[ \t]*[{_HAN}/、]){{1,20}}(?>\([{_HAN}]{{1,6}}\)[{_HAN}]{{1,6}})?)"
    r"(?>\([^()\n]{0,30}\))?"
)
_LONGEST = 36
_END = regex("[:】]")
_BEFORE_END = regex(
    rf"(?:(?<![^。;!?\s】\])])|(?<=\d\.)|(?=【)){_MARK}{_NUMBER}[【\[〖<《]?[ \t]*{_NAME}[ \t]*"
    r"[\]〗>》]?\**[ \t]*\Z"
)
_AFTER_END = regex(r"\**[ \t]*:?\**")
_AT_LINE_START = regex(rf"^{_MARK}{_NUMBER}{_NAME}\**(?=[ \t]|$)", re.MULTILINE)
_BLANKS = regex(r"[ \t]+")
_JOINED = regex("[/、及和与]")
_BLANK = regex(
    r"(?:[\s_:\-—/\\.,;。、\"'“”‘’()\[\]{}【】…]|空白?|未填写?|无内容|暂缺|none|null|nan)*", re.IGNORECASE
)
_SAYS_SOMETHING = regex(r"(?![空白未填写无内容暂缺])[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Section:
    """One section: ``name`` is canonical; ``heading`` covers its words, ``body`` has no outer blanks.

    Text before the first heading is a section named ``""`` whose heading is empty.
    """

    name: str
    heading: Span
    body: Span


class _Heading(NamedTuple):
    names: tuple[str, ...]
    start: int
    words: Span
    body_start: int
    opens_line: bool


def split_sections(text: str, kind: DocumentType = "其他") -> tuple[Section, ...]:
    """The sections of a document in text order, repeated headings included.

    A heading is a known name (``lexicons/sections.yaml``) alone or before a blank at the start of a line, or
    before a colon after a sentence's end or a blank, or in 【】. Names that belong to the text of the section
    they stand in (主诉 among the 病例特点) are not cut out. A heading naming two sections (月经婚育史) gives
    both, with the same body.
    """
    half = half_width(text)
    headings = _outermost(_headings(half, _forms(kind)))
    starts = [heading.start for heading in headings] + [len(text)]
    sections = []
    preamble = _trimmed(half, 0, starts[0])
    if preamble.start < preamble.end:
        sections.append(Section("", Span(preamble.start, preamble.start), preamble))
    for heading, end in zip(headings, starts[1:], strict=True):
        body = _trimmed(half, heading.body_start, end)
        sections.extend(Section(name, heading.words, body) for name in heading.names)
    return tuple(sections)


def section(sections: tuple[Section, ...], *names: str) -> Section | None:
    """The first section that bears one of ``names`` (canonical or alias), by order of ``names``.

    Of repeated sections the first one with a body is preferred.
    """
    for name in names:
        canonical = _forms("其他").anywhere.get(name, (name,))
        found = [each for each in sections if each.name in canonical]
        if found:
            return next((each for each in found if each.body.start < each.body.end), found[0])
    return None


def is_blank(text: str) -> bool:
    """Whether ``text`` says nothing: empty, a template's placeholder, or an export's None, [] and the like.

    “无” is an answer and not blank.
    """
    return _SAYS_SOMETHING.search(text) is None and _BLANK.fullmatch(half_width(text)) is not None


class _Forms(NamedTuple):
    anywhere: Mapping[str, tuple[str, ...]]
    at_line_start: Mapping[str, tuple[str, ...]]
    tails: frozenset[str]

    def may_end(self, tail: str) -> bool:
        """Whether a heading may end in these two characters; a quick no for most colons."""
        return tail in self.tails or not tail.isalpha()


@cache
def _forms(kind: DocumentType) -> _Forms:
    lexicon = load_tree("sections")
    forms: dict[str, tuple[str, ...]] = {name: (name,) for name in lexicon["names"]}
    for name, aliases in lexicon["names"].items():
        for alias in aliases:
            forms[alias] = (*forms.get(alias, ()), name)
    at_line_start = forms | {form: (name,) for form, name in lexicon["in_documents"].get(kind, {}).items()}
    return _Forms(forms, at_line_start, frozenset(form[-2:] for form in at_line_start))


@cache
def _inner_names() -> Mapping[str, frozenset[str]]:
    return {name: frozenset(inner) for name, inner in load_tree("sections")["inner"].items()}


def _headings(half: str, forms: _Forms) -> list[_Heading]:
    found: dict[int, _Heading] = {}
    done = 0
    for end in _END.finditer(half):
        if not forms.may_end(half[max(0, end.start() - 2) : end.start()]):
            continue
        match = _BEFORE_END.search(half, max(done, end.start() - _LONGEST), end.start())
        heading = _before_colon(match, end.end(), forms) if match else None
        if heading:
            found[heading.words.start] = heading
            done = heading.body_start
    for match in _AT_LINE_START.finditer(half):
        heading = _before_blank(match, forms.at_line_start)
        if heading:
            found.setdefault(heading.words.start, heading)
    return [found[start] for start in sorted(found)]


def _before_colon(match: re.Match[str], after: int, forms: _Forms) -> _Heading | None:
    """The heading that ends at the colon; words before a blank may still belong to the sentence before it."""
    first, end = match.span("name")
    for start in (first, *(blank.end() for blank in _BLANKS.finditer(match.string, first, end))):
        opens_line = start == first and match.string[match.start() - 1 : match.start()] in ("", "\n")
        names = _lookup(match.string[start:end], forms.at_line_start if opens_line else forms.anywhere)
        if names:
            outer = match.start() if start == first else start
            body = _AFTER_END.match(match.string, after)
            return _Heading(names, outer, Span(start, end), body.end() if body else after, opens_line)
    return None


def _before_blank(match: re.Match[str], forms: Mapping[str, tuple[str, ...]]) -> _Heading | None:
    """The heading that starts the line; words after a blank may already belong to its text."""
    start, last = match.span("name")
    ends = [blank.start() for blank in _BLANKS.finditer(match.string, start, last)]
    for end in (last, *reversed(ends)):
        names = _lookup(match.string[start:end], forms)
        if names:
            body_start = match.end() if end == last else end
            return _Heading(names, match.start(), Span(start, end), body_start, opens_line=True)
    return None


def _lookup(written: str, forms: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    words = _BLANKS.sub("", written)
    if words in forms:
        return forms[words]
    parts = [forms.get(part) for part in _JOINED.split(words)]
    return tuple(name for part in parts if part for name in part) if all(parts) else ()


def _outermost(headings: list[_Heading]) -> list[_Heading]:
    """Without the headings that belong to the text of the section they stand in, or say its name again."""
    kept: list[_Heading] = []
    inner: frozenset[str] = frozenset()
    for heading in headings:
        repeats = kept and not heading.opens_line and set(heading.names) <= set(kept[-1].names)
        if repeats or inner.issuperset(heading.names):
            continue
        kept.append(heading)
        inner = _inner_names().get(heading.names[0], frozenset())
    return kept


def _trimmed(half: str, start: int, end: int) -> Span:
    words = half[start:end]
    left = start + len(words) - len(words.lstrip())
    return Span(left, max(left, start + len(words.rstrip())))
