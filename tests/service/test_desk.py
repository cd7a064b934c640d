"""The desk: rights asked and the log written, whoever calls."""

import json
import zipfile
from io import BytesIO

import pytest

from app.errors import Conflict, Denied, NotFound, UserError
from app.hints.hint import HintRequest
from app.privacy.rights import Action
from app.records.model import MedicalRecord
from app.review.transitions import Step
from app.service.desk import Desk
from app.service.parts import open_parts
from app.settings import Settings
from app.storage.findings import FindingFilter
from app.storage.states import State
from tests.support.service import ACCOUNTS, NOTE, OWN, PASSWORD, stay


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    with open_parts(Settings(data_dir=tmp_path_factory.mktemp("desk")), use_model=False) as opened:
        for name in ("administrator", "physician", "colleague", "head", "qc", "evaluator"):
            opened.accounts.save(ACCOUNTS[name], password=PASSWORD)
        Desk(opened, opened.account("qc")).save_record(MedicalRecord.model_validate(stay()))
        yield opened


@pytest.fixture
def desk(parts):
    return lambda name: Desk(parts, parts.account(name))


def of_rule(desk, rule):
    return next(work for work in desk.findings(FindingFilter(rule=rule)).items)


def test_a_finding_goes_from_assignment_through_mending_to_its_end(desk):
    qc, physician = desk("qc"), desk("physician")
    work = of_rule(qc, "N-101")
    assert (work.patient_name, work.state) == ("钱守仁", State.UNASSIGNED)
    assert {step.step for step in work.actions} == {Step.ASSIGN, Step.FALSE_ALARM}
    assigned = qc.act(work.id, "assign", work.version)
    assert assigned.assignee == "id:physician"
    assert {step.step for step in physician.finding(work.id).actions} == {Step.CORRECT, Step.APPEAL}
    still = physician.act(work.id, "correct", assigned.version)
    assert (still.state, still.is_present) == (State.CORRECTED, True)
    mended = stay()
    mended["documents"][0]["text"] = NOTE.replace("反复上腹痛。", "反复上腹痛2月，加重3天。")
    physician.save_record(MedicalRecord.model_validate(mended))
    closed = qc.finding(work.id)
    assert (closed.state, closed.is_present) == (State.CLOSED, False)
    assert [step.action for step in closed.history] == ["raise", "assign", "correct", "vanish"]


def test_an_appeal_wants_a_reason_and_is_decided_by_others(desk):
    qc, physician = desk("qc"), desk("physician")
    work = of_rule(qc, "F-110")
    with pytest.raises(UserError, match="理由"):
        physician.act(work.id, "appeal", work.version)
    appealed = physician.act(work.id, "appeal", work.version, "在护理评估中", "见护理记录")
    with pytest.raises(Denied):
        physician.act(work.id, "uphold", appealed.version, "自己裁定")
    with pytest.raises(Conflict):
        qc.act(work.id, "uphold", work.version, "看过")
    upheld = qc.act(work.id, "uphold", appealed.version, "看过")
    assert upheld.state is State.UPHELD
    assert next(each for each in qc.rule_feedback() if each.rule == "F-110").refused == 1


def test_an_explanation_shows_facts_answers_and_logic(desk):
    qc = desk("qc")
    work = of_rule(qc, "N-107") if qc.findings(FindingFilter(rule="N-107")).items else of_rule(qc, "N-105")
    told = qc.explain(work.id)
    assert told.condition
    assert all(fact.question.endswith("？") for fact in told.facts)
    assert any(fact.value is not None for fact in told.facts)
    with pytest.raises(NotFound):
        desk("colleague").explain(work.id)


def test_a_switched_rule_speaks_no_more_and_of_two_changes_the_second_is_told(desk):
    qc = desk("qc")
    note = HintRequest(text=NOTE, type="入院记录", is_finished=True)
    code = qc.hints(note).hints[0].rule
    changed = qc.change_rule(code, False, None, 0)
    assert (changed.is_enabled, changed.version) == (False, 1)
    assert code not in {hint.rule for hint in qc.hints(note).hints}
    with pytest.raises(Conflict):
        qc.change_rule(code, True, None, 0)
    again = qc.change_rule(code, True, 3, 1)
    assert (again.is_enabled, again.points, again.version) == (True, 3, 2)
    assert code in {hint.rule for hint in qc.hints(note).hints}
    with pytest.raises(NotFound):
        qc.change_rule("N-999", True, None)


