"""Checks of 再入院主诉, frozen sections, gestation, susceptibility and courses of antimicrobials: the boundaries."""

import pytest

from app.qc.case import Case
from app.qc.checks.antimicrobial_course import AntimicrobialCourseUnexplained, ProphylaxisProlonged
from app.qc.checks.frozen_section import FrozenSectionUnexplained
from app.qc.checks.gestation import GestationContradicted
from app.qc.checks.readmission import ComplaintOfLastStay
from app.qc.checks.susceptibility import ResistantDrugContinued
from app.records.model import MedicalRecord

STAY = {"admitted_at": "2026-05-05 09:00", "discharged_at": "2026-05-26 09:00"}
NOTES = ("日常病程记录",)


def outcome(check, types=NOTES, **content):
    record = MedicalRecord.model_validate({"record_id": "R", "encounter": STAY, **content})
    return check.rule_on(Case(record), types).outcome


def note(text, written_at="2026-05-12 09:00", kind="日常病程记录", name="N"):
    return {"id": name, "type": kind, "text": text, "written_at": written_at}


def order(content, since, until):
    times = {"ordered_at": since, "executed_at": since, "stopped_at": until}
    return {"kind": "长期", "category": "药品", "content": content, **times}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("停经39+2周。末次月经2025年8月3日。", "pass"),
        ("停经38+2周。末次月经2025年8月3日。", "pass"),  # exactly one week off
        ("停经38+1周。末次月经2025年8月3日。", "defect"),
        ("停经39+2周。末次月经2025年8月3日，预产期2026年5月10日。", "pass"),
        ("停经39+2周。末次月经2025年8月3日，预产期2026年5月18日。", "defect"),
        ("停经35周。末次月经2025年8月3日，超声核实孕周。", "not_applicable"),
        ("停经35周。末次月经8月3日。", "undetermined"),
        ("停经35周。末次月经****年8月3日。", "undetermined"),
        ("停经35周。末次月经2015年8月3日。", "pass"),  # a slip of the year is another rule's
        ("末次月经2026年4月20日。", "not_applicable"),
    ],
)
def test_gestation(text, expected):
    stay = {"admitted_at": "2026-05-05 09:00"}
    documents = [note(text, kind="入院记录")]
    assert outcome(GestationContradicted(), ("入院记录",), encounter=stay, documents=documents) == expected


TESTED = {"panel": "痰培养", "item": "头孢曲松", "value": "耐药", "reported_at": "2026-05-08 09:00"}


@pytest.mark.parametrize(
    ("until", "text", "result", "expected"),
    [
        ("2026-05-09 09:00", "咳嗽同前。", {}, "pass"),  # exactly 24 hours
        ("2026-05-09 09:01", "咳嗽同前。", {}, "defect"),
        ("2026-05-12 09:00", "药敏示耐药，临床有效，继续。", {}, "pass"),
        ("2026-05-12 09:00", "咳嗽同前。", {"value": "S"}, "pass"),
        ("2026-05-12 09:00", "咳嗽同前。", {"value": "R"}, "defect"),
        ("2026-05-12 09:00", "咳嗽同前。", {"item": "美罗培南"}, "pass"),  # of a drug not given
        ("2026-05-12 09:00", "咳嗽同前。", {"reported_at": None}, "undetermined"),
        ("2026-05-12 09:00", "咳嗽同前。", {"item": "白细胞", "value": "12"}, "not_applicable"),
    ],
)
def test_a_resistant_drug(until, text, result, expected):
    content = {
        "lab_results": [{**TESTED, **result}],
        "orders": [order("头孢曲松 2g 静滴 qd", "2026-05-05 10:00", until)],
        "documents": [note(text)],
    }
    assert outcome(ResistantDrugContinued(), **content) == expected


def test_resistance_in_a_report_of_culture():
    content = {
        "exam_reports": [
            {
                "modality": "细菌培养",
                "impression": "大肠埃希菌，头孢曲松：耐药",
                "reported_at": "2026-05-08 09:00",
            }
        ],
        "orders": [order("头孢曲松 2g 静滴 qd", "2026-05-05 10:00", "2026-05-12 09:00")],
        "documents": [note("咳嗽同前。")],
    }
    assert outcome(ResistantDrugContinued(), **content) == "defect"


COURSE = AntimicrobialCourseUnexplained(together="联合", prolonged="疗程", special="结核")


