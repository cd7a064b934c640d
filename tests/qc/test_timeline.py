from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.timeline import day_of, later, midnight_after
from app.records.model import MedicalRecord

STAY = {"admitted_at": "2026-05-06 09:00", "discharged_at": "2026-05-14 09:00"}


def timeline(**parts):
    encounter = STAY | parts.pop("encounter", {})
    return Case(MedicalRecord.model_validate({"record_id": "R", "encounter": encounter, **parts})).timeline


def levels(line):
    return [(p.level, f"{p.start:%d %H:%M}", f"{p.end:%d %H:%M}") for p in line.periods]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], [("稳定", "06 09:00", "14 09:00")]),
        (
            [{"level": "病重", "from": "2026-05-07 10:00", "to": "2026-05-08 10:00"}],
            [
                ("稳定", "06 09:00", "07 10:00"),
                ("病重", "07 10:00", "08 10:00"),
                ("稳定", "08 10:00", "14 09:00"),
            ],
        ),
        (  # 病危 inside 病重: the graver wins, and 病重 goes on after it
            [
                {"level": "病重", "from": "2026-05-06 09:00"},
                {"level": "病危", "from": "2026-05-07 10:00", "to": "2026-05-08 10:00"},
            ],
            [
                ("病重", "06 09:00", "07 10:00"),
                ("病危", "07 10:00", "08 10:00"),
                ("病重", "08 10:00", "14 09:00"),
            ],
        ),
        (  # before admission and after discharge do not count; reversed intervals are none
            [
                {"level": "病危", "from": "2026-05-01 09:00", "to": "2026-05-07 09:00"},
                {"level": "病重", "from": "2026-05-10 09:00", "to": "2026-05-09 09:00"},
            ],
            [("病危", "06 09:00", "07 09:00"), ("稳定", "07 09:00", "14 09:00")],
        ),
    ],
)
def test_periods_follow_the_given_conditions(conditions, expected):
    assert levels(timeline(encounter={"conditions": conditions})) == expected


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([("病危", "2026-05-07 10:00", "2026-05-08 10:00")], ["稳定", "病危", "稳定"]),
        (
            [("告病重", "2026-05-07 10:00", None), ("停病重", "2026-05-09 10:00", None)],
            ["稳定", "病重", "稳定"],
        ),
        (
            [("病危", "2026-05-07 10:00", None), ("停病危，改病重", "2026-05-09 10:00", None)],
            ["稳定", "病危", "病重"],
        ),
        (
            [("病危", "2026-05-07 10:00", None), ("改一般", "2026-05-09 10:00", None)],
            ["稳定", "病危", "稳定"],
        ),
        ([("普通病情", "2026-05-07 10:00", None)], ["稳定"]),
    ],
)
def test_periods_come_from_orders_where_conditions_are_not_given(orders, expected):
    given = [
        {"category": "病情", "content": content, "ordered_at": since, "stopped_at": until}
        for content, since, until in orders
    ]
    assert [period.level for period in timeline(orders=given).periods] == expected


def test_an_empty_list_of_conditions_outweighs_orders():
    order = {"category": "病情", "content": "病危", "ordered_at": "2026-05-07 10:00"}
    line = timeline(encounter={"conditions": []}, orders=[order])
    assert line.levels_are_given
    assert [period.level for period in line.periods] == ["稳定"]


@pytest.mark.parametrize(
    "encounter",
    [
        {"admitted_at": None},
        {"admitted_at": "2026-05-14 09:00", "discharged_at": "2026-05-06 09:00"},
        {"admitted_at": "0202-05-06 09:00"},
    ],
)
def test_there_are_no_periods_without_usable_times(encounter):
    assert timeline(encounter=encounter).periods == ()


def _order(number, content, at, **more):
    return {"id": f"O{number}", "category": "会诊", "content": content, "ordered_at": at} | more


def _note(number, title, at, **more):
    return {
        "id": f"D{number}",
        "type": "会诊记录",
        "title": title,
        "text": "会诊意见：略。",
        "written_at": at,
    } | more


