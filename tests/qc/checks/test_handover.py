import pytest

from app.qc.case import Case
from app.qc.checks.handover import HandoverNote, TransferNote, is_of_side
from app.records.model import Document, MedicalRecord


def document(number, title, event=None, written=None, **more):
    return {
        "id": f"D{number}",
        "type": "转科记录",
        "title": title,
        "text": "略",
        "event_at": event,
        "written_at": written,
    } | more


@pytest.mark.parametrize(
    ("title", "text", "sides"),
    [
        ("转出记录", "转入科室：外科", {"转出"}),
        ("转入记录（外科）", "由内科转出", {"转入"}),
        ("转科记录", "2026-05-08\n转出记录", {"转出"}),
        ("转科记录", "患者病情平稳。", {"转出", "转入"}),
    ],
)
def test_the_title_says_the_side_else_the_first_words(title, text, sides):
    written = Document(id="D1", type="转科记录", title=title, text=text)
    assert {side for side in ("转出", "转入") if is_of_side(written, side)} == sides


MOVES = [
    {"from_department": "甲科", "to_department": "重症医学科", "at": "2026-05-08 10:00"},
    {"from_department": "重症医学科", "to_department": "甲科", "at": "2026-05-10 10:00"},
]


@pytest.mark.parametrize(
    ("documents", "problems"),
    [
        ([("转入记录", "2026-05-08 12:00"), ("转入记录", "2026-05-11 10:00")], 0),
        ([("转入记录", "2026-05-08 12:00"), ("转入记录", "2026-05-11 10:01")], 1),
        ([("转入记录", "2026-05-08 12:00")], 1),
        ([("转出记录", "2026-05-08 09:00")], 2),
    ],
)
def test_each_transfer_has_its_record(documents, problems):
    notes = [document(n, title, None, written) for n, (title, written) in enumerate(documents)]
    stay = {"discharged_at": "2026-05-20 09:00", "transfers": MOVES}
    whole = MedicalRecord.model_validate({"record_id": "R", "encounter": stay, "documents": notes})
    ruling = TransferNote(side="转入", limit_hours=24).rule_on(Case(whole), ("转科记录",))
    assert len(ruling.hits) == problems


@pytest.mark.parametrize(
    ("authors", "outcome"),
    [
        (["林一舟", "林一舟"], "not_applicable"),
        (["林一舟", "赵晨"], "undetermined"),
        (["林一舟", None], "undetermined"),
    ],
)
def test_one_author_of_all_notes_means_no_handover(authors, outcome):
    notes = [
        document(n, "病程", type="日常病程记录", author={"name": name}) for n, name in enumerate(authors)
    ]
    whole = MedicalRecord.model_validate({"record_id": "R", "documents": notes})
    assert HandoverNote(side="交班").rule_on(Case(whole), ("交接班记录",)).outcome == outcome
