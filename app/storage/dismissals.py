"""Hints that somebody does not want to see again."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import func, or_, select

from app.errors import UserError
from app.storage.cache import content_key
from app.storage.columns import column_text
from app.storage.database import Database
from app.storage.tables import DismissalRow


def dismissal_key(rule: str, quote: str) -> str:
    """What a dismissed hint is known by; the quote cannot be read back."""
    return content_key(rule, quote)


class DismissalStore:
    """Dismissals in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rule: str, quote: str, reason: str, by: str, record_id: str | None = None) -> None:
        """Dismiss a hint: for everybody in that record, or for ``by`` alone where no record is known.

        Raises:
            UserError: no reason was given.
        """
        why = column_text(reason.strip(), 500)
        if not why:
            raise UserError("忽略提示需要写明理由，请补写。")
        key = dismissal_key(rule, quote)
        row = DismissalRow(
            key=key, record_id=record_id or "", rule=rule, reason=why, actor=by, at=datetime.now(UTC)
        )
        known = select(DismissalRow.number).where(
            DismissalRow.key == key, DismissalRow.record_id == row.record_id, DismissalRow.actor == by
        )
        with self._database.session() as session:
            if session.scalar(known) is None:
                session.add(row)

    def keys(self, by: str, record_id: str | None = None) -> frozenset[str]:
        """The ``dismissal_key`` of every hint not to be shown to ``by`` in that record."""
        own = (DismissalRow.record_id == "") & (DismissalRow.actor == by)
        of_record = DismissalRow.record_id == record_id if record_id else own
        with self._database.reading() as session:
            return frozenset(session.scalars(select(DismissalRow.key).where(or_(own, of_record))))

    def counts(self) -> Mapping[str, int]:
        """How many hints of each rule were dismissed."""
        query = select(DismissalRow.rule, func.count()).group_by(DismissalRow.rule)
        with self._database.reading() as session:
            return dict(session.execute(query).all())

    def reasons(self, rule: str, limit: int = 20) -> tuple[str, ...]:
        """The latest reasons given for dismissing hints of a rule."""
        query = (
            select(DismissalRow.reason)
            .where(DismissalRow.rule == rule)
            .order_by(DismissalRow.number.desc())
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(session.scalars(query))
