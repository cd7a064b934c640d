import pytest

from app.qc.case import Case
from app.qc.checks.record_time import MinuteMissing, RecordTimeMissing
from app.records.model import MedicalRecord

CRITICAL = [{"level": "病危", "from": "2026-05-06 10:00", "to": "2026-05-09 08:00"}]


def case(text, written=None) -> Case:
    stay = {"admitted_at": "2026-05-06 09:00", "discharged_at": "2026-05-14 09:00", "conditions": CRITICAL}
    document = {"id": "D1", "type": "日常病程记录", "text": text, "written_at": written}
    return Case(MedicalRecord.model_validate({"record_id": "R", "encounter": stay, "documents": [document]}))


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("2026-05-07\n血压仍低。", "2026-05-07"),
        ("2026年5月7日\n血压仍低。", "2026年5月7日"),
        ("2026-05-07 09:30\n血压仍低。", None),
        ("2026年5月7日9时30分　血压仍低。", None),
        ("2026-05-07（09:30）\n血压仍低。", None),
        ("2026-**-** **:**\n血压仍低。", None),
        ("姓名：高远　床号：07\n2026-05-07 09:30 血压仍低。", None),
        ("血压仍低。", None),
    ],
)
def test_times_in_critical_periods_go_to_the_minute(text, quote):
    ruling = MinuteMissing().rule_on(case(text, "2026-05-07 09:30"), ("日常病程记录",))
    assert [hit.evidence[0].quote for hit in ruling.hits] == ([quote] if quote else [])


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("2026-05-07 09:30\n腹痛减轻。", "pass"),
        ("日常病程记录　记录时间：2026-05-07 09:30\n腹痛减轻。", "pass"),
        ("腹痛3天后减轻，昨日复查。", "defect"),
        ("", "defect"),
    ],
)
def test_a_note_says_when_it_was_written(text, outcome):
    assert RecordTimeMissing().rule_on(case(text), ("日常病程记录",)).outcome == outcome
