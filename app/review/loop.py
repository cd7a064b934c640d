"""The correction loop: what people do with findings, one step at a time, every step kept."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

from app.errors import Conflict, UserError
from app.privacy.rights import EVERYTHING, Bounds
from app.qc.result import Report
from app.records.model import MedicalRecord
from app.review.transitions import STEP_TITLES, Step, Transition, transition
from app.storage.columns import column_text
from app.storage.database import Database
from app.storage.findings import FindingFilter, FindingStore, FindingWork, Move, TakenIn
from app.storage.paging import Page
from app.storage.records import RecordStore
from app.storage.results import ResultStore
from app.storage.states import OPEN_STATES, STATE_TITLES, Stage

_LONGEST_REASON = 2000


class Rechecker(Protocol):
    """What can judge one rule again (``app.qc.engine.Checker``)."""

    def limited_to(self, codes: Collection[str]) -> Self:
        """The same with only these rules."""
        ...

    def check(self, record: MedicalRecord) -> Report:
        """Judge a record."""
        ...


class ReviewLoop:
    """The work on findings. Rights are asked by the caller (``transitions`` says which)."""

    def __init__(self, database: Database, correction_days: int = 3) -> None:
        """Work on the findings of ``database``; who is given no date has ``correction_days`` days."""
        self._findings = FindingStore(database)
        self._records = RecordStore(database)
        self._results = ResultStore(database)
        self._time_allowed = timedelta(days=correction_days)

    def take_in(self, report: Report, stage: Stage) -> TakenIn:
        """Keep a report of a stored record and bring its findings in line with it.

        Raises:
            NotFound: the record is not stored.
        """
        self._results.save(report)
        return self._findings.take_in(report, stage)

    def finding(self, finding_id: str) -> FindingWork:
        """A finding with its history.

        Raises:
            NotFound: there is none.
        """
        return self._findings.get(finding_id)

    def assign(
        self, finding_id: str, by: str, version: int, to: str | None = None, due_at: datetime | None = None
    ) -> FindingWork:
        """Give a finding to somebody to mend.

        Args:
            to: whom, as ``person_key`` gives them; ``None`` for the author of the document.
            due_at: aware; ``None`` for the usual time from now.

        Raises:
            UserError: the author is not known and nobody was named, or the date is past.
            NotFound, Conflict: as for every step.
        """
        work = self._findings.get(finding_id)
        assignee = to or work.author
        now = datetime.now(UTC)
        if assignee is None:
            raise UserError("这条缺陷没有书写者，请写明分派给谁。")
        if due_at is not None and due_at <= now:
            raise UserError("整改期限已经过去，请改为以后的时间。")
        due = due_at or now + self._time_allowed
        return self._step(work, Step.ASSIGN, by, version, assignee=assignee, due_at=due)

    def correct(self, finding_id: str, by: str, version: int, checker: Rechecker) -> FindingWork:
        """Say that a finding is mended; the record as stored is judged again, and closes it if it is.

        Raises:
            NotFound, Conflict: as for every step.
        """
        work = self._step(self._findings.get(finding_id), Step.CORRECT, by, version)
        record = self._records.get(work.record_id)
        report = checker.limited_to({work.finding.rule}).check(record)
        self._findings.take_in(report, work.stage)
        return self._findings.get(finding_id)

    def appeal(self, finding_id: str, by: str, version: int, reason: str, evidence: str = "") -> FindingWork:
        """Contest a finding, with a reason and what shows it.

        Raises:
            UserError: there is no reason.
            NotFound, Conflict: as for every step.
        """
        return self._step(self._findings.get(finding_id), Step.APPEAL, by, version, reason, evidence)

    def decide(self, finding_id: str, by: str, version: int, step: Step, reason: str = "") -> FindingWork:
        """Decide about a finding: any step that takes the right to decide.

        Raises:
            UserError: the step wants a reason.
            NotFound, Conflict: as for every step.
        """
        return self._step(self._findings.get(finding_id), step, by, version, reason)

    def close(self, finding_id: str, by: str, version: int) -> FindingWork:
        """Close what is decided.

        Raises:
            NotFound, Conflict: as for every step.
        """
        return self.decide(finding_id, by, version, Step.CLOSE)

    def overdue(
        self, now: datetime, bounds: Bounds | None = EVERYTHING, cursor: str | None = None, limit: int = 50
    ) -> Page[FindingWork]:
        """Open findings whose time to mend has run out at ``now`` (aware)."""
        wanted = FindingFilter(states=OPEN_STATES, due_before=now)
        return self._findings.page(wanted, cursor, limit, bounds)

    def _step(
        self,
        work: FindingWork,
        step: Step,
        by: str,
        version: int,
        reason: str = "",
        evidence: str = "",
        assignee: str | None = None,
        due_at: datetime | None = None,
    ) -> FindingWork:
        if work.version != version:
            raise Conflict("这条缺陷刚被他人处理过，请刷新后再操作。")
        way = _way(work, step)
        why = column_text(reason.strip(), _LONGEST_REASON)
        if way.needs_reason and not why:
            raise UserError(f"“{STEP_TITLES[step]}”需要写明理由，请补写。")
        move = Move(
            actor=by,
            action=step,
            after=way.after,
            verdict=way.verdict,
            reason=why or None,
            evidence=column_text(evidence.strip(), _LONGEST_REASON) or None,
            assignee=assignee,
            due_at=due_at,
        )
        return self._findings.move(work.id, version, move)


def _way(work: FindingWork, step: Step) -> Transition:
    way = transition(work.state, step, work.stage)
    if way is None:
        raise Conflict(f"“{STATE_TITLES[work.state]}”的缺陷不能再“{STEP_TITLES[step]}”，请刷新后再操作。")
    return way
