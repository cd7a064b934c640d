from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.likeness import Content, content_of, likeness, share_within

COURSE = (
    "今日查房患者精神可右上腹隐痛较前减轻进半流质无不适无恶心呕吐大便一次腹软右上腹轻压痛无反跳痛肠鸣音正常"
)


def test_times_vital_signs_and_signatures_do_not_count():
    a = f"2026-05-16 09:10\n{COURSE}T 36.6℃，P 74次/分，BP 150/88mmHg。\n医师签名：林一舟"
    b = f"2026-05-17 09:15\n{COURSE}T 36.9℃，P 80次/分，BP 138/80mmHg。\n医师签名：周望岳"
    assert content_of(a) == content_of(b)


def test_tables_and_fixed_wording_do_not_count():
    table = "项目|术前|术后\n纱布|10|10\n"
    assert content_of(table + COURSE + "\n患者及家属表示理解").text == COURSE


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (COURSE, True),
        (COURSE.replace("右上腹隐痛", "左上腹隐痛"), True),
        (COURSE[: len(COURSE) // 2] + "完全另写的一段与前面没有什么关系的话凑够字数再多写几个字", False),
        ("", False),
    ],
)
def test_copies_are_told_from_other_texts(changed, found):
    assert (likeness(content_of(COURSE), content_of(changed), 0.95) >= 0.95) is found


texts = st.text(alphabet="腹痛发热咳嗽12。", max_size=80)


@given(texts, texts)
def test_likeness_is_mutual_and_bounded(a, b):
    one, other = Content(a), Content(b)
    assert likeness(one, other, 0.5) == likeness(other, one, 0.5)
    assert 0.0 <= likeness(one, other, 0.5) <= 1.0


@given(texts, texts)
def test_likeness_is_never_below_that_of_matching_blocks(a, b):
    """The longest common subsequence is at least as long as any matching blocks."""
    ratio = SequenceMatcher(None, a, b, autojunk=False).ratio()
    if a and b and ratio >= 0.8:
        assert likeness(Content(a), Content(b), 0.5) >= ratio - 1e-9


@given(texts.filter(lambda t: len(t) >= 20), st.integers(0, 19))
def test_one_changed_character_never_escapes(text, place):
    changed = text[:place] + "某" + text[place + 1 :]
    floor = 1 - 1 / len(text) - 1e-9
    assert likeness(Content(text), Content(changed), floor) == pytest.approx(1 - 1 / len(text))


def test_the_share_of_a_part():
    assert share_within(Content(COURSE[:20]), Content(COURSE)) == 1.0
    assert share_within(Content(""), Content(COURSE)) == 0.0
    assert share_within(Content(COURSE), Content("咳嗽咳痰三天无发热")) == 0.0
