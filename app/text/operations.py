"""Names of operations: what is done, to which organ, by which way in, at which level of the spine."""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from app.text.lexicons import load_tree
from app.text.patterns import regex
from app.text.width import half_width

_LEXICON = "operation_names"
_BRACKETED = regex(r"[(【\[][^()【】\[\]]*[)】\]]")
_SEPARATOR = regex(r"[+＋;；\n。]|/(?!\d)|(?<=术)[,、及和与加]|(?<=术)\s+|联合(?!腔镜)|备(?=[\u4e00-\u9fff])")
_SIDE = regex(r"[左右双两]侧?")
_PLANNING = regex(r"^[\s,、:：.\d]*(?:拟|行|备选?|改|在.{0,12}?麻醉?下|择期|急诊|同时)*(?:行|为|施)?")
_LEVEL = regex(
    r"(?P<region>[CTLS]|颈|胸|腰|骶)(?P<first>\d{1,2})"
    r"(?:\s*[-/~、及]\s*(?:[CTLS]|颈|胸|腰|骶)?(?P<second>\d{1,2}))?(?![\d.]|[^/\-]?级|期|型|[天日月年])"
)
_REGIONS = {"颈": "C", "胸": "T", "腰": "L", "骶": "S"}


class OperationName(NamedTuple):
    """One operation taken apart; sets are empty and ``core`` is the whole name where nothing is known of it."""

    written: str
    core: str
    approaches: frozenset[str]
    organs: frozenset[str]
    actions: frozenset[str]
    levels: frozenset[str]


def split_operations(text: str) -> tuple[str, ...]:
    """The operations of a list (A＋B；C), as written and without brackets."""
    bare = _without_brackets(half_width(text))
    return tuple(_PLANNING.sub("", part).strip(" ,、:") for part in _parts(bare))


def _parts(bare: str) -> Iterator[str]:
    yield from (part for part in _SEPARATOR.split(bare) if len(part.strip(" ,、:")) >= 2)


def _without_brackets(half: str) -> str:
    while _BRACKETED.search(half):
        half = _BRACKETED.sub("", half)
    return half


@lru_cache(maxsize=2048)
def read_operation(name: str) -> OperationName:
    """The parts of one operation's name, brackets included only for its levels."""
    half = half_width(name)
    bare = _in_one_spelling(_without_brackets(half))
    core = _SIDE.sub("", bare)
    for words in load_tree(_LEXICON)["approaches"].values():
        core = re.sub(
            "|".join(f"{word}(?:下|辅助下|辅助)?" for word in sorted(words, key=len, reverse=True)), "", core
        )
    core = re.sub(r"[\s,、。:的]|(?:手术|术)$|^下", "", core)
    return OperationName(
        name,
        core or bare,
        _found("approaches", bare),
        _found("organs", core),
        _found("actions", core),
        spine_levels(half),
    )


def spine_levels(text: str) -> frozenset[str]:
    """The vertebral levels named: L4/5 gives L4 and L5, 腰4-5 the same."""
    levels = set()
    for match in _LEVEL.finditer(half_width(text)):
        region = _REGIONS.get(match["region"], match["region"])
        levels.add(region + match["first"])
        if match["second"]:
            levels.add(("S" if region == "L" and match["second"] == "1" else region) + match["second"])
    return frozenset(levels)


def _in_one_spelling(name: str) -> str:
    pattern, heads = _synonyms()
    return pattern.sub(lambda match: heads[match.group()], name)


@cache
def _synonyms() -> tuple[re.Pattern[str], Mapping[str, str]]:
    listed: Mapping[str, list[str]] = load_tree(_LEXICON)["synonyms"]
    heads = {form: head for head, forms in listed.items() for form in (head, *forms)}
    return regex("|".join(map(re.escape, sorted(heads, key=len, reverse=True)))), heads


@cache
def _terms(group: str) -> tuple[re.Pattern[str], Mapping[str, str]]:
    listed: Mapping[str, list[str]] = load_tree(_LEXICON)[group]
    heads = {form: head for head, forms in listed.items() for form in forms}
    return regex("|".join(map(re.escape, sorted(heads, key=len, reverse=True)))), heads


def _found(group: str, name: str) -> frozenset[str]:
    pattern, heads = _terms(group)
    return frozenset(heads[match] for match in pattern.findall(name))


@lru_cache(maxsize=4096)
def same_operation(a: str, b: str) -> bool | None:
    """Whether two names mean one operation, ways in and sides apart; ``None`` when the names do not tell."""
    one, other = read_operation(a), read_operation(b)
    if one.core in other.core or other.core in one.core:
        return True
    if one.organs and other.organs and one.organs.isdisjoint(other.organs):
        return False
    if one.organs & other.organs and one.actions and other.actions:
        return not one.actions.isdisjoint(other.actions)
    if _dice(one.core, other.core) >= 0.5:
        return True
    return None


def ways_in_differ(a: str, b: str) -> bool:
    """Whether one name says endoscopic and the other open."""
    one, other = read_operation(a).approaches, read_operation(b).approaches
    closed = {"腔镜", "内镜", "介入"}
    return bool(
        ("开放" in one and other & closed and "开放" not in other)
        or ("开放" in other and one & closed and "开放" not in one)
    )


def _dice(one: str, other: str) -> float:
    pairs = {one[i : i + 2] for i in range(len(one) - 1)}
    others = {other[i : i + 2] for i in range(len(other) - 1)}
    return 2 * len(pairs & others) / max(1, len(pairs) + len(others))
