"""Deliveries: blood lost, and the newborn in two places."""

import pytest

from app.qc.case import Case
from app.qc.checks.delivery import NewbornContradicted, PostpartumHaemorrhageUntold, gave_birth
from app.records.model import MedicalRecord

BIRTH = "其他"
HAEMORRHAGE = PostpartumHaemorrhageUntold(told="产后出血", handled="缩宫素|缝合")


def case_of(*texts, diagnosis="孕1产1孕39周LOA顺产", **parts):
    documents = [{"id": f"D{n}", "type": BIRTH, "title": f"文书{n}", "text": t} for n, t in enumerate(texts)]
    diagnoses = [{"stage": "出院", "rank": 1, "name": diagnosis}]
    content = {"record_id": "R", "documents": documents, "diagnoses": diagnoses, **parts}
    return Case(MedicalRecord.model_validate(content))


@pytest.mark.parametrize(
    ("diagnosis", "expected"),
    [
        ("孕2产2孕38周剖宫产分娩", ("孕2产2孕38周剖宫产分娩", True)),
        ("孕1产1孕39周LOA顺产", ("孕1产1孕39周LOA顺产", False)),
        ("剖宫产史", None),
        ("先兆早产", None),
        ("胃癌", None),
    ],
)
def test_birth(diagnosis, expected):
    assert gave_birth(case_of(diagnosis=diagnosis)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("产时出血约499ml。", "not_applicable"),
        ("产时出血约500ml。", "defect"),
        ("产时出血约500ml，诊断产后出血，予缩宫素。", "pass"),
        ("前次分娩出血1500ml。", "undetermined"),
        ("恶露少。", "undetermined"),
    ],
)
def test_haemorrhage(text, expected):
    assert HAEMORRHAGE.rule_on(case_of(text), (BIRTH,)).outcome == expected


@pytest.mark.parametrize(
    ("texts", "page", "expected"),
    [
        (("娩一女活婴，体重3250g。", "一女婴。"), None, "pass"),
        (("娩一女活婴，体重3250g。", "一男婴。"), None, "defect"),
        (("娩一女活婴，体重3250g。", "前次娩一男婴。"), None, "undetermined"),
        (("娩一女活婴，体重3250g。",), {"newborn_birth_weight": 3250.0}, "pass"),
        (("娩一女活婴，体重3250g。",), {"newborn_birth_weight": 3520}, "defect"),
        (("双胎：一女活婴，一男活婴。",), {"newborn_birth_weight": 2520}, "not_applicable"),
    ],
)
def test_newborn(texts, page, expected):
    assert NewbornContradicted().rule_on(case_of(*texts, front_page=page), (BIRTH,)).outcome == expected


def test_a_contradiction_shows_both_places():
    ruling = NewbornContradicted().rule_on(case_of("娩一女活婴。", "娩一男活婴。"), (BIRTH,))
    assert [e.quote for e in ruling.hits[0].evidence] == ["女活婴", "男活婴"]
