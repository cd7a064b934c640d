import pytest

from app.qc.case import Case
from app.qc.checks.invasive import InvasiveRecordMissing
from app.records.model import MedicalRecord

CHECK = InvasiveRecordMissing(
    kinds=("有创操作",), told_in=("日常病程记录",), ordered="胸腔穿刺", not_ordered="护理"
)


def outcome(**content):
    record = MedicalRecord.model_validate(
        {"record_id": "R", "encounter": {"discharged_at": "2026-05-14 09:00"}, **content}
    )
    return CHECK.rule_on(Case(record), ("有创诊疗操作记录",)).outcome


def note(text, written_at):
    return {"id": "D1", "type": "日常病程记录", "text": text, "written_at": written_at}


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        ("今日行腰椎穿刺术，顺利。", "2026-05-07 17:00", "pass"),
        ("今日行腰椎穿刺术，顺利。", "2026-05-08 09:00", "pass"),
        ("拟明日行腰椎穿刺术。", "2026-05-06 17:00", "defect"),  # before the procedure
        ("脑脊液压力正常。", "2026-05-07 17:00", "defect"),
    ],
)
def test_a_passage_in_a_note_may_stand_for_the_record(text, written, expected):
    done = [{"kind": "有创操作", "name": "腰椎穿刺术", "ended_at": "2026-05-07 10:30"}]
    assert outcome(procedures=done, documents=[note(text, written)]) == expected


@pytest.mark.parametrize(
    ("content", "executed", "expected"),
    [
        ("右侧胸腔穿刺抽液术", "2026-05-07 10:30", "defect"),
        ("右侧胸腔穿刺抽液术", None, "undetermined"),
        ("胸腔穿刺后护理", "2026-05-07 10:30", "not_applicable"),
    ],
)
def test_a_procedure_that_is_only_ordered(content, executed, expected):
    order = {
        "category": "操作",
        "content": content,
        "ordered_at": "2026-05-07 10:00",
        "executed_at": executed,
    }
    assert (
        outcome(procedures=[], orders=[order], documents=[note("病情平稳。", "2026-05-07 17:00")]) == expected
    )
