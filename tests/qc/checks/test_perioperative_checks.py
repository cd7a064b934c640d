import pytest

from app.qc.case import Case
from app.qc.checks.blood import BloodGroupsDisagree, TransfusionDisagrees
from app.qc.checks.contrary import DoseImplausible, ScoreSumWrong
from app.qc.checks.perioperative import (
    AmountsDisagree,
    AnaesthesiaDisagrees,
    DischargeCourseDisagrees,
    OperationNotAgreed,
    SurgeonsDisagree,
)
from app.records.model import DOCUMENT_TYPES, MedicalRecord


def rule(check, *texts, **parts):
    documents = [{"id": f"D{n}", "type": kind, "text": text} for n, (kind, text) in enumerate(texts, 1)]
    record = MedicalRecord.model_validate({"record_id": "R", "documents": documents, **parts})
    return check.rule_on(Case(record), DOCUMENT_TYPES)


@pytest.mark.parametrize(
    ("consented", "done", "expected"),
    [
        ("腹腔镜下胆囊切除术", "开腹胆囊切除＋胆总管探查术", "defect"),
        ("腹腔镜下胆囊切除术（备中转开腹）", "开腹胆囊切除术", "pass"),
        ("腹腔镜下胆囊切除术", "开腹胆囊切除术\n手术经过：粘连致密，中转开腹。", "pass"),
        ("LC", "腹腔镜胆囊切除术", "pass"),
        ("胆囊切除术", "腹腔镜胆囊切除术", "pass"),
        ("右股骨颈骨折内固定术", "右人工股骨头置换术", "defect"),
        ("清创术", "清创缝合术", "pass"),
        ("", "阑尾切除术", "undetermined"),
    ],
)
def test_operations_done_and_agreed(consented, done, expected):
    ruling = rule(
        OperationNotAgreed(),
        ("手术知情同意书", f"拟行手术名称：{consented}"),
        ("手术记录", f"手术名称：{done}"),
    )
    assert ruling.outcome == expected
    for hit in ruling.hits:
        assert [e.document_id for e in hit.evidence] == ["D2", "D1"]


@pytest.mark.parametrize(
    ("consent", "given", "noted", "expected"),
    [
        ("腰硬联合麻醉", "腰硬联合麻醉", "腰硬联合麻醉", "pass"),
        ("腰硬联合麻醉", "全身麻醉", "全身麻醉", "defect"),
        ("腰硬联合麻醉；必要时改全身麻醉", "全身麻醉", "全麻", "pass"),
        ("全麻", "气管插管全身麻醉", "腰麻", "defect"),
        ("全麻", "腰麻，效果不佳改全麻", "全麻", "pass"),
    ],
)
def test_anaesthesia(consent, given, noted, expected):
    ruling = rule(
        AnaesthesiaDisagrees(),
        ("麻醉知情同意书", f"拟行麻醉方式：{consent}"),
        ("麻醉记录", f"麻醉方式：{given}"),
        ("手术记录", f"麻醉方法：{noted}"),
    )
    assert ruling.outcome == expected


@pytest.mark.parametrize(
    ("note", "record", "expected"),
    [
        ("手术者：林一舟　助手：周望岳", "术者：林一舟　助手：周望岳", "pass"),
        ("手术者：林一舟　助手：周望岳", "术者：何远图　助手：周望岳", "defect"),
        ("手术者：林一舟　助手：周望岳", "术者：林一舟　助手：陈初晴", "defect"),
        ("手术者：林*舟　助手：周望岳", "术者：何远图", "undetermined"),
        ("手术经过：顺利", "术者：何远图", "undetermined"),
    ],
)
def test_surgeons(note, record, expected):
    assert rule(SurgeonsDisagree(), ("手术记录", note), ("麻醉记录", record)).outcome == expected


