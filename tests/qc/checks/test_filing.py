from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.filing import ChangedAfterFiling, ChangedAfterSigning, FiledLate
from app.qc.work_calendar import load_calendar
from app.records.model import MedicalRecord

CHINA = load_calendar("china")


@pytest.mark.parametrize(
    ("day", "is_workday"),
    [
        (date(2026, 5, 25), True),
        (date(2026, 5, 23), False),
        (date(2026, 5, 9), True),  # a Saturday worked for the May holidays
        (date(2026, 5, 5), False),
        (date(2026, 2, 23), False),
        (date(2026, 2, 28), True),
        (date(2025, 10, 8), False),
        (date(2025, 9, 28), True),
        (date(2027, 1, 4), True),
        (date(2027, 1, 2), False),
    ],
)
def test_workdays(day, is_workday):
    assert CHINA.is_workday(day) is is_workday


def test_announced_years():
    assert CHINA.knows(date(2025, 1, 1), date(2026, 12, 31))
    assert not CHINA.knows(date(2026, 12, 31), date(2027, 1, 5))


@given(st.dates(date(2024, 1, 1), date(2028, 12, 31)), st.integers(1, 12))
def test_the_nth_workday_is_one_and_has_n_up_to_it(day, count):
    last = CHINA.nth_workday_after(day, count)
    between = (day + timedelta(days=n) for n in range(1, (last - day).days + 1))
    assert CHINA.is_workday(last)
    assert sum(CHINA.is_workday(each) for each in between) == count


def outcome(check, *types, as_of=None, **parts):
    record = MedicalRecord.model_validate({"record_id": "R", **parts})
    return check.rule_on(Case(record, as_of), types).outcome


@pytest.mark.parametrize(
    ("discharged", "filed", "expected"),
    [
        ("2026-05-25 10:00", "2026-05-27 23:59:59", "pass"),
        ("2026-05-25 10:00", "2026-05-28 00:00", "defect"),
        ("2026-05-22 10:00", "2026-05-26 20:00", "pass"),
        ("2026-04-30 10:00", "2026-05-07 20:00", "pass"),
        ("2026-04-30 10:00", "2026-05-08 00:00", "defect"),
        ("2026-05-25T20:00:00+00:00", "2026-05-28 20:00", "pass"),  # the 26th in China
        ("2026-12-31 10:00", "2027-01-04 20:00", "pass"),
        ("2026-12-31 10:00", "2027-01-06 20:00", "undetermined"),
        ("2026-05-25 10:00", None, "undetermined"),
        (None, None, "not_applicable"),
    ],
)
def test_filed_within_two_workdays(discharged, filed, expected):
    assert outcome(FiledLate(), encounter={"discharged_at": discharged}, archived_at=filed) == expected


def test_a_hospital_has_its_own_days():
    stay = {"encounter": {"discharged_at": "2026-05-25 10:00"}, "archived_at": "2026-05-28 09:00"}
    assert outcome(FiledLate(holidays=("2026-05-27",)), **stay) == "pass"
    late = {"encounter": {"discharged_at": "2026-05-22 10:00"}, "archived_at": "2026-05-26 09:00"}
    assert outcome(FiledLate(worked=("2026-05-23",)), **late) == "defect"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"modified_at": "2026-05-15T10:00:00"}, "pass"),
        ({"modified_at": "2026-05-15T10:00:01"}, "defect"),
        ({"modified_at": "2026-05-15T10:00:01", "modification_approved_by": "医务部"}, "pass"),
        ({"modified_at": "不详"}, "undetermined"),
        ({}, "undetermined"),
    ],
)
def test_changes_after_filing(document, expected):
    documents = [{"id": "D1", "type": "出院记录", "text": "", **document}]
    filed = "2026-05-15 10:00"
    assert outcome(ChangedAfterFiling(), "出院记录", documents=documents, archived_at=filed) == expected
    assert outcome(ChangedAfterFiling(), "出院记录", documents=documents) == "not_applicable"


def test_the_last_signature_closes_a_document():
    signatures = [
        {"name": name, "signed_at": f"2026-05-14 {hour}:00"} for name, hour in (("林一舟", 11), ("周正", 15))
    ]
    for changed, expected in (("2026-05-14T15:00:00", "pass"), ("2026-05-14T15:00:01", "defect")):
        documents = [
            {"id": "D1", "type": "出院记录", "text": "", "modified_at": changed, "signatures": signatures}
        ]
        assert outcome(ChangedAfterSigning(), "出院记录", documents=documents) == expected
