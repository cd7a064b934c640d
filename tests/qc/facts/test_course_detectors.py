import pytest

from app.qc.facts.detectors import course
from app.records.model import Document
from app.text.reading import Reading


def detected(detector, text, kind, *sections, **document):
    reading = Reading(Document(id="D1", type=kind, text=text, **document))
    found = detector(reading, reading.section(*sections) if sections else None)
    if found is None:
        return None
    assert all(0 <= span.start < span.end <= len(text) for span in found.spans)
    return found.value


@pytest.mark.parametrize(
    ("differential", "value"),
    [
        ("需与胃炎鉴别。", False),
        ("应与结核、淋巴瘤相鉴别。", False),
        ("胃炎：多有反酸，本例无反酸，不支持。", True),
        ("胃炎：多为上腹隐痛，胃镜可鉴别。", None),
        ("", None),
    ],
)
def test_a_differential_weighs_or_only_names(differential, value):
    text = f"初步诊断：腹痛待查。\n鉴别诊断：{differential}\n诊疗计划：查胃镜。"
    assert detected(course.differential_analysed, text, "首次病程记录", "鉴别诊断") is value


@pytest.mark.parametrize(
    ("diagnoses", "value"),
    [
        ("1. 腹痛待查", True),
        ("1. 胆囊结石？", True),
        ("1. 胆囊结石；2. 贫血待查", False),
        ("1. 胆囊结石", False),
    ],
)
def test_the_first_diagnosis_is_open(diagnoses, value):
    text = f"初步诊断：{diagnoses}。\n诊疗计划：查胃镜。"
    assert detected(course.diagnosis_is_open, text, "首次病程记录", "初步诊断") is value


@pytest.mark.parametrize(
    ("text", "participants", "value"),
    [
        ("沈一凡副主任医师查房：同意。", None, True),
        ("沈一凡主任医师查房：同意。", None, True),
        ("沈一凡主治医师查房：同意。", None, False),
        ("沈一凡查房：同意。", [{"role": "主持人", "title": "副主任医师"}], True),
        ("沈一凡查房：同意。", [{"role": "参加者", "title": "主任医师"}], None),
    ],
)
def test_the_rank_of_a_round(text, participants, value):
    found = detected(course.round_is_by_chief, text, "上级医师查房记录", participants=participants)
    assert found is value


@pytest.mark.parametrize(
    ("account", "value"),
    [
        ("常规切除阑尾，过程顺利。", False),
        ("按常规操作完成。", False),
        ("取切口，切除阑尾。", None),
        ("仰卧位，麦氏切口，探查见阑尾化脓，切除阑尾，冲洗，标本送病理。", True),
    ],
)
def test_an_operation_is_told_in_its_aspects(account, value):
    text = f"手术名称：阑尾手术。\n手术经过：{account}"
    assert detected(course.operation_told, text, "手术记录", "手术经过") is value


@pytest.mark.parametrize(
    ("account", "happened", "handled"),
    [
        ("分离时胆管损伤，术毕。", True, False),
        ("分离时胆管损伤，立即修补。", True, True),
        ("无胆管损伤，术毕。", False, None),
        ("避免胆管损伤。", False, None),
    ],
)
def test_a_complication_is_dealt_with(account, happened, handled):
    text = f"手术经过：{account}"
    assert detected(course.complication_in_operation, text, "手术记录") is happened
    assert detected(course.complication_dealt_with, text, "手术记录") is handled


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("2026-05-08 09:00 日常病程记录\n患者病情平稳，继续观察。\n签名：沈一凡", True),
        ("患者病情平稳。血压128/78mmHg。", False),
        ("咳嗽减轻，继续目前治疗。", False),
        ("夜间睡眠差，诉口干明显，家属陪护中。", False),
        ("", False),
    ],
)
def test_a_note_of_stock_phrases_says_nothing(text, nothing):
    assert course.note_says_nothing(Reading(Document(id="D1", type="日常病程记录", text=text))) is nothing
