import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.width import half_width


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ＢＰ１２８／７８ｍｍＨｇ", "BP128/78mmHg"),
        ("主　诉：发热，咳嗽；", "主 诉:发热,咳嗽;"),
        ("（＋）～３天", "(+)~3天"),
        ("36．5℃", "36.5℃"),
        ("5⽉6⽇", "5月6日"),
        ("2–3天—", "2-3天-"),
        ("完。、【】“”", "完。、【】“”"),
        ("㎡①⁹½", "㎡①⁹½"),
        ("", ""),
    ],
)
def test_forms_are_folded_one_for_one(text: str, folded: str) -> None:
    assert half_width(text) == folded


@given(st.text())
def test_length_is_kept_and_folding_twice_changes_nothing(text: str) -> None:
    folded = half_width(text)
    assert len(folded) == len(text)
    assert half_width(folded) == folded
