"""Confidence intervals of proportions."""

import math
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
    share = successes / n
    z2 = Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(low, high)
