"""Opening a filed record again: asked for by one person, approved by another."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound, UserError
from app.storage.columns import column_text
from app.storage.database import Database
from app.storage.tables import RecallRow, RecordRow


class RecallState(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"


RECALL_STATE_TITLES: Mapping[RecallState, str] = {
    RecallState.WAITING: "待批准",
    RecallState.APPROVED: "已批准",
    RecallState.REFUSED: "未批准",
}


class Recall(BaseModel):
    """A request to open a filed record again."""

    model_config = ConfigDict(frozen=True)

    id: str
    record_id: str
    version: int
    state: RecallState
    reason: str
    requested_by: str
    requested_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    answer: str | None


class RecallDesk:
    """Requests to open filed records again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(self, record_id: str, by: str, reason: str) -> Recall:
        """Ask that a filed record be opened.

        Raises:
            UserError: there is no reason.
            NotFound: there is no such record.
            Conflict: it is not filed, or a request is waiting already.
        """
        why = column_text(reason.strip(), 2000)
        if not why:
            raise UserError("申请召回需要写明理由，请补写。")
        with self._database.session() as session:
            record = session.get(RecordRow, record_id, with_for_update=True)
            if record is None:
                raise NotFound(f"没有病案 {record_id}，请核对编号。")
            if not record.is_locked:
                raise Conflict(f"病案 {record_id} 没有归档，可以直接修改。")
            waiting = select(RecallRow.id).where(
                RecallRow.record_id == record_id, RecallRow.state == RecallState.WAITING
            )
            if session.scalar(waiting) is not None:
                raise Conflict(f"病案 {record_id} 已有召回申请在等批准。")
            row = RecallRow(
                id=secrets.token_hex(12),
                record_id=record_id,
                version=1,
                state=RecallState.WAITING,
                reason=why,
                requested_by=by,
                requested_at=datetime.now(UTC),
            )
            session.add(row)
        return _recall(row)

    def decide(self, recall_id: str, by: str, version: int, *, is_approved: bool, answer: str = "") -> Recall:
        """Approve a request, which opens the record until it is filed anew, or refuse it.

        Raises:
            NotFound: there is no such request.
            Conflict: somebody else decided already.
            UserError: the one who asked decides.
        """
        with self._database.session() as session:
            row = _row(session, recall_id, is_changed=True)
            if row.version != version or row.state != RecallState.WAITING:
                raise Conflict("这个召回申请刚被他人处理过，请刷新。")
            if row.requested_by == by:
                raise UserError("申请人不能批准自己的召回申请，请由他人审批。")
            row.state = RecallState.APPROVED if is_approved else RecallState.REFUSED
            row.version, row.decided_by, row.decided_at = version + 1, by, datetime.now(UTC)
            row.answer = column_text(answer.strip(), 2000) or None
            if is_approved:
                session.get_one(RecordRow, row.record_id, with_for_update=True).is_locked = False
        return _recall(row)

    def get(self, recall_id: str) -> Recall:
        """A request.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            return _recall(_row(session, recall_id))

    def waiting(self) -> tuple[Recall, ...]:
        """The requests that nobody has decided about, the oldest first."""
        query = (
            select(RecallRow).where(RecallRow.state == RecallState.WAITING).order_by(RecallRow.requested_at)
        )
        with self._database.reading() as session:
            return tuple(_recall(row) for row in session.scalars(query))

    def of_record(self, record_id: str) -> tuple[Recall, ...]:
        """The requests about a record, the newest first."""
        query = (
            select(RecallRow).where(RecallRow.record_id == record_id).order_by(RecallRow.requested_at.desc())
        )
        with self._database.reading() as session:
            return tuple(_recall(row) for row in session.scalars(query))


def _row(session: Session, recall_id: str, *, is_changed: bool = False) -> RecallRow:
    row = session.get(RecallRow, recall_id, with_for_update=is_changed)
    if row is None:
        raise NotFound(f"没有召回申请 {recall_id}，请核对编号。")
    return row


def _recall(row: RecallRow) -> Recall:
    return Recall(
        id=row.id,
        record_id=row.record_id,
        version=row.version,
        state=RecallState(row.state),
        reason=row.reason,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        answer=row.answer,
    )
