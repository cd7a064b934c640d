"""Hints: what speaks when, in which order, and what stays quiet."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.assembly import open_checker
from app.hints.hint import HintRequest
from app.hints.hinter import Hinter
from app.hints.timing import Timing, Writing, timing_of
from app.records.model import CHINA_TIME, Document, MedicalRecord
from app.settings import Settings
from app.storage.dismissals import dismissal_key
from app.text.reading import Reading

NOTE = (
    "主诉：反复上腹痛。\n"
    "现病史：患者2月前进食生冷后出现上腹隐痛，3天前加重，于我院门诊就诊，予抑酸治疗后无好转。\n"
    "既往史：否认高血压、糖尿病史，否认手术史。\n"
    "体格检查：T 36.5℃，P 78次/分，R 18次/分，BP 128/78mmHg。\n"
)
NOON = datetime(2026, 5, 6, 12, tzinfo=CHINA_TIME)


@pytest.fixture(scope="module")
def checker(tmp_path_factory):
    with open_checker(Settings(data_dir=tmp_path_factory.mktemp("hints")), use_model=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def hinter(checker):
    return Hinter(checker, most=20)


def asked(text, **more):
    return HintRequest(text=text, type=more.pop("type", "入院记录"), **more)


def rules(hints):
    return [hint.rule for hint in hints.hints]


@pytest.mark.parametrize(
    ("written", "speaks"),
    [
        ("主诉：反复上腹痛", False),  # still in the section
        ("主诉：反复上腹痛。\n现病史：", False),  # the next one is only a heading yet
        ("主诉：反复上腹痛。\n现病史：患者2月前出现", True),
        ("主诉：反复上腹痛2月。\n现病史：患者2月前出现", False),  # nothing amiss
    ],
)
def test_a_section_is_blamed_once_it_is_left_behind(hinter, written, speaks):
    assert ("N-101" in rules(hinter.now(asked(written)))) is speaks


def test_who_asks_is_told_at_once(hinter):
    assert "N-101" in rules(hinter.now(asked("主诉：反复上腹痛", is_finished=True)))


def test_missing_sections_speak_when_the_writing_has_passed_them(hinter):
    head = "主诉：反复上腹痛2月。\n现病史：患者2月前进食生冷后出现上腹隐痛。\n"
    assert "F-108" not in rules(hinter.now(asked(head)))
    assert "F-108" in rules(hinter.now(asked(head + "体格检查：T 36.5℃，P 78次/分。")))


def test_headings_of_a_template_below_the_cursor_stay_quiet(hinter):
    text = "主诉：反复上腹痛2月。\n现病史：\n既往史：\n家族史：无特殊\n"
    cursor = text.index("现病史：") + 4
    assert not {"F-107", "F-108"} & set(rules(hinter.now(asked(text, cursor=cursor))))
    assert "F-107" in rules(hinter.now(asked(text)))


def test_contradictions_speak_while_one_writes(hinter):
    text = "术前诊断：左侧股骨颈骨折\n拟施手术名称和方式：右侧人工全髋关节置换术"
    assert timing_of("L-401") is Timing.AT_ONCE
    assert "L-401" in rules(hinter.now(asked(text, type="术前小结", cursor=len(text))))


def test_rules_about_signatures_and_deadlines_never_speak(checker, hinter):
    quiet = [code for code in checker.rules if timing_of(code) is Timing.NEVER]
    assert {"F-102", "F-121", "F-702", "F-714"} <= set(quiet)
    assert not set(quiet) & set(rules(hinter.now(asked(NOTE, is_finished=True))))


def test_a_hint_says_what_where_why_and_how(hinter):
    hint = next(h for h in hinter.now(asked(NOTE)).hints if h.rule == "N-101")
    assert NOTE[hint.start : hint.end] == hint.quote
    assert (hint.section, hint.document_type) == ("主诉", "入院记录")
    assert "持续时间" in hint.what
    assert "第十八条（二）" in hint.why
    assert hint.how.startswith("主诉写明")


def test_at_most_so_many_and_the_rest_is_counted(checker):
    every = Hinter(checker, most=20).now(asked(NOTE, is_finished=True))
    few = Hinter(checker, most=2).now(asked(NOTE, is_finished=True))
    assert len(few.hints) == 2
    assert few.more == len(every.hints) + every.more - 2
    assert few.hints == every.hints[:2]


def test_severe_before_slight_and_near_before_far(hinter):
    order = {"veto": 0, "major": 1, "minor": 2, "hint": 3}
    found = hinter.now(asked(NOTE, is_finished=True, cursor=0)).hints
    severities = [order[hint.severity] for hint in found]
    assert severities == sorted(severities)
    near = [h.start for h in found if h.severity == "minor" and h.start is not None and h.confidence == 1]
    assert near == sorted(near)


def test_a_dismissed_hint_does_not_return_wherever_its_words_move(hinter):
    hint = next(h for h in hinter.now(asked(NOTE)).hints if h.rule == "N-101")
    dismissed = {dismissal_key(hint.rule, hint.quote)}
    assert hint.id not in {h.id for h in hinter.now(asked(NOTE), dismissed).hints}
    assert "N-101" not in rules(hinter.now(asked("记录时间：2026年5月6日\n" + NOTE), dismissed))
    assert "N-101" in rules(hinter.now(asked(NOTE.replace("上腹痛", "胸痛")), dismissed))


def test_a_hint_keeps_its_id_when_text_is_put_before_it(hinter):
    def of(text):
        return {h.id for h in hinter.now(asked(text)).hints if h.rule == "N-101"}

    assert of(NOTE) == of("记录时间：2026年5月6日\n" + NOTE) != set()


def test_what_did_not_change_is_told_in_one_word(hinter):
    first = hinter.now(asked(NOTE), at=NOON)
    again = hinter.now(asked(NOTE, known=first.state), at=NOON)
    assert again.is_unchanged
    assert again.hints == ()
    assert not hinter.now(asked(NOTE + "补", known=first.state), at=NOON).is_unchanged


def test_unchanged_text_is_not_judged_again(checker, monkeypatch):
    hinter = Hinter(checker, most=20)
    first = hinter.now(asked(NOTE), at=NOON)
    monkeypatch.setattr(type(checker), "check", lambda *_: pytest.fail("judged again"))
    assert {h.id for h in hinter.now(asked(NOTE, cursor=3), at=NOON).hints} == {h.id for h in first.hints}


def test_agreement_with_the_stay_names_the_other_place(hinter):
    admission = Document(id="D01", type="入院记录", text="初步诊断：\n1. 左肾结石伴积水")
    record = MedicalRecord(record_id="A", documents=(admission,))
    found = hinter.now(asked("出院诊断：\n1. 右肾结石伴积水", type="出院记录", record=record))
    sides = [hint for hint in found.hints if hint.rule == "L-401"]
    assert sides
    assert any(evidence.document_id == "D01" for evidence in sides[0].elsewhere)


def test_what_is_due_next_comes_with_the_time_left(hinter):
    record = MedicalRecord.model_validate(
        {"record_id": "A", "encounter": {"admitted_at": NOON.isoformat()}, "documents": []}
    )
    at = NOON + timedelta(hours=6)
    found = hinter.now(asked("病例特点：", type="首次病程记录", record=record), at=at)
    first = found.due[0]
    assert (first.what, first.minutes_left) == ("首次病程记录", 120)
    later = hinter.now(asked("病例特点：", type="首次病程记录", record=record), at=at + timedelta(minutes=3))
    assert later.due[0].minutes_left == 117


def test_an_own_note_of_the_stay_is_replaced_not_doubled(hinter):
    old = Document(id="D01", type="入院记录", text="主诉：右膝肿痛2天。")
    record = MedicalRecord(record_id="A", documents=(old,))
    found = hinter.now(asked(NOTE, document_id="D01", record=record))
    assert all(e.document_id == "D01" for hint in found.hints for e in hint.elsewhere)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from([*NOTE.splitlines(keepends=True), "：", "\n", "主诉", "现病史：", "𬌗", "<b>"]),
        max_size=12,
    ),
    st.integers(0, 400),
)
def test_no_text_makes_hints_fail_and_every_place_is_verbatim(hinter, pieces, cursor):
    text = "".join(pieces)
    for hint in hinter.now(asked(text, cursor=cursor)).hints:
        assert hint.start is None or text[hint.start : hint.end] == hint.quote


@pytest.mark.parametrize(
    ("text", "cursor", "section", "is_past"),
    [
        ("", None, "主诉", False),
        ("主诉：腹痛", None, "主诉", False),
        ("主诉：腹痛\n现病史：2天前", None, "主诉", True),
        ("主诉：腹痛\n现病史：2天前", None, "现病史", False),
        ("现病史：2天前", None, "主诉", True),  # skipped
        ("主诉：腹痛", None, "家族史", False),
        ("主诉：\n现病史：2天前", 3, "主诉", False),  # the writer is in it
        ("主诉：\n现病史：2天前", 10, "主诉", True),
        ("分析：好转", None, "没有这一段", False),
    ],
)
def test_how_far_the_writing_has_come(text, cursor, section, is_past):
    reading = Reading(Document(id="D", type="入院记录", text=text))
    assert Writing(reading, cursor).is_past(section) is is_past
