import pytest

from app.qc.case import Case
from app.qc.checks.new_diagnosis import Conclusion, ConclusionNotDiagnosed, NewDiagnosisUnexplained
from app.records.model import MedicalRecord

NEW = NewDiagnosisUnexplained(signs={"低钾": r"低钾|补钾|钾[^。,\d]{0,8}(?:2\.\d|3\.[0-4])"})
SHOWN = ConclusionNotDiagnosed(
    conclusions={"下肢深静脉血栓": Conclusion(said="静脉血栓形成", covered="血栓")}
)


def case_of(*documents, **content):
    listed = [{"id": f"D{n}", "type": kind, "text": text} for n, (kind, text) in enumerate(documents)]
    return Case(MedicalRecord.model_validate({"record_id": "R", "documents": listed, **content}))


@pytest.mark.parametrize(
    ("note", "final", "outcome"),
    [
        ("肌力4级。", "脑梗死；低钾血症", "defect"),
        ("血钾4.2mmol/L。", "脑梗死；低钾血症", "defect"),
        ("血钾3.1mmol/L。", "脑梗死；低钾血症", "pass"),
        ("口服补钾。", "脑梗死；低钾血症", "pass"),
        ("肌力4级。", "脑梗死", "not_applicable"),
        ("肌力4级。", "脑梗死；阑尾切除术后", "not_applicable"),
        ("肌力4级。", "脑梗死；丹毒", "pass"),  # too short a name to look for its parts
        ("肌力4级。", "脑梗死；小腿静脉血栓形成", "defect"),
        ("超声示小腿肌间静脉血栓。", "脑梗死；小腿静脉血栓形成", "pass"),
    ],
)
def test_a_new_diagnosis_leaves_a_trace_in_the_notes(note, final, outcome):
    case = case_of(
        ("入院记录", "初步诊断：1. 急性脑梗死。"),
        ("日常病程记录", note),
        ("出院记录", f"出院诊断：{final}。"),
    )
    assert NEW.rule_on(case, ("日常病程记录",)).outcome == outcome


def test_the_new_diagnosis_is_the_evidence():
    case = case_of(
        ("入院记录", "初步诊断：1. 急性脑梗死。"),
        ("日常病程记录", "肌力4级。"),
        ("出院记录", "出院诊断：1. 急性脑梗死；2. 低钾血症。"),
    )
    hits = NEW.rule_on(case, ("日常病程记录",)).hits
    assert [(e.document_id, e.quote) for hit in hits for e in hit.evidence] == [("D2", "低钾血症")]


@pytest.mark.parametrize(
    ("impression", "final", "outcome"),
    [
        ("左腓静脉血栓形成", "股骨颈骨折", "defect"),
        ("左腓静脉血栓形成", "股骨颈骨折；小腿肌间静脉血栓", "pass"),
        ("未见静脉血栓形成", "股骨颈骨折", "not_applicable"),
        ("静脉血栓形成待排", "股骨颈骨折", "not_applicable"),
    ],
)
def test_a_plain_conclusion_is_a_diagnosis(impression, final, outcome):
    case = case_of(
        ("出院记录", f"出院诊断：{final}。"), exam_reports=[{"modality": "超声", "impression": impression}]
    )
    assert SHOWN.rule_on(case, ("出院记录",)).outcome == outcome
