"""What in a text gives a person away: names, numbers, addresses, dates; each with its place and the reason.

Recognisers look at half-width text of the same length, so every span is a span of the text as written.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from app.records.model import Span
from app.text.times import find_dates
from app.text.width import half_width
from app.yaml_data import read_yaml

_FOLDER = Path(__file__).parent


class Kind(StrEnum):
    """What was recognised; of two that overlap, the earlier kind wins."""

    ID_NUMBER = "id_number"
    PHONE = "phone"
    EMAIL = "email"
    NUMBER = "number"
    ADDRESS = "address"
    HOSPITAL = "hospital"
    NAME = "name"
    DATE = "date"


KIND_TITLES = {
    Kind.ID_NUMBER: "身份证号",
    Kind.PHONE: "电话",
    Kind.EMAIL: "电子邮件",
    Kind.NUMBER: "编号",
    Kind.ADDRESS: "地址",
    Kind.HOSPITAL: "医疗机构",
    Kind.NAME: "姓名",
    Kind.DATE: "日期",
}


class Identifier(NamedTuple):
    """Something that gives a person away.

    Attributes:
        span: code points of the text, end exclusive.
        why: what it was recognised by, in Chinese, without quoting it.
        is_sure: it stands in a place made for it (姓名：…), so that it may be looked for elsewhere too.
    """

    kind: Kind
    span: Span
    why: str
    is_sure: bool = False


@cache
def identifiers() -> dict[str, Any]:
    """The word lists of ``identifiers.yaml``."""
    loaded: dict[str, Any] = read_yaml(_FOLDER / "identifiers.yaml")
    return loaded


@cache
def _surnames() -> tuple[str, ...]:
    lines = (_FOLDER / "surnames.txt").read_text("utf-8").splitlines()
    return tuple(name for line in lines if not line.startswith("#") for name in line.split())


def recognise(text: str, known: Collection[str] = ()) -> tuple[Identifier, ...]:
    """Everything in ``text`` that gives a person away, in order, without overlaps.

    Args:
        known: names and numbers of this patient and the staff, looked for wherever they stand.
    """
    half = half_width(text)
    found = [identifier for find in RECOGNISERS for identifier in find(half)]
    found += known_words(half, known)
    return _without_overlaps(found)


def known_words(half: str, known: Collection[str]) -> Iterator[Identifier]:
    """The known names (of Chinese characters) and numbers; never inside a longer run of digits or letters."""
    pattern = _known_pattern(frozenset(known))
    for match in pattern.finditer(half) if pattern else ():
        kind = Kind.NUMBER if match.group().isascii() else Kind.NAME
        yield Identifier(kind, Span(*match.span()), "病历字段中的值")


@lru_cache(maxsize=8)
def _known_pattern(known: frozenset[str]) -> re.Pattern[str] | None:
    words = sorted({half_width(word) for word in known if len(word) > 1}, key=lambda word: (-len(word), word))
    alternatives = (
        f"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])" if word.isascii() else re.escape(word)
        for word in words
    )
    return re.compile("|".join(alternatives)) if words else None


def _id_numbers(half: str) -> Iterator[Identifier]:
    for match in re.finditer(r"(?<![0-9A-Za-z])\d{17}[\dXx](?![0-9A-Za-z])", half):
        if is_id_number(match.group()):
            yield Identifier(Kind.ID_NUMBER, Span(*match.span()), "18位，出生日期和校验码正确")
    for match in re.finditer(r"(?<=身份证)号?码?\s*:?\s*(?P<number>\d{15})(?!\d)", half):
        if _is_date("19" + match["number"][6:12]):
            yield Identifier(Kind.ID_NUMBER, Span(*match.span("number")), "“身份证”之后，15位，出生日期正确")


_CHECK_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"


def is_id_number(number: str) -> bool:
    """Whether 18 characters are a citizen's number: a birth date, and the check digit of GB 11643."""
    if not re.fullmatch(r"[1-9]\d{16}[\dXx]", number) or not _is_date(number[6:14]):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _CHECK_WEIGHTS, strict=True))
    return _CHECK_DIGITS[total % 11] == number[17].upper()


