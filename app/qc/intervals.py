"""Confidence intervals of proportions."""

import math
from collections.abc import Sequence
from typing import NamedTuple

Z_95 = 1.959963984540054


class Interval(NamedTuple):
    """A 95 % interval; ``low <= high``, both in ``[0, 1]``."""

    low: float
    high: float


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval (Wilson 1927) at 95 %; ``(0, 1)`` where nothing was observed.

    The observations must be independent: sentences of one record are not.

    Raises:
        ValueError: ``successes`` is not within ``0 … n``.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return Interval(0.0, 1.0)
    return _wilson(successes / n, n)


def _wilson(share: float, n: float) -> Interval:
    z2 = Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if share == 0 else max(0.0, centre - half)
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return Interval(low, high)


def clustered(hits: Sequence[int], sizes: Sequence[int]) -> Interval:
    """A 95 % interval of a share over observations that come in clusters (records, indicators).

    Wilson's interval with as many observations as would, if independent, vary as much as the clusters do; no more
    than there are, and where all agree, as many as there are clusters.

    Args:
        hits: of each cluster; sizes: its observations, at least one.
    """
    n, g = sum(sizes), len(sizes)
    if g < 2:
        return _wilson(sum(hits) / n, 1.0) if n else Interval(0.0, 1.0)
    share = sum(hits) / n
    spread = (
        sum((hit - share * size) ** 2 for hit, size in zip(hits, sizes, strict=True)) / n**2 * g / (g - 1)
    )
    worth = min(float(n), share * (1 - share) / spread) if spread else float(g)
    return _wilson(share, max(1.0, worth))
