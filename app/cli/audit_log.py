"""``bingli audit-log``: who did what, and whether the log is whole."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import EXIT_FOUND, Format, say, write_json_lines

if TYPE_CHECKING:
    from app.privacy.audit_log import AuditEntry, AuditLog

audit_log_app = typer.Typer(no_args_is_help=True, help="操作日志。例：bingli audit-log verify")


@audit_log_app.command()
def verify(
    output: Annotated[Format, typer.Option("--format", help="输出格式")] = Format.TEXT,
) -> int:
    """核对操作日志有没有被改动、删除、插入或调换顺序。

    退出码：0 完整；1 不完整（说明从第几条起）；2 无法核对。

    例：bingli audit-log verify
    """
    with _opened() as log:
        broken, count = log.verify(), log.count()
    if output is Format.JSON:
        place = {"number": broken.number, "why": broken.why} if broken else None
        say(json.dumps({"entries": count, "is_whole": broken is None, "broken": place}, ensure_ascii=False))
    elif broken:
        say(f"操作日志不完整：第 {broken.number} 条，{broken.why}。")
    else:
        say(f"操作日志完整，共 {count} 条。")
    return EXIT_FOUND if broken else 0


@audit_log_app.command("list")
def list_entries(
    actor: Annotated[str | None, typer.Option(help="只看这个账号", show_default=False)] = None,
    action: Annotated[str | None, typer.Option(help="只看这种操作", show_default=False)] = None,
    object_id: Annotated[
        str | None, typer.Option("--object", help="只看这个对象", show_default=False)
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="从这一时刻起", show_default=False)] = None,
    limit: Annotated[int, typer.Option(help="最多列出多少条（1–200）")] = 50,
    output: Annotated[Format, typer.Option("--format", help="输出格式；json 每条一行")] = Format.TEXT,
) -> None:
    """列出操作日志，最近的在前。

    例：bingli audit-log list --object ZY2026-000123
    """
    from app.privacy.audit_log import AuditFilter

    wanted = AuditFilter(actor=actor, action=action, object_id=object_id, since=since)
    with _opened() as log:
        for entry in log.page(wanted, limit=limit).items:
            say(entry.model_dump_json() if output is Format.JSON else _as_text(entry))


@audit_log_app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="写入的文件（每行一个 JSON）", show_default=False)],
) -> None:
    """导出全部操作日志和每条的封存值，旧的在前；另存他处，可证明以后没有被改写。

    例：bingli audit-log export --out 操作日志.jsonl
    """
    with _opened() as log:
        write_json_lines(
            out, (entry.model_dump(mode="json") | {"seal": seal} for entry, seal in log.entries())
        )


@contextmanager
def _opened() -> "Iterator[AuditLog]":
    from app.privacy.audit_log import AuditLog
    from app.privacy.keys import audit_key
    from app.settings import load_settings
    from app.storage.database import open_database

    settings = load_settings()
    with open_database(settings) as database:
        yield AuditLog(database, audit_key(settings))


def _as_text(entry: "AuditEntry") -> str:
    from app.records.model import CHINA_TIME

    at = entry.at.astimezone(CHINA_TIME)
    parts = [
        f"{at:%Y-%m-%d %H:%M:%S}",
        entry.actor,
        entry.action,
        entry.object_kind,
        entry.object_id,
        entry.detail,
    ]
    return "  ".join(part for part in parts if part)
