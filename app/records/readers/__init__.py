"""Readers: every source format becomes a MedicalRecord."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from app.errors import UserError
from app.records.model import DocumentType, MedicalRecord
from app.records.readers.json_record import read_json
from app.records.readers.note import read_note
from app.records.readers.text_folder import read_text_folder


class ReadRecord(NamedTuple):
    """A record, and what was odd about its source (in Chinese, nothing of the record's text)."""

    record: MedicalRecord
    warnings: tuple[str, ...] = ()


def read_source(path: Path, document_type: DocumentType | None = None) -> ReadRecord:
    """Read one record from a JSON file, a folder of text files, or a plain note.

    Args:
        path: ``*.json`` holds a record; a folder holds ``*.txt`` named by document; else a plain note.
        document_type: the type of a plain note; by default its file name or its text says.

    Raises:
        UserError: the source cannot be read; says what, where, and what to do.
    """
    if not path.exists():
        raise UserError(f"找不到 {path}，请检查路径。")
    if path.is_dir():
        return ReadRecord(*read_text_folder(path))
    if path.suffix.lower() == ".json":
        return ReadRecord(*read_json(path))
    return ReadRecord(read_note(path, document_type))


def read_record(path: Path) -> MedicalRecord:
    """Read one record, without its warnings."""
    return read_source(path).record


def sources_in(path: Path) -> Iterator[Path]:
    """The records below a path: the path itself, or the JSON files of a folder that holds no text files."""
    records = sorted(path.glob("*.json")) if path.is_dir() and not any(path.glob("*.txt")) else []
    yield from records or [path]
