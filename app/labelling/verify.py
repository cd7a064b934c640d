"""Is the label of a file there, whole, and untampered; and labelling a finished file in place."""

import codecs
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from app.errors import UserError
from app.labelling import docx, fhir, html, json_file, markdown, parts, pdf, text, xlsx
from app.labelling.found import Found, Judgement, Status, judge
from app.labelling.label import Label
from app.labelling.ooxml import unpack

_SNIFFED_BYTES = 4096


class FileFormat(Protocol):
    """What the module of every format offers."""

    def read(self, data: bytes) -> Found:
        """Find the label."""

    def write(self, data: bytes, label: Label, key: bytes) -> bytes:
        """Label the file content, sealed, in place of an older label."""


class Verification(NamedTuple):
    """The state of the label of one file; ``label`` is ``None`` where none can be read."""

    path: Path
    status: Status
    problems: tuple[str, ...]
    label: Label | None


_BY_SUFFIX: dict[str, FileFormat] = {
    ".json": json_file,
    ".jsonl": json_file,
    ".html": html,
    ".htm": html,
    ".md": markdown,
    ".markdown": markdown,
    ".txt": text,
}
_BY_PART: dict[str, FileFormat] = {"word/document.xml": docx, "xl/workbook.xml": xlsx}
_BY_TEXT_START: tuple[tuple[bytes, FileFormat], ...] = (
    (b"{", json_file),
    (b"<!doctype html", html),
    (b"<html", html),
    (b"---", markdown),
)


def verify(path: Path, key: bytes) -> Verification:
    """Verify the label of one file.

    Args:
        path: a file of any format that bingli writes; what it is, its content says before its name.
        key: secret of the integrity value.

    Raises:
        UserError: the file cannot be read, is damaged, or of no known format; the sentence names the file.
    """
    data = _contents(path)
    file_format = format_of(path, data)
    with _naming(path):
        return Verification(path, *_judged(data, file_format, key))


def _judged(data: bytes, file_format: FileFormat, key: bytes) -> Judgement:
    if file_format is not json_file:
        return judge(file_format.read(data), key)
    return parts.judge_lines(data, key) if parts.is_lines(data) else parts.judge_json(data, key)


def label_file(path: Path, label: Label, key: bytes) -> None:
    """Label a finished file in place; an old label is replaced, and the file changes whole or not at all.

    Raises:
        UserError: as of ``verify``; ``LabelError`` when the label does not read back whole.
    """
    data = _contents(path)
    file_format = format_of(path, data)
    with _naming(path):
        labelled = file_format.write(data, label, key)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        aside.write_bytes(labelled)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise UserError(f"无法写入 {path}（{error.strerror}），请检查磁盘空间和权限。") from error


def format_of(path: Path, data: bytes) -> FileFormat:
    """The format of a file.

    Raises:
        UserError: empty or unknown.
    """
    start = data[:_SNIFFED_BYTES].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if not start:
        raise UserError(f"{path}：文件是空的，请给出导出的文件。")
    with _naming(path):
        found = _packed_format(data) if start.startswith(b"pk\x03\x04") else _plain_format(path, start)
    if not found:
        raise UserError(
            f"{path}：不认识的文件格式，可核验 JSON、JSONL、docx、xlsx、PDF、HTML、Markdown 和纯文本（.txt）文件。"
        )
    return found


def _packed_format(data: bytes) -> FileFormat | None:
    names = unpack(data)
    return next((kind for name, kind in _BY_PART.items() if name in names), None)


def _plain_format(path: Path, start: bytes) -> FileFormat | None:
    if start.startswith(b"%pdf-"):
        return pdf
    if b"\0" in start:
        return None
    if fhir.is_bundle(start):
        return fhir
    by_start = next((kind for mark, kind in _BY_TEXT_START if start.startswith(mark)), None)
    return _BY_SUFFIX.get(path.suffix.lower(), by_start)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let the sentence of an error begin with the file it is about."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"{path}：{error}") from error


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"找不到文件 {path}，请检查路径。") from error
    except OSError as error:
        raise UserError(
            f"无法读取 {path}（{error.strerror}），请检查它是不是文件、有没有读取权限。"
        ) from error
