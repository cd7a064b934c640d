import pytest

from app.qc.case import Case
from app.qc.checks.consultation import ConsultationDeadline, ConsultationMissing, UrgentConsultationLate
from app.records.model import MedicalRecord


def case(order, document, **stay) -> Case:
    orders = [
        {"id": "O1", "category": "会诊", "content": "请心内科会诊", "ordered_at": "2026-05-07 10:00"} | order
    ]
    documents = (
        [{"id": "D1", "type": "会诊记录", "text": "会诊意见：略。"} | document]
        if document is not None
        else []
    )
    whole = {"record_id": "R", "encounter": stay, "orders": orders, "documents": documents}
    return Case(MedicalRecord.model_validate(whole))


@pytest.mark.parametrize(
    ("order", "document", "outcome"),
    [
        ({}, {"event_at": "2026-05-08 10:00"}, "pass"),
        ({}, {"event_at": "2026-05-08 10:01"}, "defect"),
        ({}, {"event_at": "2026-05-08 10:00", "written_at": "2026-05-08 12:00"}, "pass"),  # done in time
        ({"content": "请心内科急会诊"}, {"event_at": "2026-05-09 10:00"}, "not_applicable"),
        ({}, {"title": "院外会诊记录", "event_at": "2026-05-09 10:00"}, "not_applicable"),
        ({}, {}, "undetermined"),
    ],
)
def test_ordinary_consultations_have_a_day(order, document, outcome):
    assert ConsultationDeadline().rule_on(case(order, document), ("会诊记录",)).outcome == outcome


@pytest.mark.parametrize(
    ("order", "stay", "outcome"),
    [
        ({"executed_at": "2026-05-07 15:00"}, {"discharged_at": "2026-05-14 09:00"}, "defect"),
        ({}, {"discharged_at": "2026-05-14 09:00"}, "defect"),
        ({}, {"discharged_at": "2026-05-08 09:00"}, "undetermined"),
        ({}, {}, "not_applicable"),
        ({"content": "请心内科会诊 作废"}, {"discharged_at": "2026-05-14 09:00"}, "not_applicable"),
        ({"ordered_at": None}, {"discharged_at": "2026-05-14 09:00"}, "undetermined"),
    ],
)
def test_an_order_wants_a_record(order, stay, outcome):
    assert ConsultationMissing().rule_on(case(order, None, **stay), ("会诊记录",)).outcome == outcome


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("到达时间：2026-05-07 10:10", "pass"),
        ("到位时间：10：11", "defect"),
        ("到位时间：**:**", "undetermined"),
        ("会诊意见：略。", "undetermined"),
    ],
)
def test_urgent_consultants_arrive_within_minutes(text, outcome):
    record = case({"content": "急会诊"}, {"text": text, "event_at": "2026-05-07 10:30"})
    assert UrgentConsultationLate().rule_on(record, ("会诊记录",)).outcome == outcome
