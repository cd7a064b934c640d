"""Hints that writers followed: what each was about stands mended."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import delete, func, select

from app.storage.columns import column_text
from app.storage.database import Database
from app.storage.dismissals import dismissal_key
from app.storage.tables import FixRow


class FixStore:
    """Fixes in the database; one that a writer reports twice counts once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rule: str, quote: str, by: str, record_id: str | None = None) -> None:
        """Keep that ``by`` mended what a hint was about."""
        row = FixRow(
            key=dismissal_key(rule, quote),
            record_id=_column(record_id),
            rule=rule,
            actor=by,
            at=datetime.now(UTC),
        )
        known = select(FixRow.number).where(
            FixRow.key == row.key, FixRow.record_id == row.record_id, FixRow.actor == by
        )
        with self._database.session() as session:
            if session.scalar(known) is None:
                session.add(row)

    def take_back(self, rule: str, quote: str, by: str, record_id: str | None = None) -> None:
        """Forget a fix: the hint stands again."""
        gone = delete(FixRow).where(
            FixRow.key == dismissal_key(rule, quote),
            FixRow.record_id == _column(record_id),
            FixRow.actor == by,
        )
        with self._database.session() as session:
            session.execute(gone)

    def counts(self) -> Mapping[str, int]:
        """How many hints of each rule were mended."""
        query = select(FixRow.rule, func.count()).group_by(FixRow.rule)
        with self._database.reading() as session:
            return dict(session.execute(query).all())


def _column(record_id: str | None) -> str:
    return column_text(record_id, 128) or ""
