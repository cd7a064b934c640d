"""Findings as rows of work: taken in from reports, filtered by the page, moved from state to state."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, union
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.privacy.rights import EVERYTHING, Bounds, Scope, person_key
from app.qc.result import Finding, Report
from app.qc.rule import Severity
from app.records.model import MedicalRecord, Moment
from app.storage.columns import column_text
from app.storage.database import Database
from app.storage.paging import Page, number_after, page_limit, page_of
from app.storage.states import DONE_STATES, Stage, State, Verdict
from app.storage.tables import FindingRow, FindingStepRow, RecordPersonRow, RecordRow

PROGRAM = "system"
RAISED, VANISHED, RETURNED = "raise", "vanish", "reappear"
_JUDGED = ("pass", "defect", "not_applicable")


class Step(BaseModel):
    """One step in the work on a finding.

    Attributes:
        actor: the account's name; ``system`` for the program itself.
        before, after: the state it moved from (``None`` at the first step) and to.
        evidence: what an appeal shows, in words.
    """

    model_config = ConfigDict(frozen=True)

    at: datetime
    actor: str
    action: str
    before: State | None
    after: State
    reason: str | None = None
    evidence: str | None = None


class FindingWork(BaseModel):
    """A finding and where the work on it stands.

    Attributes:
        version: counts the changes; an action states the version that it saw.
        author, assignee: as ``person_key`` gives them.
        is_present: whether the last check still found it.
        history: the steps, oldest first; only where one finding was asked for.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    record_id: str
    version: int
    finding: Finding
    department: str | None
    author: str | None
    author_name: str | None
    stage: Stage
    state: State
    is_present: bool
    verdict: Verdict | None
    assignee: str | None
    due_at: datetime | None
    created_at: datetime
    updated_at: datetime
    history: tuple[Step, ...] = ()


class FindingFilter(BaseModel):
    """Which findings; what is ``None`` or empty does not ask."""

    model_config = ConfigDict(frozen=True)

    record_id: str | None = None
    rule: str | None = None
    severity: Severity | None = None
    department: str | None = None
    author: str | None = None
    assignee: str | None = None
    states: tuple[State, ...] = ()
    stage: Stage | None = None
    created_since: Moment | None = None
    created_before: Moment | None = None
    due_before: Moment | None = None


class Move(BaseModel):
    """A change of one finding: the step that is kept, and what it sets."""

    model_config = ConfigDict(frozen=True)

    actor: str
    action: str
    after: State
    reason: str | None = None
    evidence: str | None = None
    assignee: str | None = None
    due_at: Moment | None = None
    verdict: Verdict | None = None


class TakenIn(BaseModel):
    """What a report changed: ids of the findings."""

    model_config = ConfigDict(frozen=True)

    raised: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()


class RuleVerdicts(BaseModel):
    """In how many records people decided about a rule, and in how many of these it was refused at least once."""

    model_config = ConfigDict(frozen=True)

    rule: str
    accepted: int
    refused: int


class FindingStore:
    """Findings in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take_in(self, report: Report, stage: Stage) -> TakenIn:
        """Bring the findings of a stored record in line with a report.

        A finding whose words only moved keeps its id. One that a judged rule no longer finds is closed, unless
        an appeal is open; one that comes back is opened again, unless people had decided about it while it was
        there. Rules that the report could not judge change nothing.

        Raises:
            NotFound: the record is not stored.
        """
        with self._database.session() as session:
            record = session.get(RecordRow, report.record.record_id, with_for_update=True)
            if record is None:
                raise NotFound(f"没有病案 {report.record.record_id}，请先保存病历。")
            return _Intake(session, report, stage).done()

    def get(self, finding_id: str) -> FindingWork:
        """A finding with its history.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            row = _row(session, finding_id)
            steps = session.scalars(
                select(FindingStepRow)
                .where(FindingStepRow.finding == row.number)
                .order_by(FindingStepRow.number)
            )
            return _work(row, tuple(_step(step) for step in steps))

    def scope(self, finding_id: str) -> Scope:
        """Who the finding concerns: the people of its record, and whoever it is assigned to.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            row = _row(session, finding_id)
            record = session.get_one(RecordRow, row.record_id)
            people = session.scalars(
                select(RecordPersonRow.person).where(RecordPersonRow.record_id == row.record_id)
            )
            return Scope(
                department=record.department,
                people=frozenset([*people, *filter(None, [row.assignee])]),
                is_deidentified=record.is_deidentified,
            )

    def page(
        self,
        wanted: FindingFilter,
        cursor: str | None = None,
        limit: int = 50,
        bounds: Bounds | None = EVERYTHING,
    ) -> Page[FindingWork]:
        """Findings, the newest first, without their histories.

        Args:
            bounds: what the reader may see (``rights.bounds``).

        Raises:
            UserError: the cursor or the limit is impossible.
        """
        numbers = select(FindingRow.number).where(*_conditions(wanted), _within(bounds)).correlate(None)
        after = number_after(cursor)
        if after is not None:
            numbers = numbers.where(FindingRow.number < after)
        numbers = numbers.order_by(FindingRow.number.desc()).limit(page_limit(limit) + 1)
        # Numbers first: an index alone answers that, and only the rows of the page are read.
        query = select(FindingRow).where(FindingRow.number.in_(numbers)).order_by(FindingRow.number.desc())
        with self._database.reading() as session:
            rows = session.scalars(query).all()
        return page_of(rows, limit, _work, lambda row: str(row.number))

    def counts(self, wanted: FindingFilter, bounds: Bounds | None = EVERYTHING) -> Mapping[State, int]:
        """How many findings are in each state."""
        query = (
            select(FindingRow.state, func.count())
            .where(*_conditions(wanted), _within(bounds))
            .group_by(FindingRow.state)
        )
        with self._database.reading() as session:
            found = {State(state): count for state, count in session.execute(query)}
        return {state: found.get(state, 0) for state in State}

    def move(self, finding_id: str, version: int, move: Move) -> FindingWork:
        """Change a finding and keep the step.

        Raises:
            NotFound: there is none.
            Conflict: somebody else changed it since ``version``.
        """
        with self._database.session() as session:
            row = _row(session, finding_id, for_update=True)
            if row.version != version:
                raise Conflict("这条缺陷刚被他人处理过，请刷新后再操作。")
            _apply(session, row, move)
        return self.get(finding_id)

    def verdicts(self) -> tuple[RuleVerdicts, ...]:
        """What people decided, by rule; a record counts once for a rule."""
        # "refused" sorts after "accepted": the greatest verdict of a record says whether any was refused.
        of_record = (
            select(FindingRow.rule, func.max(FindingRow.verdict).label("verdict"))
            .where(FindingRow.verdict.is_not(None))
            .group_by(FindingRow.rule, FindingRow.record_id)
            .subquery()
        )
        accepted, refused = (
            func.count().filter(of_record.c.verdict == verdict)
            for verdict in (Verdict.ACCEPTED, Verdict.REFUSED)
        )
        query = select(of_record.c.rule, accepted, refused).group_by(of_record.c.rule)
        with self._database.reading() as session:
            rows = session.execute(query.order_by(of_record.c.rule)).all()
        return tuple(RuleVerdicts(rule=rule, accepted=yes, refused=no) for rule, yes, no in rows)

    def decided(self) -> Iterable[FindingWork]:
        """Every finding that people decided about, in the order it was raised."""
        query = select(FindingRow).where(FindingRow.verdict.is_not(None)).order_by(FindingRow.number)
        with self._database.reading() as session:
            for row in session.scalars(query.execution_options(yield_per=1000)):
                yield _work(row)


class _Intake:
    """One report being brought into the findings of its record."""

    def __init__(self, session: Session, report: Report, stage: Stage) -> None:
        self._session = session
        self._report = report
        self._stage = stage
        self._judged = {code for code, outcome in report.result.outcomes.items() if outcome in _JUDGED}
        rows = session.scalars(
            select(FindingRow)
            .where(FindingRow.record_id == report.record.record_id, FindingRow.rule.in_(self._judged))
            .order_by(FindingRow.number)
        )
        self._rows = list(rows)

    def done(self) -> TakenIn:
        """Match, add, close."""
        matched = _matched(self._report.result.findings, self._rows)
        raised = [self._add(finding) for finding, row in matched if row is None]
        kept = [self._keep(row, finding) for finding, row in matched if row is not None]
        known = {row.number for _, row in matched if row is not None}
        gone = [row for row in self._rows if row.number not in known and row.is_present]
        vanished = [self._vanish(row) for row in gone]
        return TakenIn(raised=tuple(raised), kept=tuple(kept), vanished=tuple(vanished))

    def _add(self, finding: Finding) -> str:
        now = datetime.now(UTC)
        row = new_finding_row(finding, self._report.record, self._stage, now)
        if self._session.scalar(select(FindingRow.number).where(FindingRow.id == row.id)) is not None:
            row.id = secrets.token_hex(8)
        self._session.add(row)
        self._session.flush()
        self._session.add(
            _step_row(row, Move(actor=PROGRAM, action=RAISED, after=State(row.state)), None, now)
        )
        return row.id

    def _keep(self, row: FindingRow, finding: Finding) -> str:
        if row.content_id != finding.id:
            row.content_id, row.content = finding.id, finding.model_dump(mode="json")
        row.stage = self._stage
        if not row.is_present:
            row.is_present = True
            if row.state == State.CLOSED:
                after = State.ASSIGNED if row.assignee else State.UNASSIGNED
                _apply(self._session, row, Move(actor=PROGRAM, action=RETURNED, after=after))
                row.verdict = None
        return row.id

    def _vanish(self, row: FindingRow) -> str:
        row.is_present = False
        if row.state not in (*DONE_STATES, State.APPEALED):
            was_mended = row.state == State.CORRECTED
            move = Move(
                actor=PROGRAM,
                action=VANISHED,
                after=State.CLOSED,
                verdict=Verdict.ACCEPTED if was_mended else None,
            )
            _apply(self._session, row, move)
        return row.id


def new_finding_row(finding: Finding, record: MedicalRecord, stage: Stage, now: datetime) -> FindingRow:
    """A finding that nobody has worked on yet, as a row."""
    document = record.documents_by_id.get(finding.document_id or "")
    author = document.author if document else None
    person = person_key(id=author.id, name=author.name) if author else None
    return FindingRow(
        id=finding.id,
        content_id=finding.id,
        record_id=record.record_id,
        version=1,
        rule=finding.rule,
        severity=finding.severity,
        category=finding.category,
        engine=finding.engine,
        department=column_text(record.encounter.department, 64),
        author=column_text(person, 128),
        author_name=column_text(author.name, 64) if author else None,
        stage=stage,
        state=State.UNASSIGNED,
        is_present=True,
        created_at=now,
        updated_at=now,
        content=finding.model_dump(mode="json"),
    )


def _matched(
    findings: Sequence[Finding], rows: Sequence[FindingRow]
) -> list[tuple[Finding, FindingRow | None]]:
    """Each finding with its row: the same place, else the next free one of its rule in the same section."""
    unique = {finding.id: finding for finding in findings}
    by_content = {row.content_id: row for row in rows}
    pairs = {key: by_content.get(key) for key in unique}
    taken = {row.number for row in pairs.values() if row is not None}
    free: dict[tuple[str, str | None, str | None], list[FindingRow]] = defaultdict(list)
    for row in rows:
        if row.number not in taken and row.is_present:
            free[row.rule, row.content["document_id"], row.content["section"]].append(row)
    for key, finding in unique.items():
        if pairs[key] is None:
            waiting = free[finding.rule, finding.document_id, finding.section]
            pairs[key] = waiting.pop(0) if waiting else None
    return [(finding, pairs[key]) for key, finding in unique.items()]


def _apply(session: Session, row: FindingRow, move: Move) -> None:
    now = datetime.now(UTC)
    session.add(_step_row(row, move, State(row.state), now))
    row.state, row.version, row.updated_at = move.after, row.version + 1, now
    row.assignee = move.assignee or row.assignee
    row.due_at = None if move.after in DONE_STATES else move.due_at or row.due_at
    row.verdict = move.verdict or row.verdict


def _step_row(row: FindingRow, move: Move, before: State | None, now: datetime) -> FindingStepRow:
    said: dict[str, Any] = {"reason": move.reason, "evidence": move.evidence}
    return FindingStepRow(
        finding=row.number,
        at=now,
        actor=move.actor,
        action=move.action,
        before=before,
        after=move.after,
        content={name: value for name, value in said.items() if value},
    )


def _row(session: Session, finding_id: str, *, for_update: bool = False) -> FindingRow:
    query = select(FindingRow).where(FindingRow.id == finding_id)
    row = session.scalar(query.with_for_update() if for_update else query)
    if row is None:
        raise NotFound(f"没有缺陷 {finding_id}，请核对编号。")
    return row


def _conditions(wanted: FindingFilter) -> Sequence[ColumnElement[bool]]:
    exact = {
        FindingRow.record_id: wanted.record_id,
        FindingRow.rule: wanted.rule,
        FindingRow.severity: wanted.severity,
        FindingRow.department: wanted.department,
        FindingRow.author: wanted.author,
        FindingRow.assignee: wanted.assignee,
        FindingRow.stage: wanted.stage,
    }
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in exact.items() if value is not None
    ]
    if wanted.states:
        conditions.append(FindingRow.state.in_(wanted.states))
    if wanted.created_since is not None:
        conditions.append(FindingRow.created_at >= wanted.created_since)
    if wanted.created_before is not None:
        conditions.append(FindingRow.created_at < wanted.created_before)
    if wanted.due_before is not None:
        conditions.append(FindingRow.due_at < wanted.due_before)
    return conditions


def _within(limits: Bounds | None) -> ColumnElement[bool]:
    if limits is None:
        return false()
    if limits.is_unlimited:
        return FindingRow.number.is_not(None)
    parts = list(_admitted(limits))
    if len(parts) < 2:
        return or_(false(), *parts)
    # Each part by an index of its own: over an OR the engines would read the whole table.
    numbers = (select(FindingRow.number).where(part).correlate(None) for part in parts)
    return FindingRow.number.in_(union(*numbers))


def _admitted(limits: Bounds) -> Iterator[ColumnElement[bool]]:
    if limits.department is not None:
        yield FindingRow.department == limits.department
    if limits.person is not None:
        yield FindingRow.assignee == limits.person
        yield FindingRow.record_id.in_(_records_of(limits.person))
    if limits.named is not None:
        is_home = FindingRow.department == limits.named_department
        yield and_(is_home, FindingRow.record_id.in_(_records_of(limits.named)))
    if limits.deidentified:
        yield FindingRow.record_id.in_(select(RecordRow.record_id).where(RecordRow.is_deidentified.is_(True)))


def _records_of(person: str) -> Select[str]:
    return select(RecordPersonRow.record_id).where(RecordPersonRow.person == person)


def _step(row: FindingStepRow) -> Step:
    return Step(
        at=row.at,
        actor=row.actor,
        action=row.action,
        before=State(row.before) if row.before else None,
        after=State(row.after),
        **row.content,
    )


def _work(row: FindingRow, history: tuple[Step, ...] = ()) -> FindingWork:
    return FindingWork(
        id=row.id,
        record_id=row.record_id,
        version=row.version,
        finding=Finding.model_validate(row.content | {"id": row.id}),
        department=row.department,
        author=row.author,
        author_name=row.author_name,
        stage=Stage(row.stage),
        state=State(row.state),
        is_present=row.is_present,
        verdict=Verdict(row.verdict) if row.verdict else None,
        assignee=row.assignee,
        due_at=row.due_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        history=history,
    )
