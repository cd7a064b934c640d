import pytest

from app.qc.case import Case
from app.qc.checks.procedures import (
    ImplantsUnrecorded,
    OperationNoteAuthor,
    PreoperativeTests,
    ProcedureDocument,
    SurgeonAbsent,
    given_by_anesthetist,
    sessions,
)
from app.records.model import MedicalRecord, Procedure


def procedure(number, day, start="09:00", end="10:00", **fields):
    return {
        "id": f"PR{number}",
        "kind": "手术",
        "name": f"术{number}",
        "started_at": f"2026-05-{day:02} {start}",
        "ended_at": f"2026-05-{day:02} {end}",
        **fields,
    }


def case_of(procedures, documents=(), **parts):
    numbered = [{"id": f"D{n}", "type": "手术记录", "text": "", **d} for n, d in enumerate(documents)]
    content = {"record_id": "R", "procedures": procedures, "documents": numbered, **parts}
    return Case(MedicalRecord.model_validate(content))


def outcome(check, case, *types):
    return check.rule_on(case, types or ("手术记录",)).outcome


@pytest.mark.parametrize(
    ("procedures", "names"),
    [
        ([procedure(1, 8), procedure(2, 8, "09:00", "11:00")], ["术1、术2"]),
        ([procedure(1, 8), procedure(2, 8, "09:59", "11:00")], ["术1、术2"]),
        ([procedure(1, 8), procedure(2, 8, "10:00", "11:00")], ["术1", "术2"]),
        ([procedure(2, 9), procedure(1, 8)], ["术1", "术2"]),
        ([procedure(1, 8, started_at=None), procedure(2, 8)], ["术2", "术1"]),
        ([procedure(1, 8, ended_at=None), procedure(2, 8, "09:00")], ["术1、术2"]),
        ([procedure(1, 8, kind="有创操作")], []),
    ],
)
def test_procedures_that_overlap_share_one_session(procedures, names):
    assert [session.name for session in sessions(case_of(procedures), ("手术",))] == names


@pytest.mark.parametrize(
    ("anesthesia", "anesthetist", "given"),
    [
        ("气管插管全身麻醉", None, True),
        ("腰硬联合麻醉", None, True),
        ("局部浸润麻醉", None, False),
        ("局麻", "穆青", True),
        ("局麻+静脉麻醉", None, True),
        ("咽部表面麻醉", None, False),
        (None, "穆青", True),
        (None, None, None),
        ("臂丛神经阻滞", None, None),
    ],
)
def test_who_gave_the_anaesthesia(anesthesia, anesthetist, given):
    assert given_by_anesthetist(Procedure(anesthesia=anesthesia, anesthetist=anesthetist)) is given


DUE_A_DAY_LATER = ProcedureDocument(kinds=("手术",), due_hours=24)


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [("2026-05-09 10:00", "not_applicable"), ("2026-05-09 10:01", "defect")],
)
def test_in_hospital_a_document_is_due_up_to_its_hour(as_of, expected):
    notes = [{"type": "日常病程记录", "written_at": as_of}]
    ruling = DUE_A_DAY_LATER.rule_on(case_of([procedure(1, 8)], notes), ("手术记录",))
    assert ruling.outcome == expected
    assert (ruling.due is not None) == (expected == "not_applicable")


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([], "defect"),
        ([{"refers_to": ["PR1"]}], "defect"),
        ([{"refers_to": ["PR1"]}, {"refers_to": ["PR2"]}], "pass"),
        ([{"event_at": "2026-05-08 10:00"}, {"event_at": "2026-05-15 10:00"}], "pass"),
        ([{"event_at": "2026-05-08 10:00"}], "defect"),
        ([{"event_at": "2026-05-08 10:00"}, {"event_at": "2026-05-09 10:00"}], "undetermined"),
    ],
)
def test_every_session_needs_its_own_document(documents, expected):
    case = case_of(
        [procedure(1, 8), procedure(2, 15)], documents, encounter={"discharged_at": "2026-05-20 09:00"}
    )
    assert outcome(DUE_A_DAY_LATER, case) == expected


