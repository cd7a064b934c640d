"""Results, drafts, jobs, dismissals, idempotency keys and rule switches are kept as they were given."""

from datetime import UTC, datetime, timedelta

import pytest

from app.drafting.draft import Draft, DraftSection, DraftSentence
from app.errors import Conflict, NotFound, UserError
from app.storage.dismissals import DismissalStore, dismissal_key
from app.storage.drafts import DraftStore
from app.storage.fixes import FixStore
from app.storage.idempotency import IdempotencyStore, StoredAnswer
from app.storage.jobs import JobState, JobStore
from app.storage.records import RecordFilter, RecordStore
from app.storage.results import ResultStore
from app.storage.rule_switches import RuleSwitch, RuleSwitchStore
from app.storage.states import Stage
from app.storage.tables import IdempotencyRow
from tests.support.findings import finding, report_of, simple_record

ANSWER = StoredAnswer(201, "application/json", '{"id": "病"}'.encode())
DRAFT = Draft(
    record_id="R1",
    sections=(
        DraftSection(name="诊疗经过", sentences=(DraftSentence(text="予治疗。", verdict="unverified"),)),
    ),
    label={"AIGC": {"Label": "1"}},
    created_at=datetime(2026, 5, 6, tzinfo=UTC),
)


@pytest.fixture
def stored(database):
    RecordStore(database).save(simple_record(), Stage.RUNNING, "u1")
    return database


def test_a_report_comes_back_whole(stored):
    report = report_of([finding()])
    ResultStore(stored).save(report)
    assert ResultStore(stored).get("R1") == report


def test_a_report_keeps_the_record_that_was_checked(stored):
    report = report_of([finding()])
    ResultStore(stored).save(report)
    RecordStore(stored).save(simple_record(diagnoses=[{"name": "心绞痛"}]), Stage.RUNNING, "u1")
    assert ResultStore(stored).get("R1").record == report.record


def test_lists_show_the_last_score(stored):
    ResultStore(stored).save(report_of())
    summary = RecordStore(stored).page(RecordFilter()).items[0]
    assert (summary.score, summary.grade) == (90.5, "甲")


def test_no_result_without_a_record(database):
    with pytest.raises(NotFound):
        ResultStore(database).save(report_of())
    with pytest.raises(NotFound):
        ResultStore(database).get("R1")


def test_a_draft_keeps_its_versions_apart(stored):
    store = DraftStore(stored)
    first = store.add(DRAFT, "u1")
    accepted = DRAFT.model_copy(update={"status": "accepted"})
    second = store.save(first.id, 1, accepted, "u2")
    assert (first.version, second.version, second.draft) == (1, 2, accepted)
    assert store.get(first.id) == second == store.of_record("R1")[0]


def test_the_second_reviewer_of_a_draft_is_told(stored):
    store = DraftStore(stored)
    first = store.add(DRAFT, "u1")
    store.save(first.id, 1, DRAFT, "u1")
    with pytest.raises(Conflict):
        store.save(first.id, 1, DRAFT, "u2")


def test_a_draft_of_nothing_is_told(database):
    store = DraftStore(database)
    with pytest.raises(NotFound):
        store.add(DRAFT, "u1")
    with pytest.raises(NotFound):
        store.get("none")
    with pytest.raises(NotFound):
        store.save("none", 1, DRAFT, "u1")
    assert store.of_record("R1") == ()


def test_a_job_tells_how_far_it_is(database):
    store = JobStore(database)
    job = store.add("五月病历.zip", "q1")
    assert (job.state, job.done, job.total) == (JobState.WAITING, 0, None)
    store.report(job.id, 3, 10)
    running = store.get(job.id)
    assert (running.state, running.done, running.total) == (JobState.RUNNING, 3, 10)
    store.finish(job.id, JobState.FAILED, "没有可读的病历")
    ended = store.get(job.id)
    assert (ended.state, ended.problem) == (JobState.FAILED, "没有可读的病历")
    assert ended.finished_at is not None


