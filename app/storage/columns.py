"""Column types that mean the same in SQLite and PostgreSQL."""

import json
import zlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary
from sqlalchemy.types import TypeDecorator

RowNumber = BigInteger().with_variant(Integer(), "sqlite")


class UtcMoment(TypeDecorator[datetime]):
    """An aware time; kept and given back in UTC, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment in UTC.

        Raises:
            ValueError: it has no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must be aware")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment, aware whatever the engine kept of it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PackedJson(TypeDecorator[Any]):
    """A JSON value, compressed; holds every string, also those that a text column would refuse (NUL)."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ANN401  # any JSON value
        """The value as bytes."""
        if value is None:
            return None
        return zlib.compress(json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode(), level=1)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:  # noqa: ANN401
        """The value again."""
        return None if value is None else json.loads(zlib.decompress(value))


def column_text(text: str | None, limit: int) -> str | None:
    """The text as every engine can keep and find it: without NUL and half characters, at most ``limit`` long."""
    if text is None:
        return None
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")[:limit]
