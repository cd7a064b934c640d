import pytest

from app.qc.case import Case
from app.qc.checks.allergies import AllergenOrdered, AllergiesContradict, PositiveSkinTestIgnored
from app.qc.checks.history import HistoryContradicted
from app.qc.checks.rounds_advice import AdvisedDrugNotOrdered
from app.qc.checks.take_home import TakeHomeDisagrees
from app.records.model import DOCUMENT_TYPES, MedicalRecord


def rule(check, *texts, **parts):
    documents = [{"id": f"D{n}", "type": kind, "text": text} for n, (kind, text) in enumerate(texts, 1)]
    record = MedicalRecord.model_validate({"record_id": "R", "documents": documents, **parts})
    return check.rule_on(Case(record), DOCUMENT_TYPES)


@pytest.mark.parametrize(
    ("history", "features", "expected"),
    [
        ("否认手术史。", "中年男性，曾行胆囊切除术。", "defect"),
        ("否认其他手术史。", "中年男性，曾行胆囊切除术。", "pass"),
        ("否认手术史。", "拟行胆囊切除术。", "pass"),
        ("否认手术史。", "父亲曾行胆囊切除术。", "pass"),
        ("否认手术史。", "2026-05-07行胆囊切除术，术后第1天。", "pass"),
        ("否认输血史。", "2018年曾输血800ml。", "defect"),
        ("否认外伤史。", "3小时前摔伤致髋部疼痛。", "pass"),
    ],
)
def test_operations_told_and_denied(history, features, expected):
    ruling = rule(
        HistoryContradicted(topics=("operation", "transfusion", "injury")),
        ("入院记录", f"既往史：{history}"),
        ("首次病程记录", f"病例特点：\n1. {features}\n诊疗计划：观察。"),
        encounter={"admitted_at": "2026-05-06 10:00"},
    )
    assert ruling.outcome == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("既往史：否认糖尿病史。\n初步诊断：1. 2型糖尿病10年", "defect"),
        ("既往史：否认糖尿病史。\n初步诊断：1. 2型糖尿病", "pass"),
        ("现病史：高血压病史20年，头晕1天。\n既往史：否认高血压史。", "defect"),
        ("现病史：3天前发现血压升高。\n既往史：否认高血压史。", "pass"),
        ("既往史：否认糖尿病史。\n家族史：母亲糖尿病20年。", "pass"),
    ],
)
def test_diseases_told_and_denied(text, expected):
    check = HistoryContradicted(topics=("disease",), within_one_document=True)
    assert rule(check, ("入院记录", text)).outcome == expected


PENICILLIN = ("入院记录", "过敏史：青霉素过敏（皮疹）。")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("注射用哌拉西林他唑巴坦 4.5g", "defect"),
        ("青霉素皮试 st", "pass"),
        ("注射用头孢曲松钠 2g", "pass"),
    ],
)
def test_allergens_ordered(content, expected):
    orders = [{"id": "O1", "category": "药品", "content": content}]
    assert rule(AllergenOrdered(), PENICILLIN, orders=orders).outcome == expected


@pytest.mark.parametrize(
    ("ordered", "stopped", "expected"),
    [
        ("2026-05-07 10:00", None, "defect"),
        ("2026-05-07 08:00", "2026-05-07 08:30", "pass"),
        ("2026-05-07 08:00", "2026-05-07 12:00", "defect"),
    ],
)
def test_drugs_after_a_positive_skin_test(ordered, stopped, expected):
    document = {
        "id": "D1",
        "type": "日常病程记录",
        "event_at": "2026-05-07 09:00",
        "text": "青霉素皮试阳性。",
    }
    order = {
        "kind": "长期",
        "category": "药品",
        "content": "注射用青霉素钠",
        "ordered_at": ordered,
        "stopped_at": stopped,
    }
    record = MedicalRecord.model_validate({"record_id": "R", "documents": [document], "orders": [order]})
    assert PositiveSkinTestIgnored().rule_on(Case(record), ("日常病程记录",)).outcome == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("青霉素", "pass"),
        ("-", "defect"),
        ("无", "defect"),
        ("青霉素、头孢", "pass"),
        (None, "not_applicable"),
    ],
)
def test_allergies_of_the_front_page(page, expected):
    assert rule(AllergiesContradict(), PENICILLIN, front_page={"drug_allergy": page}).outcome == expected


def order(name, dose, unit, frequency):
    drug = {"name": name, "dose": dose, "unit": unit, "frequency": frequency}
    return {
        "category": "药品",
        "kind": "出院带药",
        "take_home": True,
        "content": f"{name} {frequency}",
        "drug": drug,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("阿司匹林肠溶片100mg口服每日1次", "pass"),
        ("拜阿司匹灵0.1g qd", "pass"),
        ("阿司匹林肠溶片100mg口服", "pass"),
        ("阿司匹林肠溶片*mg口服每日1次", "pass"),
        ("阿司匹林肠溶片100mg口服每日2次", "defect"),
        ("阿司匹林肠溶片75mg口服每日1次", "defect"),
        ("低盐饮食", "defect"),
        ("不再服阿司匹林", "defect"),
        ("阿司匹林肠溶片100mg口服每日1次；阿托伐他汀20mg每晚1次", "defect"),
        ("阿司匹林肠溶片100mg口服每日1次，停用阿托伐他汀20mg每晚1次", "pass"),
    ],
)
def test_drugs_to_take_home(text, expected):
    orders = [order("阿司匹林肠溶片", 100, "mg", "qd")]
    text = f"出院医嘱：{text}。"
    document = {"id": "D1", "type": "出院记录", "text": text}
    record = MedicalRecord.model_validate({"record_id": "R", "documents": [document], "orders": orders})
    ruling = TakeHomeDisagrees().rule_on(Case(record), ("出院记录",))
    assert ruling.outcome == expected


@pytest.mark.parametrize(
    ("advice", "expected"),
    [
        ("加用阿托伐他汀20mg", "defect"),
        ("必要时加用阿托伐他汀20mg", "not_applicable"),
        ("出院后加用阿托伐他汀", "not_applicable"),
        ("继续补液，加用呋塞米20mg", "pass"),
    ],
)
def test_drugs_asked_for_at_rounds(advice, expected):
    document = {
        "id": "D1",
        "type": "上级医师查房记录",
        "written_at": "2026-05-07 09:30",
        "text": f"诊疗意见：{advice}。",
    }
    orders = [{"category": "药品", "content": "呋塞米注射液 20mg", "ordered_at": "2026-05-07 10:00"}]
    stay = {"discharged_at": "2026-05-14 09:00"}
    record = MedicalRecord.model_validate(
        {"record_id": "R", "documents": [document], "orders": orders, "encounter": stay}
    )
    assert AdvisedDrugNotOrdered().rule_on(Case(record), ("上级医师查房记录",)).outcome == expected
