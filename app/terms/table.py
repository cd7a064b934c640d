"""The hospital's own code tables, kept in one SQLite file and looked up without loading them."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from app.errors import UserError
from app.settings import Settings
from app.terms.codes import CodeKind, plain_code, plain_names

_FILE = "terms.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tables (
    kind TEXT PRIMARY KEY, source TEXT NOT NULL, imported_at TEXT NOT NULL, rows INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS terms (
    kind TEXT NOT NULL, plain_code TEXT NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL, level TEXT,
    PRIMARY KEY (kind, plain_code, code, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (
    kind TEXT NOT NULL, plain_name TEXT NOT NULL, code TEXT NOT NULL,
    PRIMARY KEY (kind, plain_name, code)
) WITHOUT ROWID;
"""


class Term(NamedTuple):
    """One row of a code table; ``level`` only in tables of operations that give it (一级 … 四级)."""

    code: str
    name: str
    level: str | None = None


class TableInfo(NamedTuple):
    """One imported table: the file it came from, when, and how many rows it has."""

    kind: CodeKind
    source: str
    imported_at: datetime
    rows: int


class TermsTable:
    """The code tables in the file ``path``; opened when first asked, safe for several threads to read.

    Raises:
        UserError: the file cannot be read, on first use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        return _connect(self._path)

    @cached_property
    def tables(self) -> tuple[TableInfo, ...]:
        """The tables there are."""
        rows = self._query("SELECT kind, source, imported_at, rows FROM tables ORDER BY kind")
        return tuple(TableInfo(kind, source, datetime.fromisoformat(at), n) for kind, source, at, n in rows)

    def has(self, kind: CodeKind) -> bool:
        """Whether a table of this kind was imported."""
        return any(table.kind == kind for table in self.tables)

    def terms_of(self, kind: CodeKind, code: str) -> tuple[Term, ...]:
        """The rows of one code, however it is written; empty when the table does not have it."""
        rows = self._query(
            "SELECT code, name, level FROM terms WHERE kind = ? AND plain_code = ?", kind, plain_code(code)
        )
        return tuple(Term(*row) for row in rows)

    def codes_of(self, kind: CodeKind, name: str) -> tuple[str, ...]:
        """The codes that bear exactly this name, but for punctuation, width and 伴/合并."""
        found = (
            self._query("SELECT code FROM names WHERE kind = ? AND plain_name = ?", kind, plain)
            for plain in plain_names(name)
        )
        return tuple(dict.fromkeys(code for rows in found for (code,) in rows))

    def close(self) -> None:
        """Give the file free; a later question opens it again."""
        if "_connection" in self.__dict__:
            self._connection.close()
            del self.__dict__["_connection"]

    def _query(self, statement: str, *arguments: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement, arguments).fetchall()
        except sqlite3.DatabaseError as error:
            raise _unreadable(self._path, error) from error


def load_terms_table(settings: Settings) -> TermsTable | None:
    """The hospital's code tables, or ``None`` where none was imported."""
    path = settings.data_dir / _FILE
    return TermsTable(path) if path.exists() else None


def store_table(settings: Settings, kind: CodeKind, source: str, terms: Iterable[Term], at: datetime) -> None:
    """Put a table of one kind in place of the earlier one; on any failure the earlier one stays.

    Raises:
        UserError: the file cannot be written.
    """
    path = settings.data_dir / _FILE
    rows = list(dict.fromkeys(terms))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(_connect(path)) as connection, connection:
            for table in ("terms", "names", "tables"):
                connection.execute(f"DELETE FROM {table} WHERE kind = ?", (kind,))  # noqa: S608 - our own names
            connection.executemany(
                "INSERT OR REPLACE INTO terms VALUES (?, ?, ?, ?, ?)",
                ((kind, plain_code(t.code), t.code, t.name, t.level) for t in rows),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO names VALUES (?, ?, ?)",
                ((kind, plain, t.code) for t in rows for plain in plain_names(t.name)),
            )
            connection.execute(
                "INSERT INTO tables VALUES (?, ?, ?, ?)", (kind, source, at.isoformat(), len(rows))
            )
    except (OSError, sqlite3.DatabaseError) as error:
        raise UserError(f"无法写入编码表 {path}（{error}），请检查该文件夹的权限和磁盘空间。") from error


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=30.0, check_same_thread=False)
        connection.executescript(_SCHEMA)
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from error
    return connection


def _unreadable(path: Path, error: sqlite3.DatabaseError) -> UserError:
    return UserError(f"编码表 {path} 读不出来（{error}），请删除该文件后用 bingli terms import 重新导入。")
