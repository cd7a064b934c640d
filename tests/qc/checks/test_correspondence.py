"""Whether later notes speak of reports, drugs, results and advice, in whatever words."""

import pytest

from app.qc.case import Case
from app.qc.checks.advice import AdviceUnanswered
from app.qc.checks.correspondence import ExaminationUnreported, ReportNotDiscussed, tells_report
from app.qc.checks.treatment import DrugChangeUnexplained, DrugNotDiscussed, TubeUnrecorded
from app.records.model import MedicalRecord

NOTE = "日常病程记录"
ANTIMICROBIALS = DrugNotDiscussed(groups=("抗菌药物",), words="抗感染|抗生素|抗菌|抗炎")


def case_of(*texts, discharged="2026-05-20 09:00", **parts):
    documents = [
        {"id": f"D{n}", "type": NOTE, "text": text, "written_at": f"2026-05-08 {8 + n:02}:00"}
        for n, text in enumerate(texts)
    ]
    encounter = {"admitted_at": "2026-05-06 10:00", "discharged_at": discharged}
    content = {"record_id": "R", "encounter": encounter, "documents": documents, **parts}
    return Case(MedicalRecord.model_validate(content))


def exam(modality, site, impression="", **more):
    times = {"performed_at": "2026-05-07 15:00", "reported_at": "2026-05-07 17:00"}
    return {"modality": modality, "site": site, "impression": impression, **times, **more}


@pytest.mark.parametrize(
    ("modality", "site", "impression", "note", "told"),
    [
        ("MRI", "头颅", "", "头颅MRI示急性梗死。", True),
        ("MRI", "头颅", "", "磁共振见右侧基底节病灶。", True),
        ("MRI", "头颅", "", "弥散加权像证实为新发梗死。", True),
        ("MRI", "头颅", "右侧基底节区急性脑梗死", "影像学支持右侧基底节区急性脑梗死。", True),
        ("MRI", "头颅", "", "左侧肢体无力，继续治疗。", False),
        ("MRI", "头颅", "", "拟明日行头颅MRI。", False),
        ("MRI", "头颅", "", "外院头颅MRI示梗死。", False),
        ("MRI", "头颅", "", "感染MRSA。", False),
        ("X线", "胸部", "", "胸片未见异常。", True),
        ("X线", "右髋", "", "昨日右髋正侧位片：假体位置良好。", True),
        ("超声", "双下肢静脉", "", "双下肢静脉彩超未见血栓。", True),
        ("内镜", "上消化道", "", "胃镜见球部溃疡。", True),
        ("其他", "腰椎骨密度", "", "骨密度：T值-3.2。", True),
    ],
)
def test_a_note_tells_a_report(modality, site, impression, note, told):
    case = case_of(note, exam_reports=[exam(modality, site, impression)])
    report = case.record.exam_reports[0]
    assert tells_report(case, case.record.documents[0], report, [report]) is told


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ("右髋CT示股骨颈骨折，CT未见溶骨病灶。", False),
        ("CT三维重建示右侧股骨颈骨折。", False),
        ("CT：双肺少许条索影。", True),
        ("复查CT无变化。", True),
        ("右髋CT示骨折；胸CT未见异常。", True),
    ],
)
def test_a_bare_ct_belongs_to_the_examination_it_describes(note, told):
    case = case_of(note, exam_reports=[exam("CT", "胸部"), exam("CT", "右髋关节")])
    chest, hip = case.record.exam_reports
    assert tells_report(case, case.record.documents[0], chest, [chest, hip]) is told


def test_a_report_just_before_discharge_cannot_be_judged():
    case = case_of("出院。", discharged="2026-05-07 18:00", exam_reports=[exam("CT", "胸部")], orders=[])
    check = ReportNotDiscussed(modalities=("CT",))
    assert check.rule_on(case, ("首次病程记录",)).outcome == "undetermined"


def order(content, **more):
    times = {"ordered_at": "2026-05-08 09:30", "executed_at": "2026-05-08 10:00"}
    return {"id": "O1", "kind": "长期", "category": "药品", "content": content, **times, **more}


