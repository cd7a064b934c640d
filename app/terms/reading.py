"""Reading a hospital's code table from a CSV file: any usual encoding, separator and column order."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from app.errors import UserError
from app.terms.codes import CODE_KINDS, CodeKind, code_tables, has_form, plain_code, plain_level
from app.terms.table import Term

_ENCODINGS = ("utf-8-sig", "gb18030")
_SEPARATORS = ",\t;|"
_SAMPLE_ROWS = 200
_RECOGNISED_SHARE = 0.8

Row = tuple[int, list[str]]


class ReadTable(NamedTuple):
    """What a file holds.

    Attributes:
        kind: the kind of codes.
        terms: the rows kept, in file order, each once.
        repeated: how many rows only repeat an earlier one.
        skipped: the lines without code or name.
        ambiguous: codes that stand for several names; all are kept.
        malformed: lines whose code does not look like one of its kind, with the code; they are kept.
    """

    kind: CodeKind
    terms: tuple[Term, ...]
    repeated: int
    skipped: tuple[int, ...]
    ambiguous: Mapping[str, tuple[str, ...]]
    malformed: tuple[tuple[int, str], ...]


class _Columns(NamedTuple):
    code: int
    name: int
    level: int | None
    has_header: bool


def read_table(path: Path, kind: CodeKind | None = None) -> ReadTable:
    """Read a code table; without ``kind``, its codes tell.

    Raises:
        UserError: the file is missing, is no text, has no code column, or its kind cannot be seen.
    """
    rows = list(_rows(_text(path), path))
    columns = _columns(rows, path)
    body = rows[1:] if columns.has_header else rows
    if kind is None:
        kind = _kind([_cell(row, columns.code) for _, row in body], path)
    return _collected(kind, body, columns, path)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"找不到 {path}，请检查路径。") from None
    except OSError as error:
        raise UserError(f"无法读取 {path}（{error.strerror}），请检查文件和权限。") from error
    for encoding in _ENCODINGS:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise UserError(f"{path} 不是 UTF-8 或 GB18030 编码的文本，请另存为 CSV（UTF-8）再导入。")


def _rows(text: str, path: Path) -> Iterator[Row]:
    head = text[:2000]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(f"{path} 第 {reader.line_num} 行不是有效的 CSV（{error}），请更正该行。") from error


def _columns(rows: Sequence[Row], path: Path) -> _Columns:
    if not rows:
        raise UserError(f"{path} 没有内容，请检查文件。")
    named = _named_columns(rows[0][1])
    if named is not None:
        return named
    sample = [row for _, row in rows[:_SAMPLE_ROWS]]
    width = max(map(len, sample))
    code = max(range(width), key=lambda n: sum(_is_code(_cell(row, n)) for row in sample))
    if sum(_is_code(_cell(row, code)) for row in sample) < len(sample) / 2 or width < 2:
        raise UserError(f"{path} 中看不出编码列，请保留“编码、名称”两列，或在首行写明列名。")
    others = [n for n in range(width) if n != code]
    name = max(others, key=lambda n: sum(len(_cell(row, n)) for row in sample))
    level = next((n for n in others if n != name and _are_levels([_cell(r, n) for r in sample])), None)
    return _Columns(code, name, level, has_header=False)


def _named_columns(head: Sequence[str]) -> _Columns | None:
    """The columns by their headings; ``None`` when the first row is no heading."""
    if any(map(_is_code, head)):
        return None
    found: dict[str, int] = {}
    for column, words in code_tables()["columns"].items():
        taken = found.values()
        for number, cell in enumerate(head):
            if number not in taken and any(word in cell.lower() for word in words):
                found[column] = number
                break
    if "code" not in found or "name" not in found:
        return None
    return _Columns(found["code"], found["name"], found.get("level"), has_header=True)


def _cell(row: Sequence[str], number: int) -> str:
    return row[number] if number < len(row) else ""


def _is_code(cell: str) -> bool:
    return any(has_form(kind, cell) for kind in CODE_KINDS)


def _are_levels(cells: Sequence[str]) -> bool:
    given = [cell for cell in cells if cell]
    return bool(given) and all(plain_level(cell) for cell in given)


def _kind(codes: Sequence[str], path: Path) -> CodeKind:
    given = [code for code in codes if code]
    for kind in CODE_KINDS:
        if given and sum(has_form(kind, code) for code in given) >= _RECOGNISED_SHARE * len(given):
            return kind
    raise UserError(f"看不出 {path} 是诊断编码还是手术编码，请用 --kind icd10 或 --kind icd9cm3 说明。")


def _collected(kind: CodeKind, rows: Sequence[Row], columns: _Columns, path: Path) -> ReadTable:
    terms: dict[Term, None] = {}
    names: defaultdict[str, dict[str, None]] = defaultdict(dict)
    skipped, malformed, repeated = [], [], 0
    for line, row in rows:
        code, name = _cell(row, columns.code), _cell(row, columns.name)
        if not code or not name:
            skipped.append(line)
            continue
        level = None if columns.level is None else plain_level(_cell(row, columns.level))
        term = Term(code, name, level)
        if not has_form(kind, code):
            malformed.append((line, code))
        repeated += term in terms
        terms[term] = None
        names[plain_code(code)][name] = None
    if not terms:
        raise UserError(f"{path} 中没有一行同时有编码和名称，请检查列的顺序。")
    ambiguous = {code: tuple(several) for code, several in names.items() if len(several) > 1}
    return ReadTable(kind, tuple(terms), repeated, tuple(skipped), ambiguous, tuple(malformed))
