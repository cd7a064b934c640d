"""Reading a text file of unknown Chinese encoding: UTF-8 (with or without mark), else GB18030."""

from pathlib import Path

from app.errors import UserError

LARGEST_BYTES = 20 * 1024 * 1024


def read_text(path: Path) -> str:
    """The whole text.

    Raises:
        UserError: the file is missing, empty, larger than 20 MiB, or in neither encoding.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise UserError(
                f"{path} 有 {size / 1024**2:.0f} MB，超过一份病历的上限 20 MB，请按住院次拆分后再检查。"
            )
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} 无法读取（{error.strerror}），请检查路径和权限。") from error
    text = decode(content, path)
    if not text.strip():
        raise UserError(f"{path} 是空文件，请检查导出是否完整。")
    return text


def decode(content: bytes, path: Path) -> str:
    """Text of the bytes of a file.

    Raises:
        UserError: the bytes are neither UTF-8 nor GB18030, for instance because they were cut off.
    """
    try:
        return _without_nul(content.decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise UserError(f"{path} 的 UTF-8 文本在一个汉字中间截断，请重新导出完整的文件。") from error
    try:
        return _without_nul(content.decode("gb18030"), path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} 既不是完整的 UTF-8 文本，也不是完整的 GB18030 文本，请重新导出。") from error


def _without_nul(text: str, path: Path) -> str:
    if "\0" in text:
        raise UserError(f"{path} 是二进制文件，不是文本，请导出为 JSON 或 TXT。")
    return text
