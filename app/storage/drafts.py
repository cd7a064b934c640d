"""Drafts, each with all its versions."""

import secrets
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.drafting.draft import Draft
from app.errors import Conflict, NotFound
from app.storage.database import Database
from app.storage.tables import DraftRow, DraftVersionRow, RecordRow


class StoredDraft(BaseModel):
    """A draft with its number; a change states the version that it saw."""

    model_config = ConfigDict(frozen=True)

    id: str
    record_id: str
    version: int
    draft: Draft
    created_by: str
    created_at: datetime
    updated_at: datetime


class DraftStore:
    """Drafts in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, draft: Draft, by: str) -> StoredDraft:
        """Keep a new draft of a stored record.

        Raises:
            NotFound: the record is not stored.
        """
        now = datetime.now(UTC)
        row = DraftRow(
            id=secrets.token_hex(12),
            record_id=draft.record_id,
            kind=draft.document_type,
            status=draft.status,
            version=1,
            created_by=by,
            created_at=now,
            updated_at=now,
        )
        with self._database.session() as session:
            if session.get(RecordRow, draft.record_id) is None:
                raise NotFound(f"没有病案 {draft.record_id}，请先保存病历。")
            session.add(row)
            session.flush()
            session.add(_version(row, draft, by))
        return _stored(row, draft)

    def save(self, draft_id: str, version: int, draft: Draft, by: str) -> StoredDraft:
        """Keep what a reviewer made of the draft.

        Raises:
            NotFound: there is no such draft.
            Conflict: somebody else changed it since ``version``.
        """
        with self._database.session() as session:
            row = _row(session, draft_id, is_changed=True)
            if row.version != version:
                raise Conflict("这份草稿刚被他人改过，请刷新后再操作。")
            row.version, row.status, row.updated_at = version + 1, draft.status, datetime.now(UTC)
            session.add(_version(row, draft, by))
        return _stored(row, draft)

    def get(self, draft_id: str) -> StoredDraft:
        """A draft as it stands.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            row = _row(session, draft_id)
            return _stored(row, _content(session, row))

    def of_record(self, record_id: str) -> tuple[StoredDraft, ...]:
        """The drafts of a record, the newest first."""
        query = select(DraftRow).where(DraftRow.record_id == record_id).order_by(DraftRow.created_at.desc())
        with self._database.reading() as session:
            return tuple(_stored(row, _content(session, row)) for row in session.scalars(query).all())


def _row(session: Session, draft_id: str, *, is_changed: bool = False) -> DraftRow:
    row = session.get(DraftRow, draft_id, with_for_update=is_changed)
    if row is None:
        raise NotFound(f"没有草稿 {draft_id}，请核对编号。")
    return row


def _version(row: DraftRow, draft: Draft, by: str) -> DraftVersionRow:
    return DraftVersionRow(
        draft_id=row.id,
        version=row.version,
        content=draft.model_dump(mode="json"),
        saved_by=by,
        saved_at=row.updated_at,
    )


def _content(session: Session, row: DraftRow) -> Draft:
    return Draft.model_validate(session.get_one(DraftVersionRow, (row.id, row.version)).content)


def _stored(row: DraftRow, draft: Draft) -> StoredDraft:
    return StoredDraft(
        id=row.id,
        record_id=row.record_id,
        version=row.version,
        draft=draft,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
