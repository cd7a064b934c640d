"""Durations and dates as Chinese notes write them."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from app.records.model import CHINA_TIME, Span
from app.text.patterns import regex
from app.text.width import half_width

Precision = Literal["year", "month", "day", "minute"]
Unit = Literal["年", "月", "周", "天", "小时", "分钟", "秒"]


class Duration(NamedTuple):
    """How long something lasted or how long ago it was (3天, 半月余, 十余年, 2-3天, 1年半).

    The bounds are in days, a year taken as 365 and a month as 30; 余 and 多 reach to the next whole number, 数
    and 几 mean two to nine. ``maximum_days`` is ``None`` when open (多年), both are ``None`` when masked.
    ``unit`` is the largest unit named. ``is_ago``: 3天前 (the span takes in 前) and
    入院前3天, not 前3天.
    """

    span: Span
    minimum_days: float | None
    maximum_days: float | None
    unit: Unit
    masked: bool
    is_ago: bool


class DateMention(NamedTuple):
    """A date in a text.

    ``value`` is aware (UTC+8) and starts the year, month or day where the text says no more; it is ``None``
    for a masked or impossible date and for one without a year. A bare hour (10时) counts as precision "day".
    """

    span: Span
    value: datetime | None
    precision: Precision
    masked: bool


_DAYS: dict[Unit, float] = {
    "年": 365,
    "月": 30,
    "周": 7,
    "天": 1,
    "小时": 1 / 24,
    "分钟": 1 / 1440,
    "秒": 1 / 86400,
}
_WRITTEN_UNITS: dict[str, Unit] = {
    "年": "年", "个月": "月", "月": "月", "周": "周", "星期": "周", "个星期": "周", "礼拜": "周", "个礼拜": "周", "w": "周",
    "天": "天", "日": "天", "d": "天", "小时": "小时", "个小时": "小时", "钟头": "小时", "个钟头": "小时", "h": "小时",
    "分钟": "分钟", "min": "分钟", "秒": "秒", "秒钟": "秒",
}  # fmt: skip
_DIGITS = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}

_HAN_NUMBER = "[一二两三四五六七八九十百半]"
_NUMBER = (
    r"(?P<low>\d{1,3}(?:\.\d+)?)\+?\s?[-~至到]\s?(?P<high>\d{1,3}(?:\.\d+)?)"
    r"|(?P<masked>[\d.]{0,4}\*[\d*.]{0,5}(?:[-~至][\d*.]{1,5})?)"
    r"|(?P<whole>\d{1,3}(?:\.\d+)?)(?:\+\d(?=周))?"
    rf"|(?P<han>{_HAN_NUMBER}{{1,4}})"
    r"|(?P<vague>数[十百]?|几十?|多)"
)
_MORE = r"余|多|几|来|\+"
_UNIT = (
    r"年(?!级|龄|代|度|月|\s*[\d*]{1,2}\s*月\s*[\d*]{1,2}\s*[日号])|个月"
    r"|个?(?:星期|礼拜)(?![一二三四五六日天])"
    r"|月(?!经|份|底|初|末|中旬|上旬|下旬|龄|子|\s*[\d*一二三四五六七八九十]{1,3}\s*[日号])"
    r"|周(?!岁|边|围|期|身|径|[一二三四五六日末])|天(?!冬|花|然|门|麻|疱)"
    r"|(?<!\d\.\d)日(?!\s*[\d一二两三]+\s*[次餐]|\s*(?:晚|早|凌晨|上午|下午|中午|\d{1,2}\s*[:时])|龄|常|晒|[-/])"
    r"|个?小时|个?钟头|分钟|秒钟?|(?:min|[dhw])(?![A-Za-z\d])"
)
_NOT_AFTER = (
    r"(?<![\d.*A-Za-z第每/一二两三四五六七八九十百])(?<!第\s)(?<!月)(?<!月\s)(?<!\d[-/])"
    r"(?<!\d{4}年)(?<!\d{4}年\s)(?<![今去同本当次]年)"
)
_DURATION = regex(
    rf"{_NOT_AFTER}(?P<before>(?<=院前)|(?<=诊前))?(?:{_NUMBER})\s?"
    rf"(?P<more>{_MORE}|个[多余](?=[月星礼小钟]))?\s?(?P<half_unit>个半)?(?P<unit>{_UNIT})"
    rf"(?P<after>半|余|多|几|来|\+(?!\d))?(?P<ago>\s?(?:以|之)?前(?![列壁臂额胸后期驱纵房庭]))?"
)
# A plain class in front lets the engine skip to the few places that can hold a duration.
_CANDIDATE = regex(
    r"[\d*一二两三四五六七八九十百半数几多][\d*.+\-~至到一二两三四五六七八九十百半几余多来个\s]{0,12}[年月周天日星礼小钟分秒mdhw]"
)
_LOOK_AHEAD = 12
_TENS_MORE = ("余", "多", "几", "来")
_AND = regex(r"[零又+]?")

_YEAR = r"(?P<year>(?:19|20)[\d*]{2}|\*{2,4})"
_MONTH = r"(?P<month>[\d*]{1,2})"
_DAY = r"(?P<day>[\d*]{1,2})"
_TIME = (
    r"(?:[\sT]{0,3}(?P<half_day>凌晨|早上|上午|中午|下午|傍晚|晚上|晚|夜间)?\s?(?P<hour>[\d*]{1,2})"
    r"(?:\s?[:时点]\s?(?P<minute>[\d*]{1,2})(?![\d*])(?:分|:[\d*]{2}(?:\.\d+)?)?|[时点]))?"
)
_DATES = tuple(
    regex(r"(?<![\d*.\-/A-Za-z])" + form)
    for form in (
        rf"{_YEAR}\s?年\s?{_MONTH}\s?月\s?{_DAY}\s?[日号]{_TIME}",
        rf"{_YEAR}\s?(?P<mark>[-./])\s?{_MONTH}\s?(?P=mark)\s?{_DAY}(?![\d*%]){_TIME}",
        rf"{_YEAR}\s?年\s?{_MONTH}\s?月(?:份)?",
        r"(?P<year>(?:19|20)[\d*]{2})[-/](?P<month>0[1-9]|1[0-2])(?![\d*\-/.:])",
        r"(?P<year>(?:19|20)[\d*]{2})\s?年(?!龄|级)",
        rf"{_MONTH}\s?月\s?{_DAY}\s?[日号]{_TIME}",
        rf"{_MONTH}[-/]{_DAY}\s(?=[\d*]{{1,2}}:[\d*]{{2}}){_TIME}",
        r"(?P<month>(?=\d?\*|\d\d?-\d?\*)[\d*]{1,2})-(?P<day>[\d*]{1,2})(?![\d*.\-%/)]|\s*(?:[次天周月年小分秒岁个片粒支两口"
        r"杯包枚级度型期肋组根倍]|日[/\d一二三]|℃|[A-Za-z]))",
        r"(?P<year>\*)(?P<mark>[-.])(?P<month>[\d*]{1,2})(?P=mark)(?P<day>[\d*]{1,2})(?![\d*.\-%])",
    )
)
_DATE_START = regex(r"[\d*]{1,4}+(?=\s?[年月./\-])")
_AFTERNOON = ("下午", "傍晚", "晚上", "晚")


def find_durations(text: str) -> tuple[Duration, ...]:
    """The durations of ``text`` in order; 第3天, dates (5月6日), months of the year (3月份) and rates are none."""
    half = half_width(text)
    found: list[Duration] = []
    for match in _duration_matches(half):
        duration = _duration(match)
        joined = _AND.fullmatch(half, found[-1].span.end, match.start()) if found else None
        if joined and _DAYS[found[-1].unit] > _DAYS[duration.unit] and not found[-1].is_ago:
            found[-1] = _sum(found[-1], duration)
        else:
            found.append(duration)
    return tuple(found)


def _duration_matches(half: str) -> Iterator[re.Match[str]]:
    done = 0
    for candidate in _CANDIDATE.finditer(half):
        match = _DURATION.search(half, max(done, candidate.start()), candidate.end() + _LOOK_AHEAD)
        if match and match.start() < candidate.end():
            done = match.end()
            yield match


def _duration(match: re.Match[str]) -> Duration:
    unit = _WRITTEN_UNITS[match["unit"].lower()]
    low, high = _bounds(match)
    if match["half_unit"]:
        low, high = low + 0.5, high and high + 0.5
    if match["after"] == "半":
        low, high = low + 0.5, high and high + 0.5
    masked = match["masked"] is not None
    days = _DAYS[unit]
    return Duration(
        Span(*match.span()),
        None if masked else low * days,
        None if masked or high is None else high * days,
        unit,
        masked,
        match["ago"] is not None or match["before"] is not None,
    )


def _bounds(match: re.Match[str]) -> tuple[float, float | None]:
    """The least and the greatest number of units meant."""
    if match["low"]:
        return float(match["low"]), float(match["high"])
    if match["vague"]:
        return {"数": (2, 9), "几": (2, 9), "数十": (20, 99), "几十": (20, 99), "数百": (200, 999)}.get(
            match["vague"], (1, None)
        )
    if match["masked"]:
        return 0, None
    low, high = (float(match["whole"]),) * 2 if match["whole"] else _han_bounds(match["han"])
    before, after = match["more"], match["after"]
    if before in _TENS_MORE and low >= 10 and low % 10 == 0:
        return low, low + (100 if low % 100 == 0 else 10)
    if before or after not in (None, "半"):
        return low, max(high, float(int(low) + 1))
    return low, high


def _han_bounds(han: str) -> tuple[float, float]:
    if han[0] == "半":
        return 0.5, 0.5
    digits = [_DIGITS[character] for character in han if character in _DIGITS]
    if len(digits) == 2 and "十" not in han and "百" not in han:
        return float(min(digits)), float(max(digits))
    return (float(_han_number(han)),) * 2


def _han_number(han: str) -> int:
    total, pending = 0, 0
    for character in han:
        if character in "十百":
            total += (pending or 1) * (10 if character == "十" else 100)
            pending = 0
        else:
            pending = _DIGITS.get(character, 0)
    return total + pending


def _sum(larger: Duration, smaller: Duration) -> Duration:
    masked = larger.masked or smaller.masked
    low, high = (larger.minimum_days, smaller.minimum_days), (larger.maximum_days, smaller.maximum_days)
    return Duration(
        Span(larger.span.start, smaller.span.end),
        None if masked or None in low else sum(days for days in low if days is not None),
        None if masked or None in high else sum(days for days in high if days is not None),
        larger.unit,
        masked,
        smaller.is_ago,
    )


def find_dates(text: str, default_year: int | None = None) -> tuple[DateMention, ...]:
    """The dates of ``text`` in order; ``default_year`` completes dates written without one (5月6日, 05-06 10:20).

    Dates that do not exist (2月30日) are kept with value ``None``.
    """
    half = half_width(text)
    found: list[DateMention] = []
    end = 0
    for start in _DATE_START.finditer(half):
        if start.start() < end:
            continue
        match = next((match for form in _DATES if (match := form.match(half, start.start()))), None)
        if match:
            found.append(_date(match, default_year))
            end = match.end()
    return tuple(found)


def _date(match: re.Match[str], default_year: int | None) -> DateMention:
    parts = match.groupdict()
    precision: Precision = (
        "minute"
        if parts.get("minute")
        else "day"
        if parts.get("day")
        else "month"
        if parts.get("month")
        else "year"
    )
    masked = "*" in match.group()
    return DateMention(
        Span(*match.span()), None if masked else _moment(parts, default_year), precision, masked
    )


def _moment(parts: dict[str, str | None], default_year: int | None) -> datetime | None:
    written = parts.get("year")
    year = int(written) if written else default_year
    if year is None:
        return None
    month, day = (int(parts.get(name) or 1) for name in ("month", "day"))
    hour, minute = (int(parts.get(name) or 0) for name in ("hour", "minute"))
    if parts.get("half_day") in _AFTERNOON and hour < 12:
        hour += 12
    is_midnight = (hour, minute) == (24, 0)
    try:
        moment = datetime(year, month, day, 0 if is_midnight else hour, minute, tzinfo=CHINA_TIME)
    except ValueError:
        return None
    return moment + timedelta(days=1) if is_midnight else moment
