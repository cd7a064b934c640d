"""Training a LoRA adapter, on a tiny random model: that it learns, and that nothing leaks into the measure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.llm.prompts import Message
from app.qc.specialty.indicator import load_indicators
from eval.adapt import Model, Question, measure, sheets, split, unseen_indicators
from eval.facts import LabelledItem

MAKE_MODEL = Path(__file__).parents[1] / "support" / "tiny_model.py"
RULES = [{"natural language": "均为真", "symbolic language": "Fact 1 ∧ Fact 2"}]
INDICATORS = {
    f"指标{number}": {
        "question_rule": "是否完成胸部CT和血常规",
        "facts": ["胸部CT = True/False。", "血常规 = True/False。"],
        "logical_rules": RULES,
    }
    for number in range(5)
}


def asked(group: str, *, is_yes: bool, note: str = "") -> Question:
    turns = (Message("system", "只回答。"), Message("user", note or ("已行胸部CT。" if is_yes else "未查。")))
    return Question(group, turns, is_yes)


def item(indicator: str, *results: str) -> LabelledItem:
    facts = [{"Fact": "胸部CT = True/False。", "Result": result} for result in results]
    return LabelledItem.model_validate(
        {"unique_id": indicator, "patient note": "已行胸部CT。", "facts": facts, "label": "Yes"}
    )


@pytest.fixture
def indicators(tmp_path: Path):
    path = tmp_path / "指标.json"
    path.write_text(json.dumps(INDICATORS, ensure_ascii=False), "utf-8")
    return load_indicators(path)


def test_every_answered_statement_is_a_question(indicators) -> None:
    given = [item("指标0", "True", "无法判断"), item("指标0"), item("指标1", "True")]
    found = list(sheets(given, indicators))
    assert [[(question.group, question.is_yes) for question in sheet] for sheet in found] == [
        [("指标0", True), ("指标0", False)],
        [("指标1", True)],
    ]
    assert all("已行胸部CT。" in question.messages[1].content for sheet in found for question in sheet)
    assert "血常规" in found[0][1].messages[1].content


def test_no_indicator_is_on_both_sides() -> None:
    given = [(asked(f"指标{number % 7}", is_yes=bool(number % 2)),) for number in range(40)]
    parts = split(given, {"指标0", "指标3"})
    assert {sheet[0].group for sheet in parts.held_out} == {"指标0", "指标3"}
    assert {sheet[0].group for sheet in parts.train} == {f"指标{number}" for number in (1, 2, 4, 5, 6)}
    assert len(parts.train) + len(parts.held_out) == 40
    assert split(given, ()) == (given, [])


def test_every_indicator_is_unseen_by_one_fold_whether_its_facts_are_labelled_or_not() -> None:
    items = [item(f"指标{number}", *(["True"] if number != 1 else [])) for number in range(7)]
    folds = [unseen_indicators(items, fold) for fold in (1, 2, 3)]
    assert folds == [{"指标0", "指标3", "指标6"}, {"指标1", "指标4"}, {"指标2", "指标5"}]


def test_the_measure_by_hand() -> None:
    truths = [("a", True), ("a", False), ("b", True), ("b", False)]
    found = measure([asked(group, is_yes=truth) for group, truth in truths], [2.0, 1.0, 3.0, -1.0])
    # Of the four pairs of a yes and a no, all are in order; at zero one no is taken for a yes.
    assert (found.n, found.groups, found.auc, found.accuracy) == (4, 2, 1.0, 0.75)
    assert found.low == found.high == 1.0
    # The yes of a (0.5) lies under the no of a (1.0): three of four pairs are in order.
    assert measure([asked(g, is_yes=t) for g, t in truths], [0.5, 1.0, 3.0, -1.0]).auc == 0.75


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="需要 pip install 'bingli[adapt]'")
    pytest.importorskip("peft", reason="需要 pip install 'bingli[adapt]'")
    folder = tmp_path_factory.mktemp("models") / "tiny"
    subprocess.run([sys.executable, MAKE_MODEL, folder], check=True, capture_output=True)
    return folder


def test_a_note_is_read_once_for_all_its_questions(tiny: Path) -> None:
    model = Model(tiny)
    ends = ("有无发热", "", "abc" * 40, "是否行胸部CT检查？" * 9)
    note = "主诉：咳嗽3天。" * 9
    turns = [(Message("system", "只回答。"), Message("user", f"{note}{end}")) for end in ends]
    sheet = tuple(Question("甲", each, is_yes=True) for each in turns)
    together, alone = model.ask([sheet]), model.ask([(question,) for question in sheet])
    spread = max(alone) - min(alone)
    assert together == pytest.approx(alone, abs=spread / 10)


def test_an_adapter_learns_and_is_saved(tiny: Path, tmp_path: Path) -> None:
    from gguf import GGUFReader

    model = Model(tiny)
    train = [(asked("训练", is_yes=bool(number % 2)),) for number in range(20)]
    before = model.ask(train[:2])
    assert model.adapt(train, seconds=200) == 60  # 20 notes three times over
    after = model.ask(train[:2])
    assert after[1] - after[0] > before[1] - before[0]
    model.save_adapter(tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["r"] == 8
    assert (tmp_path / "adapter_model.safetensors").stat().st_size < 100_000
    shapes = {each.name: tuple(each.shape) for each in GGUFReader(tmp_path / "statements.gguf").tensors}
    assert len(shapes) == 2 * 4 * 2  # layers, modules, matrices
    assert shapes["blk.1.attn_q.weight.lora_a"] == (64, 8)  # GGUF names the fastest dimension first
    assert shapes["blk.1.attn_q.weight.lora_b"] == (8, 64)


def test_time_that_is_up_ends_the_training(tiny: Path) -> None:
    assert Model(tiny).adapt([(asked("训练", is_yes=True),)], seconds=-1) == 0
