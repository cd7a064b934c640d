import pytest

from app.qc.case import Case
from app.qc.checks.monitoring import (
    FeverUnmentioned,
    HeartRateAndPulse,
    Range,
    VitalsDiffer,
    VitalsImplausible,
)
from app.records.model import MedicalRecord

NOTE = "日常病程记录"


def ruling(check, text, vitals=(), **more):
    document = {"id": "D1", "type": NOTE, "text": text, "written_at": "2026-05-08 11:00"}
    content = {"record_id": "R", "documents": [document], "vitals": list(vitals), **more}
    return check.rule_on(Case(MedicalRecord.model_validate(content)), (NOTE,))


@pytest.mark.parametrize(
    ("temperatures", "expected"),
    [
        ({7: 38.5, 8: 38.5}, "defect"),
        ({7: 38.5, 8: 38.4}, "not_applicable"),
        ({7: 38.5, 9: 39.0}, "not_applicable"),
        ({7: 39.0}, "not_applicable"),
    ],
)
def test_fever_on_two_days(temperatures, expected):
    vitals = [{"at": f"2026-05-{day:02} 14:00", "temperature": t} for day, t in temperatures.items()]
    stay = {"admitted_at": "2026-05-06 10:00", "discharged_at": "2026-05-16 09:00"}
    assert ruling(FeverUnmentioned(), "咳嗽同前。", vitals, encounter=stay).outcome == expected


@pytest.mark.parametrize(("charted", "expected"), [(37.4, "pass"), (37.5, "defect"), (36.5, "pass")])
def test_temperature_against_the_chart(charted, expected):
    vitals = [{"at": "2026-05-08 10:00", "temperature": charted, "pulse": 78}]
    text = "2026-05-08 11:00\nT 36.5℃，P 78次/分，R 18次/分。"
    assert ruling(VitalsDiffer(), text, vitals).outcome == expected


def test_a_chart_of_another_hour_is_not_compared():
    vitals = [{"at": "2026-05-08 08:59", "temperature": 39.5}]
    text = "2026-05-08 11:00\nT 36.5℃，P 78次/分，R 18次/分。"
    assert ruling(VitalsDiffer(), text, vitals).outcome == "not_applicable"


RANGES = {"temperature": Range(lowest=30, highest=43), "pulse": Range(lowest=1, highest=300)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T 36.5℃，P 78次/分，BP 128/78mmHg。", "pass"),
        ("T 43℃，P 78次/分。", "pass"),
        ("T 3.5℃，P 78次/分。", "defect"),
        ("P 0次/分，血压78/128mmHg。", "defect"),
        ("心脏骤停，P 0次/分。", "pass"),
        ("T *.*℃，P **次/分。", "pass"),
    ],
)
def test_possible_values(text, expected):
    assert ruling(VitalsImplausible(ranges=RANGES), text).outcome == expected


@pytest.mark.parametrize(
    ("pulse", "rate", "more", "expected"),
    [
        (78, 78, "", "pass"),
        (78, 87, "", "pass"),
        (78, 88, "", "defect"),
        (78, 88, "，心房颤动", "not_applicable"),
        (96, 78, "", "defect"),
    ],
)
def test_heart_rate_and_pulse(pulse, rate, more, expected):
    text = f"T 36.5℃，P {pulse}次/分，R 18次/分。心率{rate}次/分{more}。"
    assert ruling(HeartRateAndPulse(), text).outcome == expected
