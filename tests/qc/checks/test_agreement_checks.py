import pytest

from app.qc.case import Case
from app.qc.checks.agreement import (
    ConsentDisagrees,
    DeathCausesDisagree,
    DiagnosesDisagree,
    FrontPageDiagnosesDisagree,
    PathologyDisagrees,
    RevisedDiagnosisLost,
)
from app.records.model import MedicalRecord


def rule(check, types, *texts, **parts):
    documents = [{"id": f"D{n}", "type": kind, "text": text} for n, (kind, text) in enumerate(texts, 1)]
    record = MedicalRecord.model_validate({"record_id": "R", "documents": documents, **parts})
    return check.rule_on(Case(record), types)


@pytest.mark.parametrize(
    ("first_course", "admission", "expected"),
    [
        ("1. 急性胆囊炎", "1. 急性胰腺炎", "defect"),
        ("1. 高血压病 2. 冠心病", "1. 冠状动脉粥样硬化性心脏病 2. 高血压3级", "pass"),
        ("1. 肺炎", "1. 慢性阻塞性肺疾病 2. 肺部感染", "defect"),  # the admission's main one is lost
        ("1. 肺炎", "", "undetermined"),
    ],
)
def test_first_course_and_admission(first_course, admission, expected):
    ruling = rule(
        DiagnosesDisagree(other_types=("入院记录",)),
        ("首次病程记录",),
        ("首次病程记录", f"初步诊断：{first_course}\n诊疗计划：完善检查。"),
        ("入院记录", f"初步诊断：{admission}"),
    )
    assert ruling.outcome == expected
    for hit in ruling.hits:
        assert {e.document_id for e in hit.evidence} == {"D1", "D2"}


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            {"discharge_diagnosis_main": "肺炎", "discharge_diagnosis_other": [{"name": "原发性高血压"}]},
            "pass",
        ),
        ({"discharge_diagnosis_main": "肺炎", "discharge_diagnosis_other": ["高血压病"]}, "pass"),
        ({"discharge_diagnosis_main": "肺炎", "discharge_diagnosis_other": []}, "defect"),
        ({"discharge_diagnosis_main": "肺炎", "discharge_diagnosis_other": "高血压"}, "defect"),
        ({"discharge_diagnosis_main": "高血压", "discharge_diagnosis_other": ["肺炎"]}, "defect"),
        ({"discharge_diagnosis_main": "-"}, "undetermined"),
        ({}, "undetermined"),
    ],
)
def test_front_page(page, expected):
    text = "出院诊断：1. 肺部感染 2. 高血压病3级（很高危）"
    ruling = rule(FrontPageDiagnosesDisagree(), ("出院记录",), ("出院记录", text), front_page=page)
    assert ruling.outcome == expected


@pytest.mark.parametrize(
    ("impression", "diagnosis", "expected"),
    [
        ("中分化腺癌", "胃溃疡", "defect"),
        ("中分化腺癌", "胃恶性肿瘤", "pass"),
        ("未见癌细胞", "胃溃疡", "pass"),
        ("不除外癌变", "胃溃疡", "pass"),
    ],
)
def test_pathology(impression, diagnosis, expected):
    reports = [{"modality": "病理", "impression": impression, "reported_at": "2026-05-10 09:00"}]
    ruling = rule(
        PathologyDisagrees(), ("出院记录",), ("出院记录", f"出院诊断：{diagnosis}"), exam_reports=reports
    )
    assert ruling.outcome == expected


def test_causes_of_death():
    texts = [("死亡记录", "死亡原因：急性心肌梗死"), ("死亡病例讨论记录", "死亡原因：肺栓塞")]
    ruling = rule(DeathCausesDisagree(), ("死亡记录", "死亡病例讨论记录"), *texts)
    assert ruling.outcome == "defect"
    assert [e.quote for e in ruling.hits[0].evidence] == ["肺栓塞", "急性心肌梗死"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("姓名：沈秋禾　性别：女\n术前诊断：胆囊结石", "pass"),
        ("姓名：沈秋合　性别：女\n术前诊断：胆囊结石", "defect"),
        ("姓名：沈*禾　性别：女\n术前诊断：胆囊结石", "pass"),
        ("姓名：沈秋禾\n术前诊断：急性阑尾炎", "defect"),
        ("　\n", "undetermined"),
    ],
)
def test_consents(text, expected):
    ruling = rule(
        ConsentDisagrees(),
        ("手术知情同意书",),
        ("手术知情同意书", text),
        ("入院记录", "初步诊断：1. 胆囊结石伴慢性胆囊炎"),
        patient={"name": "沈秋禾"},
    )
    assert ruling.outcome == expected


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("据此补充诊断：颈动脉粥样硬化、高胆固醇血症。", "defect"),
        ("诊断修正为急性脑梗塞。", "pass"),
        ("修正了补液方案，补充钾。", "not_applicable"),
    ],
)
def test_revised_diagnoses(note, expected):
    ruling = rule(
        RevisedDiagnosisLost(),
        ("日常病程记录",),
        ("日常病程记录", note),
        ("出院记录", "出院诊断：1. 急性脑梗死"),
    )
    assert ruling.outcome == expected
