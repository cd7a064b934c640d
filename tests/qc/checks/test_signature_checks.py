import pytest

from app.qc.case import Case
from app.qc.checks.signature import (
    ReviewLate,
    SignatureMissing,
    SignerMismatch,
    UnqualifiedAuthor,
    is_signed_for_patient,
    typed_signature,
)
from app.records.model import Document, MedicalRecord
from app.text.width import half_width


def outcome(check, document, **parts):
    whole = {"id": "D1", "type": "日常病程记录", "text": "", **document}
    content = {"record_id": "R", "coverage": ["documents", "signatures"], "documents": [whole], **parts}
    return check.rule_on(Case(MedicalRecord.model_validate(content)), ("日常病程记录",)).outcome


@pytest.mark.parametrize(
    ("text", "is_typed"),
    [
        ("医师签名：林一舟", True),
        ("医师签名：林一舟　上级医师：周正", True),
        ("医师签名：林一舟（第二助手）", True),
        ("医师签字 林一舟", True),
        ("医师签名：", False),
        ("医师签名：\n日期：", False),
        ("医师签名：________", False),
        ("医师签名：***", True),  # masked, so written
        ("医师签名：年　月　日", False),
        ("医师签名：\n林一舟", False),
        ("请医师签名确认后执行", False),
    ],
)
def test_typed_signatures(text, is_typed):
    assert (typed_signature(half_width(text), "医师") is not None) is is_typed


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("患者签名：沈禾", True),
        ("患方签名：沈满（与患者关系：女儿）", True),
        ("患者或授权委托人签名：沈满", True),
        ("家属签字：沈满", True),
        ("患者签名：", False),
        ("医师签名：林一舟", False),
    ],
)
def test_the_patients_side(text, signed):
    document = Document(id="D1", type="手术知情同意书", text=text)
    assert is_signed_for_patient(document, half_width(text)) is signed


RECORDER = SignatureMissing(required=(("记录者",),))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"signatures": [{"role": "记录者", "name": "林一舟"}]}, "pass"),
        ({"signatures": [{"role": "记录者", "name": None}]}, "defect"),
        ({"signatures": [{"role": "审核者", "name": "周正"}], "author": {"name": "林一舟"}}, "defect"),
        ({"signatures": [{"role": "审核者", "name": "周正"}], "author": {"name": "周正"}}, "pass"),
        ({"text": "患者无不适。\n记录者：林一舟"}, "pass"),
        ({"text": "病史由记录者：详细询问后写成。"}, "defect"),
        ({"text": "护士签名：阮青禾"}, "pass"),
    ],
)
def test_the_recorders_signature(document, expected):
    assert outcome(RECORDER, document, encounter={"discharged_at": "2026-05-14 09:00"}) == expected


def test_an_unfinished_note_need_not_be_signed_yet():
    stay = {"admitted_at": "2026-05-06 09:00"}
    assert outcome(RECORDER, {"text": "患者今日"}, encounter=stay) == "not_applicable"
    assert outcome(RECORDER, {"written_at": "2026-05-07 09:00"}, encounter=stay) == "defect"


def test_without_signature_data_only_an_empty_signature_line_is_a_defect():
    for text, expected in (("患者无不适。", "undetermined"), ("患者无不适。\n医师签名：", "defect")):
        assert outcome(RECORDER, {"text": text}, coverage=["documents"]) == expected


def test_two_signatures_are_both_required():
    both = SignatureMissing(required=(("记录者",), ("术者", "手术者")))
    signed = [{"role": "记录者", "name": "林一舟"}, {"role": "手术者", "name": "裴启"}]
    assert outcome(both, {"signatures": signed}) == "pass"
    assert outcome(both, {"signatures": signed[:1], "author": {"name": "林一舟"}}) == "defect"


@pytest.mark.parametrize(
    ("author", "reviewer", "expected"),
    [
        ({"name": "何知", "licensed": False}, {"name": "周正", "title": "主治医师"}, "pass"),
        ({"name": "何知", "licensed": False}, {"name": "何知", "title": "实习医师"}, "defect"),
        ({"name": "何知", "licensed": False}, {"name": "甘露", "title": "实习医师"}, "defect"),
        ({"name": "何知", "title": "实习医师"}, None, "defect"),
        ({"name": "林一舟", "title": "住院医师"}, None, "not_applicable"),
        ({"name": "林一舟"}, None, "undetermined"),
    ],
)
def test_trainees_need_a_licensed_reviewer(author, reviewer, expected):
    signatures = [{"role": "审核者", **reviewer}] if reviewer else []
    document = {"written_at": "2026-05-07 09:00", "author": author, "signatures": signatures}
    assert outcome(UnqualifiedAuthor(), document) == expected


@pytest.mark.parametrize(
    ("limit", "signed", "expected"),
    [
        (72, "2026-05-10 09:00", "pass"),
        (72, "2026-05-10 09:00:01", "defect"),
        (None, "2026-06-10 09:00", "not_applicable"),
        (72, None, "undetermined"),
    ],
)
def test_review_within_the_hospitals_hours(limit, signed, expected):
    signatures = [{"role": "审核者", "name": "周正", "signed_at": signed}]
    document = {"written_at": "2026-05-07 09:00", "signatures": signatures}
    assert outcome(ReviewLate(limit_hours=limit), document) == expected


@pytest.mark.parametrize(
    ("recorder", "text", "expected"),
    [
        ("林一舟", "", "pass"),
        ("周正", "", "defect"),
        ("林**", "", "pass"),
        ("周正", "由林一舟代录", "not_applicable"),
    ],
)
def test_the_recorder_is_the_author(recorder, text, expected):
    signatures = [{"role": "记录者", "name": recorder}]
    document = {"text": text, "author": {"name": "林一舟"}, "signatures": signatures}
    assert outcome(SignerMismatch(), document) == expected
