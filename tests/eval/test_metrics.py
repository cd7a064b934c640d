import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics import Counts, count, macro_f1, micro


def test_by_hand():
    # a: found in 1, wrongly in 2; b: missed in 1
    counts = count(["a", "b", "c"], [({"a", "b"}, {"a"}), (set(), {"a"})])
    assert counts == {"a": Counts(1, 1, 0), "b": Counts(0, 0, 1), "c": Counts()}
    assert counts["a"].f1 == pytest.approx(2 / 3)  # P 1/2, R 1
    assert micro(counts) == Counts(1, 1, 1)
    assert macro_f1(counts) == pytest.approx(1 / 3)  # c occurs nowhere


def test_nothing_at_all():
    assert micro({}) == Counts()
    assert macro_f1({}) == Counts().f1 == 0


numbers = st.integers(0, 500)


@given(numbers, numbers, numbers)
def test_f1_lies_between_precision_and_recall(tp, fp, fn):
    counts = Counts(tp, fp, fn)
    low, high = sorted((counts.precision, counts.recall))
    assert low - 1e-9 <= counts.f1 <= high + 1e-9
