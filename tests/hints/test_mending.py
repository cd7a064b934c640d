"""Which hints a writer followed, told from two versions of a note."""

import pytest

from app.hints.mending import Mended, Mending, Told

TEXT = "主诉：反复上腹痛。现病史：患者2月前进食生冷后出现上腹隐痛。"
PAIN, CAUSE, OTHER = Told("N-101", "反复上腹痛。"), Told("N-107", ""), Told("N-101", "上腹隐痛")


def followed(*versions, writer="u1"):
    """What became of the last of several versions; each is its text, what was shown, and what was amiss."""
    mending = Mending()
    return [mending.follow(writer, *version) for version in versions][-1]


@pytest.mark.parametrize(
    ("text", "amiss", "fixed"),
    [
        (TEXT.replace("反复上腹痛", "反复上腹痛2月"), [CAUSE], (PAIN,)),
        (TEXT + "无明显诱因。", [], (PAIN, CAUSE)),
        (TEXT + "续。", [PAIN, CAUSE], ()),
        (TEXT.replace("反复", ""), [OTHER, CAUSE], ()),  # the rule speaks of other words now
        ("", [], ()),  # the note was emptied
        ("患者今日神志清，精神可，诉无不适。", [], ()),  # another note
    ],
)
def test_only_what_was_mended_counts(text, amiss, fixed):
    assert followed((TEXT, [PAIN, CAUSE], [PAIN, CAUSE]), (text, amiss, amiss)).fixed == fixed


def test_what_was_never_shown_was_not_followed():
    assert followed((TEXT, [PAIN], [PAIN, CAUSE]), (TEXT + "续。", [], [])).fixed == (PAIN,)


def test_what_was_shown_once_stays_known_while_others_come_first():
    versions = ((TEXT, [PAIN], [PAIN, CAUSE]), (TEXT, [CAUSE], [PAIN, CAUSE]), (TEXT + "续。", [], []))
    assert followed(*versions).fixed == (PAIN, CAUSE)


def test_a_fix_that_is_undone_is_taken_back_and_can_be_made_again():
    mended = (TEXT + "续。", [], [])
    before = (TEXT, [PAIN], [PAIN])
    assert followed(before, mended, before) == Mended(broken=(PAIN,))
    assert followed(before, mended, before, mended) == Mended(fixed=(PAIN,))
    assert followed(before, mended, mended) == Mended()


def test_writers_do_not_meet():
    mending = Mending()
    mending.follow("u1", TEXT, [PAIN], [PAIN])
    assert mending.follow("u2", TEXT + "续。", [], []) == Mended()
    assert mending.follow("u1", TEXT + "续。", [], []).fixed == (PAIN,)
