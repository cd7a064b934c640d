from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.quantities import find_quantities, find_vital_signs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("阿司匹林100mg", [("100mg", 100, "mg")]),
        ("血红蛋白１２３ｇ／Ｌ", [("１２３ｇ／Ｌ", 123, "g/L")]),
        ("WBC 5.6×10^9/L", [("5.6×10^9/L", 5.6, "10^9/L")]),
        ("WBC 5.6*10^9/L", [("5.6*10^9/L", 5.6, "10^9/L")]),
        ("RBC 4.2×10¹²/L", [("4.2×10¹²/L", 4.2, "10^12/L")]),
        ("3.5-5.3mmol/L", [("3.5", 3.5, "mmol/L"), ("5.3mmol/L", 5.3, "mmol/L")]),
        ("3×4cm", [("3", 3, "cm"), ("4cm", 4, "cm")]),
        ("2.5*3.0cm", [("2.5", 2.5, "cm"), ("3.0cm", 3, "cm")]),
        ("8mm*6mm", [("8mm", 8, "mm"), ("6mm", 6, "mm")]),
        ("128/78mmHg", [("128", 128, "mmHg"), ("78mmHg", 78, "mmHg")]),
        ("胰岛素 8U 皮下", [("8U", 8, "U")]),
        ("青霉素320万U", [("320万U", 320, "万U")]),
        ("肝素5000IU", [("5000IU", 5000, "IU")]),
        ("肌酐88umol/L", [("88umol/L", 88, "μmol/L")]),
        ("0.9%氯化钠250ml", [("0.9%", 0.9, "%"), ("250ml", 250, "ml")]),
        ("T36.5℃，P78次/分", [("36.5℃", 36.5, "℃"), ("78次/分", 78, "次/分")]),
        ("CA19-9 37U/ml", [("37U/ml", 37, "U/ml")]),
        ("*6.5℃", [("*6.5℃", None, "℃")]),
        ("1*/8*mmHg", [("1*", None, "mmHg"), ("8*mmHg", None, "mmHg")]),
        ("10*mg", [("10*mg", None, "mg")]),
    ],
)
def test_quantities(text: str, expected: list[tuple[str, float | None, str]]) -> None:
    found = find_quantities(text)
    assert [(each.span.of(text), each.value, each.unit) for each in found] == expected
    assert all(each.masked is (each.value is None) for each in found)


@pytest.mark.parametrize(
    "text", ["3天", "5min", "L3椎体", "2026-05-06", "T1WI", "第2次", "1.患者", "1.2.3mg", "36.5", "5Mbps", ""]
)
def test_no_quantity(text: str) -> None:
    assert find_quantities(text) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "T 36.5℃ P 78次/分 R 18次/分 BP 128/78mmHg",
            [("temperature", 36.5), ("pulse", 78), ("respiration", 18), ("systolic", 128), ("diastolic", 78)],
        ),
        ("体温：36.5℃", [("temperature", 36.5)]),
        ("体温 36.8 脉搏 80 呼吸 20", [("temperature", 36.8), ("pulse", 80), ("respiration", 20)]),
        ("T36.5，P78次/分", [("temperature", 36.5), ("pulse", 78)]),
        ("血压128／78 mmHg", [("systolic", 128), ("diastolic", 78)]),
        ("BP（右上肢）128/78", [("systolic", 128), ("diastolic", 78)]),
        ("SpO2 98%", [("spo2", 98)]),
        ("血氧饱和度：98％", [("spo2", 98)]),
        ("心率80次/分，律齐", [("heart_rate", 80)]),
        ("HR 80bpm", [("heart_rate", 80)]),
        ("P: 78, R: 18", [("pulse", 78), ("respiration", 18)]),
    ],
)
def test_vital_signs(text: str, expected: list[tuple[str, float]]) -> None:
    assert [(each.name, each.value) for each in find_vital_signs(text)] == expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("T  ℃", ["temperature"]),
        ("T：____℃ P：____次/分", ["temperature", "pulse"]),
        ("R    次/分", ["respiration"]),
        ("BP   /  mmHg", ["systolic", "diastolic"]),
    ],
)
def test_an_unfilled_place_is_not_masked(text: str, names: list[str]) -> None:
    assert [(each.name, each.value, each.masked) for each in find_vital_signs(text)] == [
        (name, None, False) for name in names
    ]


def test_masked_vital_signs() -> None:
    found = find_vital_signs("T*6.5℃，P8*次/分，R18次/分，BP1*/8*mmHg")
    assert [(each.name, each.value, each.masked) for each in found] == [
        ("temperature", None, True),
        ("pulse", None, True),
        ("respiration", 18, False),
        ("systolic", None, True),
        ("diastolic", None, True),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "T12椎体骨折",
        "P53(+)",
        "T1WI",
        "T4 5.6",
        "PT 12.5秒",
        "R波",
        "呼吸平稳",
        "脉搏短绌",
        "双肺呼吸音粗",
        "血压最高180/100mmHg",
        "体温正常",
    ],
)
def test_no_vital_sign(text: str) -> None:
    assert find_vital_signs(text) == ()


@given(st.text(alphabet="3６*.-/×^ 10mgcmLhHTPR℃次分体温血压：BP%\n𬌗", max_size=80))
def test_spans_lie_in_order_in_the_text(text: str) -> None:
    quantities = find_quantities(text)
    assert all(a.span.end <= b.span.start for a, b in pairwise(quantities))
    for span in (each.span for each in (*quantities, *find_vital_signs(text))):
        assert 0 <= span.start < span.end <= len(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["1", "*", "1*", "1.", "1-", "3×", "T ", "T：", "BP/", "血压", "次", "1 "])
def test_long_repetitions_take_linear_time(piece: str) -> None:
    text = piece * 20_000
    find_quantities(text)
    find_vital_signs(text)
