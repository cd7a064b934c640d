"""Calibrating facts and rules by people's decisions: what a probability is worth, and what abstaining costs.

Labels come from the correction loop or from a hospital's own annotation, one JSON object a line. For each fact, or
rule, that has enough of them a small logistic regression turns the probability given into that of being right.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from app.errors import UserError
from app.qc.calibration import Logistic, Price, expit, fit_logistic, logit, prices
from app.qc.facts.fact import Fact

FORMAT: Literal["bingli/verdicts/1"] = "bingli/verdicts/1"
FILE = "verdicts.json"
MINIMUM_LABELS = 40
MINIMUM_OF_EACH_KIND = 8
MINIMUM_RECORDS = 10
FOLDS = 5
RIDGE = 3.0

_PROBABILITY = "probability"
_NEVER = (1.0, 0.0)


class Label(BaseModel):
    """One decision of a person: was the fact there, was the finding a defect.

    Attributes:
        rule: the rule; ``fact``: the fact it was about, where the label is of a fact.
        probability: what the program gave for it, 0–1, as a model's answer or a finding's confidence; or
        features: named numbers, where more is known than that.
        label: what the person decided.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    fact: str | None = None
    record_id: str
    probability: float | None = Field(
        default=None, ge=0, le=1, validation_alias=AliasChoices("probability", "confidence")
    )
    features: dict[str, float] | None = None
    label: bool = Field(validation_alias=AliasChoices("label", "is_defect"))

    @model_validator(mode="after")
    def _says_what_was_known(self) -> "Label":
        if self.probability is None and not self.features:
            raise ValueError("缺 probability 或 features")
        return self

    @property
    def target(self) -> str:
        """What is calibrated by it: the fact, else the rule."""
        return self.fact or self.rule

    @property
    def values(self) -> Mapping[str, float]:
        """The features; a probability as its log-odds."""
        return self.features or {_PROBABILITY: logit(self.probability or 0.0)}


class Verdicts(BaseModel):
    """The calibration of one fact or rule.

    Attributes:
        target: its name or code.
        n: labels, ``positive`` of them true, from so many ``records``.
        fitted_on: the date.
        model: the model whose probabilities they are.
        answer_from: the certainty below which a fact stays unknown.
        fit: from what was known to the probability that the label is true.
        price: what abstaining costs, cross-validated over records.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str
    n: int
    positive: int
    records: int
    fitted_on: date
    model: str
    answer_from: float = Field(ge=0.5, lt=1)
    fit: Logistic
    price: tuple[Price, ...]

    @property
    def by_probability(self) -> bool:
        """Whether a probability is all that it needs."""
        return self.fit.features == (_PROBABILITY,)

    def probability(self, given: float) -> float:
        """What a given probability is worth, 0–1."""
        return self.fit.probability({_PROBABILITY: logit(given)})


class TooLittle(NamedTuple):
    """A fact or rule that has too few labels, and in Chinese what is lacking."""

    target: str
    lacking: str


class Fitted(NamedTuple):
    """What could be calibrated, and what not."""

    verdicts: tuple[Verdicts, ...]
    too_little: tuple[TooLittle, ...]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal["bingli/verdicts/1"] = FORMAT
    verdicts: tuple[Verdicts, ...]


def fit_verdicts(labels: Iterable[Label], *, model: str, answer_from: float, on: date) -> Fitted:
    """Calibrate every fact and rule that has enough labels.

    Raises:
        UserError: none has.
    """
    by_target: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        by_target[label.target].append(label)
    lacking = [
        TooLittle(target, what) for target, its in sorted(by_target.items()) if (what := _lacking(its))
    ]
    short = {each.target for each in lacking}
    fitted = tuple(
        _fitted(target, its, model, answer_from, on)
        for target, its in sorted(by_target.items())
        if target not in short
    )
    if not fitted:
        listed = "；".join(f"{each.target} {each.lacking}" for each in lacking[:5])
        raise UserError(f"标注太少，没有一项可以校准（{listed}{'……' if len(lacking) > 5 else ''}）。")
    return Fitted(fitted, tuple(lacking))


def store_verdicts(verdicts: Iterable[Verdicts], folder: Path) -> Path:
    """Keep calibrations, each in place of an older one of its fact or rule; gives the file.

    Raises:
        UserError: the file cannot be written, or what is there is unsound.
    """
    kept = {**load_verdicts(folder), **{each.target: each for each in verdicts}}
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(_File(verdicts=tuple(kept.values())).model_dump_json(indent=1) + "\n", "utf-8")
    except OSError as error:
        raise UserError(f"{path} 无法写入（{error.strerror}），请检查路径和权限。") from error
    return path


def load_verdicts(folder: Path) -> Mapping[str, Verdicts]:
    """The calibrations kept in a folder, by fact or rule; none where there is no file.

    Raises:
        UserError: the file is unsound.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        kept = TypeAdapter(_File).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"校准文件 {path} 有误，请用 bingli calibrate 重新生成，或删除它。") from error
    return {each.target: each for each in kept.verdicts}


