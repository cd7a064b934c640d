"""How well specialty indicators are judged on labelled notes (format of CMQCIC-Bench)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from app.errors import UserError
from app.qc.calibration import require_enough
from app.qc.logic import Truth
from app.qc.specialty.conditions import Statement
from app.qc.specialty.fitting import Example, cross_validate
from app.qc.specialty.indicator import Indicators, load_indicators
from app.qc.specialty.judging import IndicatorJudge
from eval.intervals import clustered, wilson
from eval.labelled import Shape, parsed, validated

_SHAPE = Shape("cmqcic", "取值不对", "unique_id、patient note、facts 和 label（Yes 或 No）", "条目")
_ESTABLISHED = {"true", "t", "已进行", "阳性", "是", "有"}
_NOT_ESTABLISHED = {"false", "f", "未进行", "阴性", "否", "无", "无法判断"}
_NEGATED = re.compile(r"=\s*未[^/]{1,4}$")


class LabelledFact(BaseModel):
    """A fact as an annotator answered it."""

    fact: str = Field(alias="Fact")
    result: str = Field(alias="Result")

    @property
    def truth(self) -> Truth:
        """Whether it is established; ``None`` where the answer is a value (a score, a time)."""
        answer = self.result.strip().rstrip("。").lower()
        if answer in _ESTABLISHED:
            return _NEGATED.search(self.fact.strip().rstrip("。")) is None
        return False if answer in _NOT_ESTABLISHED else None


class LabelledItem(BaseModel):
    """One note with the indicator it is judged by; the annotator's reasoning is never read."""

    indicator: str = Field(alias="unique_id")
    note: str = Field(alias="patient note")
    facts: tuple[LabelledFact, ...] = ()
    label: str = Field(pattern=r"^(Yes|No)$")

    @property
    def is_yes(self) -> bool:
        """The label as truth."""
        return self.label == "Yes"


class Judged(NamedTuple):
    """The verdict on one item, and which of its labelled facts were judged right."""

    item: LabelledItem
    value: Truth
    facts_right: tuple[bool, ...]
    engine: str


class Evaluation(NamedTuple):
    """The judged items."""

    judged: tuple[Judged, ...]

    def as_json(self) -> dict[str, Any]:
        """The object that ``bingli eval facts`` prints; shares are rounded to four digits."""
        facts = [right for each in self.judged for right in each.facts_right]
        names = dict.fromkeys(each.item.indicator for each in self.judged)
        return {
            **_scores(self.judged),
            "interval_by_indicator": self._interval_by_indicator(names),
            "confusion": _confusion(self.judged),
            "fact_accuracy": _share(sum(facts), len(facts)),
            "fact_n": len(facts),
            "by_model": sum(each.engine == "llm" for each in self.judged),
            "by_indicator": {
                name: _scores([each for each in self.judged if each.item.indicator == name]) for name in names
            },
        }

    def _interval_by_indicator(self, names: Iterable[str]) -> list[float]:
        """The interval of the accuracy with the indicators as clusters: what holds for other indicators."""
        right = [
            [e.value is e.item.is_yes for e in self.judged if e.item.indicator == name] for name in names
        ]
        low, high = clustered([sum(each) for each in right], [len(each) for each in right])
        return [round(low, 4), round(high, 4)]


def load_items(path: Path) -> tuple[LabelledItem, ...]:
    """Read a file of labelled items: one object a line, or a JSON list.

    Raises:
        UserError: the file cannot be read, or is not of that format, naming the entry and field.
    """
    whole = parsed(path)
    return validated(path, whole if isinstance(whole, list) else [whole], LabelledItem, _SHAPE)


