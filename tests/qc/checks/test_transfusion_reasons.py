"""Why blood was given, what it did, what was done about a reaction; and grounds for antimicrobials."""

import pytest

from app.qc.case import Case
from app.qc.checks.antimicrobial_reasons import AntimicrobialUnfounded
from app.qc.checks.transfusion_reasons import (
    ReactionUnhandled,
    TransfusionUnevaluated,
    TransfusionUnindicated,
)
from app.records.model import MedicalRecord

NOTE = "日常病程记录"
RED_CELLS = {"category": "输血", "content": "悬浮红细胞 2U", "executed_at": "2026-05-07 10:00"}
UNINDICATED = TransfusionUnindicated(reasons="贫血|出血", explained="出血|手术")


def case_of(text, *, kind=NOTE, at="2026-05-07 09:00", ended="2026-05-16 09:00", **parts):
    documents = [{"id": "D1", "type": kind, "text": text, "written_at": at}]
    encounter = {"admitted_at": "2026-05-05 09:00", "discharged_at": ended}
    content = {"record_id": "R", "encounter": encounter, "documents": documents, **parts}
    return Case(MedicalRecord.model_validate(content))


def haemoglobin(value, at="2026-05-07 06:00", item="血红蛋白"):
    return {"item": item, "value": value, "unit": "g/L", "sampled_at": at}


@pytest.mark.parametrize(
    ("text", "results", "expected"),
    [
        ("贫血，予输血。", [haemoglobin("99")], "pass"),
        ("贫血，予输血。", [haemoglobin("100")], "defect"),
        ("贫血，予输血。", [haemoglobin("120"), haemoglobin("62", "2026-05-07 09:00")], "pass"),
        ("贫血，予输血。", [haemoglobin("120", "2026-05-07 10:01")], "undetermined"),  # after it began
        ("贫血，予输血。", [haemoglobin("120", "2026-05-01 06:00")], "undetermined"),
        ("贫血，予输血。", [haemoglobin("5.8", item="糖化血红蛋白")], "undetermined"),
        ("贫血，予输血。", [haemoglobin("<30")], "undetermined"),
        ("术后出血，予输血。", [haemoglobin("120")], "pass"),
        ("睡眠可。", [haemoglobin("60")], "defect"),
    ],
)
def test_indication(text, results, expected):
    case = case_of(text, orders=[RED_CELLS], lab_results=results)
    assert UNINDICATED.rule_on(case, (NOTE,)).outcome == expected


@pytest.mark.parametrize(
    ("text", "at", "ended", "expected"),
    [
        ("乏力减轻。", "2026-05-08 09:00", "2026-05-16 09:00", "pass"),
        ("乏力。", "2026-05-07 09:59", "2026-05-16 09:00", "defect"),  # written before
        ("乏力减轻。", "2026-05-10 10:00", "2026-05-16 09:00", "pass"),
        ("乏力减轻。", "2026-05-10 10:01", "2026-05-16 09:00", "defect"),
        ("睡眠可。", "2026-05-08 09:00", "2026-05-10 09:59", "not_applicable"),
        ("睡眠可。", "2026-05-08 09:00", None, "not_applicable"),
    ],
)
def test_evaluation(text, at, ended, expected):
    case = case_of(text, at=at, ended=ended, orders=[RED_CELLS], lab_results=[])
    check = TransfusionUnevaluated(words="乏力|血红蛋白", results="血红蛋白")
    assert check.rule_on(case, (NOTE,)).outcome == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("既往输血曾有寒战。开始时间：10:00，过程顺利。", "not_applicable"),
        ("开始时间：10:00，10:30出现寒战。", "defect"),
        ("开始时间：10:00，无寒战。", "not_applicable"),
        ("开始时间：10:00，10:30出现寒战，停止输血。", "pass"),
    ],
)
def test_reaction(text, expected):
    check = ReactionUnhandled(reactions="寒战", handled="停止输血")
    assert check.rule_on(case_of(text, kind="输血记录"), (NOTE,)).outcome == expected


@pytest.mark.parametrize(
    ("content", "kind", "text", "expected"),
    [
        ("头孢曲松 2g qd", "长期", "发热，咳痰。", "pass"),
        ("头孢曲松 2g qd", "长期", "睡眠可。", "defect"),
        ("头孢曲松 2g 术前30分钟", "长期", "睡眠可。", "not_applicable"),
        ("头孢曲松 2g st", "临时", "睡眠可。", "not_applicable"),
        ("妥布霉素滴眼液 滴眼", "长期", "睡眠可。", "not_applicable"),
    ],
)
def test_antimicrobial_grounds(content, kind, text, expected):
    orders = [{"kind": kind, "category": "药品", "content": content, "ordered_at": "2026-05-07 10:00"}]
    check = AntimicrobialUnfounded(grounds="发热|感染")
    assert check.rule_on(case_of(text, orders=orders), (NOTE,)).outcome == expected
