"""What a page of the workplace is: its address, its title, and who has any use for it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.privacy.rights import Account, Action, may
from app.service.desk import Desk


class Opening(NamedTuple):
    """``fill(desk, query)`` gives the values of ``outputs`` when the page is opened with that query string."""

    fill: Callable[[Desk, Mapping[str, str]], Sequence[Any]]
    outputs: Sequence[Any]


class Page(NamedTuple):
    """One page.

    Attributes:
        path: its address below ``/ui/``; empty for the first page.
        title: as the navigation names it.
        purpose: what one does here, in a line.
        actions: whoever may do one of them to anything at all sees the page.
        build: lays the page out inside an open ``gr.Blocks`` context and gives what fills it when it is opened.
    """

    path: str
    title: str
    purpose: str
    actions: tuple[Action, ...]
    build: Callable[[], Opening]

    def is_for(self, account: Account) -> bool:
        """Whether the account may use the page now."""
        now = datetime.now(UTC)
        return any(may(account, action, None, now) for action in self.actions)
