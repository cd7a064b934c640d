"""Codes and their names in comparable form; ranges of codes; what a code may look like."""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from app.text.width import half_width
from app.yaml_data import read_yaml

CodeKind = Literal["icd10", "icd9cm3"]
CODE_KINDS: tuple[CodeKind, ...] = get_args(CodeKind)

_BLANKS = re.compile(r"\s+")
_MARKS = re.compile(r"[+†*/].*$")
_NAME_NOISE = re.compile(r"[\s,。、;:·'\"()\[\]【】{}\-]")
_ALIAS = re.compile(r"\[([^\[\]]+)\]")
_NAME_FORMS = (
    (re.compile("伴有|伴随|合并|并发"), "伴"),
    (re.compile("^(?:未特指的|未特指|其他特指的|特指的)"), ""),
    (re.compile("粘膜"), "黏膜"),
)
_ROMAN = str.maketrans("ⅠⅡⅢⅣⅤ", "12345")


@cache
def code_tables() -> Mapping[str, Any]:
    """The parsed ``kinds.yaml``."""
    parsed: dict[str, Any] = read_yaml(Path(__file__).with_name("kinds.yaml"))
    return parsed


def kind_title(kind: CodeKind) -> str:
    """The kind as users read it."""
    return str(code_tables()[kind]["title"])


@cache
def _form(kind: CodeKind) -> re.Pattern[str]:
    return re.compile(code_tables()[kind]["form"])


def has_form(kind: CodeKind, code: str) -> bool:
    """Whether a written code looks like one of its kind."""
    return _form(kind).fullmatch(_BLANKS.sub("", half_width(code))) is not None


@lru_cache(maxsize=4096)
def plain_code(code: str) -> str:
    """A code in comparable form: half-width, upper case, of a double code only the first.

    >>> plain_code("a01.003+G01*")
    'A01.003'
    """
    written = _BLANKS.sub("", half_width(code)).upper()
    return written if re.match(r"M\d{4}", written) else _MARKS.sub("", written)


def plain_names(name: str) -> tuple[str, ...]:
    """A name in comparable form, then the aliases that a table gives in square brackets."""
    half = half_width(name)
    aliases = _ALIAS.findall(half)
    written = (half, *((_ALIAS.sub("", half), *aliases) if aliases else ()))
    return tuple(dict.fromkeys(plain for each in written if (plain := _plain(each))))


def _plain(half: str) -> str:
    plain = half.translate(_ROMAN).upper()
    for pattern, form in _NAME_FORMS:
        plain = pattern.sub(form, plain)
    return _NAME_NOISE.sub("", plain)


@cache
def _levels() -> Mapping[str, str]:
    listed: Mapping[str, list[str]] = code_tables()["levels"]
    return {form: level for level, forms in listed.items() for form in forms}


def plain_level(written: str) -> str | None:
    """The operation level (一级 … 四级) that a table or front page writes in one of several ways."""
    return _levels().get(_BLANKS.sub("", half_width(written)))


class CodeRanges:
    """Ranges of codes such as ``S00-T79``, ``Z37``, ``87-99``; both ends belong, with all their subdivisions."""

    def __init__(self, ranges: Iterable[str]) -> None:
        self._by_first: dict[str, list[tuple[str, str]]] = {}
        for low, _, high in (each.partition("-") for each in ranges):
            for first in range(ord(low[:1] or "\0"), ord((high or low)[:1] or "\0") + 1):
                self._by_first.setdefault(chr(first), []).append((low, high or low))

    def __contains__(self, code: str) -> bool:
        """Whether ``code``, in any way of writing it, lies in one of the ranges."""
        plain = plain_code(code)
        ends = self._by_first.get(plain[:1], ())
        return any(plain[: len(low)] >= low and plain[: len(high)] <= high for low, high in ends)
