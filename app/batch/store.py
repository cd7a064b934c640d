"""The output folder of a batch: lines appended as they come, and a book that knows which lines count.

Every line of ``results.jsonl`` and ``errors.jsonl`` has an entry in ``state.sqlite`` with its place in the
file. Entries are committed after their lines; on resuming, whatever a file holds beyond its last committed
line is cut off and done again. So a stop at any moment loses at most work, never a record, and doubles none.
"""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from app.batch.sources import Source
from app.batch.worker import Checked, Problem
from app.errors import UserError

RESULTS = "results.jsonl"
ERRORS = "errors.jsonl"
STATE = "state.sqlite"
_NEW = ".new"
_COMMIT_SECONDS = 1.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS line (
    place TEXT PRIMARY KEY, digest TEXT NOT NULL, path TEXT NOT NULL, byte INTEGER NOT NULL, size INTEGER NOT NULL,
    run INTEGER NOT NULL, sequence INTEGER NOT NULL,
    file TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    record_id TEXT, department TEXT NOT NULL, month TEXT NOT NULL,
    problem TEXT, reason TEXT,
    is_discharged INTEGER, score REAL, grade TEXT, judged_share REAL, assessed_points REAL, total_points REAL,
    deciding_vetoes TEXT, severities TEXT, outcomes TEXT, standings TEXT, reasons TEXT, is_generated INTEGER, first_course BLOB
);
CREATE INDEX IF NOT EXISTS line_record ON line (record_id) WHERE problem IS NULL;
CREATE INDEX IF NOT EXISTS line_sequence ON line (sequence);
"""


class Entry(NamedTuple):
    """A record as the reports read it; letters as in ``app.batch.worker``."""

    place: str
    record_id: str
    department: str
    month: str
    is_discharged: bool
    score: float | None
    grade: str | None
    judged_share: float
    assessed_points: float
    total_points: float
    deciding_vetoes: str
    severities: str
    outcomes: str
    standings: str
    reasons: str
    is_generated: bool
    first_course: bytes | None
    path: str
    byte: int
    size: int
    digest: str
    start: int
    end: int


class Failure(NamedTuple):
    """A record without a result."""

    place: str
    record_id: str | None
    department: str
    month: str
    problem: str
    reason: str


class Store:
    """The output folder of one batch, open for one process at a time."""

    def __init__(self, folder: Path, fingerprint: Mapping[str, str], *, resume: bool) -> None:
        """Open the folder; with ``resume``, go on with what is there.

        Args:
            folder: made when it is not there.
            fingerprint: what must be the same for results to belong together, in Chinese → value.
            resume: whether lines already there count.

        Raises:
            UserError: the folder cannot be written, another run is writing it, or it holds an unfinished run
                (without ``resume``) or a run of something else (with it).
        """
        self._folder = folder
        self._last_commit = time.monotonic()
        self._open_lines: dict[str, Any] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._book = self._open_book()
            if resume:
                self._check_fingerprint(fingerprint)
                self._finish_swap()
                self._cut_back()
            else:
                self._begin(fingerprint)
            self._open_lines = {name: (folder / name).open("ab") for name in (RESULTS, ERRORS)}
        except (OSError, sqlite3.OperationalError) as error:
            raise UserError(f"无法写入文件夹 {folder}（{error}），请检查权限和磁盘空间。") from error
        self._run = int(self._value("run") or 0) + 1
        self._put("run", str(self._run))
        self._put("finished", "")
        self._book.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is written, and let the folder go."""
        self._commit()
        for lines in self._open_lines.values():
            lines.close()
        self._book.close()

    def is_done(self, source: Source) -> bool:
        """Whether the source has its line; notes that it is still in the input.

        A line of the same place whose content has changed since is dropped.
        """
        row = self._book.execute(
            "SELECT digest, problem, record_id FROM line WHERE place = ?", (source.place,)
        ).fetchone()
        if row is None:
            return False
        digest, problem, record_id = row
        # Whether an id is unique depends on the other records, which may have changed since.
        is_stale = problem == "duplicate" or (not problem and self._place_of(record_id, source.place))
        if digest != source.digest or is_stale:
            self._book.execute("DELETE FROM line WHERE place = ?", (source.place,))
            return False
        self._book.execute(
            "UPDATE line SET run = ?, sequence = ? WHERE place = ?",
            (self._run, source.sequence, source.place),
        )
        return True

    def add(self, source: Source, answer: Checked | Problem) -> Checked | Problem:
        """Write one line; gives what was written: a record whose id the batch already has is a problem."""
        if isinstance(answer, Checked):
            first = self._place_of(answer.record_id, source.place)
            if first is None:
                self._add_result(source, answer)
                return answer
            reason = (
                f"{source.place} 的 record_id {answer.record_id} 与 {first} 重复，请更正编号；本份未计入。"
            )
            answer = Problem("duplicate", reason, answer.record_id, answer.department, answer.month)
        self._add_problem(source, answer)
        return answer

    def put_in_order(self) -> None:
        """Drop lines whose sources are no longer in the input, and put the others in input order."""
        self._book.execute("DELETE FROM line WHERE run <> ?", (self._run,))
        self._commit()
        for name in (RESULTS, ERRORS):
            if not self._is_in_order(name):
                self.rewrite(name)

    def mark_finished(self) -> None:
        """Say that nothing is left to do; a new run may then begin in the same folder."""
        self._put("finished", "1")
        self._book.commit()

    def rewrite(self, name: str, changed: Callable[[str, bytes], bytes] | None = None) -> None:
        """Write a file anew with the lines that count, in input order.

        Args:
            name: of the file.
            changed: gives the new line for a place and its line, both without line feed.
        """
        rows = self._book.execute(
            "SELECT place, start, end FROM line WHERE file = ? ORDER BY sequence", (name,)
        ).fetchall()
        new = self._folder / (name + _NEW)
        with (self._folder / name).open("rb") as old, new.open("wb") as file:
            for place, start, end in rows:
                old.seek(start)
                line = old.read(end - start)
                if changed is not None:
                    line = changed(place, line.removesuffix(b"\n")) + b"\n"
                begins = file.tell()
                file.write(line)
                self._book.execute(
                    "UPDATE line SET start = ?, end = ? WHERE place = ?", (begins, file.tell(), place)
                )
            file.flush()
            os.fsync(file.fileno())
        self._put("swap", name)
        self._book.commit()
        self._open_lines[name].close()
        self._finish_swap()
        self._open_lines[name] = (self._folder / name).open("ab")

    def entries(
        self, where: str = "1", parameters: tuple[object, ...] = (), order: str = "sequence", limit: int = -1
    ) -> Iterator[Entry]:
        """The records with a result, read one after another.

        Args:
            where: a condition over the columns, from the program itself.
            parameters: for its question marks.
            order: what to order by.
            limit: how many at most; all, if negative.
        """
        columns = ", ".join(Entry._fields)
        query = f"SELECT {columns} FROM line WHERE problem IS NULL AND {where} ORDER BY {order} LIMIT ?"  # noqa: S608
        return (Entry(*row) for row in self._book.execute(query, (*parameters, limit)))

    def failures(self) -> Iterator[Failure]:
        """The records without a result, in input order."""
        columns = ", ".join(Failure._fields)
        query = f"SELECT {columns} FROM line WHERE problem IS NOT NULL ORDER BY sequence"  # noqa: S608
        return (Failure(*row) for row in self._book.execute(query))

    def result(self, entry: Entry) -> bytes:
        """The line of an entry."""
        with (self._folder / RESULTS).open("rb") as file:
            file.seek(entry.start)
            return file.read(entry.end - entry.start)

    def results(self) -> Iterator[bytes]:
        """All lines of results, in the order of the file."""
        with (self._folder / RESULTS).open("rb") as file:
            yield from file

    def first_courses(self) -> Iterator[bytes]:
        """The ``first_course`` of every record that has one, in input order."""
        query = "SELECT first_course FROM line WHERE first_course IS NOT NULL ORDER BY sequence"
        return (row[0] for row in self._book.execute(query))

    def update(self, place: str, answer: Checked) -> None:
        """Put another digest in the place of the old one; the line itself is rewritten by ``rewrite``."""
        values = _columns(answer)
        setting = ", ".join(f"{column} = ?" for column in values)
        self._book.execute(f"UPDATE line SET {setting} WHERE place = ?", (*values.values(), place))  # noqa: S608

    def _add_result(self, source: Source, answer: Checked) -> None:
        self._append(RESULTS, answer.result.encode(), source, _columns(answer))

    def _add_problem(self, source: Source, problem: Problem) -> None:
        shown = {
            "source": source.place,
            "record_id": problem.record_id,
            "kind": problem.kind,
            "reason": problem.reason,
        }
        columns = {
            "record_id": problem.record_id,
            "department": problem.department,
            "month": problem.month,
            "problem": problem.kind,
            "reason": problem.reason,
        }
        line = json.dumps(shown, ensure_ascii=False).encode(errors="backslashreplace")
        self._append(ERRORS, line, source, columns)

    def _append(self, name: str, line: bytes, source: Source, columns: Mapping[str, object]) -> None:
        file = self._open_lines[name]
        start = file.seek(0, os.SEEK_END)
        try:
            file.write(line + b"\n")
            file.flush()
        except OSError as error:
            raise UserError(
                f"无法写入 {self._folder / name}（{error.strerror}），请腾出磁盘空间后加 --resume 接着做。"
            ) from error
        values: dict[str, object] = {
            "place": source.place,
            "digest": source.digest,
            "path": str(source.path.resolve()),
            "byte": source.offset,
            "size": source.size,
            "run": self._run,
            "sequence": source.sequence,
            "file": name,
            "start": start,
            "end": start + len(line) + 1,
            **columns,
        }
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self._book.execute(f"INSERT INTO line ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608
        if time.monotonic() - self._last_commit > _COMMIT_SECONDS:
            self._commit()

    def _commit(self) -> None:
        for file in self._open_lines.values():
            if not file.closed:  # a stop may have come while the file was being exchanged
                file.flush()
                os.fsync(file.fileno())
        self._book.commit()
        self._last_commit = time.monotonic()

    def _place_of(self, record_id: str, other_than: str) -> str | None:
        row = self._book.execute(
            "SELECT place FROM line WHERE record_id = ? AND problem IS NULL AND place <> ? AND run = ?",
            (record_id, other_than, self._run),
        ).fetchone()
        return row[0] if row else None

    def _is_in_order(self, name: str) -> bool:
        rows = self._book.execute("SELECT start, end FROM line WHERE file = ? ORDER BY sequence", (name,))
        reached = 0
        for start, end in rows:
            if start != reached:
                return False
            reached = end
        return reached == (self._folder / name).stat().st_size

    def _open_book(self) -> sqlite3.Connection:
        path = self._folder / STATE
        book = sqlite3.connect(path, timeout=0)
        try:
            book.execute("PRAGMA locking_mode=EXCLUSIVE")
            book.execute("BEGIN EXCLUSIVE")
            book.commit()
            book.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            book.close()
            if "locked" in str(error):
                raise UserError(
                    f"另一个审核正在写入文件夹 {self._folder}，请等它结束，或换一个文件夹。"
                ) from error
            raise
        except sqlite3.DatabaseError as error:
            book.close()
            raise UserError(
                f"{path} 不是审核的进度文件，或已损坏，请换一个文件夹，或删除它后重新审核。"
            ) from error
        return book

    def _begin(self, fingerprint: Mapping[str, str]) -> None:
        if self._value("fingerprint") is not None and not self._value("finished"):
            raise UserError(
                f"文件夹 {self._folder} 里有一次没有做完的审核，请加 --resume 接着做，或换一个文件夹。"
            )
        self._book.execute("DELETE FROM line")
        self._book.execute("DELETE FROM run")
        self._put("fingerprint", json.dumps(dict(fingerprint), ensure_ascii=False))
        self._book.commit()
        for name in (RESULTS, ERRORS):
            (self._folder / name).write_bytes(b"")

    def _check_fingerprint(self, fingerprint: Mapping[str, str]) -> None:
        kept = self._value("fingerprint")
        if kept is None:
            self._begin(fingerprint)
            return
        old = json.loads(kept)
        changed = [name for name, value in fingerprint.items() if old.get(name) != value]
        if changed:
            raise UserError(
                f"文件夹 {self._folder} 里的审核所用的{'、'.join(changed)}与这次不同，不能接着做；"
                "请换一个文件夹重新审核。"
            )

    def _cut_back(self) -> None:
        """Forget lines that are not whole in their file, and cut off what the book does not know."""
        for name in (RESULTS, ERRORS):
            path = self._folder / name
            path.touch()
            self._book.execute("DELETE FROM line WHERE file = ? AND end > ?", (name, path.stat().st_size))
            reached = (
                self._book.execute("SELECT MAX(end) FROM line WHERE file = ?", (name,)).fetchone()[0] or 0
            )
            os.truncate(path, reached)
        self._book.commit()

    def _finish_swap(self) -> None:
        """Put a file written anew into its place, even if the last run was stopped just before that."""
        name = self._value("swap")
        if not name:
            return
        new = self._folder / (name + _NEW)
        if new.exists():
            new.replace(self._folder / name)
        self._put("swap", "")
        self._book.commit()

    def _value(self, key: str) -> str | None:
        row = self._book.execute("SELECT value FROM run WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _put(self, key: str, value: str) -> None:
        self._book.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", (key, value))


def _columns(answer: Checked) -> dict[str, object]:
    columns: dict[str, object] = answer._asdict()
    del columns["result"]
    return {**columns, "severities": json.dumps(answer.severities)}
