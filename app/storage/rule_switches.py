"""What the hospital changed about rules in the workplace."""

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from app.errors import Conflict
from app.storage.database import Database
from app.storage.tables import RuleSwitchRow


class RuleSwitch(BaseModel):
    """A rule switched on or off, with points of its own or (``None``) those of the profile."""

    model_config = ConfigDict(frozen=True)

    code: str
    is_enabled: bool
    points: float | None = Field(default=None, ge=0, le=100)
    version: int = 0
    changed_by: str = ""
    changed_at: datetime | None = None


class RuleSwitchStore:
    """Rule switches in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Mapping[str, RuleSwitch]:
        """The changed rules, by code."""
        with self._database.reading() as session:
            rows = session.scalars(select(RuleSwitchRow).order_by(RuleSwitchRow.code)).all()
        return {row.code: _switch(row) for row in rows}

    def save(self, switch: RuleSwitch, by: str) -> RuleSwitch:
        """Keep a change; ``switch.version`` is the version that it starts from, 0 for the first change.

        Raises:
            Conflict: somebody else changed the rule meanwhile.
        """
        with self._database.session() as session:
            row = session.get(RuleSwitchRow, switch.code, with_for_update=True)
            if (row.version if row else 0) != switch.version:
                raise Conflict(f"规则 {switch.code} 刚被他人改过，请刷新后再操作。")
            row = row or RuleSwitchRow(code=switch.code)
            row.is_enabled, row.points, row.version = switch.is_enabled, switch.points, switch.version + 1
            row.changed_by, row.changed_at = by, datetime.now(UTC)
            session.add(row)
        return _switch(row)


def _switch(row: RuleSwitchRow) -> RuleSwitch:
    return RuleSwitch(
        code=row.code,
        is_enabled=row.is_enabled,
        points=row.points,
        version=row.version,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )
