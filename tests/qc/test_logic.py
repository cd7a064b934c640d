import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.logic import Condition, conjunction, disjunction, negation

truths = st.sampled_from([True, False, None])


@pytest.mark.parametrize(
    ("a", "b", "both", "either"),
    [
        (True, True, True, True),
        (True, False, False, True),
        (True, None, None, True),
        (False, None, False, None),
        (None, None, None, None),
        (False, False, False, False),
    ],
)
def test_kleene_tables(a, b, both, either):
    assert conjunction(a, b) is both
    assert conjunction(b, a) is both
    assert disjunction(a, b) is either
    assert disjunction(b, a) is either


@given(truths, truths)
def test_de_morgan(a, b):
    assert negation(conjunction(a, b)) is disjunction(negation(a), negation(b))


@given(truths, truths, truths)
def test_conjunction_is_associative(a, b, c):
    assert conjunction(a, conjunction(b, c)) is conjunction(conjunction(a, b), c) is conjunction(a, b, c)


@given(truths, truths, st.booleans())
def test_knowing_more_never_contradicts(a, b, learnt):
    """Filling in an unknown may settle a condition, but never turns a settled one around."""
    condition = Condition("a and not b or b")
    before = condition.evaluate({"a": a, "b": b})
    after = condition.evaluate({"a": learnt if a is None else a, "b": learnt if b is None else b})
    assert before is None or after is before


def test_names_in_the_order_written():
    assert Condition("not late or (has_reason and late)").names == ("late", "has_reason")


@pytest.mark.parametrize(
    "text", ["", "a and", "a + b", "f(a)", "a == b", "True", "__import__('os')", "a if b else c", "a.b"]
)
def test_anything_else_is_no_condition(text):
    with pytest.raises(ValueError, match="条件"):
        Condition(text)


def test_a_fact_without_value_is_an_error():
    with pytest.raises(KeyError):
        Condition("a or b").evaluate({"a": False})


@pytest.mark.parametrize(
    ("text", "values", "grounds"),
    [
        ("a or b", {"a": True, "b": False}, ("a",)),
        ("a or b", {"a": True, "b": True}, ("a", "b")),
        ("a or b", {"a": True, "b": None}, ("a",)),
        ("a or not b", {"a": False, "b": False}, ("b",)),
        ("a and not (b or c)", {"a": True, "b": False, "c": False}, ("a", "b", "c")),
        ("a and b", {"a": False, "b": True}, ("a",)),
    ],
)
def test_the_grounds_of_a_decision(text, values, grounds):
    assert Condition(text).grounds(values) == grounds
