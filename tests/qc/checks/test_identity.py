import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.identity import (
    IdNumberMismatch,
    MarriageContradicted,
    OtherPatientNamed,
    OtherSexContent,
    PatientMismatch,
)
from app.records.model import MedicalRecord

ADMISSION = "入院记录"


def outcome(check, *texts, **parts):
    documents = [{"id": f"D{n}", "type": ADMISSION, "text": text} for n, text in enumerate(texts)]
    record = MedicalRecord.model_validate({"record_id": "R", "documents": documents, **parts})
    return check.rule_on(Case(record), (ADMISSION,)).outcome


PATIENT = {"name": "林小满", "sex": "女", "age": "58岁"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("姓名：林小满　性别：女　年龄：58岁", "pass"),
        ("姓 名：林小满性别：女", "pass"),
        ("患者姓名：林小曼", "defect"),
        ("姓名：林小妹　性别：女", "defect"),  # a kinship character in a name
        ("姓名：林**", "not_applicable"),
        ("性别：男", "defect"),
        ("性别：男/女", "not_applicable"),
        ("年龄：59岁", "pass"),
        ("年龄：60岁", "defect"),
        ("患者，男，58岁，因腹痛入院", "defect"),
        ("2026-05-06 10:00\n林小满，女，58岁，因腹痛入院", "pass"),
        ("1.老年男性，慢性病程", "defect"),
        ("本病多见于中年男性", "not_applicable"),
        ("患者男友陪同", "not_applicable"),
        ("患者妻子，男，30岁，代述病情", "not_applicable"),
        ("受托人姓名：何之　性别：男　年龄：30岁", "not_applicable"),
    ],
)
def test_patient_in_a_document(text, expected):
    assert outcome(PatientMismatch(), text, patient=PATIENT) == expected


@given(digits=st.text(alphabet="0123456789", min_size=17, max_size=17))
def test_exactly_one_check_digit_fits(digits):
    fitting = [
        last
        for last in "0123456789X"
        if outcome(IdNumberMismatch(), patient={"id_number": digits + last}) == "pass"
    ]
    assert len(fitting) == 1


@pytest.mark.parametrize(
    ("sex", "text", "expected"),
    [
        ("男", "体格检查：外阴发育正常。", "defect"),
        ("男", "月经史：None\n婚育史：已婚。", "pass"),
        ("男", "月经史：\n婚育史：已婚，妻子流产1次。", "pass"),
        ("男", "家族史：母亲患卵巢癌。", "pass"),
        ("女", "体格检查：前列腺增大。", "defect"),
        ("女", "诊疗经过：前列腺素E1静滴。", "pass"),
        ("女", "丈夫患前列腺癌。", "pass"),
        ("未知", "体格检查：前列腺增大。", "undetermined"),
    ],
)
def test_content_of_the_other_sex(sex, text, expected):
    assert outcome(OtherSexContent(), text, patient={"sex": sex}) == expected


@pytest.mark.parametrize(
    ("state", "history", "expected"),
    [
        ("未婚", "未婚，未育。", "pass"),
        ("未婚", "25岁结婚，配偶体健。", "defect"),
        ("已婚", "未婚未育。", "defect"),
        ("离异", "适龄结婚，已离婚。", "pass"),
        ("丧偶", "适龄结婚，丈夫病故。", "pass"),
    ],
)
def test_marriage(state, history, expected):
    assert outcome(MarriageContradicted(), f"婚姻状况：{state}\n主诉：腹痛。\n婚育史：{history}") == expected


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["ZY2026001", "ZY2026001", "ZY2026017"], "defect"),
        (["ZY2026001", "ZY2026017"], "pass"),
        (["ZY2026001", "ZY2026***", "ZY2026001"], "pass"),
    ],
)
def test_hospital_numbers(numbers, expected):
    assert outcome(OtherPatientNamed(), *(f"住院号：{number}" for number in numbers)) == expected
