"""A draft as a file, labelled in the way of its format."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from app.drafting.draft import Draft
from app.errors import UserError
from app.records.model import MedicalRecord

Render = Callable[[Draft, MedicalRecord, bytes], bytes]


def _json(draft: Draft, record: MedicalRecord, key: bytes) -> bytes:
    from app.drafting.export.json_file import render

    return render(draft)


def _docx(draft: Draft, record: MedicalRecord, key: bytes) -> bytes:
    from app.drafting.export.docx import render

    return render(draft, record, key)


FORMATS: dict[str, Render] = {".json": _json, ".docx": _docx}


def check_suffix(path: Path) -> None:
    """Refuse early what could not be written in the end.

    Raises:
        UserError: the suffix names no format, or the folder does not exist.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(
            f"不支持的草稿格式“{path.suffix or path.name}”，请用 {' 或 '.join(FORMATS)} 作文件后缀。"
        )
    if not path.parent.is_dir():
        raise UserError(f"文件夹 {path.parent} 不存在，请先建立或改用别的位置。")


def export(draft: Draft, record: MedicalRecord, path: Path, key: bytes) -> None:
    """Write the draft to ``path`` in the format of its suffix; the file is whole or not there.

    Args:
        draft: labelled.
        record: the stay that it was drafted from.
        path: where to.
        key: secret of the label's integrity value.

    Raises:
        UserError: unknown suffix, or the file cannot be written.
    """
    check_suffix(path)
    data = FORMATS[path.suffix.lower()](draft, record, key)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise UserError(f"无法写入 {path}（{error.strerror}），请检查权限和磁盘空间。") from error
