"""The records of a batch, one after another, never all in memory."""

import glob
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.errors import UserError
from app.records.readers.text_file import LARGEST_BYTES

LINES_SUFFIXES = (".jsonl", ".ndjson")
_WILD = "*?["


class Source(NamedTuple):
    """One record as it stands in the input.

    Attributes:
        place: where it stands, relative to the input: a file, or a file and its line. Unique in a batch.
        path: the file, or the folder of text files.
        offset: the byte of the file at which it begins.
        content: the bytes of its JSON; ``None`` for a folder of text files, and where there is a problem.
        digest: SHA-256 of what stands there; with ``place`` the record's identity.
        size: bytes read for it.
        problem: why it cannot be read, in Chinese; empty where it can.
        sequence: its number in the batch, from 0.
    """

    place: str
    path: Path
    offset: int
    content: bytes | None
    digest: str
    size: int
    problem: str = ""
    sequence: int = 0


def sources_of(given: str) -> Iterator[Source]:
    """The records of a file, a folder, a JSONL file or a glob, in a stable order.

    Raises:
        UserError: nothing is there; before the first record.
    """
    found = (source for path, place in _paths(given) for source in _sources_in(path, place))
    return (source._replace(sequence=number) for number, source in enumerate(found))


def total_bytes(given: str) -> int:
    """About how many bytes the records have together, for a progress bar.

    Raises:
        UserError: nothing is there.
    """
    return sum(_size(path) for path, _ in _paths(given))


def reread(path: Path, offset: int, size: int, digest: str) -> bytes | None:
    """The bytes of a record once more; ``None`` when they are no longer there, or others."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read(size)
    except OSError:
        return None
    return content if _digest(content) == digest else None


def _paths(given: str) -> list[tuple[Path, str]]:
    path = Path(given)
    if path.is_dir():
        found = _below(path)
        if not found:
            raise UserError(f"文件夹 {path} 里没有 .json、.jsonl 或放文书 .txt 的子文件夹，请检查路径。")
        return found
    if path.exists():
        return [(path, path.name)]
    if any(character in given for character in _WILD):
        found = [(Path(name), name) for name in sorted(glob.glob(given, recursive=True))]  # noqa: PTH207 - patterns may be absolute
        if found:
            return found
        raise UserError(f"没有与 {given} 相符的文件，请检查通配符（并用引号括起）。")
    raise UserError(f"找不到 {given}，请检查路径。")


def _below(folder: Path) -> list[tuple[Path, str]]:
    if any(folder.glob("*.txt")):
        return [(folder, folder.resolve().name)]
    children = sorted(folder.iterdir())
    wanted = [c for c in children if c.suffix.lower() in (".json", *LINES_SUFFIXES) or _is_text_folder(c)]
    return [(child, child.name) for child in wanted]


def _is_text_folder(path: Path) -> bool:
    return path.is_dir() and any(path.glob("*.txt"))


def _sources_in(path: Path, place: str) -> Iterator[Source]:
    try:
        if path.is_dir():
            yield _text_folder(path, place)
        elif path.suffix.lower() in LINES_SUFFIXES:
            with path.open("rb") as file:
                yield from _lines(file, path, place)
        else:
            yield _whole_file(path, place)
    except OSError as error:
        yield _unreadable(path, place, 0, f"{place} 无法读取（{error.strerror}），请检查路径和权限。")


def _whole_file(path: Path, place: str) -> Source:
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        return _unreadable(path, place, size, _too_large(place))
    content = path.read_bytes()
    return Source(place, path, 0, content, _digest(content), len(content))


def _text_folder(path: Path, place: str) -> Source:
    digest = hashlib.sha256()
    size = 0
    for file in sorted(path.glob("*.txt")):
        content = file.read_bytes()
        digest.update(f"{file.name}\0{len(content)}\0".encode())
        digest.update(content)
        size += len(content)
    return Source(place, path, 0, None, digest.hexdigest(), size)


def _lines(file: BinaryIO, path: Path, place: str) -> Iterator[Source]:
    offset = 0
    number = 0
    while line := file.readline(LARGEST_BYTES + 1):
        number += 1
        here = f"{place} 第 {number} 行"
        size = len(line)
        if size > LARGEST_BYTES:
            size += _skip_line(file) if not line.endswith(b"\n") else 0
            yield _unreadable(path, here, size, _too_large(here), offset)
        elif line.strip():
            yield Source(here, path, offset, line, _digest(line), size)
        offset += size


def _skip_line(file: BinaryIO) -> int:
    skipped = 0
    while rest := file.readline(LARGEST_BYTES):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            break
    return skipped


def _unreadable(path: Path, place: str, size: int, problem: str, offset: int = 0) -> Source:
    return Source(place, path, offset, None, _digest(f"{size}\0{problem}".encode()), size, problem)


def _too_large(place: str) -> str:
    return f"{place} 超过一份病历的上限 {LARGEST_BYTES // 1024**2} MB，请按住院次拆分后再检查。"


def _size(path: Path) -> int:
    try:
        files = path.glob("*.txt") if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files)
    except OSError:
        return 0


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
