"""Batch audits: who started them, how far they are."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.storage.columns import column_text
from app.storage.database import Database
from app.storage.paging import Page, number_after, page_limit, page_of
from app.storage.tables import JobRow


class JobState(StrEnum):
    """How far a batch audit is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


JOB_STATE_TITLES: Mapping[JobState, str] = {
    JobState.WAITING: "排队中",
    JobState.RUNNING: "进行中",
    JobState.DONE: "已完成",
    JobState.FAILED: "失败",
    JobState.STOPPED: "已中断",
}


class AuditJob(BaseModel):
    """One batch audit; ``total`` is ``None`` until the records are counted, ``problem`` says why it failed."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    state: JobState
    done: int
    total: int | None
    problem: str | None
    started_by: str
    started_at: datetime
    finished_at: datetime | None


class JobStore:
    """Batch audits in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, by: str) -> AuditJob:
        """A new audit, waiting; ``name`` is what the user uploaded."""
        row = JobRow(
            id=secrets.token_hex(12),
            name=column_text(name, 256) or "",
            state=JobState.WAITING,
            done=0,
            version=1,
            started_by=by,
            started_at=datetime.now(UTC),
        )
        with self._database.session() as session:
            session.add(row)
        return _job(row)

    def report(self, job_id: str, done: int, total: int | None) -> None:
        """Say how far a running audit is.

        Raises:
            NotFound: there is no such audit.
        """
        with self._database.session() as session:
            row = _row(session, job_id)
            row.state, row.done, row.total = JobState.RUNNING, done, total

    def finish(self, job_id: str, state: JobState, problem: str | None = None) -> None:
        """Say how an audit ended.

        Raises:
            NotFound: there is no such audit.
        """
        with self._database.session() as session:
            row = _row(session, job_id)
            row.state, row.problem, row.finished_at = state, problem, datetime.now(UTC)

    def stop_unfinished(self) -> int:
        """Mark what an earlier run of the service left behind; gives how many."""
        unfinished = JobRow.state.in_((JobState.WAITING, JobState.RUNNING))
        with self._database.session() as session:
            done = session.scalars(
                update(JobRow)
                .where(unfinished)
                .values(state=JobState.STOPPED, finished_at=datetime.now(UTC))
                .returning(JobRow.id)
            )
            return len(done.all())

    def get(self, job_id: str) -> AuditJob:
        """An audit.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            return _job(_row(session, job_id))

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[AuditJob]:
        """The audits, the newest first.

        Raises:
            UserError: the cursor or the limit is impossible.
        """
        query = select(JobRow).order_by(JobRow.number.desc()).limit(page_limit(limit) + 1)
        after = number_after(cursor)
        if after is not None:
            query = query.where(JobRow.number < after)
        with self._database.reading() as session:
            rows = session.scalars(query).all()
        return page_of(rows, limit, _job, lambda row: str(row.number))


def _row(session: Session, job_id: str) -> JobRow:
    row = session.scalar(select(JobRow).where(JobRow.id == job_id))
    if row is None:
        raise NotFound(f"没有批量质控任务 {job_id}，请核对编号。")
    return row


def _job(row: JobRow) -> AuditJob:
    return AuditJob(
        id=row.id,
        name=row.name,
        state=JobState(row.state),
        done=row.done,
        total=row.total,
        problem=row.problem,
        started_by=row.started_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
