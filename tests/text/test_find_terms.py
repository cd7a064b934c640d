from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.records.model import Span
from app.text.terms import find_terms
from app.text.width import half_width


@pytest.mark.parametrize(
    ("text", "terms", "found"),
    [
        ("高血压病3级", ("高血压", "高血压病", "血压"), ["高血压病"]),
        ("咳嗽、咳痰", ("咳嗽", "咳痰"), ["咳嗽", "咳痰"]),
        ("CT示", ("ＣＴ",), ["CT"]),
        ("无", ("咳嗽",), []),
        ("咳嗽", (), []),
        ("咳嗽", ("",), []),
        ("𬌗面龋", ("面龋",), ["面龋"]),
    ],
)
def test_the_longest_terms_are_found_in_order(text, terms, found):
    assert [span.of(text) for span in find_terms(text, terms)] == found


def test_only_what_lies_wholly_within_is_found():
    assert find_terms("咳嗽伴咳痰", ("咳嗽", "咳痰"), Span(1, 5)) == (Span(3, 5),)
    assert find_terms("咳嗽伴咳痰", ("咳嗽", "咳痰"), Span(0, 4)) == (Span(0, 2),)


@given(
    st.text(alphabet="咳嗽痰血压高𬌗 a，"),
    st.lists(st.text(alphabet="咳嗽痰血压高𬌗a", max_size=3), max_size=5),
)
def test_spans_bear_terms_and_do_not_overlap(text, terms):
    half = half_width(text)
    spans = find_terms(half, tuple(terms))
    assert all(span.of(half) in map(half_width, terms) for span in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
