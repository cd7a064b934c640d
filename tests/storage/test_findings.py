"""Findings are taken in without losing their work, filtered, bounded, and moved by one person at a time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import Conflict, NotFound, UserError
from app.privacy.rights import Bounds
from app.storage.findings import FindingFilter, FindingStore, Move
from app.storage.records import RecordStore
from app.storage.states import Stage, State, Verdict
from tests.support.databases import emptied
from tests.support.findings import finding, report_of, simple_record


@pytest.fixture
def store(database) -> FindingStore:
    RecordStore(database).save(simple_record(), Stage.RUNNING, "u1")
    return FindingStore(database)


def take(store: FindingStore, *findings, outcomes=None, stage=Stage.RUNNING):
    return store.take_in(report_of(findings, outcomes=outcomes), stage)


def states(store: FindingStore) -> dict[str, State]:
    return {work.id: work.state for work in store.page(FindingFilter()).items}


def test_a_new_finding_waits_to_be_assigned(store):
    assert take(store, finding()).raised == ("N-001-主诉-0",)
    work = store.get("N-001-主诉-0")
    assert (work.state, work.version, work.author, work.author_name) == (
        State.UNASSIGNED,
        1,
        "id:U17",
        "王医师",
    )
    assert (work.finding, work.stage, work.is_present) == (finding(), Stage.RUNNING, True)
    assert [step.action for step in work.history] == ["raise"]


def test_the_same_report_again_changes_nothing(store):
    take(store, finding())
    before = store.get("N-001-主诉-0")
    assert take(store, finding()).kept == ("N-001-主诉-0",)
    assert store.get("N-001-主诉-0") == before


def test_a_finding_that_moved_keeps_its_id_and_its_work(store):
    take(store, finding(start=0))
    store.move("N-001-主诉-0", 1, Move(actor="q", action="assign", after=State.ASSIGNED, assignee="id:U17"))
    taken = take(store, finding(start=4))
    assert (taken.raised, taken.kept) == ((), ("N-001-主诉-0",))
    work = store.get("N-001-主诉-0")
    assert (work.state, work.finding.evidence[0].start, work.finding.id) == (State.ASSIGNED, 4, work.id)


@pytest.mark.parametrize("other", [finding(section="现病史", start=4), finding(rule="N-002", start=4)])
def test_a_finding_elsewhere_or_of_another_rule_is_another(store, other):
    take(store, finding())
    assert take(store, finding(), other).raised == (other.id,)


def test_an_id_once_used_by_a_moved_finding_is_not_used_twice(store):
    take(store, finding(start=0))
    take(store, finding(start=4))
    assert len(take(store, finding(start=0), finding(start=4)).raised) == 1
    assert len(states(store)) == 2


def test_what_vanished_is_closed_without_a_verdict(store):
    take(store, finding())
    assert take(store).vanished == ("N-001-主诉-0",)
    work = store.get("N-001-主诉-0")
    assert (work.state, work.is_present, work.verdict) == (State.CLOSED, False, None)


@pytest.mark.parametrize("outcome", ["undetermined", "error"])
def test_what_could_not_be_judged_stays_as_it_is(store, outcome):
    take(store, finding())
    assert take(store, outcomes={"N-001": outcome}).vanished == ()
    assert states(store) == {"N-001-主诉-0": State.UNASSIGNED}


def test_a_rule_that_the_report_does_not_know_changes_nothing(store):
    take(store, finding(rule="F-009"))
    take(store)
    assert store.get("F-009-主诉-0").state is State.UNASSIGNED


def test_what_vanished_after_a_correction_counts_as_accepted(store):
    take(store, finding())
    store.move("N-001-主诉-0", 1, Move(actor="u", action="correct", after=State.CORRECTED))
    take(store)
    assert store.get("N-001-主诉-0").verdict is Verdict.ACCEPTED


def test_an_open_appeal_outlives_its_finding(store):
    take(store, finding())
    store.move("N-001-主诉-0", 1, Move(actor="u", action="appeal", after=State.APPEALED, reason="有记载"))
    take(store)
    work = store.get("N-001-主诉-0")
    assert (work.state, work.is_present) == (State.APPEALED, False)


def test_what_comes_back_is_opened_again(store):
    take(store, finding())
    take(store)
    take(store, finding())
    work = store.get("N-001-主诉-0")
    assert (work.state, [step.action for step in work.history]) == (
        State.UNASSIGNED,
        ["raise", "vanish", "reappear"],
    )


@pytest.mark.parametrize("decided", [State.FALSE_ALARM, State.CLOSED])
def test_what_people_decided_while_it_was_there_is_not_raised_again(store, decided):
    take(store, finding())
    store.move("N-001-主诉-0", 1, Move(actor="q", action="x", after=decided, verdict=Verdict.REFUSED))
    take(store, finding())
    take(store, finding())
    assert states(store) == {"N-001-主诉-0": decided}


def test_a_record_that_is_not_stored_takes_nothing_in(database):
    with pytest.raises(NotFound):
        FindingStore(database).take_in(report_of([finding()]), Stage.RUNNING)


def test_two_hits_with_one_id_are_one_finding(store):
    assert len(take(store, finding(), finding()).raised) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    reports=st.lists(
        st.lists(st.tuples(st.sampled_from(["N-001", "N-002"]), st.integers(0, 4)), max_size=5),
        min_size=1,
        max_size=4,
    )
)
def test_after_any_reports_the_present_findings_are_those_of_the_last(database, reports):
    emptied(database)
    RecordStore(database).save(simple_record(), Stage.RUNNING, "u1")
    store = FindingStore(database)
    for hits in reports:
        take(store, *(finding(rule, start) for rule, start in hits))
    works = store.page(FindingFilter(), limit=200).items
    present = sorted((w.finding.rule, w.finding.evidence[0].start) for w in works if w.is_present)
    assert present == sorted(set(reports[-1]))
    assert all(work.is_present != (work.state is State.CLOSED) for work in works)
    assert len({work.id for work in works}) == len(works)


def moved(store, version=1, **changes):
    given = {"actor": "q", "action": "assign", "after": State.ASSIGNED, "assignee": "id:U17"}
    return store.move("N-001-主诉-0", version, Move(**(given | changes)))


def test_a_move_is_kept_with_who_why_and_from_where(store):
    take(store, finding())
    due = datetime(2026, 6, 1, 10, 30, 0, 123456, tzinfo=UTC)
    work = moved(store, reason="请改", evidence="见D1", due_at=due)
    step = work.history[-1]
    assert (step.actor, step.before, step.after, step.reason, step.evidence) == (
        "q",
        State.UNASSIGNED,
        State.ASSIGNED,
        "请改",
        "见D1",
    )
    assert (work.due_at, work.assignee, work.version) == (due, "id:U17", 2)


def test_the_second_of_two_is_told(store):
    take(store, finding())
    moved(store)
    with pytest.raises(Conflict):
        moved(store, after=State.APPEALED)
    assert store.get("N-001-主诉-0").state is State.ASSIGNED


def test_an_unknown_finding_is_told(store):
    for ask in (store.get, store.scope):
        with pytest.raises(NotFound):
            ask("nothing")
    with pytest.raises(NotFound):
        moved(store)


@pytest.fixture
def three(database) -> FindingStore:
    """Three findings of two records: R1 (心内科, U17) twice, R2 (骨科, U2) once."""
    records, store = RecordStore(database), FindingStore(database)
    records.save(simple_record(), Stage.RUNNING, "u1")
    second = simple_record("R2", "骨科", "U2")
    records.save(second, Stage.FINAL, "u1", is_deidentified=True)
    store.take_in(
        report_of([finding(finding_id="a"), finding("N-002", finding_id="b", severity="major")]),
        Stage.RUNNING,
    )
    store.take_in(report_of([finding(finding_id="c")], second), Stage.FINAL)
    store.move("a", 1, Move(actor="q", action="assign", after=State.ASSIGNED, assignee="id:U9",
                            due_at=datetime(2026, 1, 1, tzinfo=UTC)))  # fmt: skip
    return store


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "cba"),
        ({"record_id": "R1"}, "ba"),
        ({"rule": "N-001"}, "ca"),
        ({"severity": "major"}, "b"),
        ({"department": "骨科"}, "c"),
        ({"author": "id:U17"}, "ba"),
        ({"assignee": "id:U9"}, "a"),
        ({"states": (State.UNASSIGNED,)}, "cb"),
        ({"states": (State.UNASSIGNED, State.ASSIGNED)}, "cba"),
        ({"stage": Stage.FINAL}, "c"),
        ({"created_since": datetime.now(UTC) + timedelta(days=1)}, ""),
        ({"created_before": datetime.now(UTC) + timedelta(days=1)}, "cba"),
        ({"due_before": datetime(2026, 1, 1, tzinfo=UTC)}, ""),
        ({"due_before": datetime(2026, 1, 2, tzinfo=UTC)}, "a"),
        ({"rule": "N-001", "department": "心内科", "states": (State.ASSIGNED,)}, "a"),
        ({"rule": "N-001", "severity": "major"}, ""),
    ],
)
def test_findings_are_found_by_what_a_queue_asks(three, wanted, found):
    page = three.page(FindingFilter(**wanted))
    assert "".join(work.id for work in page.items) == found
    assert sum(three.counts(FindingFilter(**wanted)).values()) == len(found)


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        (None, ""),
        (Bounds(), ""),
        (Bounds(is_unlimited=True), "cba"),
        (Bounds(department="心内科"), "ba"),
        (Bounds(person="id:U17"), "ba"),
        (Bounds(person="id:U9"), "a"),
        (Bounds(person="id:U2"), "c"),
        (Bounds(deidentified=True), "c"),
        (Bounds(named="name:王医师", named_department="心内科"), ""),
    ],
)
def test_a_reader_sees_the_findings_that_the_bounds_admit(three, limits, found):
    page = three.page(FindingFilter(), bounds=limits)
    assert "".join(work.id for work in page.items) == found
    assert sum(three.counts(FindingFilter(), limits).values()) == len(found)


def test_the_scope_of_a_finding_adds_whom_it_was_assigned_to(three):
    assert three.scope("a").people == {"id:U17", "id:U9"}
    assert three.scope("c").is_deidentified


def test_pages_follow_one_another(three):
    first = three.page(FindingFilter(), limit=2)
    second = three.page(FindingFilter(), first.next_cursor, limit=2)
    assert [work.id for page in (first, second) for work in page.items] == ["c", "b", "a"]
    assert second.next_cursor is None


@pytest.mark.parametrize("cursor", ["x", "-1", "１", "9" * 19, "1;drop"])
def test_a_cursor_that_no_page_gave_is_told(three, cursor):
    with pytest.raises(UserError):
        three.page(FindingFilter(), cursor)


def test_verdicts_count_a_record_once_for_a_rule(three):
    three.move("a", 2, Move(actor="q", action="x", after=State.FALSE_ALARM, verdict=Verdict.REFUSED))
    three.move("b", 1, Move(actor="q", action="x", after=State.CLOSED, verdict=Verdict.ACCEPTED))
    three.move("c", 1, Move(actor="q", action="x", after=State.CLOSED, verdict=Verdict.ACCEPTED))
    again = report_of([finding(finding_id="a"), finding(start=4, section="现病史", finding_id="d")])
    three.take_in(again, Stage.RUNNING)
    three.move("d", 1, Move(actor="q", action="x", after=State.CLOSED, verdict=Verdict.ACCEPTED))
    found = {each.rule: (each.accepted, each.refused) for each in three.verdicts()}
    assert found == {"N-001": (1, 1), "N-002": (1, 0)}
    assert [work.id for work in three.decided()] == ["a", "b", "c", "d"]
