from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.presence import (
    DocumentMissing,
    Element,
    ElementsMissing,
    SectionMissing,
    is_written,
)
from app.records.model import CHINA_TIME, MedicalRecord


def record(*texts, **parts):
    documents = [{"id": f"D{n}", "type": "入院记录", "text": text} for n, text in enumerate(texts)]
    return MedicalRecord.model_validate({"record_id": "R", "documents": documents, **parts})


def outcome(check, *texts, **parts):
    return check.rule_on(Case(record(*texts, **parts)), ("入院记录",)).outcome


@pytest.mark.parametrize(
    ("after", "stay", "as_of", "expected"),
    [
        ("admission", {"admitted_at": "2026-05-06 09:00"}, "2026-05-07 09:00", "not_applicable"),
        ("admission", {"admitted_at": "2026-05-06 09:00"}, "2026-05-07 09:01", "defect"),
        ("discharge", {"discharged_at": "2026-05-06 09:00"}, None, "defect"),
        ("discharge", {"discharged_at": "2026-05-06 09:00"}, "2026-05-06 12:00", "not_applicable"),
        ("discharge", {"discharged_at": "2026-05-06 09:00"}, "2026-05-07 09:01", "defect"),
        ("discharge", {"admitted_at": "2026-05-06 09:00"}, "2026-05-07 09:01", "not_applicable"),
        ("death", {"discharged_at": "2026-05-06 09:00"}, None, "not_applicable"),
        ("death", {"disposition": "死亡"}, None, "undetermined"),
    ],
)
def test_a_document_is_missing_once_it_is_due(after, stay, as_of, expected):
    moment = datetime.fromisoformat(as_of).replace(tzinfo=CHINA_TIME) if as_of else None
    case = Case(record(encounter=stay), moment)
    assert DocumentMissing(after=after, due_hours=24).rule_on(case, ("入院记录",)).outcome == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("主诉：腹痛2天。\n现病史：2天前出现上腹部隐痛，阵发性。", "pass"),
        ("主诉：腹痛2天。\n现病史：见首程。", "defect"),
        ("主诉：腹痛2天。\n现病史：____", "defect"),
        ("主诉：腹痛2天。", "defect"),
        ("患者2天前出现上腹部隐痛，阵发性。", "undetermined"),
        ("姓名：高远  性别：男\n患者2天前出现上腹部隐痛。\n医师签名：林一舟", "undetermined"),
        ("", "undetermined"),
    ],
)
def test_sections_count_when_they_say_enough(text, expected):
    assert outcome(SectionMissing(sections=("现病史",), minimum_characters=10), text) == expected


@pytest.mark.parametrize(
    ("patient", "text", "expected"),
    [
        ({"sex": "女", "age": "42岁"}, "主诉：腹痛。\n婚育史：已婚。", "defect"),
        ({"sex": "女", "age": "42岁"}, "主诉：腹痛。\n婚育史：已婚，50岁绝经。", "pass"),
        ({"sex": "女", "age": "11岁"}, "主诉：腹痛。", "not_applicable"),
        ({"sex": "女"}, "主诉：腹痛。", "undetermined"),
        ({"sex": "女"}, "主诉：腹痛。\n月经史：50岁绝经。", "pass"),
        ({"sex": "男"}, "主诉：腹痛。", "not_applicable"),
        ({"sex": "未知"}, "主诉：腹痛。", "undetermined"),
    ],
)
def test_sections_may_belong_to_one_sex_and_age(patient, text, expected):
    check = SectionMissing(
        sections=("月经史",), sex="女", from_age=12, elsewhere=("婚育史",),
        elements=(Element(name="闭经", pattern="绝经"),),
    )  # fmt: skip
    assert outcome(check, text, patient=patient) == expected


ETHNICITY = Element(name="民族", sections=("民族",), pattern="汉族", blank_is_missing=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("民族：汉族  职业：农民", "pass"),
        ("民族：   职业：农民\n患者，汉族。", "defect"),
        ("民族：*  职业：农民", "pass"),  # masked, so it was written
        ("民族：／  职业：农民", "defect"),
        ("患者，男，汉族，农民。", "pass"),
    ],
)
def test_a_blank_heading_is_no_entry_and_a_mask_is_one(text, expected):
    assert outcome(ElementsMissing(elements=(ETHNICITY,)), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("急诊。\n主诉：腹痛。", "defect"),
        ("急诊。\n主诉：腹痛。\n去向：出院。", "pass"),
        ("门诊。\n主诉：腹痛。", "not_applicable"),
        ("主诉：腹痛。", "undetermined"),
    ],
)
def test_elements_may_depend_on_the_situation(text, expected):
    element = Element(name="去向", pattern="去向", required_if="急诊", excused_if="门诊")
    assert outcome(ElementsMissing(elements=(element,)), text) == expected


@pytest.mark.parametrize(
    ("coverage", "signatures", "expected"),
    [
        (["documents"], [], "pass"),  # signatures were not delivered: not judged
        (["documents", "signatures"], [], "defect"),
        (["documents", "signatures"], [{"role": "记录者", "name": "林一舟"}], "pass"),
        (["documents", "signatures"], [{"role": "记录者", "name": None}], "defect"),
    ],
)
def test_signatures_are_judged_only_where_delivered(coverage, signatures, expected):
    document = {"id": "D1", "type": "入院记录", "text": "主诉：腹痛。", "signatures": signatures}
    whole = MedicalRecord.model_validate({"record_id": "R", "coverage": coverage, "documents": [document]})
    check = ElementsMissing(elements=(Element(name="签名", signature_roles=("记录者",)),))
    assert check.rule_on(Case(whole), ("入院记录",)).outcome == expected


def test_the_names_of_missing_elements_come_in_order():
    elements = tuple(Element(name=name, sections=(name,)) for name in ("主诉", "现病史", "既往史"))
    ruling = ElementsMissing(elements=elements).rule_on(Case(record("现病史：略有不适。")), ("入院记录",))
    assert ruling.hits[0].details["missing"] == "主诉、既往史"


@pytest.mark.parametrize(
    ("content", "expected"),
    [("", False), ("  ／ ", False), ("None", False), ("_" * 50, False), ("无", True), ("腹" * 50, True)],
)
def test_placeholders_say_nothing(content, expected):
    assert is_written(content) is expected


@given(st.text(alphabet="主诉现病史：:\n 　腹痛*/_-。民族汉", max_size=80))
def test_no_text_raises(text):
    check = SectionMissing(sections=("主诉",), elements=(ETHNICITY,), elsewhere=("*",))
    assert outcome(check, text) in ("pass", "defect", "undetermined")
    assert outcome(ElementsMissing(elements=(ETHNICITY,), within=("主诉",)), text) in (
        "pass",
        "defect",
        "not_applicable",
    )
