from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.frequency import CourseDayMissing, CourseGap, DocumentInterval
from app.records.model import MedicalRecord


def case(notes, conditions=None, **encounter) -> Case:
    stay = {"admitted_at": "2026-05-06 09:00", "discharged_at": "2026-05-16 09:00", "conditions": conditions}
    documents = [
        {"id": f"D{n}", "type": "日常病程记录", "text": "略", "written_at": f"2026-05-{at}"}
        for n, at in enumerate(notes)
    ]
    return Case(
        MedicalRecord.model_validate(
            {"record_id": "R", "documents": documents, "encounter": stay | encounter}
        )
    )


SERIOUS = [{"level": "病重", "from": "2026-05-06 10:00", "to": "2026-05-09 08:00"}]


@pytest.mark.parametrize(
    ("level", "days", "notes", "conditions", "gaps"),
    [
        ("稳定", 3, ["06 11:00", "09 23:59", "12 00:01", "15 10:00"], [], []),
        ("稳定", 3, ["06 11:00", "10 00:01", "13 10:00"], [], [4]),
        ("稳定", 3, ["06 11:00", "09 10:00", "12 10:00"], [], [4]),  # to the discharge
        ("病重", 2, ["06 11:00", "08 10:00", "11 10:00", "14 10:00"], SERIOUS, []),
        ("病重", 2, ["06 11:00", "11 10:00", "14 10:00"], SERIOUS, [3]),  # the days in the serious period
        (
            "稳定",
            3,
            ["06 11:00", "11 10:00", "14 10:00"],
            SERIOUS,
            [5],
        ),  # all its days: any level asks for more
        ("稳定", 3, ["06 10:30", "09 07:00", "12 10:00", "14 10:00"], SERIOUS, []),
        ("病重", 2, ["06 09:30", "09 07:00", "12 10:00", "14 10:00"], SERIOUS, [3]),
    ],
)
def test_gaps_count_calendar_days_by_level(level, days, notes, conditions, gaps):
    ruling = CourseGap(level=level, maximum_days=days).rule_on(case(notes, conditions), ())
    assert [hit.details["gap"] for hit in ruling.hits] == gaps
    assert ruling.outcome == ("defect" if gaps else "pass")


def test_days_are_those_of_china():
    # 2026-05-09 23:30 in China is still 15:30 UTC of that day; 2026-05-10 00:30 is 2026-05-09 16:30 UTC.
    late = case(["06 11:00", "09 16:30+00:00", "13 10:00"], [])
    ruling = CourseGap(level="稳定", maximum_days=3).rule_on(late, ())
    assert [hit.details["gap"] for hit in ruling.hits] == [4]


def test_unknown_levels_are_judged_as_stable_and_said_so():
    ruling = CourseGap(level="稳定", maximum_days=3).rule_on(case(["06 11:00", "12 10:00", "14 10:00"]), ())
    assert (ruling.outcome, ruling.reason) == ("defect", "未提供病情级别，按稳定判")


@pytest.mark.parametrize(
    ("since", "until", "notes", "missing"),
    [
        ("06 10:00", "08 20:00", ["06 11:00", "07 00:00", "08 23:59"], []),
        ("06 10:00", "08 20:00", ["06 11:00", "08 09:00"], ["2026-05-07"]),
        ("06 12:00", "08 12:00", ["07 09:00"], ["2026-05-06", "2026-05-08"]),  # 12 hours count
        ("06 12:01", "08 11:59", ["07 09:00"], []),
    ],
)
def test_each_critical_day_wants_a_note(since, until, notes, missing):
    conditions = [{"level": "病危", "from": f"2026-05-{since}", "to": f"2026-05-{until}"}]
    ruling = CourseDayMissing().rule_on(case(notes, conditions), ())
    assert [hit.details["day"] for hit in ruling.hits] == missing


@given(st.lists(st.integers(0, 100), max_size=8), st.integers(1, 60))
def test_the_interval_rule_agrees_with_counting(days, length):
    start = case([]).record.encounter.admitted_at
    documents = [
        {
            "id": f"D{n}",
            "type": "阶段小结",
            "text": "略",
            "written_at": start + timedelta(days=day, minutes=n + 1),
        }
        for n, day in enumerate(days)
    ]
    stay = {"admitted_at": start, "discharged_at": start + timedelta(days=length)}
    record = MedicalRecord.model_validate({"record_id": "R", "documents": documents, "encounter": stay})
    marks = sorted({0, length, *(day for day in days if day < length)})
    is_long = any(b - a > 31 for a, b in pairwise(marks))
    ruling = DocumentInterval(maximum_days=31).rule_on(Case(record), ("阶段小结",))
    assert (ruling.outcome == "defect") == is_long