def _is_date(digits: str) -> bool:
    return bool(re.fullmatch(r"(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", digits))


_MOBILE = re.compile(r"(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d(?:\d{8}|([- ])\d{4}\1\d{4})(?![\d.]\d|\d)")
_LANDLINE = re.compile(r"(?<![\d.-])\(?0\d{2,3}\)?[- ]\d{7,8}(?:[-转]\d{1,5})?(?!\d)")
_EMAIL = re.compile(r"(?<![\w.])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4}", re.ASCII)
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·\s]?[A-Z0-9]{5,6}(?![A-Za-z0-9])"
)
_ACCESSION = re.compile(r"(?<![A-Za-z0-9.-])[A-Z]{1,4}(?:\d{2,4}-\d{3,}|\d{6,})(?![A-Za-z0-9])")
_BARE_NUMBER = re.compile(r"(?<![\d.A-Za-z-])\d{13,}(?![\d.A-Za-z])")


@cache
def _labelled(list_name: str, value: str) -> re.Pattern[str]:
    labels = sorted(identifiers()[list_name], key=len, reverse=True)
    return re.compile(
        rf"(?:{'|'.join(labels)})(?:\([^()\n]{{0,6}}\))?\s*(?:[:为是]\s*|\s)?(?P<value>{value})"
    )


def _phones(half: str) -> Iterator[Identifier]:
    for pattern, why in ((_MOBILE, "手机号的形式"), (_LANDLINE, "区号加座机号的形式")):
        for match in pattern.finditer(half):
            yield Identifier(Kind.PHONE, Span(*match.span()), why)
    for match in _labelled("phone_labels", r"[+\d][\d -]{5,18}\d").finditer(half):
        yield Identifier(Kind.PHONE, Span(*match.span("value")), "“电话”一类标签之后")


def _emails(half: str) -> Iterator[Identifier]:
    for match in _EMAIL.finditer(half):
        yield Identifier(Kind.EMAIL, Span(*match.span()), "电子邮件的形式")


def _numbers(half: str) -> Iterator[Identifier]:
    for match in _labelled("number_labels", r"(?=[A-Za-z\d_-]*\d)[A-Za-z\d][A-Za-z\d_-]{3,39}").finditer(
        half
    ):
        yield Identifier(Kind.NUMBER, Span(*match.span("value")), "“住院号”一类标签之后", is_sure=True)
    for pattern, why in ((_ACCESSION, "字母加长数字的编号形式"), (_PLATE, "车牌的形式")):
        for match in pattern.finditer(half):
            yield Identifier(Kind.NUMBER, Span(*match.span()), why)
    for match in _BARE_NUMBER.finditer(half):
        yield Identifier(Kind.NUMBER, Span(*match.span()), "13位以上的数字")


_PLACE = r"[\u4e00-\u9fff]{1,8}?"
_HOUSE = r"(?:[\dA-Za-z一二三四五六七八九十百零-]{1,8}(?:号|弄|栋|幢|座|楼|单元|室|组|队|层|户))*"
_WAY = rf"{_PLACE}(?:街道|镇|乡|大道|路|街|巷|弄|胡同|村|小区|社区|花园|新村|家园)"


@cache
def _place() -> re.Pattern[str]:
    """A place of two levels at least, the upper a province, city, district or county."""
    provinces = "|".join(identifiers()["provinces"])
    province = rf"(?:{provinces})(?:省|市|自治区|壮族自治区|回族自治区|维吾尔自治区|特别行政区)?"
    levels = rf"(?:{_PLACE}(?:市|自治州|盟|地区))?(?:{_PLACE}(?:区|县|旗))?(?:{_WAY}){{0,3}}{_HOUSE}"
    return re.compile(
        rf"(?:{province}(?=[\u4e00-\u9fff]{{1,8}}?(?:市|州|区|县|镇|乡|路|街|村)){levels}"
        rf"|(?<![\u4e00-\u9fff])[\u4e00-\u9fff]{{2,5}}?(?:市|县|区)(?:{_PLACE}(?:区|县))?(?:{_WAY}){{1,3}}{_HOUSE}"
        rf"|(?<=[住在于])[\u4e00-\u9fff]{{2,5}}?(?:市|县|区)(?:{_PLACE}(?:区|县))?(?:{_WAY}){{1,3}}{_HOUSE}"
        rf"|[\u4e00-\u9fff]{{2,6}}?(?:路|街|巷|弄|小区|新村)\d{{1,5}}(?:号|弄|栋|幢){_HOUSE})"
    )


