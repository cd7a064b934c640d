"""A hospital's own files as chunks: txt, md, docx and pdf, each passage with its exact place."""

import hashlib
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from app.errors import UserError
from retrieval.corpus import Chunk

SUFFIXES = (".txt", ".md", ".docx", ".pdf")
PASSAGE_CHARACTERS = 400
MAX_CHARACTERS = 1_000_000
_SEPARATORS = ["\n", "。", "；", "，", ""]
_CLAUSE_HEADING = re.compile(r"^[ \t\u3000#*]*(第[零〇一二三四五六七八九十百\d]{1,6}条)", re.MULTILINE)
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), 127], " ")


class Page(NamedTuple):
    """The text of one page of a pdf (``number`` from 1), or of a whole file (``None``)."""

    number: int | None
    text: str


class Passage(NamedTuple):
    """A stretch ``[start, end)`` of one page's text, in code points; ``clause`` is "" before any heading."""

    start: int
    end: int
    clause: str


def read_pages(path: Path) -> list[Page]:
    """The text of a file; control characters stand as spaces, so that offsets hold.

    Raises:
        UserError: the file is missing, of an unknown type, unreadable, encrypted, empty, or too long.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path} 的类型不受支持，知识库只收 {'、'.join(SUFFIXES)} 文件。")
    if not path.is_file():
        raise UserError(f"找不到文件 {path}，请检查路径。")
    readers = {".docx": _read_docx, ".pdf": _read_pdf}
    try:
        pages = readers.get(suffix, _read_plain)(path)
    except OSError as error:
        raise UserError(f"{path} 读不出来（{error.strerror or error}），请检查文件和权限。") from error
    pages = [Page(number, text.translate(_CONTROLS)) for number, text in pages]
    if not any(page.text.strip() for page in pages):
        hint = "；扫描件请先做文字识别" if suffix == ".pdf" else ""
        raise UserError(f"{path} 里没有文字，没有加入知识库{hint}。")
    if sum(len(page.text) for page in pages) > MAX_CHARACTERS:
        raise UserError(f"{path} 超过 {MAX_CHARACTERS // 10_000} 万字，请拆成几个文件再加入。")
    return pages


def split(text: str, clause: str = "") -> list[Passage]:
    """Cut a text at its clause headings (第×条 at the start of a line), then into passages of about 400 characters.

    Args:
        text: the text of one page or file.
        clause: the clause that the page before ended in.
    """
    headings = [(match.start(), match[1]) for match in _CLAUSE_HEADING.finditer(text)]
    edges = [(0, clause), *headings, (len(text), "")]
    return [
        Passage(start + inner.start, start + inner.end, clause)
        for (start, clause), (end, _) in pairwise(edges)
        for inner in _cut(text[start:end])
    ]


def chunks_of(path: Path) -> list[Chunk]:
    """The chunks of a file, at hospital level; the document is called as the file is.

    Raises:
        UserError: as ``read_pages``.
    """
    prefix = "file-" + hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    found: list[Chunk] = []
    for page, passage in _passages(read_pages(path)):
        position = len(found) + 1
        found.append(
            Chunk(
                id=f"{prefix}-{position}",
                document=path.name,
                clause=passage.clause or f"第{position}段",
                title=path.stem,
                text=page.text[passage.start : passage.end],
                level="hospital",
                file=path.name,
                page=page.number,
                start=passage.start,
                end=passage.end,
            )
        )
    return found


def _passages(pages: list[Page]) -> Iterator[tuple[Page, Passage]]:
    clause = ""
    for page in pages:
        for passage in split(page.text, clause):
            clause = passage.clause
            yield page, passage


class _Cut(NamedTuple):
    start: int
    end: int


def _cut(text: str) -> list[_Cut]:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        separators=_SEPARATORS,
        keep_separator="end",
        add_start_index=True,
        chunk_size=PASSAGE_CHARACTERS,
        chunk_overlap=0,
    )
    found = splitter.create_documents([text])
    starts = [document.metadata["start_index"] for document in found]
    return [_Cut(at, at + len(document.page_content)) for at, document in zip(starts, found, strict=True)]


def _read_plain(path: Path) -> list[Page]:
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return [Page(None, raw.decode(encoding))]
        except UnicodeDecodeError:
            continue
    raise UserError(f"{path} 既不是 UTF-8 也不是 GB18030 编码的文本（或已截断），请另存为 UTF-8 后再加入。")


def _read_docx(path: Path) -> list[Page]:
    from zipfile import BadZipFile

    import docx
    from docx.opc.exceptions import PackageNotFoundError
    from docx.table import Table

    try:
        document = docx.Document(str(path))
    except (PackageNotFoundError, BadZipFile, KeyError, ValueError, SyntaxError) as error:
        raise UserError(
            f"{path} 不是完好的 docx 文件（可能已加密或损坏），请用 Word 另存后再加入。"
        ) from error
    lines: list[str] = []
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            lines.extend("\t".join(cell.text.strip() for cell in row.cells) for row in block.rows)
        else:
            lines.append(block.text)
    return [Page(None, "\n".join(lines))]


def _read_pdf(path: Path) -> list[Page]:
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise FileNotDecryptedError
        return [Page(number, page.extract_text()) for number, page in enumerate(reader.pages, start=1)]
    except (FileNotDecryptedError, DependencyError) as error:
        raise UserError(f"{path} 是加密的 pdf，请先去掉密码再加入。") from error
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} 不是完好的 pdf 文件，读不出文字，请重新导出后再加入。") from error
