"""Copied discussions across the patients of one department (L-504): an index that scales to a hospital-year.

A first course note's discussion goes in as 64 MinHash values over pieces of four characters. Notes of one
department and one main diagnosis that share a band of them are compared exactly. On disk the index keeps, for each
note, its values, its compressed content and three numbers for each band; in memory it keeps nothing.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from app.records.model import Document, MedicalRecord, Span
from app.text.diagnoses import canonical, find_diagnoses
from app.text.likeness import Content, content_of, likeness
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section

HASHES = 64
_ROWS = 3
_BANDS = HASHES // _ROWS
_SECTIONS = ("拟诊讨论", "诊断依据", "鉴别诊断")
_DIAGNOSES = ("初步诊断", "入院诊断")
_NUMBER = regex(r"\d+(?:\.\d+)?")
_OWN_NUMBERS = 2
_PLAINLY_DIFFERENT = 0.25  # notes alike to 0.95 share 0.43 of their pieces at the very least (q-gram lemma)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS note (
    number INTEGER PRIMARY KEY, record_id TEXT NOT NULL, document_id TEXT NOT NULL, kin TEXT NOT NULL,
    start INTEGER NOT NULL, finish INTEGER NOT NULL, hashes BLOB NOT NULL, content BLOB NOT NULL, numbers TEXT NOT NULL, own TEXT NOT NULL,
    UNIQUE (record_id, document_id));
CREATE TABLE IF NOT EXISTS band (key INTEGER NOT NULL, note INTEGER NOT NULL, PRIMARY KEY (key, note)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS band_note ON band (note);
CREATE INDEX IF NOT EXISTS note_kin ON note (kin);
"""


class NotePlace(NamedTuple):
    """A discussion: ``span`` reaches from its first section to its last, in the document's text."""

    record_id: str
    document_id: str
    span: Span


class Discussion(NamedTuple):
    """The discussion of one first course note.

    ``kin`` is department and main diagnosis; ``own`` are those of its ``numbers`` that the rest of the note tells of
    the patient too.
    """

    place: NotePlace
    kin: str
    content: Content
    hashes: npt.NDArray[np.uint32]
    numbers: frozenset[str]
    own: frozenset[str]


def with_peers(record: MedicalRecord, peers: Iterable[Discussion]) -> MedicalRecord:
    """The record as rule L-504 wants it: with other patients' discussions of the same kin in ``extra["peers"]``."""
    told = [{"record_id": peer.place.record_id, "discussion": peer.content.text} for peer in peers]
    return record.model_copy(update={"extra": {**record.extra, "peers": told}})


