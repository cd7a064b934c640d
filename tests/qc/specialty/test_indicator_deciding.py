"""From words and answers to a verdict, and fitting what decides."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.llm.engines import open_model
from app.qc.calibration import expit, fit_logistic, load_calibration, logit, store_calibration
from app.qc.specialty.asking import WINDOW_CHARACTERS, Asker, indicator_prompts, windows
from app.qc.specialty.conditions import AtLeast, Constant, Negation, Statement
from app.qc.specialty.deciding import Calibrations, condition_features, decide, observe
from app.qc.specialty.fitting import Example, calibrate, cross_validate
from app.qc.specialty.indicator import Indicator
from app.qc.specialty.judging import IndicatorJudge, load_calibrations
from app.settings import Settings
from app.storage.cache import ContentCache
from tests.support.model_server import ModelServer, Reply, Token

A, B, C = Statement("甲"), Statement("乙"), Statement("丙")
ODDS = {A: 2.0, B: -1.0, C: 0.5}


@pytest.mark.parametrize(
    ("condition", "weakest", "average"),
    [
        (A, 2.0, 2.0),
        (Negation(B), 1.0, 1.0),
        (AtLeast(3, (A, B, C)), -1.0, 0.5),
        (AtLeast(1, (A, B, C)), 2.0, 2.0),
        (AtLeast(2, (A, B, C)), 0.5, 1.25),
        (AtLeast(2, (A, Constant(value=True))), 2.0, 4.0),
        (AtLeast(2, (A, AtLeast(1, (B, C)))), 0.5, 1.25),
    ],
)
def test_a_condition_over_log_odds(condition, weakest, average):
    features = condition_features(condition, ODDS)
    assert (features["weakest"], features["average"]) == (weakest, average)


@given(st.floats(0, 1))
def test_expit_undoes_logit(probability):
    assert expit(logit(probability)) == pytest.approx(probability, abs=2e-6)


def test_a_fit_finds_the_feature_that_decides():
    rows = [{"useful": float(i % 2), "useless": float(i % 3)} for i in range(60)]
    labels = [i % 2 == 1 for i in range(60)]
    fitted = fit_logistic(rows, labels, ridge=1.0)
    weights = dict(zip(fitted.features, fitted.weights, strict=True))
    assert weights["useful"] > 1 > abs(weights["useless"])
    assert fitted.probability({"useful": 1.0, "useless": 0.0}) > 0.8


def test_a_fit_without_any_signal_gives_the_share_of_yes():
    fitted = fit_logistic([{"x": 1.0}] * 40, [i % 4 == 0 for i in range(40)], ridge=1.0)
    assert fitted.probability({"x": 1.0}) == pytest.approx(0.25, abs=1e-4)


CHEST = Indicator.model_validate(
    {
        "question_rule": "是否完成胸部CT和骨扫描检查。",
        "numerator": "完成胸部CT和骨扫描检查的患者",
        "facts": ["胸部CT检查 = True/False。", "骨扫描检查 = True/False。"],
        "logical_rules": [
            {"natural language": "如果都完成，则符合。", "symbolic language": "Fact 1 ∧ Fact 2"}
        ],
    }
)
DONE = "胸部CT示双肺清晰，骨扫描未见异常浓聚。"
NOT_DONE = "血常规正常，未行其他检查。"


def examples(groups=6, of_each=8):
    judge = IndicatorJudge({f"指标{g}": CHEST for g in range(groups)}, None)
    for group in (f"指标{g}" for g in range(groups)):
        for i in range(2 * of_each):
            note, label = (DONE, True) if i % 2 else (NOT_DONE, False)
            compiled = judge.compiled(group)
            facts = dict.fromkeys(compiled.statements, label)
            yield Example(group, judge.observe(group, note), compiled, label, facts)


def test_calibrating_tells_how_it_does_on_unseen_indicators(tmp_path):
    calibration = calibrate("试", "detectors", list(examples()), date(2026, 1, 2))
    assert (calibration.n, calibration.groups) == (96, 6)
    assert calibration.cross_validated.right == calibration.cross_validated.n == 96
    store_calibration(calibration, tmp_path / "新" / "试.json")
    kept = load_calibration(tmp_path / "新" / "试.json")
    assert kept.item.intercept == pytest.approx(calibration.item.intercept, rel=1e-5)


def test_no_example_is_predicted_by_its_own_indicator():
    given_examples = list(examples())
    spoilt = [e._replace(label=not e.label) if e.group == "指标0" else e for e in given_examples]
    predictions = cross_validate(spoilt)
    for example, prediction in zip(spoilt, predictions, strict=True):
        if example.group == "指标0":
            assert (prediction.probability >= 0.5) is not example.label


@pytest.mark.parametrize(("groups", "of_each"), [(6, 2), (4, 20)])
def test_too_little_is_refused(groups, of_each):
    with pytest.raises(UserError, match="至少要"):
        calibrate("试", "detectors", list(examples(groups, of_each)), date(2026, 1, 2))


def test_a_damaged_calibration_is_named(tmp_path):
    path = tmp_path / "坏.json"
    path.write_text('{"format": "bingli/calibration/1"}', "utf-8")
    with pytest.raises(UserError, match=r"校准文件 .*坏\.json 有误"):
        load_calibration(path)


def test_the_shipped_calibration_tells_done_from_not_done():
    judge = IndicatorJudge({"胸部": CHEST}, None)
    done, not_done = judge.decide("胸部", DONE), judge.decide("胸部", NOT_DONE)
    assert (done.value, not_done.value) == (True, False)
    assert done.engine == "rule"
    assert DONE[slice(*done.statements[0].span)].startswith("胸部CT")


def test_a_note_without_words_is_undetermined():
    decision = IndicatorJudge({"胸部": CHEST}, None).decide("胸部", " \n")
    assert (decision.value, decision.reason) == (None, "没有可供判断的文字")


def yes(probability):
    return Reply(tokens=[Token('"'), Token("是", probability, {"否": 1 - probability}), Token('"')])


def asker_of(server, cache=None):
    with open_model(Settings(model=server.url)) as model:
        return Asker(model, indicator_prompts(), cache)


def test_the_note_stands_before_the_question_and_answers_are_kept(tmp_path):
    with ModelServer(yes(0.8)) as server, ContentCache(tmp_path / "c.sqlite") as cache:
        asker = asker_of(server, cache)
        first = asker.probability(asker.prompts.rule, "某病历。", "是否符合要求。")
        assert asker.probability(asker.prompts.rule, "某病历。", "是否符合要求。") == first
        asked = server.requests
    assert first == pytest.approx(0.8, abs=1e-6)
    assert len(asked) == 1
    content = asked[0]["messages"][-1]["content"]
    assert content.index("某病历。") < content.index("是否符合要求。")


def test_words_that_say_all_are_not_asked_about():
    judge = IndicatorJudge({"胸部": CHEST}, None)
    with ModelServer(yes(0.9)) as server:
        observed = observe(DONE, CHEST, judge.compiled("胸部"), asker_of(server))
        assert len(server.requests) == 1
    assert observed.asked
    assert all(features["asked"] == 0 for features in observed.statements.values())


@pytest.mark.parametrize("reply", [Reply(status=500), Reply("也许"), Reply("是", has_logprobs=False)])
def test_a_model_that_fails_is_done_without(reply):
    judge = IndicatorJudge({"胸部": CHEST}, None)
    with ModelServer(reply) as server:
        observed = observe(NOT_DONE, CHEST, judge.compiled("胸部"), asker_of(server))
    decision = decide(observed, judge.compiled("胸部"), load_calibrations(None))
    assert (decision.value, decision.engine) == (False, "rule")
    assert decision.reason


def test_a_model_without_calibration_takes_no_part_in_the_verdict():
    judge = IndicatorJudge({"胸部": CHEST}, None)
    with ModelServer(yes(0.99)) as server:
        asker = asker_of(server)
        observed = observe(NOT_DONE, CHEST, judge.compiled("胸部"), asker)
    calibrations = load_calibrations(asker.identity)
    assert calibrations.model is None
    decision = decide(observed, judge.compiled("胸部"), Calibrations(calibrations.detectors, None))
    assert (decision.value, decision.reason) == (False, "所用模型没有校准，只按文字判断")


@pytest.mark.parametrize(
    "note", ["", "字" * 5000, "一句话。" * 1500, f"短。{'长' * 4400}。尾。", "a b " * 1200]
)
def test_windows_are_bounded_and_keep_every_word(note):
    pieces = windows(note)
    assert all(len(piece) <= WINDOW_CHARACTERS for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(note.split())
