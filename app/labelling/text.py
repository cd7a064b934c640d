"""The label of plain text: the explicit notice as first line; there is nowhere to keep an implicit label.

Canonical content: the whole text with line feeds as line ends and no empty lines around it.
"""

from app.errors import UserError
from app.labelling.found import Found
from app.labelling.label import Label, LabelError, notice_among


def decode(data: bytes) -> str:
    """The text of a file in UTF-8 (with or without mark) or GB18030, line ends as line feeds.

    Raises:
        UserError: it is neither.
    """
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    raise UserError("文件既不是 UTF-8 也不是 GB18030 编码的文本，请检查文件是否截断或损坏。")


def read(data: bytes) -> Found:
    """Find the notice."""
    text = decode(data)
    return Found(
        copies=(), notice=notice_among(text.splitlines()), content=text.strip("\n"), has_metadata=False
    )


def write(data: bytes, label: Label, key: bytes) -> bytes:
    """Put the notice on the first line, unless it is there already; ``key`` has no use without metadata.

    Raises:
        LabelError: the notice lacks one of its elements.
    """
    written = with_first_line(decode(data), label.notice).encode()
    if read(written).notice != label.notice:
        raise LabelError(
            "显式提示须同时写明“AI”（或“人工智能”）和“生成”（或“合成”），没有导出，请更正提示的文字。"
        )
    return written


def with_first_line(text: str, line: str) -> str:
    """``text`` beginning with ``line``, which is not repeated if it is its first line already."""
    if not line:
        return text
    body = text.lstrip("\n")
    return body if body.split("\n", 1)[0].strip() == line else f"{line}\n\n{body}"