@pytest.mark.parametrize(
    ("content", "note", "expected"),
    [
        ("左氧氟沙星氯化钠注射液 0.5g 静脉滴注 qd", "予左氧氟沙星0.5g静滴。", "pass"),
        ("左氧氟沙星氯化钠注射液 0.5g 静脉滴注 qd", "予可乐必妥静滴。", "pass"),
        ("左氧氟沙星氯化钠注射液 0.5g 静脉滴注 qd", "继续抗感染治疗。", "pass"),
        ("左氧氟沙星氯化钠注射液 0.5g 静脉滴注 qd", "大肠埃希菌，对左氧氟沙星敏感。", "defect"),
        ("左氧氟沙星氯化钠注射液 0.5g 静脉滴注 qd", "左氧氟沙星过敏史。", "defect"),
        ("左氧氟沙星氯化钠注射液 0.5g 静脉滴注 qd", "尿频好转。", "defect"),
        ("左氧氟沙星滴眼液 滴眼 tid", "尿频好转。", "not_applicable"),
        ("阿司匹林肠溶片 100mg qd", "尿频好转。", "not_applicable"),
    ],
)
def test_antimicrobial_in_the_notes(content, note, expected):
    case = case_of(note, orders=[order(content)])
    assert ANTIMICROBIALS.rule_on(case, (NOTE,)).outcome == expected


def test_an_antimicrobial_of_today_is_awaited_in_hospital():
    case = case_of("尿频。", discharged=None, orders=[order("头孢曲松 2g 静脉滴注 qd")])
    ruling = ANTIMICROBIALS.rule_on(case, (NOTE,))
    assert (ruling.outcome, ruling.due is not None) == ("not_applicable", True)


def test_a_drug_continued_by_another_order_is_not_changed():
    orders = [
        order("依诺肝素钠注射液 4000IU 皮下注射 qd", stopped_at="2026-05-10 10:00"),
        order(
            "依诺肝素钠注射液 6000IU 皮下注射 qd",
            ordered_at="2026-05-10 10:05",
            executed_at="2026-05-10 11:00",
        ),
    ]
    case = case_of("予依诺肝素抗凝。", orders=orders)
    check = DrugChangeUnexplained(words={"抗凝药": "抗凝"})
    assert check.rule_on(case, (NOTE,)).outcome == "pass"


@pytest.mark.parametrize(
    ("advice", "note", "expected"),
    [
        ("建议查甲状腺功能。", "咳嗽减轻。", "defect"),
        ("建议查甲状腺功能。", "已按会诊意见查甲功。", "pass"),
        ("建议加用美托洛尔。", "予美托洛尔缓释片。", "pass"),
        ("建议加用美托洛尔。", "心内科建议患者及家属暂不接受。", "pass"),
        ("目前无特殊处理。", "咳嗽减轻。", "not_applicable"),
    ],
)
def test_advice(advice, note, expected):
    consultation = {
        "id": "C1",
        "type": "会诊记录",
        "title": "心内科会诊记录",
        "event_at": "2026-05-07 10:00",
        "text": f"会诊意见：{advice}",
    }
    base = case_of(note)
    documents = [d.model_dump(by_alias=True) for d in base.record.documents]
    content = {**base.record.model_dump(by_alias=True), "documents": [*documents, consultation]}
    case = Case(MedicalRecord.model_validate(content))
    assert AdviceUnanswered(note_types=(NOTE,)).rule_on(case, ("会诊记录",)).outcome == expected


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("今日头颅CT示脑出血。", "defect"),
        ("今晨急查头颅CT报告未见出血。", "defect"),
        ("今日床旁CT示脑出血。", "pass"),
        ("今日阅外院头颅CT示脑出血。", "pass"),
        ("今日拟行头颅CT，见结果再定。", "pass"),
        ("头颅CT示脑出血。", "pass"),
    ],
)
def test_examination_without_any_report(note, expected):
    case = case_of(note, exam_reports=[], lab_results=[])
    assert ExaminationUnreported().rule_on(case, (NOTE,)).outcome == expected


@pytest.mark.parametrize(("note", "expected"), [("拔除引流管，完整。", "pass"), ("切口干燥。", "defect")])
def test_tube(note, expected):
    removal = order("拔除腹腔引流管", category="操作")
    check = TubeUnrecorded(tubes=("引流",), actions="拔|置")
    assert check.rule_on(case_of(note, orders=[removal]), (NOTE,)).outcome == expected
