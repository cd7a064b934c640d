import pytest

from app.qc.case import Case
from app.qc.checks.results import Limits, QuotedValueDiffers, ResultNotRecorded, tells_result
from app.records.model import MedicalRecord

NOTE = "日常病程记录"
POTASSIUM = {
    "item": "钾",
    "value": "2.6",
    "unit": "mmol/L",
    "flag": "危急",
    "reported_at": "2026-05-07 08:00",
}


def case_of(text, *results, **encounter):
    stay = {"admitted_at": "2026-05-06 10:00", "discharged_at": "2026-05-16 09:00", **encounter}
    document = {"id": "D1", "type": NOTE, "text": text, "written_at": "2026-05-07 15:00"}
    content = {"record_id": "R", "encounter": stay, "documents": [document], "lab_results": list(results)}
    return Case(MedicalRecord.model_validate(content))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("血钾2.6mmol/L，予补钾。", True),
        ("钾 2.6", True),
        ("K+ 2.6，补钾后复查。", True),
        ("08:05接危急值：低钾。", True),
        ("低钾血症，予纠正。", True),
        ("补钾治疗。", True),
        ("予氯化钠补液。", False),
        ("血钠138mmol/L。", False),
        ("病情平稳。", False),
    ],
)
def test_a_note_tells_a_critical_value(text, told):
    case = case_of(text, POTASSIUM)
    assert tells_result(case, case.record.documents[0], case.record.lab_results[0]) is told


@pytest.mark.parametrize(("hours", "expected"), [(None, "pass"), (7, "pass"), (6.9, "defect")])
def test_hours_are_an_option_of_the_profile(hours, expected):
    check = ResultNotRecorded(flags=("危急",), limit_hours=hours)
    assert check.rule_on(case_of("血钾2.6，予补钾。", POTASSIUM), (NOTE,)).outcome == expected


def test_a_result_before_admission_is_not_the_charts():
    early = {**POTASSIUM, "reported_at": "2026-05-06 09:00"}
    ruling = ResultNotRecorded(flags=("危急",)).rule_on(case_of("病情平稳。", early), (NOTE,))
    assert ruling.outcome == "not_applicable"


@pytest.mark.parametrize(("value", "expected"), [("89", "defect"), ("90", "not_applicable")])
def test_the_hospitals_limits(value, expected):
    check = ResultNotRecorded(limits=(Limits(item="血红蛋白", below=90),))
    result = {"item": "血红蛋白", "value": value, "unit": "g/L", "reported_at": "2026-05-07 08:00"}
    assert check.rule_on(case_of("病情平稳。", result), (NOTE,)).outcome == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("血钾2.6mmol/L。", "pass"),
        ("血钾3.6mmol/L。", "defect"),
        ("今晨血钾3.6mmol/L，予补钾。", "defect"),
        ("血钾2.60mmol/L。", "pass"),
        ("血钾3mmol/L。", "pass"),
        ("血钾4mmol/L。", "defect"),
        ("血钾3.6。", "undetermined"),
        ("血钾3.6g/L。", "undetermined"),
        ("血钾目标4.0mmol/L以上。", "undetermined"),
        ("血钾4.0mmol/L以上即可停药。", "undetermined"),
        ("外院查血钾3.6mmol/L。", "undetermined"),
        ("氯化钾3.6g静滴。", "undetermined"),
    ],
)
def test_quoted_value(text, expected):
    assert QuotedValueDiffers().rule_on(case_of(text, POTASSIUM), (NOTE,)).outcome == expected


def test_a_value_of_another_report_is_no_error():
    earlier = {**POTASSIUM, "value": "3.6", "reported_at": "2026-05-06 12:00"}
    ruling = QuotedValueDiffers().rule_on(
        case_of("血钾由3.6降至2.6；入院时血钾3.6mmol/L。", earlier, POTASSIUM), (NOTE,)
    )
    assert ruling.outcome == "pass"
