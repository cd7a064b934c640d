"""The evaluation of specialty indicators, and the commands around it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from app.cli.calibrate import calibrate
from app.cli.evaluate_facts import evaluate_facts
from app.cli.import_rules import import_rules
from app.errors import UserError
from app.qc.specialty.judging import load_calibrations
from eval.facts import Evaluation, Judged, LabelledFact, LabelledItem, load_items
from tests.support.model_server import ModelServer, Reply, Token

INDICATORS = {
    f"指标{g}": {
        "question_rule": "是否完成胸部CT检查。",
        "numerator": "完成胸部CT检查的患者",
        "facts": ["胸部CT检查 = True/False。"],
        "logical_rules": [{"natural language": "如果Fact 1为真，则符合。", "symbolic language": "Fact 1"}],
        "examples": [
            {"note": "胸部CT未见异常。", "reached": True},
            {"note": "血常规正常。", "reached": True},
        ],
    }
    for g in range(6)
}


def item(indicator, note, label, result):
    fact = {"Fact": "胸部CT检查 = True/False。", "Original Text": "", "Result": result}
    return {"unique_id": indicator, "patient note": note, "facts": [fact], "label": label}


ITEMS = [
    entry
    for name in INDICATORS
    for entry in [
        item(name, "胸部CT未见异常。", "Yes", "True"),
        item(name, "血常规正常。", "No", "无法判断"),
    ]
    * 6
]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    items, indicators = tmp_path / "条目.jsonl", tmp_path / "指标.json"
    items.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in ITEMS), "utf-8")
    indicators.write_text(json.dumps(INDICATORS, ensure_ascii=False), "utf-8")
    return items, indicators


def run(command, *arguments):
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_the_json_of_the_command(files, tmp_path):
    items, indicators = files
    predictions = tmp_path / "判断.jsonl"
    options = ["--format", "cmqcic", "--indicators", indicators, "--no-model", "--predictions", predictions]
    found = json.loads(run(evaluate_facts, items, *options).stdout)
    assert (found["n"], found["accuracy"], found["undetermined"]) == (72, 1.0, 0)
    assert set(found["by_indicator"]) == set(INDICATORS)
    assert found["by_indicator"]["指标0"]["n"] == 12
    assert (found["fact_n"], found["fact_accuracy"], found["by_model"]) == (72, 1.0, 0)
    assert json.loads(predictions.read_text("utf-8").splitlines()[1])["predicted"] == "No"


def test_the_table_of_the_command(files):
    items, indicators = files
    shown = run(
        evaluate_facts, items, "--indicators", indicators, "--no-model", "--format-out", "text"
    ).stdout
    assert "条目 72 条；正确率 1.000" in shown


@pytest.mark.parametrize("how", [["--folds", 4], ["--leave-indicator-out"]])
def test_cross_validation_fits_on_the_others(files, how):
    found = json.loads(run(evaluate_facts, files[0], "--indicators", files[1], "--no-model", *how).stdout)
    assert (found["n"], found["accuracy"], found["fact_accuracy"]) == (72, 1.0, 1.0)
    low, high = found["interval_by_indicator"]
    assert low < found["interval"][0] < high == 1.0


def test_the_two_ways_exclude_each_other(files):
    with pytest.raises(UserError, match="只能用一个"):
        run(evaluate_facts, files[0], "--indicators", files[1], "--folds", 3, "--leave-indicator-out")


def test_items_that_the_model_did_not_answer_are_left_open_and_not_fitted_on(files):
    items, indicators = files
    calls = iter(range(10_000))

    def script(body):
        if next(calls) % 9 == 0:
            return Reply(status=400)
        said = "胸部CT" in body["messages"][-1]["content"].split("血常规")[0]
        yes, no = (0.9, 0.1) if said else (0.1, 0.9)
        return Reply(tokens=[Token('"'), Token("是", yes, {"否": no}), Token('"')])

    with ModelServer(script) as server:
        options = ["--indicators", indicators, "--model", server.url]
        found = json.loads(run(evaluate_facts, items, *options, "--folds", 4).stdout)
        kept = run(calibrate, items, *options).output
    assert 0 < found["undetermined"] < 72
    assert "6 个指标" in kept


def test_calibrating_writes_what_decides(files, tmp_path):
    items, indicators = files
    assert "72 条、6 个指标" in run(calibrate, items, "--indicators", indicators, "--no-model").stdout
    kept = json.loads((tmp_path / "data" / "calibration" / "indicators-detectors.json").read_text("utf-8"))
    assert (kept["n"], kept["groups"], kept["cross_validated"]["right"]) == (72, 6, 72)


def test_a_hospitals_own_calibration_goes_first(files, tmp_path):
    items, indicators = files
    run(calibrate, items, "--indicators", indicators, "--no-model")
    own = tmp_path / "data" / "calibration"
    assert load_calibrations(None, own).detectors.n == 72
    assert load_calibrations(None, tmp_path / "无").detectors.n != 72


def test_importing_tries_the_examples(files):
    result = run(import_rules, files[1])
    assert "已导入 6 个指标" in result.stdout
    assert "指标0：第 2 个例子的判断与所附结论不同" in result.output
    assert "第 1 个例子" not in result.output


def judged(label, value):
    labelled = LabelledItem.model_validate(item("甲", "某病历。", label, "True"))
    return Judged(labelled, value, (True, False), "rule")


def test_an_abstention_counts_as_wrong_and_is_shown():
    evaluation = Evaluation(
        (judged("Yes", True), judged("Yes", None), judged("No", True), judged("No", False))
    )
    found = evaluation.as_json()
    assert (found["accuracy"], found["undetermined"], found["fact_accuracy"]) == (0.5, 1, 0.5)
    assert found["confusion"] == {
        "yes_as_yes": 1,
        "yes_as_no": 0,
        "yes_as_undetermined": 1,
        "no_as_yes": 1,
        "no_as_no": 1,
        "no_as_undetermined": 0,
    }


@pytest.mark.parametrize(
    ("fact", "result", "truth"),
    [
        ("盆腔MRI = 已进行/未进行", "已进行", True),
        ("盆腔MRI = True/False。", "无法判断", False),
        ("盆腔MRI = 未进行", "True", False),
        ("切缘状态 = 阳性/阴性", "阴性", False),
        ("入院时GCS评分 = X", "X = 12", None),
    ],
)
def test_what_an_annotator_answered(fact, result, truth):
    assert LabelledFact.model_validate({"Fact": fact, "Result": result}).truth is truth


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "是空文件"),
        ("[]", "没有条目"),
        ('{"unique_id": "甲"', "不是 JSON"),
        ('[{"unique_id": "甲", "patient note": "某", "label": "也许"}]', "第 1 条的 label"),
        ('[{"unique_id": "甲", "label": "Yes"}]', "第 1 条的 patient note"),
    ],
)
def test_a_file_of_another_format_is_refused(tmp_path, content, words):
    path = tmp_path / "条目.jsonl"
    path.write_text(content, "utf-8")
    with pytest.raises(UserError, match=words):
        load_items(path)


def test_an_item_of_an_unknown_indicator(files, tmp_path):
    path = tmp_path / "另.jsonl"
    path.write_text(json.dumps(item("未知", "某。", "Yes", "True"), ensure_ascii=False), "utf-8")
    with pytest.raises(UserError, match="没有“未知”"):
        run(evaluate_facts, path, "--indicators", files[1], "--no-model")
