"""Diagnoses as notes list them, one by one, and whether two names stand for the same disease."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

from app.records.model import Span
from app.text.lexicons import load_tree
from app.text.patterns import regex
from app.text.width import half_width

_SYNONYMS = "disease_names"
_NUMBER = regex(r"(?:(?<=[\s;。,、:'\"\[\]])|^)(?:\(?\d{1,2}(?:[)、]|\.(?!\d)|\.(?=[12]型))|[①-⑳])\s*")
_BREAK = regex(r"[\n\r\t;。|'\"\[\]]|(?<=[^\sA-Za-z0-9])\s+(?=[^\sA-Za-z0-9(])|\s{2,}")
_COMMA = regex(r"[,、+]")
_ENDS_DISEASE = regex(
    r"(?:[症病炎癌瘤死血痛石折衰竭克疡化压全染碍常肿节肉损伤瘫聋疝瘘结脱毒征后期级型危积液水糜烂脓栓塞斑眼]"
    r"|状态|增生|肥大|缺损|狭窄|减退|亢进|缺乏|疏松|突出|曲张|妊娠|分娩|待查|待排|可能|[)?])\s*$"
)
_QUALIFIER = regex(
    r"^(?:[极很]?(?:高|低|中)危(?:组|层)?|(?:心功能|NYHA|Killip|ASA|Child)"
    r"|(?!.*(?:血压|病|癌|炎))[^,]{0,8}(?:级|期|分级|分型|组)$"
    r"|[^,]{0,6}(?:术后|治疗后|恢复期|活动期|急性期|缓解期|稳定期|后遗症期)$|[^,]{0,2}(?:型|度)$|\d+\s*[年月天日次个])"
)
_OPENING, _CLOSING = "(【", ")】"

_BRACKETED = regex(r"[(【\[][^()【】\[\]]*[)】\]]")
_UNSURE = regex(r"\?|待查|待排除?|待除外|可能性?大?|考虑|疑似|拟诊|不除外|不排除|个人史$|病史$|史$")
_NOISE = regex(r"[\s,。、;:'\"·\-]|^(?:左侧?|右侧?|双侧?|两侧)|(?:左|右|双|两)侧")
_JOINT = regex(r"伴有?|合并|并发|并(?!发)|及|和|与|致|所致")
_ROMAN = str.maketrans({"Ⅰ": "1", "Ⅱ": "2", "Ⅲ": "3", "Ⅳ": "4", "Ⅴ": "5", "Ⅵ": "6"})
_LATIN_NUMBER = regex(r"(?<![A-Za-z])(IV|I{1,3})(?=[型级度期])")
_HAN_NUMBER = regex(r"[一二三四](?=[型级度期])")
_ARABIC = {"I": "1", "II": "2", "III": "3", "IV": "4", "一": "1", "二": "2", "三": "3", "四": "4"}
_TYPE = regex(r"(\d)型")
_GRADE = regex(r"\d[级度期]|[极很]?[高中低]危(?:组|层)?")


class DiagnosisMention(NamedTuple):
    """One diagnosis of a list; ``text[span.start:span.end] == name``."""

    span: Span
    name: str


def find_diagnoses(text: str, within: Span | None = None) -> tuple[DiagnosisMention, ...]:
    """The diagnoses of a list in order, without their numbers.

    A comma or 、 parts two diagnoses only after a disease word, and not inside brackets; a grade or stage after
    a comma stays with its diagnosis (高血压病3级，很高危).
    """
    start, end = within or (0, len(text))
    half = half_width(text)
    return tuple(
        DiagnosisMention(span, span.of(text))
        for piece in _pieces(half, start, end)
        if (span := _stripped(half, piece)) and _says_something(span.of(half))
    )


def _says_something(words: str) -> bool:
    return len(words) >= 2 and re.search(r"[\u4e00-\u9fff]", words) is not None


def _pieces(half: str, start: int, end: int) -> Iterator[Span]:
    """The stretches between breaks, numbers and separating commas, brackets kept whole."""
    cuts = sorted({start, end, *_breaks(half, start, end)})
    for left, right in pairwise(cuts):
        number = _NUMBER.match(half, left, right)
        yield from _comma_pieces(half, number.end() if number else left, right)


def _breaks(half: str, start: int, end: int) -> Iterator[int]:
    depth = _bracket_depths(half, start, end)
    for pattern in (_BREAK, _NUMBER):
        for match in pattern.finditer(half, start, end):
            if depth[match.start() - start] == 0:
                yield match.start()
                if pattern is _BREAK:
                    yield match.end()


def _bracket_depths(half: str, start: int, end: int) -> list[int]:
    depths, depth = [], 0
    for character in half[start:end]:
        if character == "\n":
            depth = 0
        elif character in _CLOSING:
            depth = max(0, depth - 1)
        depths.append(depth)
        depth += character in _OPENING
    return depths


def _comma_pieces(half: str, start: int, end: int) -> Iterator[Span]:
    commas = list(_COMMA.finditer(half, start, end))
    depth = _bracket_depths(half, start, end) if commas else []
    left = start
    for match in commas:
        before, after = half[left : match.start()], half[match.end() : end].lstrip()
        first_after = re.split(r"[,、]", after, maxsplit=1)[0]
        if depth[match.start() - start] or not _ENDS_DISEASE.search(before) or _QUALIFIER.match(first_after):
            continue
        yield Span(left, match.start())
        left = match.end()
    yield Span(left, end)


def _stripped(half: str, piece: Span) -> Span:
    words = piece.of(half)
    number = _NUMBER.match(words)
    left = piece.start + (number.end() if number else 0)
    words = half[left : piece.end]
    head = len(words) - len(words.lstrip(" \t\r\n\u3000,、;:*#-"))
    tail = len(words.rstrip(" \t\r\n\u3000,、;。*"))
    return Span(left + head, max(left + head, left + tail))


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """The name in one spelling: without side, brackets, doubt and numerals' variants, synonyms replaced."""
    folded = half_width(name).translate(_ROMAN)
    folded = _LATIN_NUMBER.sub(lambda m: _ARABIC[m[1]], folded)
    folded = _HAN_NUMBER.sub(lambda m: _ARABIC[m[0]], folded)
    while _BRACKETED.search(folded):
        folded = _BRACKETED.sub("", folded)
    folded = _NOISE.sub("", _UNSURE.sub("", folded)).replace("恶性肿瘤", "癌").replace("粘膜", "黏膜")
    pattern, heads = _synonyms()
    return pattern.sub(lambda match: heads[match.group()], folded)