@pytest.mark.parametrize(
    ("orders", "text", "expected"),
    [
        ([("头孢曲松", "05-05 10:00", "05-18 10:00")], "略。", "pass"),  # 14 days
        ([("头孢曲松", "05-05 10:00", "05-19 10:00")], "略。", "defect"),
        ([("头孢曲松", "05-05 10:00", "05-19 10:00")], "疗程拟延长。", "pass"),
        (
            [("头孢曲松", "05-05 10:00", "05-08 10:00"), ("莫西沙星", "05-07 10:00", "05-10 10:00")],
            "略。",
            "defect",
        ),
        (
            [("头孢曲松", "05-05 10:00", "05-08 10:00"), ("莫西沙星", "05-08 09:00", "05-10 10:00")],
            "略。",
            "pass",
        ),
        (
            [("头孢曲松", "05-05 10:00", "05-08 10:00"), ("头孢曲松", "05-07 10:00", "05-10 10:00")],
            "略。",
            "pass",
        ),
        ([], "略。", "not_applicable"),
    ],
)
def test_courses_of_antimicrobials(orders, text, expected):
    given = [order(f"{drug} 1g 静滴 qd", f"2026-{since}", f"2026-{until}") for drug, since, until in orders]
    assert outcome(COURSE, orders=given, documents=[note(text)]) == expected


PROPHYLAXIS = ProphylaxisProlonged(long_for="心脏", explained="感染")


@pytest.mark.parametrize(
    ("name", "since", "until", "incision", "text", "expected"),
    [
        ("疝修补术", "05-07 08:30", "05-08 10:00", "Ⅰ", "略。", "pass"),  # exactly 24 hours
        ("疝修补术", "05-07 08:30", "05-08 10:01", "Ⅰ", "略。", "defect"),
        ("心脏瓣膜置换术", "05-07 08:30", "05-09 10:00", "Ⅰ", "略。", "pass"),
        ("疝修补术", "05-05 10:00", "05-10 10:00", "Ⅰ", "略。", "not_applicable"),  # treatment goes on
        ("疝修补术", "05-07 08:30", "05-10 10:00", "Ⅱ", "略。", "not_applicable"),
        ("疝修补术", "05-07 08:30", "05-10 10:00", None, "略。", "undetermined"),
        ("疝修补术", "05-07 08:30", "05-10 10:00", None, "Ⅱ类切口，甲级愈合。", "undetermined"),
        ("疝修补术", "05-07 08:30", "05-10 10:00", "Ⅰ", "切口感染，继续用药。", "not_applicable"),
        (
            "疝修补术",
            "05-10 08:30",
            "05-12 10:00",
            "Ⅰ",
            "略。",
            "pass",
        ),  # begun days later, for something else
    ],
)
def test_prophylaxis(name, since, until, incision, text, expected):
    content = {
        "procedures": [
            {"kind": "手术", "name": name, "started_at": "2026-05-07 09:00", "ended_at": "2026-05-07 10:00"}
        ],
        "orders": [order("头孢唑林 1g 静滴 bid", f"2026-{since}", f"2026-{until}")],
        "documents": [note(text)],
    }
    if incision:
        content["front_page"] = {"operation_main": name, "operation_main_incision_class": incision}
    assert outcome(PROPHYLAXIS, **content) == expected


@pytest.mark.parametrize(
    ("frozen", "final", "text", "expected"),
    [
        ("纤维腺瘤", "浸润性癌", "切口干燥。", "defect"),
        ("浸润性癌", "纤维腺瘤", "切口干燥。", "defect"),
        ("未见癌，乳腺增生", "乳腺增生", "切口干燥。", "pass"),
        ("倾向恶性", "纤维腺瘤", "切口干燥。", "undetermined"),
        ("纤维腺瘤", "浸润性癌", "石蜡为癌，与冰冻不符，系取材所限。", "pass"),
        ("纤维腺瘤", "浸润性癌", "病理已回报。", "undetermined"),
        (None, "浸润性癌", "切口干燥。", "not_applicable"),
    ],
)
def test_frozen_section_and_histology(frozen, final, text, expected):
    reports = [
        {"modality": "病理", "site": "乳腺", "impression": final, "reported_at": "2026-05-11 09:00"},
        *([{"modality": "病理", "site": "乳腺术中冰冻", "impression": frozen}] if frozen else []),
    ]
    assert outcome(FrozenSectionUnexplained(), exam_reports=reports, documents=[note(text)]) == expected


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("主诉：咳嗽3天。", "主诉：咳嗽3天。\n现病史：2周前咳嗽。", "defect"),
        ("主诉：咳嗽 3天", "主诉：咳嗽3天。\n现病史：2周前咳嗽。", "defect"),
        ("主诉：咳嗽3天。", "主诉：咳嗽3天。\n现病史：3天前咳嗽。", "pass"),
        ("主诉：咳嗽4天。", "主诉：咳嗽3天。\n现病史：2周前咳嗽。", "pass"),
        ("主诉：化疗后3周。", "主诉：化疗后3周。\n现病史：2周前化疗。", "not_applicable"),
        (None, "主诉：咳嗽3天。\n现病史：2周前咳嗽。", "undetermined"),
    ],
)
def test_a_complaint_taken_over(before, now, expected):
    documents = [note(now, "2026-05-05 12:00", "再次或多次入院记录", "D2")]
    if before:
        documents.insert(0, note(before, "2026-01-05 12:00", "入院记录", "D1"))
    assert outcome(ComplaintOfLastStay(), ("再次或多次入院记录",), documents=documents) == expected
