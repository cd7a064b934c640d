"""What the words of a note say about a statement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.specialty.conditions import Comparison, Statement
from app.qc.specialty.detecting import definitions_in, detect


@pytest.mark.parametrize(
    ("statement", "note"),
    [
        ("盆腔MRI已进行", "查盆腔磁共振：膀胱壁增厚。"),
        ("全身骨显像已进行", "外院骨扫描未见浓聚。"),
        ("患者接受了利尿剂治疗", "予呋塞米20mg静推。"),
        ("颈部III淋巴结清扫", "清扫Ⅱ-Ⅳ区淋巴结。"),
        ("淋巴结站点4清扫", "清扫第2、4、7组淋巴结。"),
        ("24小时尿蛋白定量完成", "24h尿蛋白定量2.1g。"),
        ("治疗方式为PCI或静脉溶栓", "于前降支植入支架一枚。"),
    ],
)
def test_other_words_for_it_are_found(statement, note):
    found = detect(note, Statement(statement))
    assert found.sentence > 0.6
    assert found.claimed == 1
    assert note[slice(*found.span)].strip() in note


@pytest.mark.parametrize(
    ("statement", "note"),
    [
        ("颈部V淋巴结清扫", "清扫Ⅱ-Ⅳ区淋巴结。"),
        ("淋巴结站点4清扫", "肿物大小4cm，已切除。"),
        ("患者接受了利尿剂治疗", "予头孢曲松抗感染。"),
    ],
)
def test_near_misses(statement, note):
    assert detect(note, Statement(statement)).sentence < 0.7


@pytest.mark.parametrize(
    ("statement", "note", "claimed", "planned"),
    [
        ("静脉溶栓治疗", "给予静脉溶栓。", 1, False),
        ("静脉溶栓治疗", "未行静脉溶栓。", -1, False),
        ("胸部CT检查", "建议行胸部CT。", 1, True),
    ],
)
def test_what_is_claimed(statement, note, claimed, planned):
    found = detect(note, Statement(statement))
    assert (found.claimed, found.planned) == (claimed, planned)


@pytest.mark.parametrize(
    ("note", "examination"),
    [
        ("胸部CT：双肺清晰。", 1),
        ("CT检查：胸部未见异常。", 1),
        ("头颅CT：未见出血。", -1),
        ("拟行胸部CT。", -1),
        ("血常规正常。", -1),
    ],
)
def test_an_examination_of_a_region(note, examination):
    assert detect(note, Statement("胸部CT检查")).examination == examination


DISCHARGE_NOT_WORSE = Comparison("出院时GCS评分", ">=", "入院时GCS评分", None)
SMALL = Comparison("肿瘤直径", "<", "", 3.0)
CONTROLLED = Comparison("糖化血红蛋白", "<", "", 7.0)


@pytest.mark.parametrize(
    ("comparison", "note", "truth"),
    [
        (DISCHARGE_NOT_WORSE, "入院时GCS评分9分。出院时神清，GCS评分15分。", True),
        (DISCHARGE_NOT_WORSE, "入院时GCS评分9分。出院时昏迷，GCS评分3分。", False),
        (DISCHARGE_NOT_WORSE, "入院时GCS评分9分。好转出院。", None),
        (SMALL, "病灶大小约25mm×20mm。", True),
        (SMALL, "病灶大小约5.3×2.1cm。", False),
        (SMALL, "颅内占位。", None),
        (CONTROLLED, "HbA1c 6.4%。", True),
        (CONTROLLED, "糖化血红蛋白：8.2%。", False),
    ],
)
def test_numbers_are_compared(comparison, note, truth):
    assert detect(note, Statement("比较", None, comparison)).compared is truth


@pytest.mark.parametrize(
    ("statement", "note", "truth"),
    [
        ("发病4.5小时内静脉溶栓", "主诉：言语不清2小时。", True),
        ("发病4.5小时内静脉溶栓", "主诉：言语不清2天。", False),
        ("发病4.5小时内静脉溶栓", "言语不清。", None),
        ("入院24小时内完成检查", "主诉：言语不清2小时。", None),
    ],
)
def test_time_since_onset(statement, note, truth):
    assert detect(note, Statement(statement)).compared is truth


@pytest.mark.parametrize(
    ("statement", "note", "truth"),
    [
        ("病理显示切缘状态为阳性", "病理：腺癌，切缘阴性。", False),
        ("病理显示切缘状态为阳性", "病理：腺癌，上切缘查见癌，下切缘未见癌。", True),
        ("病理显示切缘状态为阴性", "病理：腺癌，侧切缘及基底干净。", True),
        ("病理显示切缘状态为阳性", "病理：腺癌，侵及黏膜下层。", None),
    ],
)
def test_results(statement, note, truth):
    assert detect(note, Statement(statement)).compared is truth


@given(st.text(alphabet="胸部CT检查未见，。；\n 3.5cmⅡ(+)", max_size=80))
def test_every_share_is_a_share_and_every_span_lies_in_the_note(note):
    found = detect(note, Statement("胸部CT检查完成"))
    assert 0 <= found.sentence <= found.note <= 1
    assert found.span is None or 0 <= found.span.start < found.span.end <= len(note)


@pytest.mark.parametrize(
    ("note", "claimed"),
    [
        ("予阿替普酶静脉溶栓。", 1),
        ("患者已超过静脉溶栓时间窗。", -1),
        ("家属拒绝静脉溶栓。", -1),
        ("患者有静脉溶栓禁忌。", -1),
        ("暂不予静脉溶栓。", -1),
        ("家属同意静脉溶栓。", 1),
    ],
)
def test_what_was_refused_or_too_late_was_not_done(note, claimed):
    assert detect(note, Statement("静脉溶栓治疗")).claimed == claimed


@pytest.mark.parametrize(
    ("note", "statement", "truth"),
    [
        ("血红蛋白 121g/L。", "血红蛋白≥110g/L", True),
        ("血红蛋白 98g/L。", "血红蛋白≥110g/L", False),
        ("血红蛋白 98g/L。", "血红蛋白不低于110g/L", False),
        ("LVEF 35%。", "LVEF小于40%", True),
        ("LVEF 55%。", "LVEF低于40%", False),
        ("NIHSS评分 6分。", "NIHSS评分不超过5分", False),
        ("NIHSS评分 6分。", "NIHSS评分至少5分", True),
        ("未查。", "血红蛋白≥110g/L", None),
        ("血红蛋白 121g/L。", "血红蛋白检查", None),
    ],
)
def test_a_limit_in_the_words_of_a_statement_is_compared(note, statement, truth):
    assert detect(note, Statement(statement)).compared is truth


def test_an_indicators_own_definition_tells_what_a_term_comprises():
    own = definitions_in("镇痛策略包括：患者自控镇痛、神经阻滞。", "某引流（如T管、鼻胆管）")
    assert own == (("镇痛", ("患者自控镇痛", "神经阻滞")), ("某引流", ("T管", "鼻胆管")))
    alone, defined = (detect("术后行神经阻滞。", Statement("镇痛"), given) for given in ((), own))
    assert alone.sentence < defined.sentence


def test_a_mere_modality_does_not_stand_for_a_region():
    assert definitions_in("腹部影像（CT或腹部超声）") == (("腹部影像", ("腹部超声",)),)


def test_what_no_list_knows_is_told_apart():
    assert detect("无。", Statement("胸部CT")).known > detect("无。", Statement("某某某某")).known == 0
