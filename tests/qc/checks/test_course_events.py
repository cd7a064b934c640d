from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.course_events import (
    EffectNotAssessed,
    HardCaseUndiscussed,
    NotesSayNothing,
    PostoperativeFever,
    SecondOperationUnexplained,
    TellingUnrecorded,
    _daily_runs,
)
from app.records.model import MedicalRecord

NOTE = "日常病程记录"
STAY = {"admitted_at": "2026-05-06 10:00", "discharged_at": "2026-05-26 09:00"}


def case_of(*notes, kind=NOTE, **content):
    documents = [
        {"id": f"D{n}", "type": kind, "written_at": at, "text": text} for n, (at, text) in enumerate(notes)
    ]
    record = {"record_id": "R", "encounter": STAY, "documents": documents, **content}
    return Case(MedicalRecord.model_validate(record))


OPERATION = {"kind": "手术", "name": "胆囊切除术", "started_at": "2026-05-08 09:00"}


@pytest.mark.parametrize(
    ("temperatures", "text", "outcome"),
    [
        ([38.7, 38.5, 39.0], "切口干燥。", "defect"),
        ([38.7, 38.5, 39.0], "术后发热，考虑吸收热。", "pass"),
        ([38.7, 38.4, 39.0], "切口干燥。", "not_applicable"),
        ([38.7, 38.5], "切口干燥。", "not_applicable"),
        ([None, 38.5, 39.0], "切口干燥。", "not_applicable"),
    ],
)
def test_a_lasting_fever_after_an_operation_is_dealt_with(temperatures, text, outcome):
    vitals = [
        {"at": f"2026-05-{9 + day:02} {14 + day}:00", "temperature": t} for day, t in enumerate(temperatures)
    ]
    case = case_of(("2026-05-11 09:00", text), vitals=vitals, procedures=[OPERATION])
    assert PostoperativeFever(words="发热").rule_on(case, (NOTE,)).outcome == outcome


@given(st.lists(st.integers(0, 400), max_size=30))
def test_runs_keep_every_moment_in_order(hours):
    start = datetime.fromisoformat("2026-05-06T10:00:00+08:00")
    moments = sorted(start + timedelta(hours=h) for h in hours)
    runs = list(_daily_runs(moments))
    assert [moment for run in runs for moment in run] == moments
    assert all(run for run in runs)


SECOND = {"kind": "手术", "name": "剖腹探查术"}


@pytest.mark.parametrize(
    ("second", "text", "outcome"),
    [
        ("2026-05-09 09:00", "明日手术。", "defect"),
        ("2026-05-09 09:00", "腹腔内出血，拟非计划再次手术。", "pass"),
        ("2026-05-08 20:59", "明日手术。", "not_applicable"),
        (None, "明日手术。", "not_applicable"),
    ],
)
def test_a_second_operation_is_explained(second, text, outcome):
    case = case_of(("2026-05-08 20:00", text), procedures=[OPERATION, {**SECOND, "started_at": second}])
    check = SecondOperationUnexplained(words="再次手术|二期")
    assert check.rule_on(case, (NOTE,)).outcome == outcome


ANTIBIOTIC = {
    "category": "药品",
    "content": "注射用头孢曲松钠 2g 静脉滴注 qd",
    "ordered_at": "2026-05-06 11:00",
}


@pytest.mark.parametrize(
    ("kind", "at", "text", "outcome"),
    [
        ("长期", "2026-05-08 09:00", "继续抗感染。", "defect"),
        ("长期", "2026-05-09 11:00", "咳嗽减轻。", "pass"),
        ("长期", "2026-05-09 11:01", "咳嗽减轻。", "undetermined"),
        ("临时", "2026-05-08 09:00", "继续抗感染。", "not_applicable"),
    ],
)
def test_the_effect_of_a_treatment_is_told_in_time(kind, at, text, outcome):
    case = case_of((at, text), orders=[{**ANTIBIOTIC, "kind": kind}])
    check = EffectNotAssessed(groups=("抗菌药物",), effect="减轻|好转")
    assert check.rule_on(case, (NOTE,)).outcome == outcome


@pytest.mark.parametrize(
    ("ended", "text", "outcome"),
    [
        ("2026-05-20 10:00", "发热待查", "not_applicable"),
        ("2026-05-20 10:01", "发热待查", "defect"),
        ("2026-05-25 10:00", "肺炎；发热待查", "not_applicable"),
    ],
)
def test_an_open_diagnosis_after_two_weeks_is_discussed(ended, text, outcome):
    case = case_of(
        (ended, f"出院诊断：{text}。"), kind="出院记录", encounter={**STAY, "discharged_at": ended}
    )
    check = HardCaseUndiscussed(unplanned="非计划再次")
    assert check.rule_on(case, (NOTE,)).outcome == outcome


@pytest.mark.parametrize(
    ("texts", "outcome"),
    [
        (("病情平稳，续观。", "患者一般情况可，继续目前治疗。"), "defect"),
        (("病情平稳，续观。", "咳嗽减轻。", "病情平稳，继续目前治疗。"), "pass"),
        (("病情平稳，续观。", "血压128/78mmHg。"), "pass"),
        (("病情平稳，续观。", "夜间未解大便，诉口干明显，家属陪护。"), "pass"),
        (("病情平稳，续观。",), "not_applicable"),
    ],
)
def test_empty_notes_in_a_row(texts, outcome):
    case = case_of(*((f"2026-05-0{7 + n} 09:00", text) for n, text in enumerate(texts)))
    assert NotesSayNothing().rule_on(case, (NOTE,)).outcome == outcome


@pytest.mark.parametrize(
    ("text", "stay", "outcome"),
    [
        ("切口干燥。", {}, "defect"),
        ("已告知家属。", {}, "pass"),
        ("切口干燥。", {"discharged_at": None}, "not_applicable"),
    ],
)
def test_an_operation_is_told_to_the_family(text, stay, outcome):
    case = case_of(("2026-05-08 20:00", text), procedures=[OPERATION], encounter={**STAY, **stay})
    check = TellingUnrecorded(told="告知", operations=True)
    assert check.rule_on(case, (NOTE,)).outcome == outcome
