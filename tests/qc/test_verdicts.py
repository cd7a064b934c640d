"""Calibrating facts and rules by people's decisions."""

import json
from datetime import date

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.assembly import open_checker, whole_catalogue
from app.cli.calibrate import calibrate
from app.errors import UserError
from app.qc.calibration import prices
from app.qc.facts.fact import Fact
from app.qc.intervals import clustered, wilson
from app.qc.verdicts import Label, calibrated_facts, fit_verdicts, load_verdicts, store_verdicts
from app.records.readers.note import note_record

ON = date(2026, 11, 22)


def label(i, probability, is_true, target=("N-105", "has_general_condition")):
    rule, fact = target
    return Label(rule=rule, fact=fact, record_id=f"R{i // 2}", probability=probability, label=is_true)


def separable(n=80, **more):
    """Labels that are true from a probability of 0.6 on, with some doubt around it."""
    grid = [(i % 20) / 20 + 0.025 for i in range(n)]
    return [label(i, p, p > 0.6 if i % 7 else p > 0.5, **more) for i, p in enumerate(grid)]


def fitted(labels, answer_from=0.8):
    return fit_verdicts(labels, model="m", answer_from=answer_from, on=ON)


def test_a_fact_gets_thresholds_around_where_the_labels_turn():
    (verdicts,) = fitted(separable()).verdicts
    fact = Fact(name="has_general_condition", question="写了一般情况吗？", ask_model=True)
    mended = calibrated_facts({fact.name: fact}, {verdicts.target: verdicts}, "m")[fact.name]
    assert 0.3 < mended.denial_threshold < 0.6 < mended.threshold < 0.9
    stricter = fitted(separable(), 0.95).verdicts[0]
    strict = calibrated_facts({fact.name: fact}, {verdicts.target: stricter}, "m")[fact.name]
    assert strict.threshold > mended.threshold
    assert calibrated_facts({fact.name: fact}, {verdicts.target: verdicts}, "another")[fact.name] is fact


def test_a_probability_that_points_the_wrong_way_is_not_believed():
    turned = [each.model_copy(update={"label": not each.label}) for each in separable()]
    (verdicts,) = fitted(turned).verdicts
    fact = Fact(name="has_general_condition", question="写了一般情况吗？")
    mended = calibrated_facts({fact.name: fact}, {verdicts.target: verdicts}, "m")[fact.name]
    assert (mended.threshold, mended.denial_threshold) == (1.0, 0.0)


def test_the_price_of_abstaining():
    price = prices([True, True, False, False], [0.99, 0.55, 0.45, 0.97], ["a", "b", "c", "d"])
    assert [(each.certainty, each.answered, each.accuracy) for each in price[::4]] == [
        (0.5, 1.0, 0.75),
        (0.9, 0.5, 0.5),
    ]
    assert prices([True], [0.6], ["a"])[-1].accuracy is None


@pytest.mark.parametrize(
    ("labels", "lacking"),
    [
        (separable(20), "至少要 40 条"),
        ([label(i, 0.5, i < 3) for i in range(60)], "较少的一类有 3 条"),
        ([each.model_copy(update={"record_id": "R1"}) for each in separable()], "来自 1 份病历"),
        ([*separable(), Label(rule="N-105", fact="has_general_condition", record_id="R", features={"a": 1}, label=True)], "特征不一样"),
    ],
)  # fmt: skip
def test_too_little_is_refused_with_what_is_lacking(labels, lacking):
    with pytest.raises(UserError, match=lacking):
        fitted(labels)


def test_what_has_enough_is_fitted_beside_what_has_not():
    found = fitted([*separable(), *separable(10, target=("N-106", None))])
    assert [each.target for each in found.verdicts] == ["has_general_condition"]
    assert [each.target for each in found.too_little] == ["N-106"]


def test_kept_and_replaced(tmp_path):
    store_verdicts(fitted(separable()).verdicts, tmp_path)
    store_verdicts(fitted(separable(target=("N-106", None))).verdicts, tmp_path)
    assert set(load_verdicts(tmp_path)) == {"has_general_condition", "N-106"}
    (tmp_path / "verdicts.json").write_text("{}x", "utf-8")
    with pytest.raises(UserError, match="校准文件"):
        load_verdicts(tmp_path)
    assert load_verdicts(tmp_path / "无") == {}


def test_a_rules_calibration_becomes_the_confidence_of_its_findings(settings):
    labels = [label(i, 1.0, i % 4 > 0, target=("F-107", None)) for i in range(80)]
    store_verdicts(fitted(labels).verdicts, settings.data_dir / "calibration")
    with open_checker(settings, use_model=False) as checker:
        result = checker.check(note_record("主诉：咳嗽3天。", "入院记录", "R")).result
    confidences = {finding.rule: finding.confidence for finding in result.findings}
    assert confidences["F-107"] == pytest.approx(0.75, abs=0.01)
    assert {value for code, value in confidences.items() if code.startswith("F") and code != "F-107"} == {1.0}


def test_the_catalogue_has_the_calibrated_thresholds(settings):
    name = next(name for name, fact in whole_catalogue(settings).facts.items() if fact.ask_model)
    before = whole_catalogue(settings).facts[name]
    found = fit_verdicts(separable(target=("N-1", name)), model=settings.model, answer_from=0.8, on=ON)
    store_verdicts(found.verdicts, settings.data_dir / "calibration")
    assert whole_catalogue(settings).facts[name].threshold != before.threshold


def run(*arguments):
    app = typer.Typer()
    app.command()(calibrate)
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_reads_what_the_correction_loop_exports(tmp_path, monkeypatch):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    rows = [
        {
            "format": "bingli/finding-label/1",
            "finding": f"f{i}",
            "record_id": f"R{i}",
            "rule": "N-105",
            "engine": "llm",
            "confidence": p,
            "is_defect": p > 0.5,
        }
        for i, p in enumerate((i % 20) / 20 + 0.025 for i in range(60))
    ]
    path = tmp_path / "标注.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    shown = run(path)
    assert "N-105：60 条标注（是 30）、60 份病历" in shown
    assert "作答的正确率" in shown
    found = json.loads(run(path, "--format-out", "json"))
    assert (found["fitted"][0]["n"], found["too_little"]) == (60, [])
    path.write_text('{"rule": "N-105", "record_id": "R", "label": true}', "utf-8")
    with pytest.raises(UserError, match="第 1 条"):
        run(path)


counts = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)).map(lambda c: (min(c), c[1])), min_size=1)


@given(counts)
def test_a_clustered_interval_holds_the_share_and_is_no_narrower_than_independence_allows(pairs):
    hits, sizes = [hit for hit, _ in pairs], [size for _, size in pairs]
    low, high = clustered(hits, sizes)
    assert 0 <= low <= sum(hits) / sum(sizes) <= high <= 1
    plain = wilson(sum(hits), sum(sizes))
    assert high - low >= plain.high - plain.low - 1e-9


def test_clusters_that_agree_inside_count_as_few():
    assert clustered([10, 0, 10, 0], [10] * 4).low < clustered([5, 5, 5, 5], [10] * 4).low
