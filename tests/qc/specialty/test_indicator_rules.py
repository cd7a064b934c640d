"""Reading indicator files and their logical rules."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.qc.specialty.conditions import AtLeast, Constant, Negation, Statement, compile_indicator
from app.qc.specialty.indicator import Indicator, load_indicators
from app.qc.specialty.store import import_indicators, stored_indicators


def indicator(facts, *symbols, words="如果满足，则符合。"):
    rules = [{"natural language": words, "symbolic language": each} for each in symbols]
    return Indicator.model_validate(
        {"question_rule": "是否符合要求。", "facts": facts, "logical_rules": rules}
    )


def written(node):
    match node:
        case Statement(text):
            return text
        case Constant(value):
            return str(value)
        case Negation(part):
            return f"¬{written(part)}"
        case AtLeast(needed, parts):
            return f"{needed}({' '.join(map(written, parts))})"


CHEST, BONE = "胸部CT检查 = True/False。", "骨显像 = 已进行/未进行。"


@pytest.mark.parametrize(
    ("facts", "symbols", "condition"),
    [
        ([CHEST], ["Fact 1 = True"], "胸部CT检查"),
        ([CHEST], ["fact 1"], "胸部CT检查"),
        ([CHEST], ["Fact 1 = False"], "¬胸部CT检查"),
        ([CHEST, BONE], ["Fact 1 ∧ ¬Fact 2"], "2(胸部CT检查 ¬骨显像已进行)"),
        ([CHEST, BONE], ["(胸部CT检查 = True) ∨ (骨显像 = 已进行)"], "1(胸部CT检查 骨显像已进行)"),
        ([CHEST, BONE], ["骨显像 = 未进行"], "¬骨显像已进行"),
        ([CHEST, BONE], ["【（Fact 1） ∧ Fact 2】"], "2(胸部CT检查 骨显像已进行)"),
        ([CHEST, BONE], ["[(Fact 1 ∧ Fact 2) ∨ Fact 2"], "1(2(胸部CT检查 骨显像已进行) 骨显像已进行)"),
        ([CHEST, BONE], ["Fact 1 ∨ Fact 1 ∧ Fact 2"], "1(胸部CT检查 2(胸部CT检查 骨显像已进行))"),
        ([CHEST, BONE], ["Fact 1", "Fact 2", "Logical Rule 1 ∧ Logical Rules 2"], "2(胸部CT检查 骨显像已进行)"),
        ([CHEST, BONE], ["Fact 1 ∧ (Fact 2 ∨ True)"], "2(胸部CT检查 1(骨显像已进行 True))"),
        ([CHEST, BONE], ["Count += 1 if Fact 1 == T", "Count += 1 if Fact 2 == T", "Count ≥ 2"], "2(胸部CT检查 骨显像已进行)"),
        (["方式。"], ["If Fact 1 ∈ {溶栓, 取栓}, then True."], "方式为溶栓或取栓"),
        (["切缘状态 = 阳性/阴性"], ['Fact 1 = "阳性"'], "切缘状态为阳性"),
        (["病灶处是否有出血。"], ["Fact 1"], "病灶处有出血"),
        (["患者进行体格检查 = True/False"], ["体格检查已完成"], "患者进行体格检查"),
    ],
)  # fmt: skip
def test_styles_of_rules(facts, symbols, condition):
    compiled = compile_indicator(indicator(facts, *symbols))
    assert (written(compiled.condition), compiled.problems) == (condition, ())


def test_a_comparison_names_its_measures():
    facts = ["入院时GCS评分 = X（假设值）。", "出院时GCS评分 = Y（假设值）。"]
    (statement,) = compile_indicator(indicator(facts, "Y >= X")).statements
    assert statement.text == "出院时GCS评分大于或等于入院时GCS评分"
    assert statement.comparison == ("出院时GCS评分", ">=", "入院时GCS评分", None)


def test_a_comparison_with_a_limit():
    (statement,) = compile_indicator(indicator(["糖化血红蛋白 = C（假设值）。"], "C < 7")).statements
    assert statement.comparison == ("糖化血红蛋白", "<", "", 7.0)


def test_what_is_only_said_in_words_becomes_a_statement():
    rule = indicator(
        ["发病时间。", "治疗时间。"],
        "If (Fact 2 - Fact 1) ≤ 24 hours, then True.",
        words="如果发病到治疗小于或等于24小时，则满足要求。",
    )
    assert written(compile_indicator(rule).condition) == "发病到治疗小于或等于24小时"


@pytest.mark.parametrize(
    ("symbols", "problem"),
    [
        ("Fact 3", "规则引用了不存在的 Fact 3"),
        ("Logical Rule 4", "规则引用了不存在的 Logical Rule 4"),
        ("Logical Rule 1", "Logical Rule 1 引用了自己"),
        ("Z < 3", "规则中的“Z”不是任何事实"),
    ],
)
def test_what_cannot_be_read_is_named(symbols, problem):
    compiled = compile_indicator(indicator([CHEST, BONE], symbols))
    assert compiled.problems[0] == problem
    assert written(compiled.condition) == "2(胸部CT检查 骨显像已进行)"


@given(st.text(alphabet="()∧∨¬FactRuleLogical 123=<>TC≥。是"))
def test_no_rule_makes_reading_raise(symbols):
    assert compile_indicator(indicator([CHEST, BONE], symbols)).statements


def stored_file(tmp_path, content):
    path = tmp_path / "指标.json"
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return path


SOUND = {
    "question_rule": "是否完成胸部CT检查。",
    "facts": [CHEST],
    "logical_rules": [{"natural language": "如果Fact 1为真，则符合。", "symbolic language": "Fact 1"}],
}


def test_import_keeps_and_replaces(tmp_path, settings):
    import_indicators(stored_file(tmp_path, {"甲": SOUND, "乙": SOUND}), settings)
    import_indicators(stored_file(tmp_path, {"甲": SOUND | {"definition": "新"}}), settings)
    stored = stored_indicators(settings)
    assert set(stored) == {"甲", "乙"}
    assert stored["甲"].definition == "新"
    assert stored["乙"].logical_rules[0].symbols == "Fact 1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "没有指标"),
        ([], "顶层"),
        ({"甲": SOUND | {"facts": []}}, "“甲”的 facts"),
        ({"甲": {k: v for k, v in SOUND.items() if k != "question_rule"}}, "“甲”的 question_rule"),
        ({"甲": SOUND | {"logical_rules": [{"symbolic language": "Fact 1"}]}}, "“甲”的 logical_rules.0"),
        ({"甲": SOUND | {"facts": [BONE, CHEST], "logical_rules": [{"natural language": "无", "symbolic language": "Fact 9"}]}}, "“甲”有误：规则引用了不存在的 Fact 9"),
    ],
)  # fmt: skip
def test_an_unsound_file_is_refused_and_nothing_kept(tmp_path, settings, content, words):
    with pytest.raises(UserError, match=words):
        import_indicators(stored_file(tmp_path, content), settings)
    assert stored_indicators(settings) == {}


def test_a_file_that_is_no_json(tmp_path):
    path = tmp_path / "指标.json"
    path.write_text("{", "utf-8")
    with pytest.raises(UserError, match="不是 JSON"):
        load_indicators(path)


THREE = [CHEST, "骨显像 = True/False。", "妇科检查 = True/False。"]
ALL_THREE = "胸部CT检查 骨显像 妇科检查"


@pytest.mark.parametrize(
    ("symbols", "condition"),
    [
        ("F1 ∧ F2", "2(胸部CT检查 骨显像)"),
        ("Fact1∧Fact2", "2(胸部CT检查 骨显像)"),
        ("count(Fact 1, Fact 2, Fact 3) ≥ 2", f"2({ALL_THREE})"),
        ("Fact 1 + Fact 2 + Fact 3 > 1", f"2({ALL_THREE})"),
        ("sum(Fact 1，Fact 2，Fact 3) >= 3", f"3({ALL_THREE})"),
        ("at least 2 of (Fact 1, Fact 2, Fact 3)", f"2({ALL_THREE})"),
        ("至少2项(Fact 1, Fact 2, Fact 3)", f"2({ALL_THREE})"),
        ("all(Fact 1, Fact 2)", "2(胸部CT检查 骨显像)"),
        ("any(Fact 1, Fact 2)", "1(胸部CT检查 骨显像)"),
        ("Fact 1、Fact 2 均为True", "2(胸部CT检查 骨显像)"),
        ("Fact 1、Fact 2 任一为True", "1(胸部CT检查 骨显像)"),
        ("Result = Fact 1 ∧ ¬Fact 2", "2(胸部CT检查 ¬骨显像)"),
        ("Logical Rule 1: Fact 1 ∨ Fact 2", "1(胸部CT检查 骨显像)"),
        ("IF Fact 1 THEN Yes", "胸部CT检查"),
        ("Fact 1 ∩ (Fact 2 ∪ Fact 3)", "2(胸部CT检查 1(骨显像 妇科检查))"),
        ("Fact 1 ∧ ~Fact 2", "2(胸部CT检查 ¬骨显像)"),
    ],
)
def test_further_styles_of_rules(symbols, condition):
    compiled = compile_indicator(indicator(THREE, symbols))
    assert (written(compiled.condition), compiled.problems) == (condition, ())


@pytest.mark.parametrize(
    ("fact", "symbols", "condition"),
    [
        ("NIHSS评分 = X。", "3 ≤ X < 5", "2(NIHSS评分小于5 NIHSS评分大于或等于3)"),
        ("左室射血分数 = X%。", "X<40%", "左室射血分数小于40%"),
        ("血红蛋白 = Hb（假设值）。", "110 <= Hb", "血红蛋白大于或等于110"),
        ("出院时血压 = SBP/DBP。", "SBP < 140", "SBP小于140"),
        ("清扫淋巴结站数 = 数量（假设值）。", "Fact 1 >= 3", "清扫淋巴结站数大于或等于3"),
    ],
)
def test_further_styles_of_comparisons(fact, symbols, condition):
    compiled = compile_indicator(indicator([fact], symbols))
    assert (written(compiled.condition), compiled.problems) == (condition, ())


def test_numbers_added_up_count_nothing():
    facts = ["睁眼评分 = E。", "语言评分 = V。"]
    compiled = compile_indicator(indicator(facts, "Fact 1 + Fact 2 >= 2"))
    assert "睁眼评分 语言评分" not in written(compiled.condition)
