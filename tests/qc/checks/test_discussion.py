import pytest

from app.qc.case import Case
from app.qc.checks.discussion import DiscussionRecord
from app.qc.checks.presence import Element
from app.records.model import MedicalRecord

CHECK = DiscussionRecord(elements=(Element(name="主持人小结意见", sections=("主持人小结",)),), attending=2)
SUMMARY = "主持人小结：完善活检。"


def outcome(text, participants=()):
    document = {
        "id": "D1",
        "type": "疑难病例讨论记录",
        "text": f"{text}\n{SUMMARY}",
        "participants": participants,
    }
    whole = MedicalRecord.model_validate({"record_id": "R", "documents": [document]})
    return CHECK.rule_on(Case(whole), ("疑难病例讨论记录",)).outcome


def people(host, *others):
    return [
        {"name": "甲", "title": host, "role": "主持人"},
        *({"name": "乙", "title": title} for title in others),
    ]


@pytest.mark.parametrize(
    ("text", "participants", "expected"),
    [
        ("", people("主任医师", "主治医师"), "pass"),
        ("", people("主治医师", "主治医师"), "defect"),
        ("", people("副主任医师", "住院医师"), "defect"),
        ("", people("副主任医师", None), "undetermined"),
        ("主持人：周正主任医师\n参加人员：王岚主治医师、林一舟住院医师", (), "pass"),
        ("主持人：周正主任\n参加人员：林一舟住院医师", (), "defect"),
        ("主持人：周正\n参加人员：王岚、李可", (), "undetermined"),
    ],
)
def test_rank_of_host_and_company(text, participants, expected):
    assert outcome(text, participants) == expected
