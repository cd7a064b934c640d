"""A cache of answers that follow from content alone, in one SQLite file shared by all processes."""

import contextlib
import hashlib
import json
import sqlite3
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from app.errors import UserError
from app.storage.private_file import make_private

_SCHEMA = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
_LOCK_TIMEOUT_SECONDS = 30.0
_COMPANIONS = ("-wal", "-shm", "-journal")


def content_key(*parts: str | bytes) -> str:
    """The SHA-256 over ``parts``; different lists of parts never read the same, no part can be read back."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(f"{'s' if isinstance(part, str) else 'b'}{len(raw)}:".encode())
        digest.update(raw)
    return digest.hexdigest()


class ContentCache:
    """Key → JSON value, kept in the file ``path`` (readable by its owner only).

    Losing it costs time and nothing else, so trouble with it stays inside: a damaged file is moved aside
    and begun anew, a value that cannot be stored (disk full) is simply not there next time. Safe for
    several threads and several processes; a forked process opens its own.

    Raises:
        UserError: the file cannot be made or opened at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._connection = self._open()
        except (OSError, sqlite3.OperationalError) as error:
            raise UserError(
                f"无法打开缓存文件 {path}（{error}），请检查该文件夹的权限和磁盘空间。"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file free; the cache is of no use afterwards."""
        with self._lock:
            self._connection.close()

    def get(self, key: str) -> Any | None:  # noqa: ANN401  # any JSON value
        """The value stored under ``key``; ``None`` when there is none."""
        rows = self._run("SELECT value FROM answers WHERE key = ?", key)
        if not rows:
            return None
        try:
            return json.loads(rows[0][0])
        except (TypeError, ValueError):
            return None

    def put(self, key: str, value: Any) -> None:  # noqa: ANN401
        """Store a JSON value other than ``None`` under ``key``, in place of an older one.

        Raises:
            TypeError: ``value`` is not JSON.
        """
        self._run("INSERT OR REPLACE INTO answers VALUES (?, ?)", key, json.dumps(value, ensure_ascii=True))

    def _run(self, statement: str, *arguments: str) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(statement, arguments).fetchall()
            except sqlite3.OperationalError:
                return []
            except sqlite3.ProgrammingError:
                raise
            except sqlite3.DatabaseError:
                self._connection.close()
                self._move_aside()
                self._connection = self._open()
                return []

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._move_aside()
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        make_private(self._path)
        connection = sqlite3.connect(
            self._path, timeout=_LOCK_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _move_aside(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            self._path.replace(self._path.with_name(f"{self._path.name}.corrupt-{time.time_ns()}"))
        for companion in _COMPANIONS:
            self._path.with_name(self._path.name + companion).unlink(missing_ok=True)