_HOME = re.compile(
    r"(?:出生于|出生在|生于|生长于|长于|居住于|居住在|家住|现住|久居|来自|户籍)(?P<value>[\u4e00-\u9fff]{2,8}?(?:省|市|县|区|镇|乡|村))"
)


def _addresses(half: str) -> Iterator[Identifier]:
    for match in _labelled("address_labels", r"(?![-/无不]\s*(?:\s|$))[^\s,，。;；\n:]{2,60}").finditer(half):
        yield Identifier(Kind.ADDRESS, Span(*match.span("value")), "“住址”一类标签之后", is_sure=True)
    for match in _HOME.finditer(half):
        yield Identifier(Kind.ADDRESS, Span(*match.span("value")), "“生于”“家住”一类词之后")
    for match in _place().finditer(half):
        yield Identifier(Kind.ADDRESS, Span(*match.span()), "行政区划、街道和门牌的形式")


_HOSPITAL = re.compile(
    r"[\u4e00-\u9fff]{2,20}?(?:医院|卫生院|卫生服务中心|卫生服务站|妇幼保健院|诊所|医学中心|疗养院)"
    r"(?:[\u4e00-\u9fff]{1,4}(?:院区|分院))?"
)


def _hospitals(half: str) -> Iterator[Identifier]:
    words = identifiers()
    unnamed = frozenset(words["unnamed_hospitals"])
    for match in _HOSPITAL.finditer(half):
        start = max(
            (
                match.group().rfind(word) + len(word)
                for word in words["before_hospitals"]
                if word in match.group()
            ),
            default=0,
        )
        name = match.group()[start:]
        if len(name) > 3 and name not in unnamed and "某" not in name:
            yield Identifier(Kind.HOSPITAL, Span(match.start() + start, match.end()), "医疗机构名称的形式")


@cache
def _name_patterns() -> dict[str, re.Pattern[str]]:
    words = identifiers()
    given = rf"(?:(?![{words['never_in_names']}])[\u4e00-\u9fff])"
    compound, single = _split(_surnames())
    surname = rf"(?:{'|'.join(compound)}|[{''.join(single)}])"
    name = rf"(?:(?:{'|'.join(compound)}){given}{{1,2}}|[{''.join(single)}]{given}{{1,2}})"
    foreign = r"[\u4e00-\u9fff]{1,8}(?:·[\u4e00-\u9fff]{1,8}){1,3}"
    titles, short = _any(words["titles"]), _any(words["titles_after_surname"])
    labels, relatives = _any(words["name_labels"]), _any(words["relatives"])
    ends = rf"(?=\s*(?:{titles})|[^\u4e00-\u9fff·]|$)"
    return {
        "label": re.compile(
            rf"(?P<label>(?:{labels})(?:签名|签字)?)(?:\([^()\n]{{0,8}}\))?\s?:[^\S\n]*(?=(?P<list>[^。;\n:]{{0,80}}))"
        ),
        "any": re.compile(rf"(?:{foreign}|[\u4e00-\u9fff]{{2,4}}?){ends}"),
        "one": re.compile(rf"(?:{foreign}|{name}){ends}"),
        "title": re.compile(rf"(?<!主)(?P<name>{name})(?={titles})"),
        "surname": re.compile(rf"(?<![\u4e00-\u9fff])(?P<name>{surname})(?={short})"),
        "patient": re.compile(
            rf"(?:患者|病人|患儿|产妇)\s?(?P<name>{foreign}|{name})(?=[,，、(（\s]?\s?(?:[男女]|\d{{1,3}}岁))"
        ),
        "opening": re.compile(
            rf"(?:^|(?<=\n))\s*(?P<name>{foreign}|{name})(?=[,，、\s]\s?(?:男|女|\d{{1,3}}岁))"
        ),
        "relative": re.compile(
            rf"(?:{relatives})\s?\(?(?P<name>{foreign}|{name})(?=[,，。;；)）(（\s、]|$|签|陪|同意|代诉|知情|要求)"
        ),
    }


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