@pytest.mark.parametrize(
    ("orders", "documents", "expected"),
    [
        (  # by reference, against the order of time
            [_order(1, "请心内科会诊", "2026-05-07 10:00"), _order(2, "请骨科会诊", "2026-05-07 11:00")],
            [
                _note(1, "会诊记录", "2026-05-07 15:00", refers_to=["O2"]),
                _note(2, "会诊记录", "2026-05-07 16:00"),
            ],
            [("O1", "D2"), ("O2", "D1")],
        ),
        (  # by department
            [_order(1, "请心内科会诊", "2026-05-07 10:00"), _order(2, "请骨科会诊", "2026-05-07 11:00")],
            [_note(1, "骨科会诊记录", "2026-05-07 15:00")],
            [("O1", None), ("O2", "D1")],
        ),
        (  # another name of the department
            [_order(1, "请心内科会诊", "2026-05-07 10:00")],
            [_note(1, "心血管内科会诊意见", "2026-05-07 15:00")],
            [("O1", "D1")],
        ),
        (  # a record from before the order answers none
            [_order(1, "请心内科会诊", "2026-05-08 10:00")],
            [_note(1, "会诊记录", "2026-05-07 15:00")],
            [("O1", None), (None, "D1")],
        ),
        (  # withdrawn orders and mere requests do not count
            [_order(1, "请心内科会诊", "2026-05-07 10:00", stopped_at="2026-05-07 11:00")],
            [_note(1, "会诊申请单", "2026-05-07 10:00", text="会诊目的：协助诊治。")],
            [],
        ),
    ],
)
def test_consultations_pair_orders_with_records(orders, documents, expected):
    found = timeline(orders=orders, documents=documents).consultations
    assert [(c.order and c.order.id, c.document and c.document.id) for c in found] == expected


@pytest.mark.parametrize(
    ("content", "is_urgent"), [("请心内科急会诊", True), ("心内科会诊（普通）", False), ("急诊科会诊", False)]
)
def test_urgent_consultations_are_told_apart(content, is_urgent):
    found = timeline(orders=[_order(1, content, "2026-05-07 10:00")]).consultations
    assert found[0].is_urgent is is_urgent


def test_events_come_in_order_of_time():
    line = timeline(
        encounter={
            "transfers": [{"from_department": "甲科", "to_department": "乙科", "at": "2026-05-09 10:00"}]
        },
        procedures=[{"kind": "手术", "name": "阑尾切除术", "started_at": "2026-05-07 09:00"}],
        lab_results=[
            {
                "item": "钾",
                "value": "2.6",
                "unit": "mmol/L",
                "flag": "危急",
                "reported_at": "2026-05-06 11:00",
            }
        ],
        documents=[{"id": "D1", "type": "抢救记录", "text": "略", "event_at": "2026-05-08 03:00"}],
        orders=[_order(1, "请心内科会诊", "2026-05-07 10:00")],
    )
    kinds = [event.kind for event in line.events]
    assert kinds == [
        "admission", "critical_value", "operation", "consultation", "resuscitation", "document", "transfer", "discharge",
    ]  # fmt: skip


moments = st.datetimes(timezones=st.timezones()).filter(lambda m: m.utcoffset() is not None)


@given(moments, st.integers(-400, 400))
def test_time_arithmetic_never_overflows(moment, days):
    day_of(moment)
    assert later(moment, timedelta(days=abs(days))) is not None
    assert midnight_after(moment, abs(days)) is not None


hours = st.integers(0, 300)
spells = st.lists(st.tuples(st.sampled_from(["病危", "病重"]), hours, st.none() | hours), max_size=6)


@given(spells)
def test_periods_cover_the_stay_without_overlap(spells):
    start = (
        Case(MedicalRecord.model_validate({"record_id": "R", "encounter": STAY})).timeline.periods[0].start
    )
    conditions = [
        {
            "level": level,
            "from": start + timedelta(hours=since),
            "to": None if until is None else start + timedelta(hours=until),
        }
        for level, since, until in spells
    ]
    periods = timeline(encounter={"conditions": conditions}).periods
    assert periods[0].start == start
    assert periods[-1].end == start + timedelta(days=8)
    assert all(a.end == b.start and a.level != b.level for a, b in pairwise(periods))
