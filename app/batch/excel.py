"""A report as a workbook, written row by row."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from app.batch.tables import Cell, Link, Share, Table

LARGEST_SHEET = 1_048_576
_LONGEST_CELL = 32_767
_HEAD = Font(bold=True)
_WIDTHS = {
    "问题": 50,
    "建议": 40,
    "原文": 50,
    "缺陷": 34,
    "指标": 34,
    "说明": 60,
    "原因": 60,
    "值": 60,
    "最常见的缺陷": 60,
}
_USUAL_WIDTH = 13


def write_workbook(path: Path, tables: Sequence[tuple[Table, int]]) -> None:
    """Write one sheet a table, each with at most so many rows; a table cut short says so in its last row.

    Text is text: a cell that begins with ``=`` is no formula.

    Raises:
        OSError: the file cannot be written.
    """
    workbook = Workbook(write_only=True)
    for table, limit in tables:
        _write_sheet(workbook, table, min(limit, LARGEST_SHEET - 2))
    workbook.save(path)


def _write_sheet(workbook: Workbook, table: Table, limit: int) -> None:
    sheet: Any = workbook.create_sheet(table.title)
    sheet.freeze_panes = "A2"
    for number, column in enumerate(table.columns, 1):
        sheet.column_dimensions[get_column_letter(number)].width = _WIDTHS.get(column, _USUAL_WIDTH)
    sheet.append([_cell(sheet, column, is_head=True) for column in table.columns])
    rows = iter(table.rows)
    for row in islice(rows, limit):
        sheet.append([_cell(sheet, value) for value in row])
    for note in _notes(rows, table.note, limit):
        sheet.append([_cell(sheet, note)])


def _notes(rest: Iterator[object], note: str, limit: int) -> Iterator[str]:
    if next(rest, None) is not None:
        yield f"只列前 {limit} 行，全部见 results.jsonl。"
    if note:
        yield note


def _cell(sheet: Any, value: Cell, *, is_head: bool = False) -> Any:  # noqa: ANN401 - openpyxl's cells
    if isinstance(value, Link):
        value = value.text
    if isinstance(value, Share):
        cell = WriteOnlyCell(sheet, value.value)
        cell.number_format = "0.0%"
        return cell
    if isinstance(value, str):
        cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value)[:_LONGEST_CELL])
        cell.data_type = "s"
    else:
        cell = WriteOnlyCell(sheet, value)
    if is_head:
        cell.font = _HEAD
    return cell
