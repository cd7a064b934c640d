"""The label of Excel workbooks: the custom property ``AIGC``, the notice below the first sheet's last row.

Canonical content: name, cell by cell, of every sheet; formulas as formulas. Charts and pictures are left out.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from posixpath import join, normpath
from typing import Any, NamedTuple

from lxml import etree  # type: ignore[import-untyped]
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.formula import ArrayFormula

from app.errors import UserError
from app.labelling.found import Found, read_back
from app.labelling.label import Label, notice_among, sealed, to_json
from app.labelling.ooxml import (
    RELATIONSHIP_ID,
    SHEET,
    Parts,
    label_copies,
    pack,
    to_bytes,
    unpack,
    with_label,
    xml_of,
)

_S = f"{{{SHEET}}}"


class _Cell(NamedTuple):
    sheet: str
    place: str
    shown: str


def read(data: bytes) -> Found:
    """Find the label.

    Raises:
        UserError: a damaged file or no workbook.
    """
    cells = list(_cells(data))
    return Found(
        copies=label_copies(unpack(data)),
        notice=notice_among(cell.shown for cell in cells),
        content="\n".join(map(json.dumps, cells)),
    )


def write(data: bytes, label: Label, key: bytes) -> bytes:
    """Label the workbook in ``data``; an old label is replaced.

    Raises:
        UserError: a damaged file or no workbook.
        LabelError: the label does not read back whole.
    """
    parts = unpack(data)
    if label.notice and not any(cell.shown.strip() == label.notice for cell in _cells(data)):
        _append_row(parts, label.notice)
    final = sealed(label, key, read(pack(parts)).content)
    return read_back(read, pack(with_label(parts, to_json(final.AIGC))), final, key)


def _cells(data: bytes) -> Iterator[_Cell]:
    try:
        workbook = load_workbook(io.BytesIO(data))
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, SyntaxError) as error:
        raise UserError("Excel 文件已损坏，请检查文件是否完整。") from error
    for sheet in workbook.worksheets:
        for row in sheet.iter_rows():
            yield from (
                _Cell(sheet.title, cell.coordinate, _shown(cell.value))
                for cell in row
                if cell.value is not None
            )


def _shown(value: object) -> str:
    return f"{{{value.text}}}" if isinstance(value, ArrayFormula) else str(value)


def _append_row(parts: Parts, text: str) -> None:
    name = _first_sheet(parts)
    sheet = xml_of(parts, name)
    data = sheet.find(f"{_S}sheetData")
    number = max((int(row.get("r", "0")) for row in data), default=0) + 1
    row = etree.SubElement(data, f"{_S}row", r=str(number))
    cell = etree.SubElement(row, f"{_S}c", r=f"A{number}", t="inlineStr")
    etree.SubElement(etree.SubElement(cell, f"{_S}is"), f"{_S}t").text = text
    parts[name] = to_bytes(sheet)


def _first_sheet(parts: Parts) -> str:
    relation = xml_of(parts, "xl/workbook.xml").find(f"{_S}sheets/{_S}sheet").get(RELATIONSHIP_ID)
    targets: Any = {
        found.get("Id"): found.get("Target") for found in xml_of(parts, "xl/_rels/workbook.xml.rels")
    }
    return normpath(join("xl", targets[relation])).lstrip("/")
