from pathlib import Path

import pytest
import yaml

from app.errors import UserError
from app.qc.catalogue import load_catalogue
from app.qc.examples import run_examples
from app.resources import RULES

GOOD = {
    "code": "F-999",
    "title": "缺某项内容",
    "severity": "minor",
    "points": 1,
    "applies_to": ["入院记录"],
    "check": "section_missing",
    "parameters": {"sections": ["主诉"]},
    "message": "没有写主诉。",
    "suggestion": "补写主诉。",
    "basis": [{"source": "病历书写基本规范", "clause": "第十八条（二）", "level": "national"}],
    "examples": {"fail": ["现病史：腹痛。"], "pass": ["主诉：腹痛2天。"]},
}


def write(folder: Path, *rules: object) -> Path:
    (folder / "form").mkdir(exist_ok=True)
    (folder / "form" / "x.yaml").write_text(yaml.safe_dump(list(rules), allow_unicode=True), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"code": "f-1"}, "code", ""),
        ({"title": "应写明主诉"}, "title", "标题要写缺陷本身"),
        ({"suggestion": "没有写主诉。"}, "整条", "message 与 suggestion 不能相同"),
        ({"check": "no_such_check"}, "整条", "没有名为 no_such_check 的检查"),
        ({"parameters": {"section": ["主诉"]}}, "整条", "parameters.sections："),
        ({"defect_when": "a"}, "整条", "check 与 defect_when 必须且只能有一个"),
        ({"check": None}, "整条", "check 与 defect_when 必须且只能有一个"),
        ({"severity": "hint"}, "整条", "hint 不扣分"),
        ({"basis": [{"source": "约定", "level": "inferred"}]}, "整条", "只有推论依据的规则只能是 hint"),
        ({"basis": []}, "basis", ""),
        ({"examples": {"fail": ["x"]}}, "examples.pass", ""),
        ({"colour": "red"}, "colour", ""),
        ({"applies_to": ["入院记彔"]}, "applies_to.0", ""),
    ],
)
def test_a_broken_rule_is_named_with_file_rule_and_field(tmp_path, change, field, sentence):
    with pytest.raises(UserError) as caught:
        load_catalogue(write(tmp_path, {**GOOD, **change}))
    message = str(caught.value)
    assert "x.yaml" in message
    assert change.get("code", "F-999") in message
    assert f"字段 {field}：" in message
    assert sentence in message


def test_a_condition_over_an_unknown_fact(tmp_path):
    rule = {**GOOD, "check": None, "parameters": {}, "defect_when": "not no_such_fact"}
    with pytest.raises(UserError, match="没有名为 no_such_fact 的事实"):
        load_catalogue(write(tmp_path, rule))


def test_a_code_is_never_used_twice(tmp_path):
    with pytest.raises(UserError, match=r"F-999 已在 .*x.yaml 中定义"):
        load_catalogue(write(tmp_path, GOOD, GOOD))


@pytest.mark.parametrize("content", ["a: [", "code: F-101", "- just text"])
def test_a_file_that_is_no_list_of_rules(tmp_path, content):
    (tmp_path / "form").mkdir()
    (tmp_path / "form" / "x.yaml").write_text(content, "utf-8")
    with pytest.raises(UserError, match=r"x\.yaml"):
        load_catalogue(tmp_path)


CATALOGUE = load_catalogue(RULES)
BY_CODE = [pytest.param(rule, id=rule.code) for rule in CATALOGUE.rules.values()]


@pytest.mark.parametrize("rule", BY_CODE)
def test_every_rule_has_two_examples_of_each_kind(rule):
    assert len(rule.examples.fail) >= 2
    assert len(rule.examples.passing) >= 2


@pytest.mark.parametrize("rule", BY_CODE)
def test_examples(rule, checker):
    wrong = [str(run) for run in run_examples(rule, checker) if not run.is_right]
    assert not wrong


def test_superseded_rules_exist():
    for rule in CATALOGUE.rules.values():
        assert set(rule.supersedes) <= set(CATALOGUE.rules), rule.code