@pytest.mark.parametrize(
    ("note", "record", "expected"),
    [
        ("出血约200ml", "出血300ml", "pass"),  # a difference of exactly 100 is tolerated
        ("出血约200ml", "出血301ml", "defect"),
        ("失血1000ml", "失血1250ml", "pass"),  # exactly a fifth
        ("失血1000ml", "失血1251ml", "defect"),
        ("输红细胞2U", "输悬浮红细胞4U", "defect"),
        ("出血约1L", "出血1000ml", "pass"),
        ("手术顺利", "出血1000ml", "not_applicable"),
    ],
)
def test_amounts(note, record, expected):
    assert rule(AmountsDisagree(), ("手术记录", note), ("麻醉记录", record)).outcome == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("2026-05-08行阑尾切除术", "pass"),
        ("5月7日夜行阑尾切除术", "pass"),
        ("2026-05-09行阑尾切除术", "defect"),
        ("2026-05-09复查血常规", "pass"),
        ("2026-05-02在外院行剖腹探查术", "pass"),
        ("行腹腔镜下阑尾切除术", "defect"),
    ],
)
def test_the_course_as_told_at_discharge(told, expected):
    procedures = [
        {
            "kind": "手术",
            "name": "开腹阑尾切除术",
            "started_at": "2026-05-07 23:10",
            "ended_at": "2026-05-08 00:20",
        }
    ]
    ruling = rule(DischargeCourseDisagrees(), ("出院记录", f"诊疗经过：{told}。"), procedures=procedures)
    assert ruling.outcome == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("患者血型：B型，RhD阳性", "defect"),
        ("患者血型：A型，RhD阴性", "defect"),
        ("患者血型：A型，RhD阳性；输O型RhD阴性悬浮红细胞2U", "pass"),
        ("B型超声示胆囊结石，A型行为", "not_applicable"),
        ("其母血型：B型。患者血型A型", "pass"),
    ],
)
def test_blood_groups(text, expected):
    results = [{"item": "ABO血型", "value": "A型"}, {"item": "RhD血型", "value": "阳性"}]
    ruling = rule(BloodGroupsDisagree(), ("输血记录", text), lab_results=results)
    assert ruling.outcome == expected


def test_units_of_blood_are_converted():
    order = {"id": "O1", "category": "输血", "content": "悬浮红细胞 2U 静脉输注"}
    for text, expected in (
        ("悬浮红细胞400ml", "pass"),
        ("悬浮红细胞3U", "defect"),
        ("新鲜冰冻血浆200ml", "defect"),
    ):
        document = {"id": "D1", "type": "输血记录", "text": f"输注成分及量：{text}。", "refers_to": ["O1"]}
        record = MedicalRecord.model_validate({"record_id": "R", "documents": [document], "orders": [order]})
        assert TransfusionDisagrees().rule_on(Case(record), ("输血记录",)).outcome == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GCS E3V4M5=12分", "pass"),
        ("GCS E3V4M5=13分", "defect"),
        ("GCS 13分（E3V4M6）", "pass"),
        ("GCS评分2分", "defect"),
        ("NIHSS 6分（面1、上肢2、下肢2、构音1）", "pass"),
        ("NIHSS 6分（入院时4分）", "pass"),
        ("NIHSS：意识0、面瘫1、左上肢1、构音1，合计4分", "defect"),
        ("Caprini评分9分（年龄≥75岁3分、髋部骨折5分、卧床1分）", "pass"),
        ("格拉斯哥-布拉奇福德评分17分（尿素4、血红蛋白6、收缩压3、脉搏1、黑便1、晕厥1）", "defect"),
        ("疼痛评分3分（静息2分、活动3分）", "not_applicable"),
        ("GCS E*V4M5=13分", "not_applicable"),
    ],
)
def test_sums_of_scales(text, expected):
    assert rule(ScoreSumWrong(), ("首次病程记录", text)).outcome == expected


@pytest.mark.parametrize(
    ("name", "dose", "unit", "expected"),
    [
        ("地高辛片", 0.25, "mg", "pass"),
        ("地高辛片", 2.5, "mg", "pass"),  # five times the greatest dose, not more
        ("地高辛片", 0.25, "g", "defect"),
        ("左甲状腺素钠片", 50, "μg", "pass"),
        ("去甲肾上腺素注射液", 0.1, "μg/kg/min", "not_applicable"),
        ("蒙脱石散", 3, "g", "not_applicable"),
    ],
)
def test_orders_of_magnitude(name, dose, unit, expected):
    order = {"category": "药品", "content": name, "drug": {"name": name, "dose": dose, "unit": unit}}
    assert rule(DoseImplausible(), orders=[order]).outcome == expected
