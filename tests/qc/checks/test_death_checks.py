import pytest

from app.qc.case import Case
from app.qc.checks.death import AutopsyDiscussion, DeathDiscussion
from app.records.model import MedicalRecord

KIND = "死亡病例讨论记录"


def outcome(check, held, as_of="2026-08-01 09:00", **parts):
    documents = [{"id": f"D{n}", "type": KIND, "text": "", "event_at": at} for n, at in enumerate(held)]
    documents.append({"id": "N", "type": "死亡记录", "text": "", "written_at": as_of})
    content = {"record_id": "R", "encounter": {"died_at": "2026-05-08 09:00"}, "documents": documents}
    return check.rule_on(Case(MedicalRecord.model_validate({**content, **parts})), (KIND,)).outcome


@pytest.mark.parametrize(
    ("held", "as_of", "expected"),
    [
        (["2026-05-15 09:00"], "2026-08-01 09:00", "pass"),
        (["2026-05-15 09:01"], "2026-08-01 09:00", "defect"),
        (["2026-06-01 09:00", "2026-05-10 09:00"], "2026-08-01 09:00", "pass"),
        ([None], "2026-08-01 09:00", "undetermined"),
        ([], "2026-05-15 09:00", "not_applicable"),
        ([], "2026-05-15 09:01", "defect"),
    ],
)
def test_a_death_is_discussed_within_a_week(held, as_of, expected):
    assert outcome(DeathDiscussion(), held, as_of) == expected


@pytest.mark.parametrize(
    ("held", "report", "expected"),
    [
        (["2026-06-15 10:00"], {"site": "尸检", "reported_at": "2026-06-08 10:00"}, "pass"),
        (["2026-06-15 10:01"], {"site": "尸检", "reported_at": "2026-06-08 10:00"}, "defect"),
        (["2026-05-10 09:00"], {"site": "尸检", "reported_at": "2026-06-08 10:00"}, "defect"),
        (["2026-05-10 09:00"], {"site": "胃", "reported_at": "2026-06-08 10:00"}, "not_applicable"),
        (["2026-05-10 09:00"], {"site": "尸检"}, "undetermined"),
    ],
)
def test_an_autopsy_is_discussed_again(held, report, expected):
    assert outcome(AutopsyDiscussion(), held, exam_reports=[report]) == expected


def test_the_living_are_not_discussed():
    stay = {"discharged_at": "2026-05-14 09:00", "disposition": "医嘱离院"}
    assert outcome(DeathDiscussion(), [], encounter=stay) == "not_applicable"
    assert outcome(AutopsyDiscussion(), [], encounter=stay, exam_reports=[]) == "not_applicable"
