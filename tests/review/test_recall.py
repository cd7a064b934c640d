"""A filed record opens only when another person approves."""

import pytest

from app.errors import Conflict, NotFound, UserError
from app.review.recall import RECALL_STATE_TITLES, RecallDesk, RecallState
from app.storage.records import RecordStore
from app.storage.states import Stage
from tests.support.findings import simple_record

FILED = {"archived_at": "2026-05-20T10:00:00+08:00"}


@pytest.fixture
def desk(database) -> RecallDesk:
    RecordStore(database).save(simple_record(**FILED), Stage.FINAL, "u1")
    return RecallDesk(database)


def changed(database) -> None:
    RecordStore(database).save(simple_record(**FILED, diagnoses=[{"name": "心绞痛"}]), Stage.FINAL, "u1")


def test_an_approved_recall_opens_the_record_until_it_is_filed_anew(desk, database):
    request = desk.request("R1", "u1", "漏写诊断")
    assert desk.waiting() == (request,)
    decided = desk.decide(request.id, "q1", 1, is_approved=True, answer="同意")
    assert (decided.state, decided.decided_by, decided.answer) == (RecallState.APPROVED, "q1", "同意")
    assert desk.get(request.id) == decided == desk.of_record("R1")[0]
    changed(database)
    assert RecordStore(database).summary("R1").is_locked
    assert desk.waiting() == ()


def test_a_refused_recall_leaves_the_record_closed(desk, database):
    request = desk.request("R1", "u1", "漏写诊断")
    assert desk.decide(request.id, "q1", 1, is_approved=False).state is RecallState.REFUSED
    with pytest.raises(Conflict):
        changed(database)
    assert desk.request("R1", "u1", "再次申请").state is RecallState.WAITING


def test_nobody_approves_a_request_of_their_own(desk):
    request = desk.request("R1", "u1", "漏写诊断")
    with pytest.raises(UserError, match="自己"):
        desk.decide(request.id, "u1", 1, is_approved=True)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_request_is_decided_once(desk, version):
    request = desk.request("R1", "u1", "漏写诊断")
    desk.decide(request.id, "q1", 1, is_approved=False)
    with pytest.raises(Conflict):
        desk.decide(request.id, "q2", version, is_approved=True)


def test_one_request_at_a_time(desk):
    desk.request("R1", "u1", "漏写诊断")
    with pytest.raises(Conflict, match="等批准"):
        desk.request("R1", "u2", "也想改")


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_recall_wants_a_reason(desk, reason):
    with pytest.raises(UserError, match="理由"):
        desk.request("R1", "u1", reason)


def test_a_record_that_is_not_filed_needs_no_recall(database):
    with pytest.raises(Conflict, match="没有归档"):
        RecallDesk(database).request("R1", "u1", "改")


def test_what_is_not_there_is_told(desk):
    with pytest.raises(NotFound):
        desk.request("R9", "u1", "改")
    with pytest.raises(NotFound):
        desk.decide("none", "q1", 1, is_approved=True)
    with pytest.raises(NotFound):
        desk.get("none")


def test_every_state_has_a_title():
    assert set(RECALL_STATE_TITLES) == set(RecallState)
