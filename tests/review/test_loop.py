"""Findings move as the table says, one person at a time, and never get closed without a decision."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.errors import Conflict, NotFound, UserError
from app.privacy.rights import Action
from app.review.loop import ReviewLoop
from app.review.transitions import STEP_TITLES, TRANSITIONS, Step, open_steps, transition
from app.storage.findings import FindingFilter, FindingStore, Move
from app.storage.records import RecordStore
from app.storage.results import ResultStore
from app.storage.states import DONE_STATES, OPEN_STATES, STATE_TITLES, Stage, State, Verdict
from tests.support.databases import emptied
from tests.support.findings import finding, report_of, simple_record

ID = "N-001-主诉-0"
DECISIONS = {Step.CONFIRM, Step.UPHOLD, Step.REJECT, Step.STAND, Step.FALSE_ALARM}

# state → what people can do there → where it leads; in a final record also what stands after "/".
TABLE = """
unassigned   assign>assigned correct>corrected appeal>appealed false_alarm>false_alarm / stand>closed
assigned     assign>assigned correct>corrected appeal>appealed false_alarm>false_alarm / stand>closed
corrected    confirm>closed send_back>assigned
appealed     uphold>upheld reject>rejected false_alarm>false_alarm
upheld       close>closed
rejected     assign>assigned correct>corrected close>closed
closed
false_alarm
"""


class FixedChecker:
    """A checker whose answer is known."""

    def __init__(self, *findings) -> None:
        self.findings = findings
        self.asked: list[str] = []

    def limited_to(self, codes):
        self.asked += codes
        return self

    def check(self, record):
        return report_of(self.findings, record)


@pytest.fixture
def loop(database) -> ReviewLoop:
    opened = ReviewLoop(database)
    opened.take_in(report_of([finding()]), Stage.RUNNING)
    return opened


def brought_to(database, state: State, stage: Stage = Stage.RUNNING) -> int:
    """Put the finding into a state; gives its version."""
    store = FindingStore(database)
    store.take_in(report_of([finding()]), stage)
    return store.move(ID, 1, Move(actor="t", action="test", after=state)).version


def written(stage: Stage, state: State) -> str:
    ways = [f"{step}>{transition(state, step, stage).after}" for step in open_steps(state, stage)]
    return " ".join(sorted(ways))


@pytest.mark.parametrize("line", TABLE.strip().splitlines())
def test_the_table_of_transitions(line):
    name, *ways = line.split()
    running = ways[: ways.index("/")] if "/" in ways else ways
    assert written(Stage.RUNNING, State(name)) == " ".join(sorted(running))
    assert written(Stage.FINAL, State(name)) == " ".join(sorted(way for way in ways if way != "/"))


def test_every_state_and_step_has_a_title():
    assert set(STATE_TITLES) == set(State)
    assert set(STEP_TITLES) == set(Step)
    assert set(OPEN_STATES) | set(DONE_STATES) == set(State)


def test_deciding_takes_the_right_to_decide_and_authors_never_close():
    for way in TRANSITIONS:
        assert (way.verdict is None) or way.right is Action.DECIDE
        assert way.after not in DONE_STATES or way.right is Action.DECIDE


def paths(
    state: State, stage: Stage, seen: tuple[Step, ...] = (), visited: frozenset = frozenset()
) -> Iterator[tuple[Step, ...]]:
    """Every way from a state into 已关闭 that visits no state twice."""
    if state is State.CLOSED:
        yield seen
    for step in open_steps(state, stage):
        after = transition(state, step, stage).after
        if after not in visited:
            yield from paths(after, stage, (*seen, step), visited | {after})


@pytest.mark.parametrize("stage", Stage)
def test_no_path_leads_to_closed_without_a_decision(stage):
    found = list(paths(State.UNASSIGNED, stage, visited=frozenset({State.UNASSIGNED})))
    assert found
    assert all(DECISIONS & set(path) for path in found)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("state", State)
def test_a_step_does_what_the_table_says_or_is_refused(database, state, step, stage):
    version = brought_to(database, state, stage)
    loop = ReviewLoop(database)
    way = transition(state, step, stage)
    if way is None:
        with pytest.raises(Conflict):
            loop.decide(ID, "q", version, step, "理由")
        assert loop.finding(ID).state is state
        return
    work = loop.decide(ID, "q", version, step, "理由")
    assert (work.state, work.verdict, work.version) == (way.after, way.verdict, version + 1)
    assert work.history[-1].action == step


@pytest.mark.parametrize(
    "way", [way for way in TRANSITIONS if way.needs_reason], ids=lambda way: f"{way.before}-{way.step}"
)
@pytest.mark.parametrize("reason", ["", " \n", "\x00"])
def test_a_step_that_wants_a_reason_is_refused_without(database, way, reason):
    version = brought_to(database, way.before, way.stage or Stage.RUNNING)
    with pytest.raises(UserError, match="理由"):
        ReviewLoop(database).decide(ID, "q", version, way.step, reason)


def test_a_report_is_kept_with_its_findings(loop, database):
    assert ResultStore(database).get("R1").result.findings == (finding(),)


def test_a_finding_is_assigned_to_its_author_with_the_usual_time(loop):
    before = datetime.now(UTC)
    work = loop.assign(ID, "q", 1)
    assert (work.state, work.assignee) == (State.ASSIGNED, "id:U17")
    assert timedelta(days=3) <= work.due_at - before < timedelta(days=3, minutes=5)


def test_a_finding_is_assigned_to_whom_and_until_when_one_says(loop):
    due = datetime.now(UTC) + timedelta(days=9)
    work = loop.assign(ID, "q", 1, "id:U9", due)
    assert (work.assignee, work.due_at) == ("id:U9", due)
    again = loop.assign(ID, "q", 2, "id:U8")
    assert (again.assignee, again.version) == ("id:U8", 3)


def test_a_date_in_the_past_is_refused(loop):
    with pytest.raises(UserError, match="期限"):
        loop.assign(ID, "q", 1, due_at=datetime.now(UTC))


def test_a_finding_of_nobody_wants_a_name(loop):
    loop.take_in(report_of([finding(), finding("N-002", document_id=None, finding_id="n")]), Stage.RUNNING)
    with pytest.raises(UserError, match="分派给谁"):
        loop.assign("n", "q", 1)


def test_a_corrected_finding_that_is_gone_closes_itself(loop):
    checker = FixedChecker()
    work = loop.correct(ID, "u", 1, checker)
    assert (work.state, work.verdict, work.is_present) == (State.CLOSED, Verdict.ACCEPTED, False)
    assert [step.action for step in work.history] == ["raise", "correct", "vanish"]
    assert checker.asked == ["N-001"]


def test_a_corrected_finding_that_is_still_there_waits_for_a_decision(loop):
    work = loop.correct(ID, "u", 1, FixedChecker(finding()))
    assert (work.state, work.is_present) == (State.CORRECTED, True)


def test_the_record_as_stored_is_judged_again(loop, database):
    RecordStore(database).save(simple_record(diagnoses=[{"name": "心绞痛"}]), Stage.RUNNING, "u1", version=1)
    seen = []

    class Watching(FixedChecker):
        def check(self, record):
            seen.append(record.diagnoses[0].name)
            return super().check(record)

    loop.correct(ID, "u", 1, Watching())
    assert seen == ["心绞痛"]


def test_an_appeal_keeps_its_reason_and_its_evidence(loop):
    step = loop.appeal(ID, "u", 1, " 现病史已写明 ", "D1第2行").history[-1]
    assert (step.actor, step.reason, step.evidence) == ("u", "现病史已写明", "D1第2行")


def test_an_appeal_goes_its_way_and_every_step_is_kept(loop):
    loop.assign(ID, "q", 1)
    loop.appeal(ID, "u", 2, "不符")
    loop.decide(ID, "q", 3, Step.UPHOLD, "同意")
    work = loop.close(ID, "q", 4)
    assert [(step.before, step.after) for step in work.history[1:]] == [
        (State.UNASSIGNED, State.ASSIGNED),
        (State.ASSIGNED, State.APPEALED),
        (State.APPEALED, State.UPHELD),
        (State.UPHELD, State.CLOSED),
    ]
    assert (work.verdict, work.due_at) == (Verdict.REFUSED, None)


@pytest.mark.parametrize(
    "second",
    [
        lambda loop: loop.assign(ID, "q2", 1),
        lambda loop: loop.appeal(ID, "u", 1, "不符"),
        lambda loop: loop.decide(ID, "q2", 1, Step.FALSE_ALARM, "误报"),
        lambda loop: loop.correct(ID, "u", 1, FixedChecker()),
    ],
)
def test_the_second_of_two_is_told_and_changes_nothing(loop, second):
    loop.assign(ID, "q", 1)
    before = loop.finding(ID)
    with pytest.raises(Conflict, match="刷新"):
        second(loop)
    assert loop.finding(ID) == before


def test_an_unknown_finding_is_told(loop):
    with pytest.raises(NotFound):
        loop.appeal("none", "u", 1, "不符")


def test_what_is_overdue_is_listed_until_it_is_done(loop):
    now = datetime.now(UTC)
    loop.assign(ID, "q", 1, due_at=now + timedelta(hours=1))
    assert loop.overdue(now).items == ()
    later = now + timedelta(hours=2)
    assert [work.id for work in loop.overdue(later).items] == [ID]
    assert loop.overdue(later, None).items == ()
    loop.decide(ID, "q", 2, Step.FALSE_ALARM, "误报")
    assert loop.overdue(later).items == ()


@pytest.mark.parametrize("stage", Stage)
def test_whatever_happens_nothing_is_closed_without_a_reason_to(database, stage):
    """People and checks in any order: a closed finding was decided about, or is no longer found."""

    class Life(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            emptied(database)
            RecordStore(database).save(simple_record(), stage, "u1")
            self.loop = ReviewLoop(database)
            self.loop.take_in(report_of([finding()]), stage)

        @rule(present=st.booleans())
        def checked(self, present: bool) -> None:
            self.loop.take_in(report_of([finding()] if present else []), stage)

        @rule(present=st.booleans())
        def corrected(self, present: bool) -> None:
            work = self.loop.finding(ID)
            checker = FixedChecker(*([finding()] if present else []))
            if transition(work.state, Step.CORRECT, stage):
                self.loop.correct(ID, "u", work.version, checker)

        @precondition(lambda self: open_steps(self.loop.finding(ID).state, stage))
        @rule(data=st.data())
        def moved(self, data) -> None:
            work = self.loop.finding(ID)
            step = data.draw(st.sampled_from(open_steps(work.state, stage)))
            self.loop.decide(ID, "q", work.version, step, "理由")

        @invariant()
        def closed_only_by_a_decision_or_because_it_is_gone(self) -> None:
            work = self.loop.finding(ID)
            actions = [step.action for step in work.history]
            since = (
                actions[len(actions) - actions[::-1].index("reappear") :]
                if "reappear" in actions
                else actions
            )
            if work.state is State.CLOSED:
                assert DECISIONS & set(since) or since[-1] == "vanish"

        @invariant()
        def the_history_is_a_chain(self) -> None:
            work = self.loop.finding(ID)
            before = [step.before for step in work.history]
            after = [step.after for step in work.history]
            assert before[1:] == after[:-1]
            assert after[-1] == work.state
            assert work.version == len(work.history)
            assert len(self.loop_findings()) == 1

        def loop_findings(self):
            return FindingStore(database).page(FindingFilter()).items

    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=15, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
