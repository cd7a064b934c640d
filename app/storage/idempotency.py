"""Writes that are asked for twice and done once."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete

from app.errors import Conflict
from app.storage.cache import content_key
from app.storage.database import Database
from app.storage.tables import IdempotencyRow

KEPT_FOR = timedelta(hours=24)


class StoredAnswer(NamedTuple):
    """What a request was answered with."""

    status: int
    content_type: str
    body: bytes


class IdempotencyStore:
    """Idempotency keys in the database; an account's keys are its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, account: str, key: str, request: bytes) -> StoredAnswer | None:
        """Claim a key for a request; the stored answer if it was answered already.

        Args:
            request: what makes the request what it is: method, path, body.

        Raises:
            Conflict: the key was used for another request, or its request is still being worked on.
        """
        digest = content_key(request)
        now = datetime.now(UTC)
        with self._database.session() as session:
            session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < now - KEPT_FOR))
            row = session.get(IdempotencyRow, (account, key))
            if row is None:
                session.add(IdempotencyRow(account=account, key=key, request_digest=digest, created_at=now))
                return None
            if row.request_digest != digest:
                raise Conflict("这个 Idempotency-Key 已用于另一个请求，请换一个。")
            if row.status is None or row.body is None:
                raise Conflict("同一个请求正在处理，请稍后再试。")
            return StoredAnswer(row.status, row.content_type or "", row.body)

    def finish(self, account: str, key: str, answer: StoredAnswer) -> None:
        """Keep the answer of a claimed key."""
        with self._database.session() as session:
            row = session.get_one(IdempotencyRow, (account, key))
            row.status, row.content_type, row.body = answer

    def abandon(self, account: str, key: str) -> None:
        """Give a key free whose request came to nothing, so that it can be tried again."""
        with self._database.session() as session:
            session.execute(
                delete(IdempotencyRow).where(
                    IdempotencyRow.account == account,
                    IdempotencyRow.key == key,
                    IdempotencyRow.status.is_(None),
                )
            )
