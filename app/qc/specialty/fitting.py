"""Fitting what decides the indicators, so that it serves indicators it has never seen.

Everything is cross-validated leaving one indicator out: the verdict's regression is fitted on statement
probabilities that come from other indicators, and the scores are of indicators that nothing was fitted on.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from app.qc.calibration import Calibration, Logistic, Scores, expit, fit_logistic, prices, require_enough
from app.qc.specialty.conditions import Compiled, Statement
from app.qc.specialty.deciding import Observed, condition_features, statement_odds

FACT_RIDGE = 3.0
ITEM_RIDGE = 10.0


class Example(NamedTuple):
    """One labelled note.

    Attributes:
        group: the indicator.
        label: whether the note reaches it.
        facts: for the statements labelled, whether each is established.
    """

    group: str
    observed: Observed
    compiled: Compiled
    label: bool
    facts: Mapping[Statement, bool]


class Fit(NamedTuple):
    """The two regressions."""

    fact: Logistic
    item: Logistic


class Prediction(NamedTuple):
    """The probability of a yes, and of each statement, from a fit that has not seen the example's indicator."""

    probability: float
    statements: Mapping[Statement, float]


Odds = Mapping[Statement, float]


def fit(examples: Sequence[Example]) -> Fit:
    """Fit both regressions.

    Raises:
        ValueError: there are no examples, or none with labelled facts, or only one indicator.
    """
    out_of_group: dict[int, Odds] = {}
    for left_out, others in _folds(examples):
        fact = _fit_facts([examples[i] for i in others])
        out_of_group |= {i: _odds(examples[i], fact) for i in left_out}
    rows = [_row(example, out_of_group[i]) for i, example in enumerate(examples)]
    item = fit_logistic(rows, [example.label for example in examples], ridge=ITEM_RIDGE)
    return Fit(_fit_facts(examples), item)


def cross_validate(examples: Sequence[Example], folds: int | None = None) -> list[Prediction]:
    """What each example is predicted to be by a fit that has not seen it.

    Args:
        examples: at least two indicators, with labelled facts.
        folds: into how many parts the examples are split; ``None``: one part an indicator, so that the fit has seen
            nothing of the example's indicator.
    """
    predictions: dict[int, Prediction] = {}
    for left_out, others in _folds(examples) if folds is None else _parts(len(examples), folds):
        fitted = fit([examples[i] for i in others])
        for i in left_out:
            odds = _odds(examples[i], fitted.fact)
            chances = {statement: expit(each) for statement, each in odds.items()}
            predictions[i] = Prediction(fitted.item.probability(_row(examples[i], odds)), chances)
    return [predictions[i] for i in range(len(examples))]


def calibrate(name: str, engine: str, examples: Sequence[Example], on: date) -> Calibration:
    """Fit, and say how it does on unseen indicators.

    Raises:
        UserError: there is too little to fit on.
    """
    require_enough([example.label for example in examples], [example.group for example in examples])
    fitted, unseen = fit(examples), cross_validate(examples)
    chances = [prediction.probability for prediction in unseen]
    return Calibration(
        name=name,
        engine=engine,
        n=len(examples),
        groups=len({example.group for example in examples}),
        fitted_on=on,
        cross_validated=_scores(examples, unseen),
        price=prices([each.label for each in examples], chances, [each.group for each in examples]),
        fact=fitted.fact,
        item=fitted.item,
    )


def _scores(examples: Sequence[Example], predictions: Sequence[Prediction]) -> Scores:
    pairs = list(zip(examples, predictions, strict=True))
    facts = [
        (prediction.statements[statement] >= 0.5) == truth
        for example, prediction in pairs
        for statement, truth in example.facts.items()
    ]
    right = sum((prediction.probability >= 0.5) == example.label for example, prediction in pairs)
    return Scores(right=right, n=len(pairs), fact_right=sum(facts), fact_n=len(facts))


def _folds(examples: Sequence[Example]) -> Iterator[tuple[list[int], list[int]]]:
    """For each indicator: the places of its examples, and of all others."""
    for group in dict.fromkeys(example.group for example in examples):
        inside = [i for i, example in enumerate(examples) if example.group == group]
        yield inside, [i for i, example in enumerate(examples) if example.group != group]


def _parts(n: int, folds: int) -> Iterator[tuple[list[int], list[int]]]:
    """Every ``folds``-th example, and all others."""
    for k in range(folds):
        yield [i for i in range(n) if i % folds == k], [i for i in range(n) if i % folds != k]


def _fit_facts(examples: Sequence[Example]) -> Logistic:
    labelled = [
        (example.observed.statements[statement], truth)
        for example in examples
        for statement, truth in example.facts.items()
    ]
    return fit_logistic(
        [features for features, _ in labelled], [truth for _, truth in labelled], ridge=FACT_RIDGE
    )


def _odds(example: Example, fact: Logistic) -> Odds:
    return statement_odds(example.observed, fact)


def _row(example: Example, odds: Odds) -> dict[str, float]:
    return {**example.observed.item, **condition_features(example.compiled.condition, odds)}
