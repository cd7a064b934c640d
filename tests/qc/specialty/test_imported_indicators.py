"""Imported indicators as rules: whose they are, what they say, and that they can be taken away again."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.assembly import open_checker, open_rules, rule_reference, whole_catalogue
from app.cli.rules import rules_app
from app.errors import UserError
from app.qc.case import Case
from app.qc.render.rule_docs import render_rule_text, rule_page
from app.qc.scoring import RuleChange, load_profile
from app.qc.specialty.eligibility import eligibility, subject_of
from app.qc.specialty.excerpt import excerpt
from app.qc.specialty.indicator import Indicator
from app.qc.specialty.store import import_indicators, remove_indicator, stored_indicators
from app.records.readers.json_record import parse_record
from app.resources import RULES
from tests.support.model_server import ModelServer, Reply, Token

CHEST_CT = {
    "denominator": "同期住院的支气管扩张患者总数",
    "numerator": "完成胸部CT检查的支气管扩张患者数",
    "question_rule": "是否符合完成胸部CT检查的要求。",
    "facts": ["胸部CT检查 = True/False。"],
    "logical_rules": [{"natural language": "如果Fact 1为真，则符合。", "symbolic language": "Fact 1"}],
}
NAME = "支气管扩张质控指标_支气管扩张患者胸部CT检查率"


def record(*texts, **more):
    documents = [{"id": f"D{n}", "type": kind, "text": text} for n, (kind, text) in enumerate(texts, start=1)]
    return parse_record({"record_id": "R", "documents": documents, **more}, "测试")[0]


def admission(words, diagnosis="支气管扩张"):
    return record(("入院记录", f"主诉：咳嗽、咳痰3年。\n辅助检查：{words}\n初步诊断：{diagnosis}"))


DONE = "胸部CT检查：双下肺支气管柱状扩张。"
NOT_DONE = "血常规未见异常。"


@pytest.fixture
def imported(tmp_path, settings):
    def bring(content=None):
        path = tmp_path / "指标.json"
        path.write_text(json.dumps(content or {NAME: CHEST_CT}, ensure_ascii=False), "utf-8")
        return import_indicators(path, settings)

    return bring


def judged(settings, stay):
    with open_checker(settings, use_model=False) as checker:
        report = checker.check(stay)
    found = [finding for finding in report.result.findings if finding.rule == "S-001"]
    return report.result.outcomes["S-001"], report.reasons.get("S-001", ""), found


@pytest.mark.parametrize(
    ("stay", "outcome", "why"),
    [
        (admission(DONE), "pass", ""),
        (admission(NOT_DONE), "defect", ""),
        (admission(NOT_DONE, "慢性胃炎"), "not_applicable", "没有支气管扩张的诊断"),
        (admission(NOT_DONE, "支气管扩张待查"), "undetermined", "没有确定的诊断"),
        (admission(NOT_DONE, "慢性胃炎\n2.支气管扩张待查"), "not_applicable", "没有支气管扩张的诊断"),
        (record(("入院记录", "主诉：咳嗽3天。")), "undetermined", "病历没有确定的诊断"),
        (record(("入院记录", "家族史：父亲患支气管扩张。")), "undetermined", "病历没有确定的诊断"),
        (record(("日常病程记录", f"患者支气管扩张，{DONE}")), "pass", ""),
    ],
)
def test_outcomes(imported, settings, stay, outcome, why):
    imported()
    found, reason, _ = judged(settings, stay)
    assert (found, why in reason) == (outcome, True)


def test_a_finding_says_what_is_missing_and_quotes_the_record(imported, settings):
    imported()
    stay = admission("胸部X线：双肺纹理增粗。")
    outcome, _, (finding,) = judged(settings, stay)
    assert outcome == "defect"
    assert (finding.severity, finding.points, finding.engine, finding.ai_label) == ("hint", 0.0, "rule", None)
    assert "胸部CT检查" in finding.message
    assert "胸部CT检查" in finding.suggestion
    assert finding.basis[0].level == "hospital"
    for each in finding.evidence:
        assert stay.documents_by_id[each.document_id].text[each.start : each.end] == each.quote
    assert 0.5 < finding.confidence <= 1


def test_results_in_the_data_count(imported, settings):
    imported()
    report = {"modality": "CT", "site": "胸部", "impression": "双下肺支气管扩张"}
    stay = record(("入院记录", "初步诊断：支气管扩张"), exam_reports=[report])
    assert judged(settings, stay)[0] == "pass"


def test_the_rule_is_listed_and_explained(imported, settings):
    imported()
    assert open_rules(settings)["S-001"].title == "未达到指标：支气管扩张患者胸部CT检查率"
    reference = rule_reference(settings)
    assert "胸部CT检查" in render_rule_text(rule_page(reference.checker.rules["S-001"], reference))


def test_the_rule_as_json_changes_with_the_indicator(imported, settings):
    imported()
    first = open_rules(settings)["S-001"].model_dump_json()
    imported({NAME: CHEST_CT | {"facts": ["胸部MRI检查 = True/False。"]}})
    assert first != open_rules(settings)["S-001"].model_dump_json()


def test_the_file_may_ask_for_points(imported, settings):
    imported({NAME: CHEST_CT | {"points": 2}})
    rule = open_rules(settings)["S-001"]
    assert (rule.severity, rule.points) == ("minor", 2)


def test_a_profile_may_ask_for_points(imported, settings):
    imported()
    profile = load_profile(RULES / "profiles", "national")
    changed = profile.model_copy(update={"rules": {"S-001": RuleChange(severity="major", points=3)}})
    rule = changed.applied_to(whole_catalogue(settings).rules)["S-001"]
    assert (rule.severity, rule.points) == ("major", 3)
    assert rule.built_check.rule_on(Case(admission(DONE)), ()).outcome == "pass"


def test_with_a_model_the_finding_is_labelled(imported, settings):
    imported({NAME: CHEST_CT | {"facts": ["患者接受随访宣教 = True/False。"]}})
    answers = Reply('"否"', tokens=[Token('"'), Token("否", 0.99, {"是": 0.01}), Token('"')])
    with ModelServer(answers) as server:
        asking = settings.model_copy(update={"model": server.url})
        with open_checker(asking, use_model=True) as checker:
            report = checker.limited_to({"S-001"}).check(admission(NOT_DONE))
    assert server.requests
    assert report.result.outcomes["S-001"] == "defect"
    # The double is not the model that the shipped calibration was fitted with: words decide, and no label is due.
    assert {(f.engine, f.ai_label) for f in report.result.findings} == {("rule", None)}


def test_codes_stay_and_are_used_again(imported, settings):
    imported({NAME: CHEST_CT, "乙_率": CHEST_CT})
    assert {each.code for each in imported({"乙_率": CHEST_CT, "丙_率": CHEST_CT}).values()} == {
        "S-002",
        "S-003",
    }
    assert remove_indicator("S-001", settings) == NAME
    assert imported({"丁_率": CHEST_CT})["丁_率"].code == "S-001"
    assert remove_indicator("乙_率", settings) == "乙_率"
    assert set(stored_indicators(settings)) == {"丙_率", "丁_率"}
    with pytest.raises(UserError, match="没有导入过"):
        remove_indicator("S-050", settings)


def test_more_than_fit_are_refused(imported):
    with pytest.raises(UserError, match="已用完"):
        imported({f"甲{n}_率": CHEST_CT for n in range(100)})


def test_a_hint_takes_no_points(imported):
    with pytest.raises(UserError, match="points 只能为 0"):
        imported({NAME: CHEST_CT | {"severity": "hint", "points": 1}})


@pytest.mark.parametrize(
    ("name", "more", "stay", "value"),
    [
        ("肺癌_肺癌切除术率", {}, admission("", "右肺上叶癌"), True),
        ("肺癌_肺癌切除术率", {}, admission("", "肺癌待排"), None),
        ("肺癌质控指标_某率", {"departments": ["胸外科"]}, admission("", "肺癌"), None),
        ("某_某率", {"diagnoses": ["胃癌", "肺癌"]}, admission("", "肺腺癌"), True),
        ("急性心肌梗死（STEMI）质控指标_某率", {}, admission("", "急性非ST段抬高型心肌梗死"), False),
        ("脑血管造影术质控指标_某率", {}, record(("日常病程记录", "今日行脑血管造影，过程顺利。")), True),
        ("脑血管造影术质控指标_某率", {}, record(("日常病程记录", "未行脑血管造影。")), False),
        ("胆囊炎_手术率", {}, record(("入院记录", "初步诊断：胆囊炎"), procedures=[]), False),
        ("胆囊炎_手术率", {}, record(("入院记录", "初步诊断：胆囊炎")), True),
        ("肺癌_首次非手术治疗前某率", {}, record(("入院记录", "初步诊断：肺癌"), procedures=[]), True),
    ],
)  # fmt: skip
def test_whose_indicator_it_is(name, more, stay, value):
    indicator = Indicator.model_validate(CHEST_CT | {"denominator": ""} | more)
    assert eligibility(Case(stay), subject_of(name, indicator)).value is value


def test_an_excerpt_of_a_long_record_keeps_what_tells_and_points_back():
    filler = "患者一般情况可，生命体征平稳，继续目前治疗。\n" * 150
    stay = record(
        ("入院记录", f"主诉：咳嗽3年。\n现病史：{filler}"), ("日常病程记录", f"{filler}胸部CT示支气管扩张。")
    )
    note = excerpt(Case(stay), ["胸部CT检查"])
    assert len(note.text) < 2400
    assert "主诉：咳嗽3年" in note.text
    start = note.text.index("胸部CT示")
    evidence = note.evidence((type(note.lines[0].span))(start, start + 10))
    assert (evidence.document_id, evidence.quote) == ("D2", "胸部CT示支气管扩张")
    assert note.evidence((type(note.lines[0].span))(0, 3)) is None


def test_the_commands(tmp_path, monkeypatch):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "指标.json"
    examples = [{"note": DONE, "reached": True}, {"note": NOT_DONE, "reached": True}]
    path.write_text(json.dumps({NAME: CHEST_CT | {"examples": examples}}, ensure_ascii=False), "utf-8")
    imported = run("import", path)
    assert f"S-001 {NAME}：事实 1 项，规则 1 条；用于诊断有支气管扩张的患者" in imported.output
    assert "第 2 个例子" in imported.output
    assert "S-001" in run("list").output
    assert "已删去" in run("remove", "S-001").output
    assert "S-001" not in run("list").output


def run(*arguments: str | Path):
    app = typer.Typer()
    app.add_typer(rules_app, name="rules")
    result = CliRunner().invoke(app, ["rules", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result
