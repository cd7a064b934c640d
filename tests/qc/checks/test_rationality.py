import pytest

from app.qc.case import Case
from app.qc.checks.discharge_summary import DischargeOmits
from app.qc.checks.rationality import (
    DrugsClash,
    DrugWithoutIndication,
    InfectionUntreated,
    OperationWithoutDiagnosis,
    TakeHomeUnfit,
)
from app.records.model import MedicalRecord


def case_of(*documents, **content):
    listed = [{"id": f"D{n}", "type": kind, "text": text} for n, (kind, text) in enumerate(documents)]
    return Case(MedicalRecord.model_validate({"record_id": "R", "documents": listed, **content}))


def statin(start, stop, dose="20mg", frequency="qn"):
    drug = {"name": "阿托伐他汀钙片", "route": "口服", "frequency": frequency}
    days = {"ordered_at": f"2026-05-{start} 09:00", "stopped_at": f"2026-05-{stop} 09:00"}
    words = f"阿托伐他汀钙片 {dose} 口服 {frequency}"
    executed = {"executed_at": f"2026-05-{start} 10:00"}
    return {"kind": "长期", "category": "药品", "content": words, "drug": drug, **days, **executed}


@pytest.mark.parametrize(
    ("orders", "outcome"),
    [
        ([statin("06", "12"), statin("08", "12", "40mg")], "defect"),
        ([statin("06", "08"), statin("08", "12", "40mg")], "pass"),
        ([statin("06", "09"), statin("08", "12", "40mg")], "pass"),
        ([statin("06", "12"), statin("08", "12", "40mg", "qd")], "pass"),
        ([], "not_applicable"),
    ],
)
def test_one_drug_ordered_twice(orders, outcome):
    assert DrugsClash().rule_on(case_of(orders=orders), ()).outcome == outcome


METFORMIN = {"kind": "长期", "category": "药品", "content": "盐酸二甲双胍片 0.5g 口服 bid"}


@pytest.mark.parametrize(("note", "outcome"), [("咳嗽减轻。", "defect"), ("既往糖尿病10年。", "pass")])
def test_a_drug_has_an_indication_somewhere(note, outcome):
    check = DrugWithoutIndication(indications={"降糖药物": "糖尿病"})
    case = case_of(("入院记录", note), orders=[METFORMIN], diagnoses=[{"stage": "出院", "name": "肺炎"}])
    assert check.rule_on(case, ()).outcome == outcome


def test_without_a_table_nothing_is_judged():
    assert DrugWithoutIndication().rule_on(case_of(orders=[METFORMIN]), ()).outcome == "undetermined"
    assert TakeHomeUnfit().rule_on(case_of(orders=[METFORMIN]), ()).outcome == "undetermined"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("诊疗经过：行冠脉支架置入术。\n出院医嘱：阿托伐他汀 20mg。", "defect"),
        ("诊疗经过：行冠脉支架置入术。\n出院医嘱：阿司匹林 100mg。", "pass"),
        ("诊疗经过：行冠脉支架置入术，因消化道出血停用抗血小板药。", "pass"),
        ("诊疗经过：行冠脉造影。\n出院医嘱：阿托伐他汀 20mg。", "pass"),
    ],
)
def test_a_needed_drug_is_taken_home(text, outcome):
    check = TakeHomeUnfit(needed={"冠脉[^。]{0,8}支架置入": "抗血小板药"})
    orders = [{"kind": "出院带药", "category": "药品", "content": "阿托伐他汀钙片 20mg 口服 qn"}]
    assert check.rule_on(case_of(("出院记录", text), orders=orders), ("出院记录",)).outcome == outcome


@pytest.mark.parametrize(
    ("stage", "order", "note", "outcome"),
    [
        ("出院", "氨溴索 30mg", "咳嗽减轻。", "defect"),
        ("出院", "左氧氟沙星片 0.5g", "咳嗽减轻。", "pass"),
        ("出院", "氨溴索 30mg", "考虑病毒所致。", "pass"),
        ("初步", "氨溴索 30mg", "咳嗽减轻。", "not_applicable"),
    ],
)
def test_an_infection_is_treated_or_explained(stage, order, note, outcome):
    case = case_of(
        ("日常病程记录", note),
        orders=[{"category": "药品", "content": order}],
        diagnoses=[{"stage": stage, "name": "肺部感染"}],
    )
    check = InfectionUntreated(infections="肺部感染", explained="病毒")
    assert check.rule_on(case, ()).outcome == outcome


@pytest.mark.parametrize(("disease", "outcome"), [("高血压", "defect"), ("胆囊息肉", "pass")])
def test_an_operation_treats_a_listed_disease(disease, outcome):
    case = case_of(
        procedures=[{"kind": "手术", "name": "胆囊切除术"}], diagnoses=[{"stage": "出院", "name": disease}]
    )
    assert OperationWithoutDiagnosis(targets={"胆囊切除": "胆"}).rule_on(case, ()).outcome == outcome


@pytest.mark.parametrize(
    ("text", "omitted"),
    [
        ("诊疗经过：予抗感染治疗。", "胆囊切除术"),
        ("诊疗经过：行甲状腺切除术。", "胆囊切除术"),
        ("诊疗经过：行LC术。", None),
        ("诊疗经过：全麻下切除胆囊。", None),
    ],
)
def test_the_discharge_record_tells_of_the_operation(text, omitted):
    case = case_of(("出院记录", text), procedures=[{"kind": "手术", "name": "胆囊切除术"}])
    ruling = DischargeOmits().rule_on(case, ("出院记录",))
    assert [hit.details["omitted"] for hit in ruling.hits] == ([omitted] if omitted else [])
