from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.deadline import Deadline, EventDeadline, ProcedureDeadline, ShortStayNote, elapsed_text
from app.records.model import MedicalRecord


def case(**parts) -> Case:
    documents = [
        {"id": f"D{n}", "type": "手术记录", "text": "略"} | d
        for n, d in enumerate(parts.pop("documents", []))
    ]
    return Case(MedicalRecord.model_validate({"record_id": "R", "documents": documents, **parts}))


@pytest.mark.parametrize(
    ("elapsed", "text"),
    [
        (timedelta(hours=24), "24小时0分"),
        (timedelta(hours=24, seconds=1), "24小时1分"),
        (timedelta(minutes=59, seconds=59), "1小时0分"),
    ],
)
def test_a_late_document_never_reads_as_in_time(elapsed, text):
    assert elapsed_text(elapsed) == text


@given(st.integers(-100_000, 100_000))
def test_the_boundary_is_in_time(seconds):
    check = EventDeadline(limit_hours=6)
    start = case(documents=[{"event_at": "2026-05-06 03:10"}]).record.documents[0].event_at
    document = {"event_at": start, "written_at": start + timedelta(seconds=seconds)}
    outcome = check.rule_on(case(documents=[document]), ("手术记录",)).outcome
    assert (outcome == "pass") == (seconds <= 6 * 3600)


@pytest.mark.parametrize(
    ("judge", "written", "outcome"),
    [
        ("earliest", ["2026-05-06 12:00", "2026-05-09 12:00"], "pass"),
        ("each", ["2026-05-06 12:00", "2026-05-09 12:00"], "defect"),
        ("earliest", ["2026-05-06 12:00", None], "pass"),
        ("earliest", ["2026-05-09 12:00", None], "undetermined"),
        ("each", ["2026-05-06 12:00", None], "undetermined"),
    ],
)
def test_one_document_in_time_will_do_unless_each_is_judged(judge, written, outcome):
    check = Deadline(after="admission", limit_hours=24, judge=judge)
    record = case(
        encounter={"admitted_at": "2026-05-06 09:00"}, documents=[{"written_at": at} for at in written]
    )
    assert check.rule_on(record, ("手术记录",)).outcome == outcome


@pytest.mark.parametrize(
    ("procedure", "written", "limit", "outcome"),
    [
        ({"ended_at": "2026-05-06 10:00"}, "2026-05-07 10:00", 24, "pass"),
        ({"ended_at": "2026-05-06 10:00"}, "2026-05-07 10:01", 24, "defect"),
        ({"started_at": "2026-05-06 08:00"}, "2026-05-07 08:00", 24, "pass"),
        ({"started_at": "2026-05-06 08:00"}, "2026-05-07 08:01", 24, "undetermined"),
        ({"ended_at": "2026-05-06 23:50"}, "2026-05-06 23:59", None, "pass"),
        ({"ended_at": "2026-05-06 23:50"}, "2026-05-07 00:10", None, "defect"),
        ({"ended_at": "2026-05-06 10:00"}, None, 24, "undetermined"),
    ],
)
def test_procedures_count_from_their_end(procedure, written, limit, outcome):
    record = case(procedures=[{"kind": "手术"} | procedure], documents=[{"written_at": written}])
    assert ProcedureDeadline(limit_hours=limit).rule_on(record, ("手术记录",)).outcome == outcome


@pytest.mark.parametrize(
    ("discharged", "types", "problem"),
    [
        ("2026-05-07 09:00", ["24小时内入出院记录"], "不能用"),
        ("2026-05-07 08:59", ["24小时内入出院记录"], None),
        ("2026-05-07 09:00", ["24小时内入出院记录", "入院记录"], None),
    ],
)
def test_the_short_form_is_for_stays_below_24_hours(discharged, types, problem):
    check = ShortStayNote(until="discharge", full_types=("入院记录",))
    record = case(
        encounter={"admitted_at": "2026-05-06 09:00", "discharged_at": discharged},
        documents=[{"type": kind, "written_at": discharged} for kind in types],
    )
    ruling = check.rule_on(record, ("24小时内入出院记录",))
    assert (ruling.outcome == "defect") == (problem is not None)
    assert all(problem in str(hit.details["problem"]) for hit in ruling.hits)
