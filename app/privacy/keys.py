"""Secrets that the program makes for itself and keeps in the data folder."""

import contextlib
import os
import secrets
from pathlib import Path

from app.errors import UserError
from app.settings import Settings

_KEY_BYTES = 32
_AUDIT_KEY = "audit.key"


def audit_key(settings: Settings) -> bytes:
    """The key that seals the audit log, made at the first call.

    Raises:
        UserError: it cannot be made or read, or is damaged.
    """
    return kept_key(settings.data_dir / _AUDIT_KEY)


def kept_key(path: Path, name: str = "密钥文件", way_out: str = "") -> bytes:
    """The 32 random bytes kept in a file, made at the first call, readable by their owner only.

    Args:
        name: what messages call the file.
        way_out: what a user may do instead of mending it; ends the messages.

    Raises:
        UserError: the file cannot be made or read, or holds no key.
    """
    try:
        if not path.exists():
            _make(path)
        key = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        raise UserError(
            f"无法读写{name} {path}（{error.strerror}），请检查数据文件夹的权限{way_out}。"
        ) from error
    except ValueError as error:
        raise UserError(f"{name} {path} 已损坏，请从备份恢复该文件{way_out}。") from error
    if len(key) != _KEY_BYTES:
        raise UserError(f"{name} {path} 长度不对，请从备份恢复该文件{way_out}。")
    return key


def _make(path: Path) -> None:
    """Write the key aside and link it into place, so that of two processes exactly one makes it, whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(_KEY_BYTES))
    try:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(aside)
    finally:
        aside.unlink()
