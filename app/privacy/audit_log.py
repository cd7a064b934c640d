"""The audit log: who did what to which object, in a chain of seals that shows every change to it.

Each seal is an HMAC-SHA256 over the entry and the seal before it; the end of the log is sealed apart, so that
entries cut off at the end show too. Without the key (a file of the data folder, or a setting) nobody who only
reaches the database can forge an entry. Record text never enters the log.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.records.model import Moment
from app.storage.columns import column_text
from app.storage.database import Database
from app.storage.paging import Page, number_after, page_limit, page_of
from app.storage.tables import AuditEntryRow, AuditHeadRow

_HEAD = 1
_START = bytes(32)


class AuditEntry(BaseModel):
    """One entry; numbers begin with 1 and leave no gap."""

    model_config = ConfigDict(frozen=True)

    number: int
    at: datetime
    actor: str
    action: str
    object_kind: str
    object_id: str
    detail: str


class AuditFilter(BaseModel):
    """Which entries; ``None`` does not ask."""

    model_config = ConfigDict(frozen=True)

    actor: str | None = None
    action: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    since: Moment | None = None
    before: Moment | None = None


class Broken(NamedTuple):
    """The first place where the log is not what was written; ``number`` is the entry's, counted from 1."""

    number: int
    why: str


class AuditLog:
    """The audit log of a database."""

    def __init__(self, database: Database, key: bytes) -> None:
        """Seal with ``key``, at least 32 random bytes."""
        self._database = database
        self._key = key

    def write(
        self, actor: str, action: str, object_kind: str, object_id: str, detail: str = ""
    ) -> AuditEntry:
        """Add an entry; several processes may, one after another.

        Args:
            detail: a few words or codes, never text of a record.
        """
        with self._database.session() as session:
            head = self._head(session)
            row = AuditEntryRow(
                number=head.entries + 1,
                at=datetime.now(UTC),
                actor=column_text(actor, 64) or "",
                action=column_text(action, 32) or "",
                object_kind=column_text(object_kind, 32) or "",
                object_id=column_text(object_id, 128) or "",
                detail=column_text(detail, 512) or "",
            )
            row.seal = self._seal(_entry(row), self._last_seal(session, head.entries))
            session.add(row)
            head.entries = row.number
            head.seal = self._head_seal(head.entries, row.seal)
        return _entry(row)

    def verify(self) -> Broken | None:
        """The first place where an entry was altered, removed, put in or moved; ``None`` if the log is whole."""
        with self._database.reading() as session:
            before, count = _START, 0
            rows = session.scalars(
                select(AuditEntryRow).order_by(AuditEntryRow.number).execution_options(yield_per=1000)
            )
            for row in rows:
                count += 1
                if row.number != count:
                    return Broken(count, f"缺少第 {count} 条（后面是第 {row.number} 条）")
                if not hmac.compare_digest(row.seal, self._seal(_entry(row), before)):
                    return Broken(count, "内容或顺序与封存时不同")
                before = row.seal
            return self._broken_end(session.get(AuditHeadRow, _HEAD), count, before)

    def count(self) -> int:
        """How many entries there are."""
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(AuditEntryRow)) or 0

    def page(self, wanted: AuditFilter, cursor: str | None = None, limit: int = 50) -> Page[AuditEntry]:
        """Entries, the newest first.

        Raises:
            UserError: the cursor or the limit is impossible.
        """
        query = select(AuditEntryRow).order_by(AuditEntryRow.number.desc()).limit(page_limit(limit) + 1)
        exact = {
            AuditEntryRow.actor: wanted.actor,
            AuditEntryRow.action: wanted.action,
            AuditEntryRow.object_kind: wanted.object_kind,
            AuditEntryRow.object_id: wanted.object_id,
        }
        query = query.where(*(column == value for column, value in exact.items() if value is not None))
        if wanted.since is not None:
            query = query.where(AuditEntryRow.at >= wanted.since)
        if wanted.before is not None:
            query = query.where(AuditEntryRow.at < wanted.before)
        after = number_after(cursor)
        if after is not None:
            query = query.where(AuditEntryRow.number < after)
        with self._database.reading() as session:
            rows = session.scalars(query).all()
        return page_of(rows, limit, _entry, lambda row: str(row.number))

    def entries(self) -> Iterator[tuple[AuditEntry, str]]:
        """Every entry with its seal in hexadecimal, oldest first."""
        query = select(AuditEntryRow).order_by(AuditEntryRow.number)
        with self._database.reading() as session:
            for row in session.scalars(query.execution_options(yield_per=1000)):
                yield _entry(row), row.seal.hex()

    def _head(self, session: Session) -> AuditHeadRow:
        """The end of the log, locked until the transaction ends."""
        head = session.get(AuditHeadRow, _HEAD, with_for_update=True)
        if head is not None:
            return head
        session.execute(
            text("INSERT INTO audit_head (id, entries, seal) VALUES (:id, 0, :seal) ON CONFLICT DO NOTHING"),
            {"id": _HEAD, "seal": self._head_seal(0, _START)},
        )
        return session.get_one(AuditHeadRow, _HEAD, with_for_update=True)

    def _last_seal(self, session: Session, number: int) -> bytes:
        seal = session.scalar(select(AuditEntryRow.seal).where(AuditEntryRow.number == number))
        return seal or _START

    def _broken_end(self, head: AuditHeadRow | None, count: int, last: bytes) -> Broken | None:
        if head is None:
            return Broken(1, "日志的结尾封存已被删除") if count else None
        if head.entries > count:
            return Broken(count + 1, f"第 {count + 1} 条以后被删除（应有 {head.entries} 条）")
        if head.entries < count or not hmac.compare_digest(head.seal, self._head_seal(count, last)):
            return Broken(count, "结尾封存与最后一条不符")
        return None

    def _seal(self, entry: AuditEntry, before: bytes) -> bytes:
        said = json.dumps(entry.model_dump(mode="json"), sort_keys=True, ensure_ascii=True).encode()
        return hmac.new(self._key, before + said, hashlib.sha256).digest()

    def _head_seal(self, entries: int, last: bytes) -> bytes:
        return hmac.new(self._key, b"head" + entries.to_bytes(8, "big") + last, hashlib.sha256).digest()


def _entry(row: AuditEntryRow) -> AuditEntry:
    return AuditEntry(
        number=row.number,
        at=row.at,
        actor=row.actor,
        action=row.action,
        object_kind=row.object_kind,
        object_id=row.object_id,
        detail=row.detail,
    )
