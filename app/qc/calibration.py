"""What turns evidence and a model's probability into a verdict: small logistic regressions, stored as JSON.

Fitted with ridge regularisation by Newton's method; a fit stores the means and scales of its features, so that
predicting takes nothing but arithmetic.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import UserError
from app.qc.intervals import clustered

FORMAT: Literal["bingli/calibration/1"] = "bingli/calibration/1"
MINIMUM_LABELS = 60
MINIMUM_GROUPS = 5
MINIMUM_OF_EACH_KIND = 15
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_STEPS = 50
_CERTAIN = 1e-6


class Logistic(BaseModel):
    """A logistic regression over named features.

    Attributes:
        features: the features, in the order of the lists that follow.
        means: subtracted from the features.
        scales: the centred features are divided by these.
        weights: of the features so standardised.
        intercept: the log-odds where every feature is at its mean.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def log_odds(self, values: Mapping[str, float]) -> float:
        """The log-odds of a yes.

        Raises:
            KeyError: a feature has no value.
        """
        terms = zip(self.features, self.means, self.scales, self.weights, strict=True)
        return self.intercept + sum(w * (values[name] - mean) / scale for name, mean, scale, w in terms)

    def probability(self, values: Mapping[str, float]) -> float:
        """The probability of a yes, 0–1."""
        return expit(self.log_odds(values))


class Price(BaseModel):
    """What answering only from a certainty on would have cost, on labels that the fit had not seen.

    Attributes:
        certainty: 0.5–1, of the verdict that is likelier.
        answered: the share of the labels that would have been answered.
        accuracy: the share of these answered rightly, with its 95 % interval over records; ``None`` for none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    certainty: float
    answered: float
    accuracy: float | None
    low: float
    high: float


class Scores(BaseModel):
    """How well a calibration did on groups (indicators) that it was not fitted on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    right: int
    n: int
    fact_right: int
    fact_n: int


class Calibration(BaseModel):
    """What decides the indicators, for one engine.

    Attributes:
        engine: the model and prompts that it was fitted with; ``detectors`` for none.
        n: labelled notes it was fitted on; ``groups``: of how many indicators.
        fitted_on: the date of the fit.
        cross_validated: leaving one indicator out at a time.
        price: what abstaining costs, likewise.
        fact: from what was found on one statement to the probability that it holds.
        item: from the condition over the statements, and the answers to the whole question, to the verdict.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["bingli/calibration/1"] = FORMAT
    name: str
    engine: str
    n: int = Field(gt=0)
    groups: int = Field(gt=0)
    fitted_on: date
    cross_validated: Scores
    price: tuple[Price, ...] = ()
    fact: Logistic
    item: Logistic


def expit(log_odds: float) -> float:
    """The probability that belongs to log-odds; never exactly 0 or 1."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds))))


def logit(probability: float) -> float:
    """The log-odds of a probability, which is taken as at least 1e-6 away from 0 and 1."""
    p = min(1 - _CERTAIN, max(_CERTAIN, probability))
    return math.log(p / (1 - p))


def fit_logistic(rows: Sequence[Mapping[str, float]], labels: Sequence[bool], *, ridge: float) -> Logistic:
    """Fit by penalised maximum likelihood; the intercept is not penalised.

    Args:
        rows: the features of each example; all have the same names.
        labels: the truth of each.
        ridge: the penalty on the squared weights of the standardised features.

    Raises:
        ValueError: there are no rows, or rows and labels differ in number.
    """
    import numpy as np

    if not rows or len(rows) != len(labels):
        raise ValueError("rows and labels must be as many, and at least one")
    names = tuple(rows[0])
    values = np.array([[row[name] for name in names] for row in rows], dtype=float)
    means, scales = values.mean(axis=0), values.std(axis=0)
    scales[scales < _CERTAIN] = 1.0
    design = np.column_stack([np.ones(len(rows)), (values - means) / scales])
    truth = np.array(labels, dtype=float)
    penalty = np.diag([_CERTAIN] + [ridge] * len(names))
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (truth - chances) - penalty @ weights
        curvature = (design * (chances * (1 - chances))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step
        if float(np.abs(step).max()) < _CERTAIN:
            break
    intercept, *others = weights.tolist()
    return Logistic(
        features=names,
        means=tuple(means.tolist()),
        scales=tuple(scales.tolist()),
        weights=tuple(others),
        intercept=intercept,
    )


def prices(
    truths: Sequence[bool], probabilities: Sequence[float], groups: Sequence[str]
) -> tuple[Price, ...]:
    """What abstaining below each of ``THRESHOLDS`` costs; the intervals are clustered by ``groups``."""
    found = []
    for certainty in THRESHOLDS:
        answered: dict[str, list[bool]] = defaultdict(list)
        for truth, probability, group in zip(truths, probabilities, groups, strict=True):
            if max(probability, 1 - probability) >= certainty:
                answered[group].append((probability >= 0.5) == truth)
        n, right = sum(map(len, answered.values())), [sum(each) for each in answered.values()]
        low, high = clustered(right, [len(each) for each in answered.values()])
        found.append(
            Price(
                certainty=certainty,
                answered=round(n / len(truths), 4),
                accuracy=round(sum(right) / n, 4) if n else None,
                low=round(low, 4),
                high=round(high, 4),
            )
        )
    return tuple(found)


def require_enough(labels: Sequence[bool], groups: Sequence[str]) -> None:
    """Refuse to fit on too little.

    Raises:
        UserError: too few labels, too few of one kind, or too few groups to cross-validate over.
    """
    yes = sum(labels)
    if len(labels) < MINIMUM_LABELS or min(yes, len(labels) - yes) < MINIMUM_OF_EACH_KIND:
        raise UserError(
            f"标注太少，不能校准：共 {len(labels)} 条（是 {yes}、否 {len(labels) - yes}），"
            f"至少要 {MINIMUM_LABELS} 条，“是”与“否”各至少 {MINIMUM_OF_EACH_KIND} 条。"
        )
    if len(set(groups)) < MINIMUM_GROUPS:
        raise UserError(
            f"只有 {len(set(groups))} 个指标有标注，至少要 {MINIMUM_GROUPS} 个，否则无法在未见过的指标上检验。"
        )


def load_calibration(path: Path) -> Calibration:
    """Read a stored calibration.

    Raises:
        UserError: the file is missing or unsound.
    """
    try:
        return Calibration.model_validate_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"不能读取校准文件 {path}（{error}），请检查该文件。") from error
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "整个文件"
        raise UserError(f"校准文件 {path} 有误（{place}），请用 bingli calibrate 重新生成。") from error


def store_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration; numbers keep six significant digits.

    Raises:
        UserError: the file cannot be written.
    """
    data = calibration.model_dump(mode="json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(_rounded(data), ensure_ascii=False, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise UserError(f"{path} 无法写入（{error.strerror}），请检查路径和权限。") from error


def _rounded(data: object) -> object:
    match data:
        case float():
            return float(f"{data:.6g}")
        case list():
            return [_rounded(value) for value in data]
        case dict():
            return {key: _rounded(value) for key, value in data.items()}
    return data