def load_labelled(labels: Path, indicators: Path) -> tuple[tuple[LabelledItem, ...], Indicators]:
    """Read labelled items and the indicators that they are judged by.

    Raises:
        UserError: a file cannot be read or is not of its format, or an item's indicator is not defined.
    """
    items, defined = load_items(labels), load_indicators(indicators)
    missing = next((item.indicator for item in items if item.indicator not in defined), None)
    if missing is not None:
        raise UserError(f"指标文件中没有“{missing}”，请用 --indicators 给出包含它的指标文件。")
    return items, defined


def accuracy(right: int, n: int) -> dict[str, Any]:
    """The share judged right with its interval, as printed: rounded to four digits."""
    interval = wilson(right, n)
    return {
        "n": n,
        "accuracy": _share(right, n),
        "interval": [round(interval.low, 4), round(interval.high, 4)],
    }


def judge(judge_of: IndicatorJudge, items: Iterable[LabelledItem]) -> Iterator[Judged]:
    """Judge the items one by one; labels and annotators' answers take no part in it."""
    for item in items:
        decision = judge_of.decide(item.indicator, item.note)
        truths = fact_labels(item, judge_of.statements(item.indicator))
        right = tuple(
            verdict.value == truths[verdict.statement]
            for verdict in decision.statements
            if verdict.statement in truths
        )
        yield Judged(item, decision.value, right, decision.engine)


def judge_unseen(
    judge_of: IndicatorJudge, items: Sequence[LabelledItem], folds: int | None
) -> Iterator[Judged]:
    """Judge every item by a fit that has not seen it; see ``cross_validate`` for ``folds``.

    An item that the model did not answer is undetermined.

    Raises:
        UserError: there is too little to fit on.
    """
    learnt = list(examples(judge_of, items))
    usable = [i for i, each in enumerate(learnt) if is_usable(judge_of, each)]
    chosen = [learnt[i] for i in usable]
    require_enough([each.label for each in chosen], [each.group for each in chosen])
    predictions = dict(zip(usable, cross_validate(chosen, folds), strict=True))
    for i, item in enumerate(items):
        predicted = predictions.get(i)
        if predicted is None:
            yield Judged(item, None, (), "llm")
            continue
        right = tuple(
            (predicted.statements[statement] >= 0.5) == truth for statement, truth in learnt[i].facts.items()
        )
        yield Judged(item, predicted.probability >= 0.5, right, "llm" if learnt[i].observed.asked else "rule")


def is_usable(judge_of: IndicatorJudge, example: Example) -> bool:
    """Whether all that the judge asks of a note was answered; the others cannot be fitted together with it."""
    return example.observed.asked or judge_of.engine is None


def examples(judge_of: IndicatorJudge, items: Iterable[LabelledItem]) -> Iterator[Example]:
    """The items as examples to fit on."""
    for item in items:
        statements = judge_of.statements(item.indicator)
        yield Example(
            item.indicator,
            judge_of.observe(item.indicator, item.note),
            judge_of.compiled(item.indicator),
            item.is_yes,
            fact_labels(item, statements),
        )


def fact_labels(item: LabelledItem, statements: Sequence[Statement]) -> Mapping[Statement, bool]:
    """The annotator's answers to the statements that state a fact."""
    truths: dict[Statement, bool] = {}
    for statement in statements:
        if statement.fact is None or statement.fact >= len(item.facts):
            continue
        truth = item.facts[statement.fact].truth
        if truth is not None:
            truths[statement] = truth
    return truths


def _scores(judged: Sequence[Judged]) -> dict[str, Any]:
    right = sum(each.value is each.item.is_yes for each in judged)
    return {**accuracy(right, len(judged)), "undetermined": sum(each.value is None for each in judged)}


def _confusion(judged: Sequence[Judged]) -> dict[str, int]:
    named = {True: "yes", False: "no", None: "undetermined"}
    counts = {f"{label}_as_{said}": 0 for label in ("yes", "no") for said in ("yes", "no", "undetermined")}
    for each in judged:
        counts[f"{named[each.item.is_yes]}_as_{named[each.value]}"] += 1
    return counts


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