def test_what_a_stopped_service_left_behind_is_marked(database):
    store = JobStore(database)
    done, waiting = store.add("a", "q1"), store.add("b", "q1")
    store.finish(done.id, JobState.DONE)
    assert store.stop_unfinished() == 1
    assert [job.state for job in store.page().items] == [JobState.STOPPED, JobState.DONE]
    assert store.page(limit=1).items[0].id == waiting.id
    assert store.page(store.page(limit=1).next_cursor, 1).items[0].id == done.id


def test_an_unknown_job_is_told(database):
    with pytest.raises(NotFound):
        JobStore(database).get("none")


def test_a_dismissed_hint_is_known_in_its_record_to_everybody(database):
    store = DismissalStore(database)
    store.add("N-001", "胸痛", "已在现病史写明", "u1", "R1")
    store.add("N-001", "胸痛", "再说一遍", "u1", "R1")
    assert store.keys("u2", "R1") == {dismissal_key("N-001", "胸痛")}
    assert store.keys("u1", "R2") == frozenset()
    assert store.keys("u1") == frozenset()
    assert (store.counts(), store.reasons("N-001")) == ({"N-001": 1}, ("已在现病史写明",))


def test_without_a_record_it_is_known_to_its_writer_alone(database):
    store = DismissalStore(database)
    store.add("N-001", "胸痛", "不适用", "u1")
    assert store.keys("u1") == {dismissal_key("N-001", "胸痛")}
    assert store.keys("u2") == frozenset()


@pytest.mark.parametrize("reason", ["", "  \n", "\x00"])
def test_a_dismissal_wants_a_reason(database, reason):
    with pytest.raises(UserError):
        DismissalStore(database).add("N-001", "胸痛", reason, "u1")


def test_a_fix_counts_once_a_writer_until_it_is_taken_back(database):
    store = FixStore(database)
    for by, record_id in (("u1", "R1"), ("u1", "R1"), ("u2", "R1"), ("u1", None)):
        store.add("N-001", "胸痛", by, record_id)
    store.add("N-002", "", "u1", "R" * 200)
    assert store.counts() == {"N-001": 3, "N-002": 1}
    store.take_back("N-001", "腹痛", "u1", "R1")
    store.take_back("N-001", "胸痛", "u1", "R1")
    store.take_back("N-002", "", "u1", "R" * 200)
    assert store.counts() == {"N-001": 2}


def test_a_request_is_answered_once(database):
    store = IdempotencyStore(database)
    assert store.begin("u1", "k", b"POST /v1/records {}") is None
    store.finish("u1", "k", ANSWER)
    assert store.begin("u1", "k", b"POST /v1/records {}") == ANSWER


def test_keys_belong_to_their_account(database):
    store = IdempotencyStore(database)
    store.begin("u1", "k", b"a")
    assert store.begin("u2", "k", b"b") is None


@pytest.mark.parametrize("request_body", [b"another", b"same"])
def test_a_key_in_use_is_told(database, request_body):
    store = IdempotencyStore(database)
    store.begin("u1", "k", b"same")
    with pytest.raises(Conflict):
        store.begin("u1", "k", request_body)


def test_an_abandoned_key_can_be_tried_again_and_an_answered_one_stays(database):
    store = IdempotencyStore(database)
    store.begin("u1", "k", b"a")
    store.abandon("u1", "k")
    assert store.begin("u1", "k", b"a") is None
    store.finish("u1", "k", ANSWER)
    store.abandon("u1", "k")
    assert store.begin("u1", "k", b"a") == ANSWER


def test_an_old_key_is_forgotten(database):
    store = IdempotencyStore(database)
    store.begin("u1", "k", b"a")
    with database.session() as session:
        session.get_one(IdempotencyRow, ("u1", "k")).created_at -= timedelta(hours=25)
    assert store.begin("u1", "k", b"b") is None


def test_a_rule_switch_is_kept_with_who_changed_it(database):
    store = RuleSwitchStore(database)
    saved = store.save(RuleSwitch(code="N-001", is_enabled=False, points=2.5), "q1")
    assert store.all() == {"N-001": saved}
    assert (saved.version, saved.changed_by, saved.points) == (1, "q1", 2.5)
    with pytest.raises(Conflict):
        store.save(RuleSwitch(code="N-001", is_enabled=True), "q2")
    assert store.save(saved.model_copy(update={"is_enabled": True}), "q2").version == 2