class CopyingIndex:
    """Finds discussions copied from patient to patient, whatever the order in which records come.

    Two discussions match when their likeness (``app.text.likeness``) reaches ``limit`` and they do not each hold
    at least two numbers of their own patient. Adding a record again replaces what it left before.
    """

    def __init__(
        self, path: Path | None = None, *, limit: float = 0.95, minimum_characters: int = 60
    ) -> None:
        """Open or make the index at ``path``; without one it lives in memory."""
        self._limit = limit
        self._minimum = minimum_characters
        self._database = sqlite3.connect(path or ":memory:")
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is pending and close the file."""
        self._database.commit()
        self._database.close()

    def __len__(self) -> int:
        with closing(self._database.execute("SELECT COUNT(*) FROM note")) as rows:
            return int(rows.fetchone()[0])

    def add(self, record: MedicalRecord) -> None:
        """Take in a record's first course note.

        A record without department, main diagnosis or a discussion long enough is left out.
        """
        note = read_discussion(record, self._minimum)
        self._forget(record.record_id)
        if note is not None:
            self._store(note, _band_keys(note))

    def peers(self, record: MedicalRecord) -> tuple[Discussion, ...] | None:
        """The discussions of other records that match, for ``with_peers``; ``None`` where no other is comparable.

        To be asked once every record of a batch is in.
        """
        note = read_discussion(record, self._minimum)
        if note is None or not self._has_others(note):
            return None
        return tuple(o for o in self._alike(note) if o.place.record_id != record.record_id)

    def _has_others(self, note: Discussion) -> bool:
        return bool(
            self._database.execute(
                "SELECT 1 FROM note WHERE kin = ? AND record_id <> ? LIMIT 1",
                (note.kin, note.place.record_id),
            ).fetchone()
        )

    def _alike(self, note: Discussion) -> Iterator[Discussion]:
        return (o for o in self._candidates(_band_keys(note), note) if same_discussion(note, o, self._limit))

    def _forget(self, record_id: str) -> None:
        numbers = self._database.execute(
            "SELECT number FROM note WHERE record_id = ?", (record_id,)
        ).fetchall()
        self._database.executemany("DELETE FROM band WHERE note = ?", numbers)
        self._database.executemany("DELETE FROM note WHERE number = ?", numbers)

    def _store(self, note: Discussion, keys: Iterable[int]) -> None:
        cursor = self._database.execute(
            "INSERT INTO note (record_id, document_id, kin, start, finish, hashes, content, numbers, own)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                note.place.record_id,
                note.place.document_id,
                note.kin,
                *note.place.span,
                note.hashes.tobytes(),
                zlib.compress(note.content.text.encode()),
                " ".join(sorted(note.numbers)),
                " ".join(sorted(note.own)),
            ),
        )
        rows = [(key, cursor.lastrowid) for key in keys]
        self._database.executemany("INSERT OR IGNORE INTO band VALUES (?, ?)", rows)

    def _candidates(self, keys: Iterable[int], note: Discussion) -> Iterator[Discussion]:
        """The notes of the same kin that share a band and are not plainly different, values compared."""
        numbers: set[int] = set()
        for key in keys:
            numbers.update(
                n for (n,) in self._database.execute("SELECT note FROM band WHERE key = ?", (key,))
            )
        for number in sorted(numbers):
            row = self._database.execute(
                "SELECT kin, hashes, record_id, document_id, start, finish, content, numbers, own FROM note"
                " WHERE number = ?",
                (number,),
            ).fetchone()
            hashes = np.frombuffer(row[1], np.uint32)
            if row[0] == note.kin and np.mean(hashes == note.hashes) >= _PLAINLY_DIFFERENT:
                place = NotePlace(row[2], row[3], Span(row[4], row[5]))
                content = Content(zlib.decompress(row[6]).decode())
                yield Discussion(
                    place, note.kin, content, hashes, frozenset(row[7].split()), frozenset(row[8].split())
                )


def same_discussion(one: Discussion, other: Discussion, limit: float) -> bool:
    """Whether two discussions say the same, and do not each hold two numbers or more of their own patient."""
    return likeness(one.content, other.content, limit) >= limit and not _both_individual(one, other)


def _both_individual(one: Discussion, other: Discussion) -> bool:
    return min(len(one.own - other.numbers), len(other.own - one.numbers)) >= _OWN_NUMBERS


def read_discussion(record: MedicalRecord, minimum: int) -> Discussion | None:
    """The discussion of the first course note, from ``minimum`` characters that count.

    ``None`` without it, without a department or without a main diagnosis.
    """
    department = record.encounter.department
    for document in record.documents_of("首次病程记录"):
        reading = Reading(document)
        main = _main_diagnosis(record, reading)
        sections = [s for s in reading.sections if s.name in _SECTIONS and s.body.start < s.body.end]
        if not department or not main or not sections:
            continue
        said = "\n".join(section.body.of(document.text) for section in sections)
        content = content_of(said.replace(record.patient.name or "\0", ""))
        if len(content.text) >= minimum:
            span = Span(min(s.body.start for s in sections), max(s.body.end for s in sections))
            place = NotePlace(record.record_id, document.id, span)
            numbers = frozenset(_NUMBER.findall(said))
            own = _own(document, sections, numbers)
            return Discussion(place, f"{department}\x1f{main}", content, signature(content), numbers, own)
    return None


def peer_discussion(kin: str, record_id: str, text: str) -> Discussion:
    """A peer as ``with_peers`` hands it on, its own numbers taken to be all those it names."""
    content = content_of(text)
    numbers = frozenset(_NUMBER.findall(text))
    own = frozenset(number for number in numbers if len(number) >= 2)
    return Discussion(NotePlace(record_id, "", Span(0, 0)), kin, content, signature(content), numbers, own)


def _own(document: Document, sections: Iterable[Section], numbers: frozenset[str]) -> frozenset[str]:
    """The numbers of the discussion that the rest of the note tells of this patient too."""
    rest = document.text
    for body in sorted({s.body for s in sections}, reverse=True):
        rest = rest[: body.start] + rest[body.end :]
    return frozenset(n for n in numbers & set(_NUMBER.findall(rest)) if len(n) >= 2)


def _main_diagnosis(record: MedicalRecord, reading: Reading) -> str:
    for section in reading.sections:
        if section.name in _DIAGNOSES:
            for mention in find_diagnoses(reading.document.text, section.body):
                return canonical(mention.name)
    first = (
        d for d in record.diagnoses or () if d.rank == 1 and d.name and d.stage in ("初步", "入院", "出院")
    )
    return next((canonical(d.name or "") for d in first), "")


_SEEDS = np.random.default_rng(20260101)
_FACTORS = _SEEDS.integers(1, 2**63, HASHES, dtype=np.uint64) | np.uint64(1)
_SUMMANDS = _SEEDS.integers(0, 2**63, HASHES, dtype=np.uint64)


def signature(content: Content) -> npt.NDArray[np.uint32]:
    """The MinHash values of a content's pieces, shape ``(64,)``; the same on every machine."""
    hashed = np.fromiter(
        (zlib.crc32(piece.encode()) for piece in content.shingles), np.uint64, len(content.shingles)
    )
    spread = np.multiply.outer(hashed, _FACTORS) + _SUMMANDS
    values: npt.NDArray[np.uint32] = (spread >> np.uint64(32)).min(axis=0).astype(np.uint32)
    return values


def _band_keys(note: Discussion) -> list[int]:
    kin = zlib.crc32(note.kin.encode())
    bands = (note.hashes[band * _ROWS : (band + 1) * _ROWS].tobytes() for band in range(_BANDS))
    return [zlib.crc32(band, kin) << 8 | number for number, band in enumerate(bands)]
