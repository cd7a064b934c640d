"""Shares of observations that come in clusters: the sentences of one record are not independent."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from eval.intervals import Interval, wilson

_RESAMPLES = 2000
_SEED = 1


class Count(NamedTuple):
    """What one cluster has: ``hits`` of ``n`` observations."""

    hits: int
    n: int


class Share(NamedTuple):
    """A share over clusters with its 95 % interval; ``value`` is ``None`` without observations.

    Attributes:
        unscored: observations that no judge could decide; outside of everything else.
    """

    value: float | None
    interval: Interval
    n: int
    clusters: int
    unscored: int = 0

    def as_json(self) -> dict[str, Any]:
        """Rounded to four digits."""
        return {
            "value": None if self.value is None else round(self.value, 4),
            "interval": [round(self.interval.low, 4), round(self.interval.high, 4)],
            "n": self.n,
            "records": self.clusters,
            "unscored": self.unscored,
        }

    def as_text(self) -> str:
        """The same for a reader."""
        if self.value is None:
            return f"—（未评 {self.unscored}）"
        told = f"{self.value:.3f}（{self.interval.low:.3f}–{self.interval.high:.3f}；n={self.n}，病历 {self.clusters} 份"
        return f"{told}，未评 {self.unscored}）" if self.unscored else f"{told}）"


def share(counts: Sequence[Count], unscored: int = 0) -> Share:
    """The share over all observations.

    The interval is a percentile bootstrap over clusters (2,000 resamples, fixed seed). Where all clusters agree on
    0 or 1 a bootstrap knows no doubt; there it is Wilson's with the clusters as the observations. One cluster alone
    says nothing of others: ``(0, 1)``.
    """
    known = [count for count in counts if count.n]
    hits, n = sum(count.hits for count in known), sum(count.n for count in known)
    if not n:
        return Share(None, Interval(0.0, 1.0), 0, 0, unscored)
    if len(known) == 1:
        return Share(hits / n, Interval(0.0, 1.0), n, 1, unscored)
    is_unanimous = hits in (0, n)
    interval = wilson(len(known) if hits else 0, len(known)) if is_unanimous else _bootstrapped(known)
    return Share(hits / n, interval, n, len(known), unscored)


def _bootstrapped(counts: Sequence[Count]) -> Interval:
    chance = random.Random(_SEED)  # noqa: S311  # resampling, not secrecy
    values = sorted(_share(chance.choices(counts, k=len(counts))) for _ in range(_RESAMPLES))
    return Interval(values[int(0.025 * _RESAMPLES)], values[int(0.975 * _RESAMPLES)])


def _share(counts: Sequence[Count]) -> float:
    return sum(count.hits for count in counts) / sum(count.n for count in counts)
