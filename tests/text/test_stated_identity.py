import pytest

from app.records.model import MedicalRecord, Patient
from app.text.identity import age_at_admission, statements_of
from app.text.width import half_width

PATIENT = Patient(name="司空悦", sex="女")


@pytest.mark.parametrize(
    ("text", "age", "problems"),
    [
        ("姓名：司空悦　性别：女　年龄：50岁", 50.4, ["", "", ""]),
        ("姓名：端木溪　性别：女", None, ["姓名写为端木溪，患者信息为司空悦", ""]),
        ("姓名：司空*　性别：男", None, ["性别写为男，患者信息为女"]),
        ("患者男性，71岁，因胸痛入院。", 50.0, ["性别写为男，患者信息为女", "年龄写为71岁，患者信息为50岁"]),
        ("患者女性，51岁，因胸痛入院。", 50.0, ["", ""]),
        ("委托人姓名：端木溪", None, ["姓名写为端木溪，患者信息为司空悦"]),
        ("家属姓名：端木溪", None, []),
        ("无关的文字" * 60 + "姓名：端木溪", None, []),
    ],
)
def test_statements(text, age, problems):
    half = half_width(text)
    found = list(statements_of(half, PATIENT, age))
    assert [statement.problem for statement in found] == problems
    assert all(statement.span.of(half) for statement in found)


@pytest.mark.parametrize(
    ("patient", "age"),
    [
        ({"birth_date": "2000-05-06"}, 26.0),
        ({"age": "6岁11个月"}, 6 + 11 / 12),
        ({"age": "28天"}, 28 / 365.25),
        ({"age": "不详"}, None),
        ({}, None),
    ],
)
def test_age_at_admission(patient, age):
    record = MedicalRecord.model_validate(
        {"record_id": "a", "patient": patient, "encounter": {"admitted_at": "2026-05-06T10:00:00+08:00"}}
    )
    assert age_at_admission(record) == (pytest.approx(age, abs=0.01) if age is not None else None)
