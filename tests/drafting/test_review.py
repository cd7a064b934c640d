"""What physicians make of a draft: states, who and when, and the label that stays."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.drafting.draft import Draft
from app.drafting.export import export
from app.drafting.review import Place, Reviewer, accept, accept_rest, edit, reject, sealed, sentence_at, write
from app.errors import UserError
from app.labelling.verify import verify
from tests.drafting.stays import KEY, finished, stay

DOCTOR = Reviewer("李某", datetime(2026, 5, 14, 11, 0, tzinfo=UTC))
CHIEF = Reviewer("王某", datetime(2026, 5, 14, 12, 0, tzinfo=UTC))
FIRST = Place("入院情况", 0)


@pytest.fixture(scope="module")
def draft():
    return finished(stay())[1]


def test_accepting_keeps_the_sentence(draft):
    sentence = sentence_at(accept(draft, FIRST, DOCTOR), FIRST)
    assert (sentence.state, sentence.text) == ("accepted", sentence_at(draft, FIRST).text)
    assert (sentence.review[0].by, sentence.review[0].at) == DOCTOR
    assert sentence_at(draft, FIRST).state == "generated"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("右侧胸痛3天。", "supported"), ("左侧胸痛3天。", "not_supported"), ("右侧胸痛5天。", "not_supported")],
)
def test_an_edit_is_verified_anew_and_keeps_what_it_replaced(draft, text, verdict):
    sentence = sentence_at(edit(draft, FIRST, f" {text}\n", DOCTOR), FIRST)
    assert (sentence.state, sentence.text, sentence.verdict) == ("edited", text, verdict)
    assert sentence.review[0].before == "右侧胸痛3天。"
    assert sentence.citations == sentence_at(draft, FIRST).citations


def test_an_edit_of_data_is_unverified(draft):
    assert (
        sentence_at(edit(draft, Place("出院诊断", 0), "1.左下肺炎", DOCTOR), Place("出院诊断", 0)).verdict
        == "unverified"
    )


def test_decisions_add_up(draft):
    changed = accept(edit(draft, FIRST, "右侧胸痛3日。", DOCTOR), FIRST, CHIEF)
    assert [(s.state, s.by) for s in sentence_at(changed, FIRST).review] == [
        ("edited", "李某"),
        ("accepted", "王某"),
    ]


def test_a_sentence_by_hand_has_no_source(draft):
    changed = write(draft, "出院医嘱", "注意休息。", DOCTOR)
    own = changed.section("出院医嘱").sentences[-1]
    assert (own.state, own.citations, own.verdict) == ("written", (), "unverified")


def test_a_rejected_sentence_stays_in_the_file_and_on_no_page(draft, tmp_path):
    changed = sealed(reject(draft, FIRST, DOCTOR, "与患者核对有误"), KEY)
    for name in ("d.json", "d.md"):
        export(changed, stay(), tmp_path / name, KEY)
    assert "与患者核对有误" in (tmp_path / "d.json").read_text("utf-8")
    assert "右侧胸痛3天。[^" not in (tmp_path / "d.md").read_text("utf-8")
    assert Draft.model_validate_json((tmp_path / "d.json").read_text("utf-8")) == changed


def test_a_draft_is_accepted_once_everything_is_decided(draft):
    changed = accept_rest(reject(draft, FIRST, DOCTOR), CHIEF)
    assert changed.status == "accepted"
    assert sentence_at(changed, FIRST).state == "rejected"
    assert write(draft, "出院医嘱", "注意休息。", DOCTOR).status == "draft"


def test_what_is_accepted_stays_labelled(draft, tmp_path):
    changed = sealed(accept_rest(draft, DOCTOR), KEY)
    assert changed.label["AIGC"]["ProduceID"] == draft.label["AIGC"]["ProduceID"]
    for name in ("d.json", "d.html"):
        export(changed, stay(), tmp_path / name, KEY)
        assert verify(tmp_path / name, KEY).status == "whole"
    assert "（草稿）" not in (tmp_path / "d.html").read_text("utf-8")


def test_a_decision_changed_by_hand_shows(draft, tmp_path):
    export(sealed(accept(draft, FIRST, DOCTOR), KEY), stay(), tmp_path / "d.json", KEY)
    content = json.loads((tmp_path / "d.json").read_text("utf-8"))
    content["sections"][3]["sentences"][0]["review"][0]["by"] = "赵某"
    (tmp_path / "d.json").write_text(json.dumps(content), "utf-8")
    assert verify(tmp_path / "d.json", KEY).status == "tampered"


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda d: accept(d, Place("入院情况", 99), DOCTOR), "没有第100句"),
        (lambda d: accept(d, Place("入院情况", -1), DOCTOR), "没有第0句"),
        (lambda d: reject(d, Place("无此项", 0), DOCTOR), "没有“无此项”"),
        (lambda d: edit(d, FIRST, " \n", DOCTOR), "空的"),
        (lambda d: write(d, "出院医嘱", "", DOCTOR), "空的"),
    ],
)
def test_impossible_decisions(draft, act, reason):
    with pytest.raises(UserError, match=reason):
        act(draft)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("aerw"), st.integers(0, 3))))
def test_no_decision_is_ever_lost(draft, decisions):
    changed, made = draft, 0
    for kind, number in decisions:
        place = Place("诊疗经过", number % len(draft.section("诊疗经过").sentences))
        match kind:
            case "a":
                changed = accept(changed, place, DOCTOR)
            case "e":
                changed = edit(changed, place, f"改写{made}。", DOCTOR)
            case "r":
                changed = reject(changed, place, DOCTOR)
            case _:
                changed = write(changed, place.section, f"手写{made}。", DOCTOR)
        made += 1
    assert sum(len(s.review) for section in changed.sections for s in section.sentences) == made
    assert Draft.model_validate_json(changed.model_dump_json()) == changed
