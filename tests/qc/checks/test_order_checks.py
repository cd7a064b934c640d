import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.orders import (
    DrugOrderIncomplete,
    ExecutionMissing,
    NursingRecordMissing,
    OrderCombined,
    OrderTimeMissing,
    ReportFiledLate,
    ReportIncomplete,
    RescueDrugUnordered,
    RoutineTestsMissing,
    StandingAfterDischarge,
    TakeHomeIncomplete,
    VitalsGap,
    read_moment,
)
from app.records.model import MedicalRecord

STAY = {"admitted_at": "2026-05-06 10:00", "discharged_at": "2026-05-14 09:00"}


def ruling(check, *types, **parts):
    content = {"record_id": "R", "encounter": STAY, **parts}
    return check.rule_on(Case(MedicalRecord.model_validate(content)), types)


@pytest.mark.parametrize(
    ("content", "category", "is_combined"),
    [
        ("氨氯地平 5mg qd；二甲双胍 0.5g bid", "药品", True),
        ("氨氯地平 5mg qd;二甲双胍 0.5g bid", "药品", True),
        ("氨氯地平 5mg qd；餐前服用", "药品", False),
        ("头孢呋辛 1.5g；溶于0.9%氯化钠 100ml 静脉滴注", "药品", False),
        ("甲硝唑 0.5g q8h（首剂；术前）", "药品", False),
        ("一级护理；低盐饮食", "护理", True),
        ("一级护理", "护理", False),
        ("血常规；尿常规", "检验", False),
    ],
)
def test_several_instructions_in_one_order(content, category, is_combined):
    outcome = ruling(OrderCombined(), orders=[{"content": content, "category": category}]).outcome
    assert (outcome == "defect") is is_combined


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"content": "阿司匹林肠溶片 100mg 口服 qd"}, "pass"),
        ({"content": "阿司匹林肠溶片 100mg qd"}, "defect"),
        ({"content": "阿司匹林肠溶片 口服 qd"}, "defect"),
        ({"content": "阿司匹林肠溶片 100mg 口服"}, "defect"),
        ({"content": "阿司匹林肠溶片 100mg 口服", "kind": "临时"}, "pass"),
        ({"content": "胰岛素 4U 皮下注射 tid（餐前）"}, "pass"),
        ({"content": "去甲肾上腺素 0.1μg/kg/min 静脉泵入 持续"}, "pass"),
        ({"content": "肝素 5000单位 皮下注射 q12h"}, "pass"),
        ({"content": "阿莫西林胶囊 １．０ｇ 口服 每日２次"}, "pass"),
        ({"content": "青霉素皮试", "kind": "临时"}, "not_applicable"),
        ({"content": "自备药"}, "undetermined"),
        ({"content": "取消 阿司匹林肠溶片"}, "not_applicable"),
        ({"content": "阿司匹林", "drug": {"dose": 100, "unit": "mg", "route": "口服", "frequency": "qd"}}, "pass"),
        ({"content": "阿司匹林", "drug": {"dose": 100, "route": "口服", "frequency": "qd"}}, "defect"),
    ],
)  # fmt: skip
def test_drug_orders(order, expected):
    assert (
        ruling(DrugOrderIncomplete(), orders=[{"category": "药品", "kind": "长期", **order}]).outcome
        == expected
    )


def test_what_no_order_tells_the_source_does_not_deliver():
    orders = [{"content": "一级护理", "kind": "长期"}, {"content": "血常规", "kind": "临时"}]
    for check in (OrderTimeMissing(), StandingAfterDischarge(), ExecutionMissing()):
        assert ruling(check, orders=orders).outcome == "undetermined"


def test_many_orders_at_fault_make_one_finding():
    orders = [{"content": f"医嘱{n}", "ordered_at": None} for n in range(9)]
    orders.append({"content": "血常规", "ordered_at": "2026-05-06 11:00"})
    (hit,) = ruling(OrderTimeMissing(), orders=orders).hits
    assert hit.details["count"] == 9
    assert hit.details["orders"] == "“医嘱0”、“医嘱1”、“医嘱2”等9条"