@pytest.mark.parametrize(
    ("moment", "side", "expected"),
    [
        ("2026-05-08 09:00", "before", "pass"),
        ("2026-05-08 09:01", "before", "defect"),
        ("2026-05-08 10:00", "after", "pass"),
        ("2026-05-08 09:59", "after", "defect"),
    ],
)
def test_a_passage_counts_on_its_side_of_the_operation(moment, side, expected):
    check = ProcedureDocument(kinds=("手术",), side=side, told_in=("日常病程记录",), told="麻醉医师访视")
    notes = [{"type": "日常病程记录", "written_at": moment, "text": "麻醉医师访视。"}]
    case = case_of([procedure(1, 8)], notes, encounter={"discharged_at": "2026-05-20 09:00"})
    assert outcome(check, case, "麻醉术前访视记录") == expected


@pytest.mark.parametrize(
    ("emergency", "expected"), [(True, "not_applicable"), (False, "defect"), (None, "undetermined")]
)
def test_emergencies_are_exempt_where_the_rule_says_so(emergency, expected):
    check = ProcedureDocument(kinds=("手术",), side="before", elective_only=True)
    assert outcome(check, case_of([procedure(1, 8, emergency=emergency)]), "术前小结") == expected


@pytest.mark.parametrize(
    ("text", "participants", "expected"),
    [
        ("参加人员：霍远、裴启", None, "pass"),
        ("参加人员：霍远、温如\n裴启主任医师：同意。", None, "pass"),
        ("参加人员：霍远、温如\n拟由裴启主刀。", None, "defect"),
        ("讨论意见：同意。", [{"name": "裴启"}], "pass"),
        ("讨论意见：同意。", [{"name": "霍远"}], "defect"),
        ("讨论意见：同意。", None, "undetermined"),
        ("参加人员：", None, "undetermined"),
    ],
)
def test_whether_the_surgeon_took_part(text, participants, expected):
    documents = [{"type": "术前讨论记录", "text": text, "participants": participants}]
    case = case_of([procedure(1, 8, surgeon="裴启")], documents)
    assert outcome(SurgeonAbsent(), case, "术前讨论记录") == expected


@pytest.mark.parametrize(
    ("author", "signed", "expected"),
    [
        ("裴启", [], "pass"),
        ("程述", ["裴启"], "pass"),
        ("程述", ["程述"], "defect"),
        ("温如", ["裴启"], "defect"),
        ("程*", ["程*"], "undetermined"),
        (None, ["裴启"], "undetermined"),
    ],
)
def test_who_wrote_the_operation_note(author, signed, expected):
    document = {
        "author": {"name": author},
        "signatures": [{"role": "记录者", "name": name} for name in signed],
    }
    case = case_of([procedure(1, 8, surgeon="裴启", assistants=["程述", "温如"])], [document])
    assert outcome(OperationNoteAuthor(), case) == expected


@pytest.mark.parametrize(
    ("name", "implants", "text", "expected"),
    [
        ("全髋置换术", [{"name": "髋臼杯（50mm）", "barcode": "A1"}], "置入髋臼杯1枚。", "pass"),
        ("全髋置换术", [{"name": "髋臼杯（50mm）"}], "置入髋臼杯1枚。", "defect"),
        ("全髋置换术", [{"name": "髋臼杯（50mm）", "barcode": "A1"}], "手术顺利。", "defect"),
        ("胆囊切除术", None, "手术顺利。", "not_applicable"),
        ("人工全髋关节置换术", None, "手术顺利。", "undetermined"),
        ("人工全髋关节置换术", [], "手术顺利。", "not_applicable"),
    ],
)
def test_implants(name, implants, text, expected):
    case = case_of([procedure(1, 8, name=name, implants=implants)], [{"text": text}])
    assert outcome(ImplantsUnrecorded(), case) == expected


def test_unset_options_judge_nothing():
    assert outcome(PreoperativeTests(), case_of([procedure(1, 8, emergency=False)])) == "not_applicable"
