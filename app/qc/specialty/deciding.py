"""From a note to a verdict on an indicator.

What is known of each statement (words found, the model's probability) gives the probability that it holds; the
indicator's condition joins these; and that, with the model's answers to the whole question, gives the verdict.
Both steps are logistic regressions that know nothing of a particular indicator, so that they serve a new one.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from app.llm.client import ModelFailure
from app.qc.calibration import Calibration, Logistic, expit, logit
from app.qc.logic import Truth
from app.qc.specialty.asking import Asker
from app.qc.specialty.conditions import AtLeast, Compiled, Constant, Negation, Node, Statement
from app.qc.specialty.detecting import Detected, definitions_in, detect
from app.qc.specialty.indicator import Indicator
from app.records.model import Span

Engine = Literal["rule", "llm"]
NAMED_IN_FULL = 0.9
_CERTAIN_LOG_ODDS = 6.0
_COMPARED_LOG_ODDS = 3.0
_FEW = 0.35
_MOST = 0.9


class Observed(NamedTuple):
    """What is known of one note before any calibration.

    Attributes:
        statements: the features of each statement of the condition.
        item: the features of the whole question; those of the condition are still to be added.
        spans: the sentence of the note behind each statement.
        asked: whether a model took part.
        reason: in Chinese, why none did where one was to.
    """

    statements: Mapping[Statement, Mapping[str, float]]
    item: Mapping[str, float]
    spans: Mapping[Statement, Span | None]
    asked: bool
    reason: str = ""


class StatementVerdict(NamedTuple):
    """The probability that a statement holds, and the sentence that shows it."""

    statement: Statement
    probability: float
    span: Span | None

    @property
    def value(self) -> bool:
        """Whether it counts as established."""
        return self.probability >= 0.5


class Decision(NamedTuple):
    """The verdict on an indicator: reached, not reached, or undetermined with the reason in Chinese."""

    value: Truth
    probability: float
    statements: tuple[StatementVerdict, ...]
    engine: Engine
    reason: str = ""


class Calibrations(NamedTuple):
    """Without a model, and with the model at hand (``None``: none was fitted for it)."""

    detectors: Calibration
    model: Calibration | None


def observe(note: str, indicator: Indicator, compiled: Compiled, asker: Asker | None) -> Observed:
    """Look, and ask where a model is given; one that fails is done without."""
    own = definitions_in(indicator.question_rule, indicator.definition, indicator.remarks)
    found = {statement: detect(note, statement, own) for statement in compiled.statements}
    plain = {statement: _detected_features(each) for statement, each in found.items()}
    item = _whole_features(note, indicator)
    spans = {statement: each.span for statement, each in found.items()}
    if asker is None:
        return Observed(plain, item, spans, asked=False)
    try:
        answered = {
            "asked_whole": logit(asker.probability(asker.prompts.rule, note, indicator.question_rule))
        }
        full = {s: _asked_features(note, s, found[s], asker) for s in compiled.statements}
    except ModelFailure as failure:
        return Observed(plain, item, spans, asked=False, reason=failure.reason)
    return Observed({s: plain[s] | full[s] for s in full}, {**item, **answered}, spans, asked=True)


def decide(observed: Observed, compiled: Compiled, calibrations: Calibrations) -> Decision:
    """The verdict; with an uncalibrated model, that of the detectors alone."""
    asked = observed.asked and calibrations.model is not None
    calibration = calibrations.model if asked and calibrations.model else calibrations.detectors
    odds = statement_odds(observed, calibration.fact)
    features = {**observed.item, **condition_features(compiled.condition, odds)}
    probability = calibration.item.probability(features)
    verdicts = tuple(StatementVerdict(s, expit(each), observed.spans[s]) for s, each in odds.items())
    reason = observed.reason
    if observed.asked and not asked:
        reason = "所用模型没有校准，只按文字判断"
    return Decision(probability >= 0.5, probability, verdicts, "llm" if asked else "rule", reason)


def statement_odds(observed: Observed, fact: Logistic) -> dict[Statement, float]:
    """The log-odds of each statement; where numbers were compared, they decide."""
    return {
        statement: _COMPARED_LOG_ODDS * features["compared"]
        if features["compared"]
        else fact.log_odds(features)
        for statement, features in observed.statements.items()
    }


def condition_features(condition: Node, odds: Mapping[Statement, float]) -> dict[str, float]:
    """The condition over log-odds: by its weakest link (Gödel's logic), and by the mean of its links."""
    values = list(odds.values())
    return {
        "weakest": _joined(condition, odds, _last),
        "average": _joined(condition, odds, _mean),
        "mean": _mean(values),
    }


def _bounded(odds: float) -> float:
    return max(-_CERTAIN_LOG_ODDS, min(_CERTAIN_LOG_ODDS, odds))


def _joined(node: Node, odds: Mapping[Statement, float], join: Callable[[list[float]], float]) -> float:
    """The log-odds of a condition; ``join`` settles "at least n" from the n best parts, best first."""
    match node:
        case Statement():
            return _bounded(odds[node])
        case Constant(value):
            return _CERTAIN_LOG_ODDS if value else -_CERTAIN_LOG_ODDS
        case Negation(part):
            return -_joined(part, odds, join)
        case AtLeast(needed, parts):
            return join(sorted((_joined(part, odds, join) for part in parts), reverse=True)[:needed])


def _last(best: list[float]) -> float:
    return best[-1]


def _mean(best: list[float]) -> float:
    return sum(best) / len(best)


def _numerator(indicator: Indicator) -> str:
    return indicator.numerator or indicator.question_rule


def _whole_features(note: str, indicator: Indicator) -> dict[str, float]:
    found = detect(note, Statement(_numerator(indicator)))
    return {"named": found.sentence, "named_in_note": found.note}


def _detected_features(found: Detected) -> dict[str, float]:
    present = found.claimed == 1
    return {
        "sentence": found.sentence,
        "note": found.note,
        "few": float(found.note < _FEW),
        "most": float(found.sentence >= _MOST),
        "present": found.sentence * present,
        "agreeing": found.sentence * (found.claimed if not found.denies else -found.claimed),
        "planned": found.sentence * found.planned,
        "examination": float(found.examination),
        "compared": 0.0 if found.compared is None else 1.0 if found.compared else -1.0,
        "denies": float(found.denies),
        "known": found.known,
        "guessed": found.sentence * (1 - found.known),
    }


def _asked_features(note: str, statement: Statement, found: Detected, asker: Asker) -> dict[str, float]:
    """The model's log-odds; not asked where the words or numbers of the note say all."""
    says_all = found.note >= NAMED_IN_FULL and statement.comparison is None
    if says_all or found.compared is not None:
        return {"asked": 0.0, "model": 0.0}
    return {"asked": 1.0, "model": logit(asker.probability(asker.prompts.fact, note, statement.text))}
