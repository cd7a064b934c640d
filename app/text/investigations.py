"""Examinations, laboratory items and drugs as notes name them.

Everything works on half-width text (``Reading.half``); offsets are those of the document. The word lists are in
``lexicons/``: examinations, body_regions, lab_items, drug_classes.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from app.records.model import Span
from app.text.lexicons import heads_by_term, load_mapping, load_terms
from app.text.patterns import regex
from app.text.terms import find_terms
from app.text.width import half_width

_BEFORE = 16
_AFTER = 24
_NEXT = 3
_CLAUSE_START = regex(r"[。;,:\n(]")
_PLANNED = regex(r"(?:拟|完善|预约|安排|建议|必要时|择期|待|嘱|可行|应行|需行|请)[^。;,\n]{0,10}\Z")
_DONE = regex(r"[^。;\n]{0,14}(?:示|提示|见|:|证实|报告|回报|结果|正常|阴性|阳性|片?显示|未)")
_ELSEWHERE = regex(r"外院|院外|当地|社区|乡镇|卫生院|县医院|市医院|省医院")
_NAME_TAIL = regex(
    r"\(.*?\)|(?:定量|定性|测定|检测|浓度|含量|活性|水平)\Z|\A(?:血清|血浆|全血|血|静脉血)(?=..)"
)
_NUMBER = regex(
    r"(?:\([^()\n]{0,10}\))?\s{0,2}[:为约是达]?\s{0,2}(?P<value>\d{1,6}(?:\.\d{1,4})?)(?![\d*.]|\s?[-~至到/]\s?\d)"
)
_UNIT = regex(r"\s?(?P<unit>[A-Za-zμ%×*^/⁹¹²()·℃0-9]{1,14})")
_SALTS = regex(
    r"(?:注射用|盐酸|硫酸氢|硫酸|枸橼酸|苹果酸|甲磺酸|马来酸|富马酸|酒石酸|重酒石酸|琥珀酸|磷酸|醋酸|乳酸|氢溴酸|苯磺酸)"
)


class Examination(NamedTuple):
    """An examination named in a text.

    Attributes:
        span: the words that name its kind.
        regions: the regions that it, or the words directly before it, name.
        is_planned: whether it is only asked for.
        is_elsewhere: whether the sentence up to it speaks of another hospital.
    """

    span: Span
    regions: frozenset[str]
    is_planned: bool
    is_elsewhere: bool


class Value(NamedTuple):
    """A number written directly after the name of a laboratory item; ``unit`` is empty where none follows."""

    span: Span
    value: float
    unit: str


@cache
def _modality(name: str) -> re.Pattern[str]:
    pieces = load_mapping("examinations").get(name, ())
    return regex("|".join(pieces) or r"(?!)")


@cache
def _regions_of_terms() -> tuple[tuple[str, str], ...]:
    return tuple(
        (term, head) for head, terms in load_mapping("body_regions").items() for term in (head, *terms)
    )


@lru_cache(maxsize=4096)
def regions_in(words: str) -> frozenset[str]:
    """The regions that some half-width words name; a name of one character counts at their end only."""
    return frozenset(
        head
        for term, head in _regions_of_terms()
        if (term in words if len(term) > 1 else words.endswith(term))
    )


@lru_cache(maxsize=1024)
def find_examinations(half: str, modality: str) -> tuple[Examination, ...]:
    """The examinations of one modality (as ``ExamReport.modality``) named in half-width text, in order."""
    return tuple(_examination(half, match) for match in _modality(modality).finditer(half))


def _examination(half: str, match: re.Match[str]) -> Examination:
    start, end = match.span()
    before = _CLAUSE_START.split(half[max(0, start - _BEFORE) : start])[-1]
    sentence_start = max(half.rfind("。", 0, start), half.rfind("\n", 0, start), start - 60) + 1
    regions = regions_in(before) | regions_in(half[start : end + _NEXT])
    planned = _PLANNED.search(before) is not None and _DONE.match(half, end) is None
    elsewhere = _ELSEWHERE.search(half, sentence_start, start) is not None
    return Examination(Span(start, end), regions, planned, elsewhere)


def names_modality(words: str, modality: str) -> bool:
    """Whether some words (an order's content) name an examination of the modality."""
    return _modality(modality).search(half_width(words)) is not None


def report_regions(site: str | None) -> frozenset[str]:
    """The regions of a report's site; empty where it names none that is known."""
    whole = re.sub(r"[(（].*", "", site or "").strip()
    return regions_in(half_width(whole)) if whole else frozenset()


def words_after(half: str, examination: Examination) -> str:
    """The words that follow an examination's name, as far as they can still say what it showed."""
    return half[examination.span.end : examination.span.end + _AFTER].partition("。")[0]


def regions_shown(half: str, examination: Examination) -> frozenset[str]:
    """The regions of which the words after an examination's name speak."""
    return regions_in(words_after(half, examination) + " ")


@lru_cache(maxsize=2048)
def item_names(item: str) -> tuple[str, ...]:
    """The names under which notes speak of a laboratory item, the longest first; the item itself included."""
    plain = _NAME_TAIL.sub("", _NAME_TAIL.sub("", half_width(item).strip()))
    head = heads_by_term("lab_items").get(item) or heads_by_term("lab_items").get(plain)
    names = {half_width(item).strip(), plain, *((head, *load_mapping("lab_items")[head]) if head else ())}
    return tuple(sorted((name for name in names if name), key=lambda name: (-len(name), name)))


def find_item(half: str, item: str, within: Span | None = None) -> Iterator[Span]:
    """Where half-width text names a laboratory item; 氯化钾 and 尿白细胞 do not name 钾 and 白细胞."""
    start, end = within or (0, len(half))
    for name in item_names(item):
        position = half.find(name, start, end)
        if position < 0:
            continue
        longer = [each for each in _longer_names(item, name) if each[0] in half]
        while position >= 0:
            after = position + len(name)
            if _stands_alone(half, position, after, name) and not any(
                half.startswith(term, max(0, position - offset)) for term, offset in longer
            ):
                yield Span(position, after)
            position = half.find(name, after, end)


@lru_cache(maxsize=4096)
def _longer_names(item: str, name: str) -> tuple[tuple[str, int], ...]:
    """The names of other items that hold ``name`` (糖化血红蛋白), and where in them it stands."""
    own = item_names(item)
    others = (half_width(term) for term in load_terms("lab_items"))
    return tuple((term, term.find(name)) for term in others if name in term and term not in own)


_OTHER_SPECIMEN = "尿便粪痰水液"
_COMPOUND_BEFORE = regex(r"[化酸醇羟氢尿便粪痰糖脂肌乳前球纤氨蛋水液多低高补降A-Za-z\d\-]\Z")
_COMPOUND_AFTER = regex(r"[A-Za-z\d\-]|离子通道|拮抗|通道")


def _stands_alone(half: str, start: int, end: int, name: str) -> bool:
    before = half[max(0, start - 1) : start]
    if name[0].isascii() and name[0].isalnum():
        return not (before.isascii() and before.isalnum()) and not re.match(
            r"[A-Za-z\d]", half[end : end + 1]
        )
    if len(name) == 1:
        return not _COMPOUND_BEFORE.search(before) and not _COMPOUND_AFTER.match(half, end)
    return before not in tuple(_OTHER_SPECIMEN)


@lru_cache(maxsize=4096)
def values_of(half: str, item: str, within: Span | None = None) -> tuple[Value, ...]:
    """The numbers that directly follow an item's name; ranges, limits (>80) and masked numbers are none."""
    return tuple(_values_of(half, item, within))


def _values_of(half: str, item: str, within: Span | None) -> Iterator[Value]:
    seen: set[int] = set()
    for span in find_item(half, item, within):
        number = _NUMBER.match(half, span.end)
        if number and number.end() not in seen:
            seen.add(number.end())
            unit = _UNIT.match(half, number.end())
            yield Value(
                Span(span.start, number.end()),
                float(number["value"]),
                unit["unit"].strip("()") if unit else "",
            )


_UNIT_FOLD = str.maketrans(
    {"⁹": "9", "¹": "1", "²": "2", "×": "", "x": "", "*": "", "^": "", "µ": "μ", " ": ""}
)


@lru_cache(maxsize=1024)
def plain_unit(unit: str | None) -> str:
    """A unit in a form that can be compared: ×10⁹/L and 10^9/L are one."""
    folded = half_width(unit or "").translate(_UNIT_FOLD).lower()
    return folded.replace("umol", "μmol").replace("ug", "μg")


@cache
def _drug_kinds() -> Mapping[str, str]:
    """Every drug name with its class; the first class wins."""
    kinds: dict[str, str] = {}
    for kind, names in load_mapping("drug_classes").items():
        for name in names:
            kinds.setdefault(name, kind)
    return kinds


@cache
def _drug_names() -> tuple[str, ...]:
    return tuple(_drug_kinds())


@lru_cache(maxsize=2048)
def drug_class(written: str) -> tuple[str, str] | None:
    """The known drug that an order names first and its class; ``None`` for any other."""
    plain = _SALTS.sub("", half_width(written))
    first = next(iter(find_terms(plain, _drug_names())), None)
    name = first.of(plain) if first else None
    return (name, _drug_kinds()[name]) if name else None


@cache
def classes_of(groups: tuple[str, ...]) -> frozenset[str]:
    """The classes that groups (drug_groups) or classes themselves stand for."""
    members = load_mapping("drug_groups")
    return frozenset(kind for group in groups for kind in members.get(group, (group,)))


def drug_names(written: str) -> tuple[str, ...]:
    """The names under which a note may speak of an ordered drug: as known, without salt, its stem."""
    known = drug_class(written)
    plain = re.split(r"[\s(（\d]", _SALTS.sub("", half_width(written)).strip())[0]
    stem = re.sub(
        r"(?:钠|钾|酯)?(?:氯化钠|葡萄糖)?(?:注射用浓溶液|注射液|肠溶|缓释|控释|分散|咀嚼|口服|片|胶囊|颗粒|溶液|乳膏|栓|滴眼液|干混悬剂|软膏)+\Z",
        "",
        plain,
    )
    names = [known[0]] if known else []
    return tuple(dict.fromkeys(name for name in (*names, stem) if len(name) > 1))
