"""Files that only their owner may read."""

import contextlib
import os
from pathlib import Path

_OWNER_ONLY = 0o600


def make_private(path: Path) -> None:
    """Make a SQLite file, if it is not there yet, and its folder; no one but the owner may read them.

    SQLite gives its companion files the mode of the database file. A file that is there is not opened: closing it
    would drop the locks that another connection of this process holds on it, and a second process would then throw
    away what the first has not written back.

    Raises:
        OSError: the folder or the file cannot be made, or is another's.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))
    path.chmod(_OWNER_ONLY)