def _split(surnames: Iterable[str]) -> tuple[list[str], list[str]]:
    names = list(surnames)
    return [name for name in names if len(name) > 1], [name for name in names if len(name) == 1]


def _names(half: str) -> Iterator[Identifier]:
    patterns, not_names = _name_patterns(), frozenset(identifiers()["not_names"])
    for label in patterns["label"].finditer(half):
        first = patterns["any" if label["label"].endswith(_MADE_FOR_NAMES) else "one"]
        yield from _listed(half, _list_span(half, label), first, not_names)
    reasons = (
        ("title", "姓名加职务", False),
        ("surname", "姓氏加称谓", False),
        ("patient", "“患者”之后、性别年龄之前", True),
        ("opening", "行首，性别年龄之前", True),
        ("relative", "亲属称谓之后", False),
    )
    for key, why, is_sure in reasons:
        for match in patterns[key].finditer(half):
            if match["name"] not in not_names:
                yield Identifier(Kind.NAME, Span(*match.span("name")), why, is_sure)


_MADE_FOR_NAMES = ("姓名", "签名", "签字", "联系人")
_SEPARATOR = re.compile(r"[\s、,/]+|\([^()]{0,12}\)")


def _list_span(half: str, label: re.Match[str]) -> Span:
    """The list after a label, less the next label where one follows on the same line."""
    span = Span(*label.span("list"))
    if not half.startswith(":", span.end):
        return span
    gaps = list(_SEPARATOR.finditer(half, *span))
    return Span(span.start, gaps[-1].start() if gaps else span.start)


def _listed(
    half: str, span: Span, first: re.Pattern[str], not_names: Collection[str]
) -> Iterator[Identifier]:
    """The names of a list, separated by 、 or blanks, each with a title or without."""
    titles = re.compile(rf"\s*(?:{_any(identifiers()['titles'])})")
    place, end = span
    pattern = first
    while place < end:
        match = pattern.match(half, place, end)
        pattern = _name_patterns()["one"]
        if match is None or match.group() in not_names:
            return
        if not re.search(f"[{identifiers()['never_in_names']}]", match.group()):
            yield Identifier(Kind.NAME, Span(*match.span()), "“姓名”“签名”一类标签之后", is_sure=True)
        place = match.end()
        title = titles.match(half, place, end)
        place = title.end() if title else place
        gap = _SEPARATOR.match(half, place, end)
        if gap is None:
            return
        place = gap.end()


_COMPACT_DATE = re.compile(
    r"(?<![\dA-Za-z.-])(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?![\dA-Za-z.])"
)


def _dates(half: str) -> Iterator[Identifier]:
    for mention in find_dates(half, default_year=2024):
        if mention.value is not None and mention.precision != "year":
            yield Identifier(Kind.DATE, mention.span, "日期的形式")
    for match in _COMPACT_DATE.finditer(half):
        yield Identifier(Kind.DATE, Span(*match.span()), "八位数字的日期")


RECOGNISERS: tuple[Callable[[str], Iterator[Identifier]], ...] = (
    _id_numbers,
    _phones,
    _emails,
    _numbers,
    _addresses,
    _hospitals,
    _names,
    _dates,
)
_RANKS = {kind: rank for rank, kind in enumerate(Kind)}


def _without_overlaps(found: Iterable[Identifier]) -> tuple[Identifier, ...]:
    """The identifiers in order; where two overlap, the stronger kind, then the longer span stays."""
    kept: list[Identifier] = []
    taken: set[int] = set()
    for each in sorted(found, key=lambda f: (_RANKS[f.kind], f.span.start - f.span.end, f.span.start)):
        places = range(each.span.start, each.span.end)
        if places and taken.isdisjoint(places):
            kept.append(each)
            taken.update(places)
    return tuple(sorted(kept, key=lambda each: each.span))
