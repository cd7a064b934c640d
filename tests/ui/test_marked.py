"""Notes cut into marked pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.rule import SEVERITIES
from app.ui.marked import Mark, pieces

marks = st.builds(Mark, st.integers(-5, 60), st.integers(-5, 60), st.sampled_from(SEVERITIES), st.booleans())


@given(st.text(max_size=50), st.lists(marks, max_size=8))
def test_pieces_make_up_the_text(text, found):
    assert "".join(piece.text for piece in pieces(text, found)) == text


@given(st.text(max_size=50), st.lists(marks, max_size=8))
def test_exactly_what_is_marked_has_a_severity(text, found):
    place = 0
    for piece in pieces(text, found):
        covering = [m for m in found if 0 <= m.start <= place and place + len(piece.text) <= m.end]
        assert (piece.severity is not None) == bool(covering)
        place += len(piece.text)


@given(st.text(max_size=50), st.lists(marks, max_size=8))
def test_one_piece_at_most_is_the_first_to_look_at(text, found):
    assert sum(piece.is_first for piece in pieces(text, found)) <= 1


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ([], [("主诉：腹痛。", None)]),
        ([Mark(3, 5, "minor", False)], [("主诉：", None), ("腹痛", "minor"), ("。", None)]),
        (
            [Mark(0, 5, "hint", False), Mark(3, 6, "veto", False)],
            [("主诉：", "hint"), ("腹痛", "veto"), ("。", "veto")],
        ),
        ([Mark(3, 99, "major", False)], [("主诉：", None), ("腹痛。", "major")]),
        ([Mark(5, 3, "major", False)], [("主诉：腹痛。", None)]),
    ],
)
def test_the_gravest_of_overlapping_marks_shows(found, shown):
    assert [(piece.text, piece.severity) for piece in pieces("主诉：腹痛。", found)] == shown
