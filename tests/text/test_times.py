from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.records.model import CHINA_TIME
from app.text.times import find_dates, find_durations


@pytest.mark.parametrize(
    ("text", "quote", "low", "high", "unit"),
    [
        ("头痛3天", "3天", 3, 3, "天"),
        ("头痛３天", "３天", 3, 3, "天"),
        ("咳嗽3d", "3d", 3, 3, "天"),
        ("发热3日", "3日", 3, 3, "天"),
        ("腹痛3小时", "3小时", 0.125, 0.125, "小时"),
        ("胸痛30分钟", "30分钟", 30 / 1440, 30 / 1440, "分钟"),
        ("半月余", "半月余", 15, 30, "月"),
        ("半年", "半年", 182.5, 182.5, "年"),
        ("两周", "两周", 14, 14, "周"),
        ("1月余", "1月余", 30, 60, "月"),
        ("3个多月", "3个多月", 90, 120, "月"),
        ("1个半月", "1个半月", 45, 45, "月"),
        ("1年半", "1年半", 547.5, 547.5, "年"),
        ("反复咳嗽十余年", "十余年", 3650, 7300, "年"),
        ("10余年", "10余年", 3650, 7300, "年"),
        ("3年余", "3年余", 1095, 1460, "年"),
        ("3+年", "3+年", 1095, 1460, "年"),
        ("2周+", "2周+", 14, 21, "周"),
        ("2-3天", "2-3天", 2, 3, "天"),
        ("2～3天", "2～3天", 2, 3, "天"),
        ("三四天", "三四天", 3, 4, "天"),
        ("十二天", "十二天", 12, 12, "天"),
        ("数天", "数天", 2, 9, "天"),
        ("多年", "多年", 365, None, "年"),
        ("2年3个月余", "2年3个月余", 820, 850, "年"),
        ("1年零2月", "1年零2月", 425, 425, "年"),
        ("停经39周+6天", "39周+6天", 279, 279, "周"),
        ("孕38+3周", "38+3周", 266, 266, "周"),
        ("左侧输尿管支架术后一月", "一月", 30, 30, "月"),
    ],
)
def test_duration(text: str, quote: str, low: float, high: float | None, unit: str) -> None:
    (found,) = find_durations(text)
    assert (found.span.of(text), found.unit) == (quote, unit)
    assert found.minimum_days == pytest.approx(low)
    assert found.maximum_days == (None if high is None else pytest.approx(high))
    assert not found.masked
    assert not found.is_ago


@pytest.mark.parametrize(
    ("text", "quote", "is_ago"),
    [
        ("3天前出现头痛", "3天前", True),
        ("1年以前", "1年以前", True),
        ("一月余前", "一月余前", True),
        ("入院前3天", "3天", True),
        ("前3天", "3天", False),
        ("3天前壁梗死", "3天", False),
        ("3天后", "3天", False),
        ("近3天", "3天", False),
    ],
)
def test_ago(text: str, quote: str, is_ago: bool) -> None:
    (found,) = find_durations(text)
    assert (found.span.of(text), found.is_ago) == (quote, is_ago)


@pytest.mark.parametrize("text", ["发热*天", "1*天", "4*年", "*+天", "*-*天", "*个月余"])
def test_masked_duration(text: str) -> None:
    (found,) = find_durations(text)
    assert found.masked
    assert (found.minimum_days, found.maximum_days) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "第3天", "入院第3天", "第 3 天", "第十三天", "5月6日", "3月 2日", "2026年5月6日", "2026年5月", "今年3月份", "2025年",
        "36.5℃", "T36.5", "78次/分", "每3天一次", "q8h", "1日3次", "3周期", "80年代", "3周岁", "周一", "*月*日", "12日晚",
        "38床", "3年级", "2g/d",
    ],
)  # fmt: skip
def test_no_duration(text: str) -> None:
    assert find_durations(text) == ()


@pytest.mark.parametrize(
    ("text", "quote", "value", "precision"),
    [
        ("于2026-05-06 10:20入院", "2026-05-06 10:20", (2026, 5, 6, 10, 20), "minute"),
        ("2026-05-06T10:20:00", "2026-05-06T10:20:00", (2026, 5, 6, 10, 20), "minute"),
        ("2026年5月6日10时20分", "2026年5月6日10时20分", (2026, 5, 6, 10, 20), "minute"),
        ("２０２６年５月６日", "２０２６年５月６日", (2026, 5, 6), "day"),
        ("2026.5.6", "2026.5.6", (2026, 5, 6), "day"),
        ("2026/05/06", "2026/05/06", (2026, 5, 6), "day"),
        ("2026年5月", "2026年5月", (2026, 5, 1), "month"),
        ("2026-05", "2026-05", (2026, 5, 1), "month"),
        ("2026年", "2026年", (2026, 1, 1), "year"),
        ("5月6日", "5月6日", (2026, 5, 6), "day"),
        ("3月 2日", "3月 2日", (2026, 3, 2), "day"),
        ("05-06 10:20", "05-06 10:20", (2026, 5, 6, 10, 20), "minute"),
        ("5月6日下午3时", "5月6日下午3时", (2026, 5, 6, 15), "day"),
        ("2026-05-06 24:00", "2026-05-06 24:00", (2026, 5, 7), "minute"),
        ("2026-02-30", "2026-02-30", None, "day"),
        ("2026-05-06 25:00", "2026-05-06 25:00", None, "minute"),
    ],
)
def test_date(text: str, quote: str, value: tuple[int, int, int] | None, precision: str) -> None:
    (found,) = find_dates(text, 2026)
    assert (found.span.of(text), found.precision, found.masked) == (quote, precision, False)
    assert found.value == (datetime(*value, tzinfo=CHINA_TIME) if value else None)


def test_a_date_without_a_year_has_no_value() -> None:
    (found,) = find_dates("5月6日", None)
    assert found.value is None
    assert not found.masked


@pytest.mark.parametrize(
    "text", ["20**-*-*", "****年**月**日", "2025-1*-2* 1*:30", "*-*-*", "*月*日", "1*-1*出现发热"]
)
def test_masked_date(text: str) -> None:
    (found,) = find_dates(text, 2026)
    assert found.masked
    assert found.value is None


@pytest.mark.parametrize(
    "text",
    ["128/78", "36.5", "3-5天", "1.5-2.0", "编号20260506", "2-3次", "1-0-0-1", "*-*次", "L3-4", "1-*-*-1"],
)
def test_no_date(text: str) -> None:
    assert find_dates(text, 2026) == ()


@given(st.text(alphabet="3１0*年月日天周小时前第余半十两-./: 至a𬌗\n入院", max_size=80))
def test_spans_lie_in_order_in_the_text(text: str) -> None:
    for found in (find_durations(text), find_dates(text, 2026)):
        spans = [each.span for each in found]
        assert all(0 <= span.start < span.end <= len(text) for span in spans)
        assert all(a.end <= b.start for a, b in pairwise(spans))


@given(st.integers(1, 99), st.sampled_from(["天", "周", "个月", "年", "小时"]))
def test_a_plain_number_is_exact(count: int, unit: str) -> None:
    (found,) = find_durations(f"咳嗽{count}{unit}。")
    assert found.minimum_days == found.maximum_days


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["3", "*", "一", "3天", "3-", "2026-", "第", "第3", "数", "3年", "1月", "十 "]
)
def test_long_repetitions_take_linear_time(piece: str) -> None:
    text = piece * 20_000
    find_durations(text)
    find_dates(text, 2026)
