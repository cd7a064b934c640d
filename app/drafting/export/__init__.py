"""A draft as a file, labelled in the way of its format."""

import os
import secrets
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from app.drafting.draft import Draft
from app.errors import UserError
from app.records.model import MedicalRecord

Render = Callable[[Draft, MedicalRecord, bytes], bytes]

FORMATS = {
    ".fhir.json": "fhir",
    ".json": "json_file",
    ".docx": "docx",
    ".pdf": "pdf",
    ".html": "html",
    ".md": "markdown",
}
"""The ending of a file's name, and the module that writes it; a longer ending comes before its own end."""


def check_suffix(path: Path) -> None:
    """Refuse early what could not be written in the end.

    Raises:
        UserError: the suffix names no format, or the folder does not exist.
    """
    if _ending(path) is None:
        raise UserError(
            f"不支持的草稿格式“{path.suffix or path.name}”，请用 {'、'.join(FORMATS)} 之一作文件后缀。"
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
    data = rendered(draft, record, _ending(path) or "", key)
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


def rendered(draft: Draft, record: MedicalRecord, ending: str, key: bytes) -> bytes:
    """The content of the file, for whoever sends it elsewhere than to a path.

    Args:
        draft: labelled.
        record: the stay that it was drafted from.
        ending: one of ``FORMATS``.
        key: secret of the label's integrity value.
    """
    # Loaded only now, because the PDF and Word libraries are large.
    module = import_module(f"{__name__}.{FORMATS[ending]}")
    render: Render = module.render
    return render(draft, record, key)


def _ending(path: Path) -> str | None:
    return next((ending for ending in FORMATS if path.name.lower().endswith(ending)), None)