def test_a_draft_is_reviewed_sentence_by_sentence_and_exported(desk, parts, examples):
    record = MedicalRecord.model_validate_json(next(iter(sorted(examples.glob("02-*.json")))).read_bytes())
    desk("qc").save_record(record)
    author = next(d.author.id for d in record.documents if d.author and d.author.id)
    parts.accounts.save(
        ACCOUNTS["physician"].model_copy(update={"name": author, "version": 0}), password=PASSWORD
    )
    physician = desk(author)
    said = []
    stored = physician.draft(record.record_id, on_sentence=said.append, use_model=False)
    assert len(said) == sum(len(section.sentences) for section in stored.draft.sections)
    first = stored.draft.sections[0].name
    taken = physician.review_sentence(stored.id, 1, first, 0, "accepted")
    with pytest.raises(Conflict):
        physician.review_sentence(stored.id, 1, first, 0, "rejected")
    done = physician.accept_rest(stored.id, taken.version)
    assert done.draft.status == "accepted"
    assert physician.export_draft(stored.id, "docx")[:2] == b"PK"
    with pytest.raises(UserError, match="odt"):
        physician.export_draft(stored.id, "odt")
    with pytest.raises(Denied):
        desk("qc").draft(record.record_id)
    with pytest.raises(NotFound):
        desk("colleague").stored_draft(stored.id)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pdf", b"%PDF"), ("a.zip", b"PK\x05\x06" + bytes(18)), ("a", b""), ("../../a.exe", b"MZ")],
)
def test_what_holds_no_records_is_no_batch(desk, name, content):
    with pytest.raises(UserError):
        desk("qc").start_audit(name, content)


def test_an_archive_unpacks_nowhere_but_into_its_folder(desk, parts, tmp_path):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../escaped.json", "{}")
        archive.writestr("/absolute.json", "{}")
        archive.writestr("一科/病历.json", json.dumps(stay("ZY-ZIP")))
    started = desk("qc").start_audit("一批.zip", packed.getvalue())
    folder = parts.settings.data_dir / "audits" / started.id / "input"
    assert [path.name for path in folder.rglob("*.json")] == ["一科-病历.json"]
    assert not list(parts.settings.data_dir.rglob("escaped.json"))


def test_an_evaluator_measures_without_a_record_in_sight(desk):
    evaluator = desk("evaluator")
    claims = json.dumps(
        {"id": "1", "claim": "体温38.5℃。", "sources": ["体温36.5℃。"], "label": "not_supported"}
    )
    assert evaluator.evaluation("claims.jsonl", claims.encode(), "claims").as_json()["n"] == 1
    with pytest.raises(UserError, match="没有评测格式"):
        evaluator.evaluation("a", b"", "other")
    with pytest.raises(UserError) as wrong:
        evaluator.evaluation("a.json", b"[]", "chip2025")
    assert "/tmp" not in str(wrong.value)


def test_accounts_get_a_password_for_one_sign_in(desk, parts):
    administrator = desk("administrator")
    account = ACCOUNTS["head"].model_copy(update={"name": "second", "version": 0})
    password = administrator.new_account(account)
    found = parts.accounts.sign_in("second", password)
    assert found.must_change_password
    assert parts.accounts.sign_in("second", administrator.reset_password("second")).must_change_password
    assert parts.accounts.sign_in("second", password) is None
    with pytest.raises(Denied):
        desk("qc").new_account(account)


@pytest.mark.parametrize(
    ("name", "action", "record_id", "may"),
    [
        ("physician", Action.READ_RECORD, OWN, True),
        ("colleague", Action.READ_RECORD, OWN, False),
        ("colleague", Action.READ_RECORD, None, True),
        ("administrator", Action.READ_RECORD, None, False),
        ("evaluator", Action.READ_RECORD, OWN, False),
        ("head", Action.DRAFT, OWN, True),
        ("qc", Action.DRAFT, OWN, False),
    ],
)
def test_what_an_account_may(desk, name, action, record_id, may):
    assert desk(name).may(action, record_id) is may


def test_hints_within_a_record_are_logged_as_reading_once_an_hour(desk):
    request = HintRequest(text="病例特点：", type="首次病程记录", record_id=OWN)
    for _ in range(3):
        desk("physician").hints(request)
    entries = desk("qc").audit_log().items
    read = [e for e in entries if (e.actor, e.action, e.detail) == ("physician", "read_record", "hints")]
    assert len(read) == 1


def test_a_hint_that_its_writer_follows_counts_as_fixed(desk):
    colleague = desk("colleague")
    begun = NOTE.partition("\n")[0] + "\n现病史：患者2月前"
    mended = begun.replace("反复上腹痛。", "反复上腹痛2月，加重3天。")

    def fixed(*texts):
        for text in texts:
            colleague.hints(HintRequest(text=text, type="入院记录", document_id="D77"))
        heard = {work.rule.code: work.feedback for work in desk("qc").rules()}
        return heard["N-101"].fixed if heard["N-101"] else 0

    before = fixed(begun)
    assert fixed(mended) == before + 1
    assert fixed(mended) == before + 1
    assert fixed(begun) == before
    assert fixed(mended, "") == before + 1


def test_the_log_of_all_this_is_whole(desk):
    assert desk("administrator").verify_audit_log() is None
