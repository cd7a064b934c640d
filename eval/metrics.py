"""Precision, recall and F1 of yes/no predictions, by class and over all classes."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from eval.intervals import Interval, wilson


class Counts(NamedTuple):
    """How often a class was rightly predicted, wrongly predicted, and missed."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    @property
    def n(self) -> int:
        """How often the class is labelled."""
        return self.tp + self.fn

    @property
    def precision(self) -> float:
        """Share of the predictions that are right; 0 where nothing was predicted."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """Share of the labels that were predicted; 0 where nothing is labelled."""
        return _share(self.tp, self.n)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where neither label nor prediction exists."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def occurs(self) -> bool:
        """Whether the class is labelled or predicted at all; if not, its F1 says nothing."""
        return bool(self.tp + self.fp + self.fn)

    def precision_interval(self) -> Interval:
        """Wilson's 95 % interval of the precision."""
        return wilson(self.tp, self.tp + self.fp)

    def recall_interval(self) -> Interval:
        """Wilson's 95 % interval of the recall."""
        return wilson(self.tp, self.n)


def count(classes: Iterable[str], pairs: Iterable[tuple[set[str], set[str]]]) -> dict[str, Counts]:
    """Count each class over ``(labelled, predicted)`` sets; classes that are not named are left out."""
    listed = list(pairs)
    return {name: _count(name, listed) for name in classes}


def micro(counts: Mapping[str, Counts]) -> Counts:
    """All classes thrown together."""
    return Counts(*(sum(column) for column in zip(*counts.values(), strict=True))) if counts else Counts()


def macro_f1(counts: Mapping[str, Counts]) -> float:
    """The mean F1 of the classes that occur; 0 where none does."""
    scores = [each.f1 for each in counts.values() if each.occurs]
    return sum(scores) / len(scores) if scores else 0.0


def _count(name: str, pairs: Iterable[tuple[set[str], set[str]]]) -> Counts:
    tp = fp = fn = 0
    for labelled, predicted in pairs:
        tp += name in labelled and name in predicted
        fp += name not in labelled and name in predicted
        fn += name in labelled and name not in predicted
    return Counts(tp, fp, fn)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
