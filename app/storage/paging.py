"""Pages of long lists: after the last thing seen, not by number, so that a growing list skips nothing."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from app.errors import UserError

LARGEST_PAGE = 200

Item = TypeVar("Item")
Row = TypeVar("Row")


class Page(BaseModel, Generic[Item]):
    """A stretch of a list; ``next_cursor`` asks for what follows, ``None`` at the end."""

    model_config = ConfigDict(frozen=True)

    items: tuple[Item, ...]
    next_cursor: str | None = None


def page_of(
    rows: Sequence[Row], limit: int, item: Callable[[Row], Item], cursor: Callable[[Row], str]
) -> Page[Item]:
    """The page of ``rows``, which were asked for one beyond ``limit`` to see whether more follow."""
    shown = rows[:limit]
    return Page(
        items=tuple(item(row) for row in shown),
        next_cursor=cursor(shown[-1]) if len(rows) > limit else None,
    )


def page_limit(limit: int) -> int:
    """The limit, if it may be asked for.

    Raises:
        UserError: it is not within 1 … ``LARGEST_PAGE``.
    """
    if not 1 <= limit <= LARGEST_PAGE:
        raise UserError(f"每页条数 {limit} 不可用，请取 1 到 {LARGEST_PAGE}。")
    return limit


def number_after(cursor: str | None) -> int | None:
    """The row number in a cursor.

    Raises:
        UserError: it is no cursor that a page gave.
    """
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise UserError("翻页标记不可用，请从第一页重新查询。")
    return int(cursor)
