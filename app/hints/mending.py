"""Which hints a writer followed: what was amiss in the last version of a note, and is not in this one."""

import threading
from collections.abc import Collection
from typing import NamedTuple

from app.hints.recent import Recent

_WRITERS_KEPT = 2000


class Told(NamedTuple):
    """What a hint is about: its rule, and the words it quotes (empty where something is missing)."""

    rule: str
    quote: str


class Mended(NamedTuple):
    """What changed since the last version: ``fixed`` is amiss no more, ``broken`` was fixed and is amiss again."""

    fixed: tuple[Told, ...] = ()
    broken: tuple[Told, ...] = ()


class _Version(NamedTuple):
    text: str
    shown: frozenset[Told]
    amiss: frozenset[Told]
    fixed: frozenset[Told]


_NOTHING = _Version("", frozenset(), frozenset(), frozenset())


class Mending:
    """Remembers the last version of each note being written."""

    def __init__(self) -> None:
        self._versions: Recent[_Version] = Recent(_WRITERS_KEPT)
        self._lock = threading.Lock()

    def follow(self, writer: str, text: str, shown: Collection[Told], amiss: Collection[Told]) -> Mended:
        """Compare a version with the one before.

        Only what was shown can be followed. A rule that speaks of other words than before is not followed but moved;
        and a text of which less than half is left is another note.

        Args:
            writer: stands for who writes which note.
            text: the note.
            shown: what its writer is told of.
            amiss: everything amiss in it, shown or not.
        """
        now = frozenset(amiss)
        with self._lock:
            last = self._versions.get(writer) or _NOTHING
            if not _goes_on(last.text, text):
                last = _NOTHING
            moved = {told.rule for told in now - last.amiss}
            fixed = {told for told in last.shown - now if told.rule not in moved}
            broken = last.fixed & now
            seen = (last.shown & now) | frozenset(shown)
            self._versions.put(writer, _Version(text, seen, now, (last.fixed - broken) | fixed))
        return Mended(tuple(sorted(fixed)), tuple(sorted(broken)))


def _goes_on(before: str, after: str) -> bool:
    """Whether at least half of the shorter text stands unchanged at its beginning and end."""
    shorter = min(len(before), len(after))
    start = _alike(before, after)
    end = _alike(before[start:][::-1], after[start:][::-1])
    return shorter > 0 and 2 * (start + end) >= shorter


def _alike(one: str, other: str) -> int:
    """How many code points two texts share from their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