@pytest.mark.parametrize(
    ("text", "ordered", "missing"),
    [
        ("予肾上腺素1mg静推。", "盐酸肾上腺素注射液", None),
        ("予肾上腺素1mg静推。", "重酒石酸去甲肾上腺素注射液", None),
        ("予去甲肾上腺素泵入。", "盐酸肾上腺素注射液", "去甲肾上腺素"),
        ("未用胺碘酮。", "无", None),
        ("必要时可予胺碘酮。", "无", None),
    ],
)
def test_rescue_drugs(text, ordered, missing):
    check = RescueDrugUnordered(drugs=("肾上腺素", "去甲肾上腺素", "胺碘酮"))
    documents = [{"id": "D1", "type": "抢救记录", "text": f"抢救经过：{text}"}]
    found = ruling(check, "抢救记录", documents=documents, orders=[{"content": ordered}])
    assert [hit.details["drugs"] for hit in found.hits] == ([missing] if missing else [])


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("阿司匹林肠溶片 100mg 口服 每日一次", None),
        ("阿司匹林肠溶片、氯吡格雷片 各1片 口服 qd", None),
        ("阿司匹林肠溶片100mg口服每日1次，氯吡格雷片75mg", "“氯吡格雷片”缺给药途径、频次"),
        ("继续口服阿司匹林", "“阿司匹林”缺剂量、频次"),
        ("停用氢氯噻嗪片，禁用布洛芬胶囊", None),
        ("复查右髋X线片，预防血栓，血小板计数每周1次", None),
        ("服用华法林期间监测INR", None),
        ("服用华法林，监测INR", "“华法林”缺剂量、频次"),
        ("按医嘱服药", "没有写出药名和用法用量"),
        ("遵医嘱用药：氨氯地平片5mg口服qd", None),
        ("每次一片，每日3次", None),
    ],
)
def test_take_home_drugs(section, problem):
    documents = [{"id": "D1", "type": "出院记录", "text": f"出院医嘱：{section}"}]
    found = ruling(TakeHomeIncomplete(), "出院记录", documents=documents)
    said = {hit.details["problem"] for hit in found.hits}
    assert said == ({problem} if problem else set())


@given(st.text(alphabet="阿司匹林片胶囊口服每日1次,、；。停5mg\n", max_size=60))
def test_take_home_evidence_is_verbatim(section):
    text = f"出院医嘱：{section}"
    documents = [{"id": "D1", "type": "出院记录", "text": text}]
    for hit in ruling(TakeHomeIncomplete(), "出院记录", documents=documents).hits:
        assert all(text[e.start : e.end] == e.quote for e in hit.evidence)


def test_a_report_lacks_only_what_others_have():
    lab = {"item": "钾", "value": "3.9", "reported_at": "2026-05-06 12:00"}
    both = {"exam_reports": [], "lab_results": [lab, {**lab, "item": None, "panel": "电解质"}]}
    assert ruling(ReportIncomplete(), **both).hits[0].details["missing"] == "“电解质”缺检验项目名称"
    nobody_reports = {"exam_reports": [], "lab_results": [lab, lab]}
    assert ruling(ReportIncomplete(), **nobody_reports).outcome == "pass"


@pytest.mark.parametrize("written", [None, 5, "", "昨天", "2026-13-01", ["2026-05-06"]])
def test_no_moment(written):
    assert read_moment(written) is None


@pytest.mark.parametrize(
    ("filed", "expected"),
    [("2026-05-07T12:00:00", "pass"), ("2026-05-07T04:00:01+00:00", "defect"), ("不详", "undetermined")],
)
def test_reports_are_filed_within_a_day(filed, expected):
    labs = [{"item": "钾", "reported_at": "2026-05-06 12:00", "filed_at": filed}]
    assert ruling(ReportFiledLate(), lab_results=labs, exam_reports=[]).outcome == expected


@pytest.mark.parametrize(
    ("moments", "outcome"),
    [
        (["05-06 12:00", "05-07 12:00", "05-08 08:00"], "pass"),
        (["05-06 12:00", "05-07 12:01", "05-08 08:00"], "defect"),
        (["05-07 00:00"], "defect"),
        (["05-06 08:00", "05-07 08:00"], "defect"),
        ([], "undetermined"),
    ],
)
def test_gaps_of_vital_signs(moments, outcome):
    stay = STAY | {"discharged_at": "2026-05-08 09:00"}
    vitals = [{"at": f"2026-{moment}"} for moment in moments]
    assert ruling(VitalsGap(), encounter=stay, vitals=vitals).outcome == outcome


def test_nursing_records_count_by_the_dates_in_their_text():
    stay = STAY | {"conditions": [{"level": "病重", "from": "2026-05-06 11:00", "to": "2026-05-07 11:00"}]}
    for text, expected in (("2026-05-07 08:00 神清。", "pass"), ("2026-05-08 08:00 神清。", "defect")):
        documents = [{"id": "D1", "type": "护理记录", "text": text}]
        assert (
            ruling(NursingRecordMissing(), "护理记录", encounter=stay, documents=documents).outcome
            == expected
        )


def test_an_unset_list_of_tests_judges_nothing():
    assert ruling(RoutineTestsMissing(), lab_results=[]).outcome == "not_applicable"
