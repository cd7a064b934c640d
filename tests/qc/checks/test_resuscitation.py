import pytest

from app.qc.case import Case
from app.qc.checks.resuscitation import DeathWithoutResuscitation, ResuscitationUnrecorded
from app.records.model import MedicalRecord


def case(*documents, **parts) -> Case:
    numbered = [{"id": f"D{n}", "type": "日常病程记录", "text": "略"} | d for n, d in enumerate(documents)]
    return Case(MedicalRecord.model_validate({"record_id": "R", "documents": numbered, **parts}))


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("03:02心跳骤停，立即予胸外心脏按压、肾上腺素静推。", True),
        ("予电除颤一次，转为窦性心律。", True),
        ("经积极抢救30分钟，血压回升。", True),
        ("随时可能心跳骤停，必要时行心肺复苏。", False),
        ("家属表示放弃抢救，拒绝心肺复苏。", False),
        ("若病情恶化，立即抢救。", False),
        ("患者入院前曾行心肺复苏。", False),
        ("抢救车、除颤仪备于床旁。", False),
        ("转入抢救室继续观察。", False),
        ("患方要求积极抢救，已签署同意书。", False),
        ("全麻下行气管插管，手术顺利。", False),
        ("复苏室观察1小时后返回病房。", False),
    ],
)
def test_only_deeds_of_this_stay_count(text, is_told):
    ruling = ResuscitationUnrecorded().rule_on(case({"text": text}), ("抢救记录",))
    assert ruling.outcome == ("defect" if is_told else "not_applicable")
    assert all(hit.evidence[0].quote in text for hit in ruling.hits)


@pytest.mark.parametrize(
    ("order", "outcome"),
    [
        ({"category": "操作", "content": "心肺复苏"}, "defect"),
        ({"category": "操作", "content": "心肺复苏（取消）"}, "not_applicable"),
        ({"category": "药品", "content": "肾上腺素 1mg 静推（抢救）"}, "not_applicable"),
        ({"category": "输血", "content": "悬浮红细胞2U（抢救用血）"}, "not_applicable"),
    ],
)
def test_orders_of_deeds_count(order, outcome):
    assert ResuscitationUnrecorded().rule_on(case({}, orders=[order]), ("抢救记录",)).outcome == outcome


@pytest.mark.parametrize(
    ("ended", "outcome"),
    [
        ("2026-05-09 03:34", "pass"),
        ("2026-05-09 04:00", "pass"),  # the record names an end after the death it tells of
        ("2026-05-08 03:34", "pass"),
        ("2026-05-08 03:33", "defect"),
        (None, "undetermined"),
    ],
)
def test_a_death_wants_a_resuscitation_near_it(ended, outcome):
    record = case({"type": "抢救记录", "event_at": ended}, encounter={"died_at": "2026-05-09 03:34"})
    assert DeathWithoutResuscitation(hours=24).rule_on(record, ("抢救记录",)).outcome == outcome
