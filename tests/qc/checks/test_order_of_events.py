from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.order_of_events import AfterTheEnd, NotBeforeProcedure, StayReversed, WrittenAhead, shown
from app.qc.checks.orders_and_reports import OrderAndReport
from app.qc.checks.stated_times import AnaesthesiaOutsideOperation, DeathTimesDiffer, StayDatesDiffer
from app.qc.checks.transfusion import TransfusedTooEarly, transfusions
from app.records.model import MedicalRecord


def case_of(**parts):
    return Case(MedicalRecord.model_validate({"record_id": "R", **parts}))


def document(kind, text="（略）", **more):
    return {"id": "D1", "type": kind, "text": text, **more}


@given(minutes=st.integers(0, 5_000_000), hours=st.integers(-100, 100))
def test_a_stay_is_reversed_only_when_it_ends_first(minutes, hours):
    admitted = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ended = admitted + timedelta(hours=hours)
    case = case_of(encounter={"admitted_at": admitted, "discharged_at": ended})
    assert StayReversed().rule_on(case, ()).outcome == ("defect" if hours < 0 else "pass")


@pytest.mark.parametrize("year", [1, 9999])
def test_moments_at_the_end_of_time_are_shown(year):
    assert str(year) in shown(datetime(year, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(("lead", "expected"), [(None, "not_applicable"), (24, "pass"), (12, "defect")])
def test_discharge_record_written_the_day_before(lead, expected):
    case = case_of(
        encounter={"discharged_at": "2026-05-14 10:00"},
        documents=[document("出院记录", written_at="2026-05-13 16:00")],
    )
    assert WrittenAhead(discharge_lead_hours=lead).rule_on(case, ("出院记录",)).outcome == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"category": "检验", "content": "血常规"}, "defect"),
        ({"category": "药品", "content": "阿司匹林", "take_home": True}, "pass"),
        ({"category": "出院", "content": "明日出院"}, "pass"),
        ({"category": "护理", "content": "尸体料理"}, "pass"),
        ({"category": "药品", "content": "肾上腺素", "executed_at": "2026-05-14 08:50"}, "pass"),
    ],
)
def test_orders_after_the_end(order, expected):
    case = case_of(
        encounter={"discharged_at": "2026-05-14 09:00"}, orders=[{"ordered_at": "2026-05-14 09:01", **order}]
    )
    assert AfterTheEnd().rule_on(case, ()).outcome == expected


@pytest.mark.parametrize(
    ("emergency", "expected"), [(False, "defect"), (True, "not_applicable"), (None, "undetermined")]
)
def test_preoperative_documents_of_emergencies(emergency, expected):
    case = case_of(
        procedures=[{"kind": "手术", "emergency": emergency, "started_at": "2026-05-07 10:00"}],
        documents=[document("术前小结", written_at="2026-05-07 10:01")],
    )
    assert NotBeforeProcedure().rule_on(case, ("术前小结",)).outcome == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("入院日期：2026-05-06", "pass"),
        ("入院时间: 2026年5月6日10时20分", "pass"),
        ("入院日期：2026-05-07", "defect"),
        ("末次入院时间：2024-01-01", "not_applicable"),
        ("入院日期：2026-13-45", "not_applicable"),
        ("入院日期：****-**-**", "undetermined"),
    ],
)
def test_stated_admission(text, expected):
    case = case_of(encounter={"admitted_at": "2026-05-06 10:20"}, documents=[document("出院记录", text)])
    assert StayDatesDiffer().rule_on(case, ("出院记录",)).outcome == expected


@pytest.mark.parametrize(("minute", "expected"), [("06", "pass"), ("07", "defect")])
def test_death_told_in_the_text(minute, expected):
    case = case_of(
        encounter={"died_at": "2026-05-14 09:05"},
        documents=[document("抢救记录", f"抢救无效，于2026-05-14 09:{minute}宣告临床死亡。")],
    )
    assert DeathTimesDiffer().rule_on(case, ("抢救记录",)).outcome == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("麻醉起止时间：23:10—02:20", "pass"),
        ("麻醉起止时间：23:55—02:20", "defect"),
        ("麻醉起止时间：23:10—01:30", "defect"),
        ("麻醉起止时间：25:10—01:30", "undetermined"),
    ],
)
def test_anaesthesia_over_midnight(text, expected):
    case = case_of(
        procedures=[{"kind": "手术", "started_at": "2026-05-07 23:50", "ended_at": "2026-05-08 02:00"}],
        documents=[document("麻醉记录", text)],
    )
    assert AnaesthesiaOutsideOperation().rule_on(case, ("麻醉记录",)).outcome == expected


def test_a_transfusion_record_belongs_to_its_order():
    case = case_of(
        orders=[
            {"id": "O1", "category": "输血", "content": "红细胞2U", "executed_at": "2026-05-07 10:00"},
            {"id": "O2", "category": "输血", "content": "血浆200ml", "executed_at": "2026-05-07 12:00"},
        ],
        documents=[document("输血记录", refers_to=["O2"])],
    )
    assert [t.document is not None for t in transfusions(case)] == [False, True]
    assert TransfusedTooEarly().rule_on(case, ()).outcome == "undetermined"


@pytest.mark.parametrize(
    ("content", "panel", "expected"),
    [
        ("血常规（5月12日晨）", "血常规", "pass"),
        ("肾功能", "肝肾功能", "pass"),
        ("电解质", "生化", "pass"),
        ("甲状腺功能", "生化", "defect"),
    ],
)
def test_an_order_meets_its_report_by_name(content, panel, expected):
    case = case_of(
        encounter={"admitted_at": "2026-05-06 10:00", "discharged_at": "2026-05-16 09:00"},
        orders=[
            {"id": "O1", "category": "检验", "content": "凝血功能", "executed_at": "2026-05-07 06:00"},
            {"id": "O2", "category": "检验", "content": content, "executed_at": "2026-05-07 06:00"},
        ],
        lab_results=[
            {
                "panel": "凝血",
                "item": "INR",
                "value": "1",
                "sampled_at": "2026-05-07 06:00",
                "order_id": "O1",
            },
            {"panel": panel, "item": "电解质", "value": "1", "sampled_at": "2026-05-07 06:00"},
        ],
        exam_reports=[],
    )
    assert OrderAndReport(missing="report").rule_on(case, ()).outcome == expected
