import pytest

from app.labelling.label import new_label
from app.qc.case import Case
from app.qc.checks.generated import GeneratedUnconfirmed, LabelIncomplete
from app.records.model import MedicalRecord

LABEL = new_label("P1", b"key", "诊疗经过").model_dump()


def ruling(check, **document):
    documents = [{"id": "D1", "type": "出院记录", "text": "诊疗经过", **document}]
    record = MedicalRecord.model_validate({"record_id": "R", "documents": documents})
    return check.rule_on(Case(record), ("出院记录",))


def without(key):
    return {**LABEL, "AIGC": {name: value for name, value in LABEL["AIGC"].items() if name != key}}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"ai_label": LABEL}, None),
        ({"ai_label": LABEL["AIGC"], "text": "本文由人工智能合成。"}, None),
        ({"ai_label": LABEL["AIGC"]}, "没有写明“AI生成”的显式提示"),
        ({"ai_label": {**LABEL, "notice": "请审核"}}, "没有写明“AI生成”的显式提示"),
        ({"ai_label": without("ProduceID")}, "隐式标识缺少键 ProduceID"),
        ({"ai_generated": True, "text": "本文由AI生成。"}, "没有隐式标识"),
        ({"ai_label": {**LABEL, "AIGC": '{"Label":"1","Label":"1"}'}}, "隐式标识的键 Label 重复"),
        ({"ai_label": {**LABEL, "AIGC": 5}}, "隐式标识不是含七个键的对象"),
    ],
)
def test_labels(document, problem):
    found = ruling(LabelIncomplete(), **document)
    assert [hit.details["problem"] for hit in found.hits] == ([problem] if problem else [])


def test_without_generated_content_no_label_is_asked_for():
    assert ruling(LabelIncomplete()).outcome == "not_applicable"
    assert ruling(LabelIncomplete(), ai_generated=False).outcome == "not_applicable"


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ({"role": "审核者", "name": "周正", "title": "主治医师"}, "pass"),
        ({"role": "记录者", "name": "周正"}, "pass"),
        ({"role": "记录者", "name": "何知", "title": "实习医师"}, "defect"),
        ({"role": "患者", "name": "沈禾"}, "defect"),
        ({"role": "记录者", "name": "阮青", "title": "护士"}, "defect"),
    ],
)
def test_a_physician_confirms(signature, expected):
    done = {"ai_label": LABEL, "written_at": "2026-05-14 11:00"}
    assert ruling(GeneratedUnconfirmed(), **done, signatures=[signature]).outcome == expected
    assert ruling(GeneratedUnconfirmed(), ai_label=LABEL, signatures=[signature]).outcome == "not_applicable"
