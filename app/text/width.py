"""Folding of full-width and look-alike characters, one for one, so that offsets survive."""

import re
import unicodedata
from functools import lru_cache

from app.text.patterns import regex

_VARIANTS = {
    " ": "\u3000\u00a0\u2002\u2003\u2009\u202f",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63",
    "~": "〜∼",
    ":": "∶﹕︰",
    ",": "﹐",
    ";": "﹔",
    "?": "﹖",
    "!": "﹗",
    "(": "﹙〔",
    ")": "﹚〕",
    ".": "﹒",
    "%": "﹪",
    "/": "∕⁄",
    "*": "∗﹡",
    "。": "｡",
    "、": "､",
    "μ": "µ",
    "×": "✕✖╳",
}
_FOLDED = (
    {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    | {chr(radical): unicodedata.normalize("NFKC", chr(radical)) for radical in range(0x2F00, 0x2FD6)}
    | {written: folded for folded, variants in _VARIANTS.items() for written in variants}
)

_WRITTEN = regex(f"[{re.escape(''.join(_FOLDED))}]")


@lru_cache(maxsize=2048)
def half_width(text: str) -> str:
    """``text`` with full-width ASCII, digits and punctuation variants folded to one half-width form.

    Always as long as ``text``: an offset found in the result is an offset into ``text``. Chinese punctuation
    that has no ASCII twin (。、【】“”) stays.
    """
    for written in set(_WRITTEN.findall(text)):
        text = text.replace(written, _FOLDED[written])
    return text