def calibrated_facts(
    facts: Mapping[str, Fact], verdicts: Mapping[str, Verdicts], model: str
) -> dict[str, Fact]:
    """The facts with the thresholds that their calibration gives; one of another model changes nothing."""
    return {
        name: _with_thresholds(fact, verdicts[name])
        if name in verdicts and verdicts[name].model == model and verdicts[name].by_probability
        else fact
        for name, fact in facts.items()
    }


def _with_thresholds(fact: Fact, verdicts: Verdicts) -> Fact:
    """From which probability on, and up to which, the calibrated one is certain enough.

    Where a higher probability does not make the fact likelier, the model's answer counts for nothing.
    """
    (weight,), (mean,), (scale,) = verdicts.fit.weights, verdicts.fit.means, verdicts.fit.scales
    if weight <= 0:
        threshold, denial = _NEVER
    else:
        wanted = logit(verdicts.answer_from)
        threshold, denial = (
            expit(mean + scale * (odds - verdicts.fit.intercept) / weight) for odds in (wanted, -wanted)
        )
    return fact.model_copy(update={"threshold": threshold, "denial_threshold": denial})


def _lacking(labels: Sequence[Label]) -> str:
    positive = sum(each.label for each in labels)
    fewer = min(positive, len(labels) - positive)
    records = len({each.record_id for each in labels})
    wanting = []
    if len(labels) < MINIMUM_LABELS:
        wanting.append(f"有 {len(labels)} 条标注，至少要 {MINIMUM_LABELS} 条")
    if fewer < MINIMUM_OF_EACH_KIND:
        wanting.append(f"较少的一类有 {fewer} 条，至少要 {MINIMUM_OF_EACH_KIND} 条")
    if records < MINIMUM_RECORDS:
        wanting.append(f"来自 {records} 份病历，至少要 {MINIMUM_RECORDS} 份")
    if len({frozenset(each.values) for each in labels}) > 1:
        wanting.append("各条的特征不一样，请统一后再校准")
    return "，".join(wanting)


def _fitted(target: str, labels: Sequence[Label], model: str, answer_from: float, on: date) -> Verdicts:
    return Verdicts(
        target=target,
        n=len(labels),
        positive=sum(each.label for each in labels),
        records=len({each.record_id for each in labels}),
        fitted_on=on,
        model=model,
        answer_from=answer_from,
        fit=_fit(labels),
        price=prices([each.label for each in labels], _unseen(labels), [each.record_id for each in labels]),
    )


def _fit(labels: Sequence[Label]) -> Logistic:
    return fit_logistic([each.values for each in labels], [each.label for each in labels], ridge=RIDGE)


def _unseen(labels: Sequence[Label]) -> list[float]:
    """The probability of each label by a fit on the other folds; a record is in one fold with all its labels."""
    fold = {record: i % FOLDS for i, record in enumerate(dict.fromkeys(each.record_id for each in labels))}
    fits = [_fit([each for each in labels if fold[each.record_id] != k]) for k in range(FOLDS)]
    return [fits[fold[each.record_id]].probability(each.values) for each in labels]
