import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.investigations import (
    drug_class,
    drug_names,
    find_examinations,
    find_item,
    item_names,
    plain_unit,
    regions_in,
    report_regions,
    values_of,
)
from app.text.width import half_width


@pytest.mark.parametrize(
    ("text", "modality", "region"),
    [
        ("头颅MRI示急性梗死。", "MRI", "头颅"),
        ("颅脑磁共振平扫未见异常。", "MRI", "头颅"),
        ("复查头MR，病灶缩小。", "MRI", "头颅"),
        ("ＭＲＩ提示多发缺血灶。", "MRI", None),
        ("肺CT见磨玻璃影。", "CT", "胸部"),
        ("胸片未见异常。", "X线", "胸部"),
        ("超声心动图LVEF 60%。", "超声", "心脏"),
        ("MRCP未见结石。", "MRI", "腹部"),
        ("中段尿培养大肠埃希菌。", "细菌培养", "尿"),
        ("股骨头下型骨折，CT进一步证实。", "CT", None),
    ],
)
def test_examination_and_region(text, modality, region):
    found = find_examinations(half_width(text), modality)
    assert found
    assert region is None or region in found[0].regions
    assert region is not None or not found[0].regions


@pytest.mark.parametrize(
    ("text", "modality"),
    [("OCTA检查", "CT"), ("MRSA感染", "MRI"), ("CTNI升高", "CT"), ("计算器", "CT"), ("ECTOPIC", "CT")],
)
def test_words_that_only_hold_the_letters(text, modality):
    assert find_examinations(text, modality) == ()


@pytest.mark.parametrize(
    ("text", "planned", "elsewhere"),
    [
        ("拟行胸部CT检查", True, False),
        ("昨日完善胸部CT示肺炎", False, False),
        ("外院头颅CT示出血", False, True),
        ("在外院住院。今日头颅CT示出血", False, False),
    ],
)
def test_planned_and_elsewhere(text, planned, elsewhere):
    mention = find_examinations(text, "CT")[0]
    assert (mention.is_planned, mention.is_elsewhere) == (planned, elsewhere)


def test_a_report_site_in_brackets_does_not_count():
    assert report_regions("双下肢静脉（复查）") == report_regions("双下肢静脉")
    assert report_regions(None) == frozenset()


def test_short_region_counts_only_before_the_examination():
    assert "头颅" not in regions_in("股骨头坏死")
    assert "头颅" in regions_in("平扫头")


@pytest.mark.parametrize(
    ("text", "item", "expected"),
    [
        ("血钾2.6mmol/L", "钾", [(2.6, "mmol/L")]),
        ("K+ 2.6 mmol/L", "钾", [(2.6, "mmol/L")]),
        ("血钾：２．６ｍｍｏｌ／Ｌ", "钾", [(2.6, "mmol/L")]),
        ("钾 2.6", "钾", [(2.6, "")]),
        ("血钾（急查）2.6mmol/L", "钾", [(2.6, "mmol/L")]),
        ("氯化钾1.5g静滴", "钾", []),
        ("血钾＞3.5mmol/L", "钾", []),
        ("血钾3.5-5.3mmol/L", "钾", []),
        ("血钾*.*mmol/L", "钾", []),
        ("尿白细胞62个/HP", "白细胞计数", []),
        ("WBC 12.4×10⁹/L", "白细胞计数", [(12.4, "10⁹/L")]),
        ("Hb 56g/L", "血红蛋白", [(56.0, "g/L")]),
        ("HbA1c 7.9%", "血红蛋白", []),
        ("糖化血红蛋白7.9%", "血红蛋白", []),
        ("肌钙蛋白I 0.022ng/mL", "肌钙蛋白I", [(0.022, "ng/mL")]),
    ],
)
def test_quoted_values(text, item, expected):
    half = half_width(text)
    found = [(v.value, v.unit.lstrip("×") if v.unit != "%" else v.unit) for v in values_of(half, item)]
    assert found == expected


@pytest.mark.parametrize(
    "item", ["钾", "白细胞计数", "血红蛋白", "γ-谷氨酰转移酶", "D-二聚体", "不存在的项目"]
)
@given(text=st.text(alphabet="血钾白细胞K+HbGTD-二聚体 2.6:，。*", max_size=60))
def test_items_are_where_they_are_said_to_be(item, text):
    half = half_width(text)
    for span in find_item(half, item):
        assert span.of(half) in item_names(item)


@pytest.mark.parametrize(
    ("a", "b"), [("×10⁹/L", "10^9/L"), ("umol/L", "μmol/L"), ("×10^12/L", "10¹²/L"), ("MMOL/L", "mmol/L")]
)
def test_units_written_differently(a, b):
    assert plain_unit(a) == plain_unit(b)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("注射用头孢哌酮钠舒巴坦钠 3g 静脉滴注 q8h", "头孢哌酮"),
        ("左氧氟沙星氯化钠注射液 0.5g", "左氧氟沙星"),
        ("盐酸二甲双胍片 0.5g", "二甲双胍"),
        ("重酒石酸去甲肾上腺素注射液", "去甲肾上腺素"),
    ],
)
def test_drug_of_an_order(written, name):
    known = drug_class(written)
    assert known is not None
    assert known[0] == name
    assert name in drug_names(written)


def test_a_drink_is_no_drug():
    assert drug_class("温开水 200ml") is None
