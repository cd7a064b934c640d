"""``bingli terms``: the hospital's own code tables."""

import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import Format, say, warn
from app.records.model import CHINA_TIME
from app.settings import load_settings
from app.terms.codes import kind_title
from app.terms.reading import ReadTable, read_table
from app.terms.table import load_terms_table, store_table

terms_app = typer.Typer(no_args_is_help=True, help="本院编码表：诊断和手术操作的编码与名称。")

_SHOWN = 5


class Kind(StrEnum):
    """The kinds of code tables."""

    ICD10 = "icd10"
    ICD9CM3 = "icd9cm3"


FormatOption = Annotated[Format, typer.Option("--format", help="输出格式；程序读取用 json。")]


@terms_app.command("import")
def import_table(
    file: Annotated[
        Path, typer.Argument(metavar="文件", help="CSV：编码、名称两列，手术表可加级别列；有无列名均可。")
    ],
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="编码种类；缺省由编码的形式判断。", show_default=False)
    ] = None,
    output_format: FormatOption = Format.TEXT,
) -> None:
    """导入本院编码表，替换同种的旧表。

    例：bingli terms import 本院诊断编码.csv --kind icd10
    """
    table = read_table(file, kind.value if kind else None)
    store_table(load_settings(), table.kind, file.name, table.terms, datetime.now(CHINA_TIME))
    if output_format is Format.JSON:
        say(json.dumps(_report(table, file.name), ensure_ascii=False))
        return
    say(f"{kind_title(table.kind)}：已导入 {len(table.terms)} 条（{file.name}）。")
    for line in _remarks(table):
        warn(line)


@terms_app.command("list")
def list_tables(output_format: FormatOption = Format.TEXT) -> None:
    """列出已导入的编码表。

    例：bingli terms list
    """
    terms = load_terms_table(load_settings())
    tables = terms.tables if terms else ()
    if output_format is Format.JSON:
        listed = [{**table._asdict(), "imported_at": table.imported_at.isoformat()} for table in tables]
        say(json.dumps(listed, ensure_ascii=False))
        return
    if not tables:
        warn("还没有导入编码表；用 bingli terms import 文件.csv 导入。")
    for table in tables:
        say(f"{kind_title(table.kind)}\t{table.rows} 条\t{table.imported_at:%Y-%m-%d %H:%M}\t{table.source}")


def _report(table: ReadTable, source: str) -> dict[str, object]:
    return {
        "kind": table.kind,
        "source": source,
        "rows": len(table.terms),
        "repeated": table.repeated,
        "skipped_lines": table.skipped,
        "ambiguous": table.ambiguous,
        "malformed": [{"line": line, "code": code} for line, code in table.malformed],
    }


def _remarks(table: ReadTable) -> list[str]:
    remarks = []
    if table.repeated:
        remarks.append(f"{table.repeated} 行与前面的行完全相同，只保留一次。")
    if table.skipped:
        lines = "、".join(map(str, table.skipped[:_SHOWN]))
        remarks.append(
            f"{len(table.skipped)} 行缺编码或名称，已略过（第 {lines}{_more(table.skipped)} 行）。"
        )
    if table.ambiguous:
        codes = "；".join(
            f"{code} {'、'.join(names)}" for code, names in list(table.ambiguous.items())[:_SHOWN]
        )
        remarks.append(
            f"{len(table.ambiguous)} 个编码对应不止一个名称，均已保留：{codes}{_more(table.ambiguous)}。"
        )
    if table.malformed:
        codes = "、".join(f"第 {line} 行 {code}" for line, code in table.malformed[:_SHOWN])
        remarks.append(
            f"{len(table.malformed)} 个编码的形式不像{kind_title(table.kind)}，仍已保留：{codes}{_more(table.malformed)}。"
        )
    return remarks


def _more(shown: object) -> str:
    return " 等" if isinstance(shown, tuple | dict) and len(shown) > _SHOWN else ""
