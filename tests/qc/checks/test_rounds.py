import pytest

from app.qc.case import Case
from app.qc.checks.rounds import FirstRound, RoundingPhysicianUnnamed, SurgeonRound, rounding_title
from app.records.model import Document, MedicalRecord

STAY = {"admitted_at": "2026-05-06 10:00", "discharged_at": "2026-05-14 09:00"}
ROUND = {"type": "上级医师查房记录", "text": "略"}


def case(*documents, **parts) -> Case:
    numbered = [{"id": f"D{n}"} | ROUND | document for n, document in enumerate(documents)]
    return Case(
        MedicalRecord.model_validate({"record_id": "R", "encounter": STAY, "documents": numbered, **parts})
    )


@pytest.mark.parametrize(
    ("document", "title"),
    [
        ({"title": "周正副主任医师查房记录"}, "副主任医师"),
        ({"title": "周主任查房记录"}, "主任医师"),
        ({"title": "科主任查房记录"}, "主任医师"),
        ({"title": "上级医师查房记录"}, None),
        ({"title": "上级医师查房记录", "author": {"title": "住院医师"}}, None),
        ({"title": "上级医师查房记录", "author": {"title": "主治医师"}}, "主治医师"),
        (
            {"title": "主治医师查房记录", "participants": [{"title": "主任医师", "role": "主持人"}]},
            "主任医师",
        ),
        (
            {"title": "主任医师查房记录", "participants": [{"title": "住院医师", "role": "记录者"}]},
            "主任医师",
        ),
        ({"title": "查房记录", "text": "2026-05-07 09:00\n王岚主治医师今晨查房，腹软。"}, "主治医师"),
        ({"title": "查房记录", "text": "腹软，拟请主任医师会诊。"}, None),
    ],
)
def test_the_title_is_that_of_the_physician_of_the_round(document, title):
    assert (
        rounding_title(Document(id="D1", **({"type": "上级医师查房记录", "text": "略"} | document))) == title
    )


@pytest.mark.parametrize(
    ("documents", "outcome"),
    [
        ([{"title": "王主治医师查房记录", "written_at": "2026-05-08 10:00"}], "pass"),
        ([{"title": "王主治医师查房记录", "written_at": "2026-05-08 10:01"}], "defect"),
        (
            [
                {
                    "title": "王主治医师查房记录",
                    "event_at": "2026-05-08 10:00",
                    "written_at": "2026-05-08 12:00",
                }
            ],
            "defect",
        ),
        ([{"title": "王主治医师查房记录", "event_at": "2026-05-08 10:00"}], "pass"),
        ([{"title": "上级医师查房记录", "written_at": "2026-05-07 10:00"}], "undetermined"),
        (  # who made the early round is unknown
            [
                {"title": "上级医师查房记录", "written_at": "2026-05-07 10:00"},
                {"title": "王主治医师查房记录", "written_at": "2026-05-09 10:00"},
            ],
            "undetermined",
        ),
        (  # an unknown round after the limit changes nothing
            [
                {"title": "上级医师查房记录", "written_at": "2026-05-10 10:00"},
                {"title": "王主治医师查房记录", "written_at": "2026-05-09 10:00"},
            ],
            "defect",
        ),
        (
            [{"type": "日常病程记录", "text": "周正主任医师查房：腹软。", "written_at": "2026-05-07 10:00"}],
            "pass",
        ),
        (
            [{"type": "日常病程记录", "text": "请示周正主任医师后补液。", "written_at": "2026-05-07 10:00"}],
            "defect",
        ),
    ],
)
def test_the_first_senior_round(documents, outcome):
    assert FirstRound(limit_hours=48).rule_on(case(*documents), ("上级医师查房记录",)).outcome == outcome


@pytest.mark.parametrize(
    ("title", "text", "missing"),
    [
        ("周正主治医师查房记录", "腹软。", None),
        ("上级医师查房记录", "今日随周正副主任医师查房。", None),
        ("上级医师查房记录", "周主任查房后指示：继续治疗。", None),
        ("上级医师查房记录", "今日主治医师查房。", "姓名"),
        ("主任医师查房记录", "科主任查房。", "姓名"),
        ("上级医师查房记录", "今日上级医师查房。", "姓名、专业技术职务"),
    ],
)
def test_rounds_name_their_physician(title, text, missing):
    ruling = RoundingPhysicianUnnamed().rule_on(case({"title": title, "text": text}), ("上级医师查房记录",))
    assert [hit.details["missing"] for hit in ruling.hits] == ([missing] if missing else [])


OPERATION = {
    "kind": "手术",
    "surgeon": "周正",
    "started_at": "2026-05-07 09:00",
    "ended_at": "2026-05-07 10:00",
}


@pytest.mark.parametrize(
    ("before", "after", "emergency", "problems"),
    [
        ("周正主任医师查房。", "周正主任医师查房。", False, 0),
        ("王岚主治医师查房。", "周正主任医师查房。", False, 1),
        ("王岚主治医师查房。", "周正主任医师查房。", True, 0),
        ("王岚主治医师查房。", "王岚主治医师查房。", False, 2),
        ("王岚主治医师查房。", "王岚主治医师查房。", None, 1),
    ],
)
def test_the_surgeon_sees_the_patient_before_and_after(before, after, emergency, problems):
    record = case(
        {"text": before, "event_at": "2026-05-07 08:00"},
        {"text": after, "event_at": "2026-05-08 08:00"},
        procedures=[OPERATION | {"emergency": emergency}],
    )
    ruling = SurgeonRound().rule_on(record, ("上级医师查房记录",))
    assert sum(str(hit.details["problem"]).count("没有") for hit in ruling.hits) == problems
