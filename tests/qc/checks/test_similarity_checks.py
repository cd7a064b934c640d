import pytest

from app.qc.case import Case
from app.qc.checks.similarity import (
    CopiedError,
    CourseNotSummed,
    DocumentsIdentical,
    PassageRepeated,
    SectionCopied,
    SuccessorsAlike,
    VitalsRepeated,
)
from app.records.model import MedicalRecord

HISTORY = "患者三天前进食油腻后右上腹胀痛，放射至右肩背，伴恶心呕吐，自测体温最高三十七度八，无寒战黄染，当地静滴药物后稍缓解。"
FEATURES = (
    "中年女性，急性起病；右上腹压痛，墨菲征阳性；超声见胆囊颈部结石、囊壁增厚；白细胞升高，淀粉酶正常。"
)
COURSE = "今日查房，精神可，右上腹隐痛减轻，进半流质无不适。腹软，右上腹轻压痛，无反跳痛。复查白细胞下降，继续抗感染、解痉。"


def ruling(check, types, *documents, **parts):
    given = [{"id": f"D{n}", **document} for n, document in enumerate(documents, 1)]
    record = MedicalRecord.model_validate({"record_id": "R", "documents": given, **parts})
    return check.rule_on(Case(record), types)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (HISTORY, "defect"),
        (f"1. {HISTORY}\n2. {FEATURES}", "defect"),
        (HISTORY.replace("三天", "3日"), "defect"),
        (FEATURES, "pass"),
        ("右上腹痛。", "not_applicable"),
    ],
)
def test_features_copied_from_the_history(features, expected):
    check = SectionCopied(
        sections=("病例特点",), source_types=("入院记录",), source_sections=("现病史",), contained=0.95
    )
    found = ruling(
        check,
        ("首次病程记录",),
        {"type": "入院记录", "text": f"现病史：{HISTORY}\n既往史：体健。"},
        {"type": "首次病程记录", "text": f"病例特点：{features}\n诊疗计划：抗感染。"},
    )
    assert found.outcome == expected


def test_each_copy_is_reported_once():
    notes = [{"type": "日常病程记录", "text": f"2026-05-{day} 09:00\n{COURSE}"} for day in (10, 11, 12)]
    found = ruling(DocumentsIdentical(), ("日常病程记录",), *notes)
    assert [hit.document_id for hit in found.hits] == ["D2", "D3"]


def test_many_different_notes_are_no_copies():
    notes = [
        {"type": "日常病程记录", "text": "".join(chr(0x4E00 + (n * 97 + i * 31) % 5000) for i in range(300))}
        for n in range(12)
    ]
    assert ruling(DocumentsIdentical(), ("日常病程记录",), *notes).outcome == "pass"


@pytest.mark.parametrize(("extra", "expected"), [("", "defect"), (FEATURES, "defect"), (None, "pass")])
def test_a_passage_found_again(extra, expected):
    text = COURSE if extra is None else f"主治医师查房。{HISTORY}{extra}"
    check = PassageRepeated(
        source_types=("首次病程记录",), source_sections=("拟诊讨论",), minimum_characters=30
    )
    found = ruling(
        check,
        ("上级医师查房记录",),
        {"type": "首次病程记录", "text": f"拟诊讨论：{HISTORY}\n诊疗计划：抗感染。"},
        {"type": "上级医师查房记录", "text": text},
    )
    assert found.outcome == expected


def test_only_neighbours_of_one_type_are_compared():
    plan = f"诊疗经过：{HISTORY}\n诊疗计划：{COURSE}"
    check = SuccessorsAlike(sections=("诊疗经过", "诊疗计划"))
    documents = [{"type": "交接班记录", "text": plan}, {"type": "阶段小结", "text": plan}]
    assert ruling(check, ("交接班记录", "阶段小结"), *documents).outcome == "not_applicable"
    assert (
        ruling(check, ("交接班记录",), *documents, {"type": "交接班记录", "text": plan}).outcome == "defect"
    )


@pytest.mark.parametrize(
    ("third", "expected"),
    [
        ("T 36.5℃，P 78次/分，R 18次/分，BP 120/80mmHg", "defect"),
        ("T 36.5℃，P 78次/分，R 18次/分，BP 122/80mmHg", "pass"),
    ],
)
def test_vital_signs_in_a_row(third, expected):
    same = "T 36.5℃，P 78次/分，R 18次/分，BP 120/80mmHg"
    notes = [
        {"type": "日常病程记录", "text": text, "written_at": f"2026-05-1{n} 09:00"}
        for n, text in enumerate((same, same, third))
    ]
    assert ruling(VitalsRepeated(), ("日常病程记录",), *notes).outcome == expected


@pytest.mark.parametrize(
    ("discharged", "expected"), [("2026-05-08 10:00", "not_applicable"), ("2026-05-08 10:01", "defect")]
)
def test_a_summary_that_sums_nothing(discharged, expected):
    found = ruling(
        CourseNotSummed(),
        ("出院记录",),
        {"type": "出院记录", "text": f"诊疗经过：{COURSE}\n出院情况：好转。"},
        {"type": "日常病程记录", "text": COURSE},
        encounter={"admitted_at": "2026-05-06 10:00", "discharged_at": discharged},
    )
    assert found.outcome == expected


@pytest.mark.parametrize(
    ("second_day", "said", "expected"),
    [
        (13, "术后第2天", "defect"),
        (11, "术后第2天", "pass"),  # a day's difference may be another way of counting
        (13, "术后第5天", "pass"),
        (13, "", "undetermined"),
    ],
)
def test_a_copied_count_of_days(second_day, said, expected):
    first = "术后第2天" if said else ""
    found = ruling(
        CopiedError(),
        ("日常病程记录",),
        {"type": "日常病程记录", "written_at": "2026-05-10 09:00", "text": f"{first}。{COURSE}"},
        {"type": "日常病程记录", "written_at": f"2026-05-{second_day} 09:00", "text": f"{said}。{COURSE}"},
        procedures=[{"kind": "手术", "name": "胆囊切除术", "started_at": "2026-05-08 09:00"}],
    )
    assert found.outcome == expected
