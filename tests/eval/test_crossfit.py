"""Comparing words, model and adapters on indicators that nothing has seen, against a scripted server."""

import json
from pathlib import Path

import pytest

from app.qc.calibration import load_calibration
from eval import crossfit
from eval.crossfit import unseen_by_fold
from eval.facts import load_items
from tests.support.model_server import ModelServer, Reply, Token

DONE, NOT_DONE = "胸部CT示双肺清晰。", "血常规正常。"
INDICATORS = {
    f"指标{number}": {
        "question_rule": "是否完成胸部CT检查。",
        "facts": ["胸部CT检查 = True/False。"],
        "logical_rules": [{"natural language": "完成", "symbolic language": "Fact 1"}],
    }
    for number in range(7)
}


def item(number: int) -> dict[str, object]:
    is_yes = number % 3 > 0
    fact = {"Fact": "胸部CT检查 = True/False。", "Result": "True" if is_yes else "False"}
    note = f"第{number}份。{DONE if is_yes else NOT_DONE}"
    label = "Yes" if is_yes else "No"
    return {"unique_id": f"指标{number % 7}", "patient note": note, "facts": [fact], "label": label}


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "条目.jsonl"
    path.write_text("".join(f"{json.dumps(item(n), ensure_ascii=False)}\n" for n in range(84)), "utf-8")
    (tmp_path / "指标.json").write_text(json.dumps(INDICATORS, ensure_ascii=False), "utf-8")
    return path


def give_adapters(folder: Path, *folds: int) -> None:
    for fold in folds:
        (folder / str(fold)).mkdir(parents=True)
        (folder / str(fold) / "statements.gguf").write_bytes(b"")


def test_every_item_is_of_one_fold(tmp_path: Path, labels: Path) -> None:
    give_adapters(tmp_path, 1, 2, 3)
    items = load_items(labels)
    folds = [{each.indicator for each in unseen} for _, unseen in unseen_by_fold(items, tmp_path)]
    assert folds == [{"指标0", "指标3", "指标6"}, {"指标1", "指标4"}, {"指标2", "指标5"}]


def test_a_fold_without_an_adapter_is_left_out(tmp_path: Path, labels: Path) -> None:
    give_adapters(tmp_path, 2)
    ((adapter, unseen),) = unseen_by_fold(load_items(labels), tmp_path)
    assert adapter == tmp_path / "2" / "statements.gguf"
    assert {each.indicator for each in unseen} == {"指标1", "指标4"}


def test_the_three_are_compared_on_the_same_notes_and_the_last_is_stored(
    tmp_path: Path, labels: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def knowing(request) -> Reply:
        said = "是" if DONE in request["messages"][-1]["content"] else "否"
        return Reply(tokens=[Token('"'), Token(said, 0.9, {"否" if said == "是" else "是": 0.1}), Token('"')])

    give_adapters(tmp_path / "适配器", 1, 2, 3)
    with ModelServer(knowing) as server:
        monkeypatch.setenv("BINGLI_MODEL", server.url)
        monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
        options = ["--indicators", str(tmp_path / "指标.json"), "--adapters", str(tmp_path / "适配器")]
        assert crossfit.main([str(labels), *options, "--store", str(tmp_path / "校准")]) == 0
        identity = f"double@{server.url.split('/')[2]} "
    told = json.loads(capsys.readouterr().out)
    assert {name: each["n"] for name, each in told.items()} == {"words": 84, "plain": 84, "adapted": 84}
    assert told["adapted"]["accuracy"] == told["adapted"]["fact_accuracy"] == 1.0
    stored = load_calibration(tmp_path / "校准" / "indicators-model.json")
    assert stored.engine.startswith(identity)
    assert (stored.n, stored.groups) == (84, 7)
