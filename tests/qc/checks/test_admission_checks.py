import pytest

from app.qc.case import Case
from app.qc.checks.admission import (
    EarlierStaysUntold,
    PriorExaminationsMissing,
    SpecialtyExaminationMissing,
    VitalSignsMissing,
)
from app.records.model import MedicalRecord


def outcome(check, text, **parts):
    documents = [{"id": "D1", "type": "入院记录", "text": text}]
    whole = MedicalRecord.model_validate({"record_id": "R", "documents": documents, **parts})
    return check.rule_on(Case(whole), ("入院记录",)).outcome


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ("T 36.5℃ P 78次/分 R 18次/分 BP 128/78mmHg", "pass"),
        ("Ｔ３６．５℃　Ｐ７８次／分　Ｒ１８次／分　ＢＰ１２８／７８ｍｍＨｇ", "pass"),
        ("T 36.5℃ HR 78次/分 R 18次/分 BP 128/78mmHg", "pass"),
        ("T 36.5℃ P 0次/分 R 18次/分 BP 128/78mmHg", "defect"),
        ("T 36.5℃ P 78次/分 R 18次/分 BP 测不出", "pass"),
        ("T 36.5℃ P 78次/分 R 18次/分 BP 偏低", "defect"),
        ("T ℃ P 次/分 R 次/分 BP mmHg", "defect"),
        ("T 3*.5℃ P 78次/分 R 18次/分 BP 128/78mmHg", "undetermined"),
    ],
)
def test_vital_signs(signs, expected):
    assert outcome(VitalSignsMissing(), f"主诉：腹痛。\n体格检查：{signs}。腹软。") == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ("2天前上腹痛，在县医院查B超示胆囊结石。", "defect"),
        ("2天前上腹痛，未行检查，自服胃药。", "undetermined"),
        ("2天前上腹痛，拟查B超。", "undetermined"),
    ],
)
def test_examinations_told_in_the_history_want_a_section(history, expected):
    assert outcome(PriorExaminationsMissing(), f"主诉：腹痛。\n现病史：{history}") == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ("患者曾于2025年3月在我院住院治疗。", "pass"),
        ("第2次住院：2025年3月，诊断同前。", "pass"),
        ("2天前上腹痛，门诊收住入院。", "defect"),
    ],
)
def test_earlier_stays_are_told_in_a_readmission(history, expected):
    text = f"主诉：腹痛。\n现病史：{history}"
    assert outcome(EarlierStaysUntold(), text, encounter={"readmission": True}) == expected
    assert outcome(EarlierStaysUntold(), text, encounter={"readmission": False}) == "not_applicable"
    assert outcome(EarlierStaysUntold(), text) == "undetermined"


@pytest.mark.parametrize(
    ("department", "text", "expected"),
    [
        ("眼科", "专科情况：右眼视力0.3。", "pass"),
        ("眼科", "体格检查：神清，右眼视力0.3。", "pass"),
        ("眼科", "体格检查：神清，腹软。", "defect"),
        ("心内科", "体格检查：神清，腹软。", "not_applicable"),
        (None, "体格检查：神清，腹软。", "undetermined"),
    ],
)
def test_specialty_examinations_by_department(department, text, expected):
    check = SpecialtyExaminationMissing(departments={"眼": "视力|眼压"})
    assert outcome(check, f"主诉：视物模糊。\n{text}", encounter={"department": department}) == expected
