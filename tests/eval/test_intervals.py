import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.intervals import wilson


def test_wilson_worked_by_hand():
    # 8 of 10, z = 1.96: centre (0.8 + 3.8415/20) / (1 + 0.38415) = 0.99207/1.38415 = 0.71674;
    # half 1.96/1.38415 * sqrt(0.16/10 + 3.8415/400) = 1.41602 * 0.160010 = 0.22658.
    assert wilson(8, 10) == pytest.approx((0.49016, 0.94332), abs=2e-5)


@pytest.mark.parametrize(
    ("successes", "n", "expected"), [(0, 0, (0.0, 1.0)), (0, 10, (0.0, 0.27753)), (10, 10, (0.72247, 1.0))]
)
def test_wilson_at_the_edges(successes, n, expected):
    assert wilson(successes, n) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match="successes of"):
        wilson(successes, n)


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share(case):
    successes, n = case
    low, high = wilson(successes, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= successes / n <= high
