import pytest

from app.records.model import Span
from app.text.dosing import Dose, as_dose, dose_in, drug_core, find_drug, times_a_day


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("硫酸氢氯吡格雷片", "氯吡格雷"),
        ("苯磺酸左氨氯地平片", "左氨氯地平"),
        ("艾司奥美拉唑镁肠溶片", "艾司奥美拉唑"),
        ("注射用头孢唑林钠", "头孢唑林"),
        ("左氧氟沙星氯化钠注射液", "左氧氟沙星"),
        ("碳酸钙D3片", "碳酸钙D3"),
        ("氯化钾缓释片", "氯化钾"),
        ("片", ""),
    ],
)
def test_the_name_proper(name, core):
    assert drug_core(name) == core


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("每日2次", 2), ("bid", 2), ("qd", 1), ("每晚1次", 1), ("一日三次", 3), ("2次/日", 2), ("q12h", 2), ("tid（餐前）", 3),
        ("隔日1次", 0.5), ("口服", None), ("qdream", None),
    ],
)  # fmt: skip
def test_how_often_a_day(text, times):
    assert times_a_day(text) == times


@pytest.mark.parametrize(
    ("text", "dose"),
    [
        ("0.1g口服", Dose(100, "mg")), ("100mg", Dose(100, "mg")), ("0.25μg", Dose(0.00025, "mg")), ("8U皮下", Dose(8, "U")),
        ("1片", Dose(1, "片")), ("口服", None), ("*mg", None),
    ],
)  # fmt: skip
def test_doses(text, dose):
    assert dose_in(text) == dose


def test_a_rate_is_no_dose():
    assert as_dose(8, "mg/h") is None


def test_a_drug_is_found_under_its_brand():
    text = "予立普妥20mg"
    span = find_drug(text, "阿托伐他汀钙片", Span(0, len(text)))
    assert span == Span(1, 4)
    assert find_drug(text, "瑞舒伐他汀钙片", Span(0, len(text))) is None
