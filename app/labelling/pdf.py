"""The label of PDF: the key ``/AIGC`` of the document information dictionary, a literal string of plain JSON.

The dictionary is an object of its own, never inside a compressed object stream, so that a scan of the file's
bytes finds the label. The notice is the business of whoever sets the pages, because it needs their embedded
font; a PDF whose pages do not show it is refused.

Canonical content: the text of each page as pypdf extracts it, white space left out. Pictures and
annotations are not sealed.
"""

import io
import logging
import re
from typing import NamedTuple

from pypdf import DocumentInformation, PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from pypdf.generic import read_string_from_stream

from app.errors import UserError
from app.labelling.found import Found, read_back
from app.labelling.label import Label, LabelError, notice_among, sealed, to_json

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings quote the file, which holds a record

_KEY = "/AIGC"
_COPY = re.compile(rb"/AIGC\s*(?=\()")
_DAMAGED = (PyPdfError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _Document(NamedTuple):
    pages: tuple[str, ...]
    copies: tuple[str, ...]
    is_plain: bool


def read(data: bytes) -> Found:
    """Find the label.

    Raises:
        UserError: a damaged or encrypted file.
    """
    try:
        document = _document(data)
    except _DAMAGED as error:
        raise UserError("PDF 已损坏，请检查文件是否完整。") from error
    return Found(
        copies=document.copies,
        notice=notice_among(_compact(line) for page in document.pages for line in page.splitlines()),
        content="\f".join(map(_compact, document.pages)),
        problems=() if document.is_plain else ("隐式标识不是明文，直接扫描文件读不到",),
    )


def write(data: bytes, label: Label, key: bytes) -> bytes:
    """Label the document in ``data``; an old label is replaced, the whole file is written anew.

    Raises:
        UserError: a damaged or encrypted file.
        LabelError: the pages do not show the notice, or the label does not read back whole.
    """
    found = read(data)
    if label.notice and not found.notice:
        raise LabelError("PDF 页面上没有显式提示，没有导出，请在页眉、页脚或首尾写上提示。")
    final = sealed(label, key, found.content).model_copy(update={"notice": found.notice})
    return read_back(read, _with_information(data, to_json(final.AIGC)), final, key)


def _compact(text: str) -> str:
    """Without white space, and without the zero bytes that pypdf leaves between the glyphs of some CFF fonts."""
    return "".join(text.replace("\0", "").split())


def _document(data: bytes) -> _Document:
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted:
        raise UserError("PDF 已加密，请先解除加密。")
    pages = tuple(page.extract_text() for page in reader.pages)
    starts = [match.end() for match in _COPY.finditer(data)]
    copies = tuple(str(read_string_from_stream(io.BytesIO(data[start:]))) for start in starts)
    packed = str((reader.metadata or DocumentInformation()).get(_KEY, ""))
    if packed and not copies:
        return _Document(pages, (packed,), is_plain=False)
    return _Document(pages, copies, is_plain=all(data.startswith(b"({", start) for start in starts))


def _with_information(data: bytes, value: str) -> bytes:
    """Write the file anew with ``value`` as a literal string that reads as it is.

    pypdf writes every ``{`` and ``"`` as an octal escape, so a stand-in of the same length goes through it.
    """
    literal = re.sub(r"([()])", r"\\\1", value).encode("ascii")
    stand_in = b"A" * len(literal)
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.add_metadata({_KEY: stand_in.decode()})
    stream = io.BytesIO()
    writer.write(stream)
    before, _, after = stream.getvalue().rpartition(b"(" + stand_in + b")")
    return before + b"(" + literal + b")" + after
