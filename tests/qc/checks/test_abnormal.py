import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.abnormal import (
    AbnormalUnhandled,
    AbnormalUntreated,
    AbnormalWithoutDiagnosis,
    Implied,
    Remedied,
    Stated,
)
from app.records.model import MedicalRecord

NOTE = "日常病程记录"
UNHANDLED = AbnormalUnhandled(
    limits=(
        Stated(item="钾", below=2.8, above=6.2, unit="mmol|$"),
        Stated(item="血红蛋白", below=60, unit="g/l"),
    ),
    remedies={"血红蛋白": "输血|红细胞"},
)
STAY = {"admitted_at": "2026-05-06 10:00", "discharged_at": "2026-05-16 09:00"}


def case_of(*texts, labs=(), orders=(), kind=NOTE, **content):
    documents = [
        {"id": f"D{n}", "type": kind, "text": text, "written_at": f"2026-05-07 {14 + n}:00"}
        for n, text in enumerate(texts)
    ]
    record = {
        "record_id": "R",
        "encounter": STAY,
        "documents": documents,
        "lab_results": list(labs),
        "orders": list(orders),
        **content,
    }
    return Case(MedicalRecord.model_validate(record))


def lab(item, value, flag="低", at="2026-05-07 08:00"):
    return {"item": item, "value": value, "flag": flag, "reported_at": at}


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("今日血钾2.6。", "defect"),
        ("今日血钾2.6mmol/L，患者无不适，继续目前治疗。", "defect"),
        ("昨日予头孢抗感染。今日血钾2.6mmol/L。", "defect"),
        ("血钾2.6mmol/L。心肺无特殊。双下肢无水肿。切口干燥。予氯化钾口服。", "pass"),
        ("今日血钾2.6mmol/L，考虑利尿所致。", "pass"),
        ("今日血钾2.8mmol/L。", "not_applicable"),
        ("入院前血钾2.6mmol/L。", "not_applicable"),
        ("目标血钾不低于2.6mmol/L。", "not_applicable"),
        ("血钾*.*mmol/L。", "not_applicable"),
        ("血红蛋白52g/L。", "defect"),
        ("血红蛋白11.2g/dL。", "not_applicable"),
        ("血红蛋白11.2。", "not_applicable"),
        ("24小时尿钾2.6mmol。", "not_applicable"),
        ("", "not_applicable"),
    ],
)
def test_a_stated_value_needs_a_word_about_it(text, outcome):
    assert UNHANDLED.rule_on(case_of(text), (NOTE,)).outcome == outcome


def test_a_later_note_may_say_it():
    case = case_of("今日血钾2.6。", "昨日低钾，补钾后复查正常。")
    assert UNHANDLED.rule_on(case, (NOTE,)).outcome == "pass"


@pytest.mark.parametrize(
    ("text", "outcome", "quotes"),
    [
        ("咳嗽减轻。", "defect", []),
        ("血红蛋白52g/L。", "defect", ["血红蛋白"]),
        ("血红蛋白52g/L，考虑溃疡出血。", "pass", []),
        ("输注红细胞2U，过程顺利。", "pass", []),
    ],
)
def test_a_critical_result_needs_a_word_in_the_notes(text, outcome, quotes):
    check = AbnormalUnhandled(remedies={"血红蛋白": "输血|红细胞"})
    ruling = check.rule_on(case_of(text, labs=[lab("血红蛋白", "52", "危急")]), (NOTE,))
    assert ruling.outcome == outcome
    assert [e.quote for hit in ruling.hits for e in hit.evidence] == quotes


IMPLIED = AbnormalWithoutDiagnosis(
    implied=(Implied(item="钾", below=3.5, diagnosis="低钾血症", covered="低钾"),), explained="标本溶血"
)


@pytest.mark.parametrize(
    ("values", "text", "outcome"),
    [
        ([("2.6", "危急"), ("4.0", "正常")], "出院诊断：肺炎。", "defect"),
        ([("3.3", "低"), ("3.4", "低")], "出院诊断：肺炎。", "defect"),
        ([("3.3", "低"), ("3.4", "低")], "出院诊断：肺炎；低钾血症。", "pass"),
        ([("3.3", "低"), ("3.4", "低")], "诊疗经过：考虑标本溶血。\n出院诊断：肺炎。", "pass"),
        ([("3.3", "低"), ("3.6", "正常")], "出院诊断：肺炎。", "not_applicable"),
        ([("3.3", "低")], "出院诊断：肺炎。", "not_applicable"),
        ([("3.5", "正常"), ("3.5", "正常")], "出院诊断：肺炎。", "not_applicable"),
        ([("*.*", "低"), ("见附页", "低")], "出院诊断：肺炎。", "not_applicable"),
    ],
)
def test_lasting_values_stand_for_a_diagnosis(values, text, outcome):
    labs = [lab("钾", value, flag, f"2026-05-0{7 + n} 08:00") for n, (value, flag) in enumerate(values)]
    case = case_of(text, labs=labs, kind="出院记录")
    assert IMPLIED.rule_on(case, ("出院记录",)).outcome == outcome


UNTREATED = AbnormalUntreated(values=(Remedied(item="葡萄糖", below=3.9, remedy="葡萄糖|血糖|进食"),))


@pytest.mark.parametrize(
    ("result", "order_at", "text", "outcome"),
    [
        (lab("葡萄糖", "3.1"), None, "咳嗽减轻。", "defect"),
        (lab("葡萄糖", "3.1"), "2026-05-08 08:00", "咳嗽减轻。", "pass"),
        (lab("葡萄糖", "3.1"), "2026-05-08 08:01", "咳嗽减轻。", "defect"),
        (lab("葡萄糖", "3.1"), None, "晨起低血糖，进食后缓解。", "pass"),
        (lab("葡萄糖", "3.9"), None, "咳嗽减轻。", "not_applicable"),
        (lab("葡萄糖", "2.0", "危急"), None, "咳嗽减轻。", "not_applicable"),
    ],
)
def test_a_result_calls_for_a_measure_within_the_day(result, order_at, text, outcome):
    orders = [{"content": "50%葡萄糖注射液20ml 静推", "ordered_at": order_at}] if order_at else []
    assert UNTREATED.rule_on(case_of(text, labs=[result], orders=orders), (NOTE,)).outcome == outcome


@given(st.text(alphabet="血钾红蛋白2.6*，。；\n予补 :0", max_size=40))
def test_evidence_is_verbatim_whatever_the_note_says(text):
    case = case_of(text)
    for hit in UNHANDLED.rule_on(case, (NOTE,)).hits:
        for evidence in hit.evidence:
            assert text[evidence.start : evidence.end] == evidence.quote