@cache
def _synonyms() -> tuple[re.Pattern[str], Mapping[str, str]]:
    listed: Mapping[str, list[str]] = load_tree(_SYNONYMS)["synonyms"]
    heads = {
        half_width(term).translate(_ROMAN): head for head, forms in listed.items() for term in (*forms, head)
    }
    latin = r"(?<![A-Za-z])(?:{})(?![A-Za-z])"
    branches = [
        latin.format(re.escape(term)) if re.fullmatch(r"[A-Za-z\d-]+", term) else re.escape(term)
        for term in sorted(heads, key=len, reverse=True)
    ]
    return regex("|".join(branches)), heads


@cache
def _broader() -> Mapping[str, tuple[str, ...]]:
    listed: Mapping[str, list[str]] = load_tree(_SYNONYMS)["broader"]
    return {canonical(narrow): tuple(map(canonical, broad)) for narrow, broad in listed.items()}


@lru_cache(maxsize=8192)
def same_disease(a: str, b: str) -> bool:
    """Whether two names agree: synonyms, one contained in the other, a kind of the other, or the same words
    in another order. Types (1型, 2型) that differ never agree; grades, stages and sides are not compared.
    """
    one, other = canonical(a), canonical(b)
    types, other_types = set(_TYPE.findall(one)), set(_TYPE.findall(other))
    if types and other_types and types.isdisjoint(other_types):
        return False
    one, other = _GRADE.sub("", one), _GRADE.sub("", other)
    if not one or not other:
        return False
    return _contained(one, other) or _is_kind_of(one, other) or _is_kind_of(other, one) or _alike(one, other)


def agreeing(name: str, names: Iterable[str]) -> str | None:
    """The first of ``names`` that agrees with ``name``."""
    return next((each for each in names if same_disease(name, each)), None)


def _contained(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short in long or (short[-1] == long[-1] and _is_subsequence(short, long))


def _is_subsequence(short: str, long: str) -> bool:
    rest = iter(long)
    return len(short) >= 2 and short[0] in long[:2] and all(character in rest for character in short)


def _is_kind_of(narrow: str, broad: str) -> bool:
    return any(
        broad_name in broad or broad in broad_name
        for name, broads in _broader().items()
        if name in narrow
        for broad_name in broads
    )


def _alike(one: str, other: str) -> bool:
    parts, others = set(_JOINT.split(one)) - {""}, set(_JOINT.split(other)) - {""}
    if len(parts | others) > 2 and any(
        len(p) > 2 and len(q) > 2 and (p in q or q in p) for p in parts for q in others
    ):
        return True
    pairs, other_pairs = _bigrams(one), _bigrams(other)
    return len(pairs & other_pairs) >= 0.75 * max(1, min(len(pairs), len(other_pairs)))


def _bigrams(name: str) -> set[str]:
    return {name[i : i + 2] for i in range(len(name) - 1)}
