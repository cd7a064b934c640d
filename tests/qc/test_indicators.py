from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.qc.indicators import Indicator, Standing, load_indicators, value_of
from app.qc.quality_index import Tally, dimensions_by_rule, index, load_dimensions
from app.qc.ruling import OUTCOMES
from app.resources import RULES

INDICATORS = load_indicators(RULES / "indicators.yaml")
BY_CODE = {indicator.code: indicator for indicator in INDICATORS}


def test_twenty_four_of_twenty_seven_can_be_computed():
    assert len(BY_CODE) == 27
    assert [i.code for i in INDICATORS if i.not_computable] == ["MER-HR-01", "MER-HR-02", "MER-HR-03"]
    assert Counter(code.split("-")[1] for code in BY_CODE) == {"HR": 3, "TL": 4, "ME": 3, "D&T": 8, "TQ": 9}


@pytest.mark.parametrize(
    ("code", "outcomes", "discharged", "standing"),
    [
        ("MER-TL-02", {"F-310": "pass", "F-311": "pass"}, True, "numerator"),
        ("MER-TL-02", {"F-310": "pass", "F-311": "defect"}, True, "denominator_only"),
        ("MER-TL-02", {"F-310": "pass", "F-311": "not_applicable"}, True, "numerator"),
        ("MER-TL-02", {"F-310": "not_applicable", "F-311": "not_applicable"}, True, "outside"),
        ("MER-TL-02", {"F-310": "pass", "F-311": "undetermined"}, True, "undetermined"),
        ("MER-TL-02", {"F-310": "pass", "F-311": "error"}, True, "undetermined"),
        ("MER-TL-02", {"F-310": "defect", "F-311": "undetermined"}, True, "denominator_only"),
        ("MER-TL-02", {}, True, "outside"),
        ("MER-TL-01", {"F-102": "pass"}, False, "numerator"),  # every inpatient counts
        ("MER-TL-03", {"F-501": "pass", "F-502": "pass"}, False, "outside"),  # discharged ones only
        ("MER-TQ-07", {"L-501": "defect", "L-502": "undetermined"}, True, "numerator"),  # copying: lower is better
        ("MER-TQ-07", {"L-501": "pass", "L-502": "not_applicable"}, True, "denominator_only"),
        ("MER-TQ-07", {"L-501": "pass", "L-502": "undetermined"}, True, "undetermined"),
        ("MER-HR-01", {"F-101": "pass"}, True, "outside"),
    ],
)  # fmt: skip
def test_standing_of_a_record(code, outcomes, discharged, standing):
    others = dict.fromkeys(BY_CODE[code].rules, "not_applicable")
    assert BY_CODE[code].standing(others | outcomes, "甲", is_discharged=discharged) == standing


@pytest.mark.parametrize(
    ("outcomes", "standing"),
    [
        ({"F-310": "pass"}, "undetermined"),
        ({"F-310": "defect"}, "denominator_only"),
        ({"F-310": "not_applicable"}, "outside"),
    ],
)
def test_a_rule_that_was_not_run_leaves_the_record_open(outcomes, standing):
    assert BY_CODE["MER-TL-02"].standing(outcomes, "甲", is_discharged=True) == standing


@pytest.mark.parametrize(
    ("grade", "discharged", "standing"),
    [
        ("甲", True, "numerator"),
        ("乙", True, "denominator_only"),
        (None, True, "undetermined"),
        ("甲", False, "outside"),
    ],
)
def test_the_share_of_the_best_grade(grade, discharged, standing):
    assert BY_CODE["MER-TQ-09"].standing({}, grade, is_discharged=discharged) == standing


@given(st.dictionaries(st.sampled_from(["F-101", "F-102", "F-103", "F-104"]), st.sampled_from(OUTCOMES)))
def test_what_could_not_be_judged_is_never_in_the_numerator(outcomes):
    standing = BY_CODE["MER-TL-01"].standing(outcomes, "甲", is_discharged=True)
    if standing == "numerator":
        assert set(outcomes.values()) <= {"pass", "not_applicable"}
    if "defect" in outcomes.values():
        assert standing == "denominator_only"


@given(st.dictionaries(st.sampled_from(get_args(Standing)), st.integers(0, 9)))
def test_a_value_counts_numerator_within_denominator(counts):
    value = value_of(BY_CODE["MER-TL-02"], counts, ["F-310", "F-311"])
    assert value.numerator <= value.denominator
    assert value.undetermined == counts.get("undetermined", 0)
    if value.possible and value.share is not None:
        assert value.possible.low <= value.share <= value.possible.high
    if value.share is None:
        assert value.denominator == 0
        assert value.interval is None
    else:
        assert value.interval.low <= value.share <= value.interval.high


@pytest.mark.parametrize(
    ("code", "codes", "counts", "reason"),
    [
        ("MER-HR-03", [], {}, "不能由这些数据计算：分母是人员工时"),
        ("MER-TL-02", [], {}, "不能由这些数据计算：所用评分方案没有规则 F-310、F-311"),
        ("MER-TL-02", ["F-310"], {}, "没有这类病历"),
        ("MER-TL-02", ["F-310"], {"undetermined": 2}, "没有可以判定的病历"),
        ("MER-TL-02", ["F-310"], {"numerator": 1}, ""),
    ],
)
def test_the_reason_where_there_is_no_value(code, codes, counts, reason):
    value = value_of(BY_CODE[code], counts, codes)
    assert value.reason_without_value.startswith(reason)
    assert bool(reason) == (value.share is None)


def test_every_rule_of_an_indicator_is_a_code_of_the_catalogue():
    assert all(len(code) == 5 for indicator in INDICATORS for code in indicator.rules)


def test_an_indicator_is_computed_one_way():
    with pytest.raises(ValueError, match="有一个"):
        Indicator(code="X", title="x", numerator="x", denominator="x", rules=("F-101",), not_computable="x")


def test_a_broken_file_names_entry_and_field(tmp_path):
    path = tmp_path / "indicators.yaml"
    path.write_text("- {code: X, title: x, numerator: x, denominator: x, rule: [F-101]}", "utf-8")
    with pytest.raises(UserError, match=r"0\.rule"):
        load_indicators(path)


def test_a_rule_feeds_the_dimension_that_claims_it_first():
    dimensions = load_dimensions(RULES / "quality_index.yaml")
    claimed = dimensions_by_rule(
        dimensions, ["L-503", "F-102", "L-105", "L-401", "F-101", "P-103", "N-301", "S-101"]
    )
    assert claimed == {
        "L-503": "uniqueness", "F-102": "timeliness", "L-105": "validity", "L-401": "consistency",
        "F-101": "completeness", "P-103": "completeness",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tallies", "expected"),
    [
        # (90 % + 50 %) / 2; what could not be judged takes no part
        ({"a": Tally(9, 1, 5), "b": Tally(1, 1)}, 70),
        ({"a": Tally(9, 1), "b": Tally(0, 0, 7)}, 90),
        ({"a": Tally()}, None),
    ],
)
def test_the_index_is_the_mean_of_the_dimensions_judged(tallies, expected):
    found = index(tallies)
    assert found == (None if expected is None else pytest.approx(expected))


def test_the_share_that_was_judged():
    assert Tally(6, 2, 2).judged_share == 0.8
    assert Tally(6, 2, 2).share == 0.75
    assert Tally().judged_share is None
