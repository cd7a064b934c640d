"""``bingli check``: one or more records or notes."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import EXIT_FAILED, EXIT_FOUND, Format, say, stdout_is_terminal, warn
from app.errors import UserError


def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="病历 JSON、放文书 .txt 的文件夹，或单份文书", metavar="FILE…", show_default=False
        ),
    ],
    document_type: Annotated[str | None, typer.Option("--type", help="单份文书的类型，例如 入院记录")] = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="输出格式；json 每份病历一行")
    ] = Format.TEXT,
    profile: Annotated[str | None, typer.Option("--profile", help="评分方案（缺省 national）")] = None,
    model: Annotated[str | None, typer.Option("--model", help="模型名称或 OpenAI 协议服务的网址")] = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="不使用语言模型；需要它的规则为“无法判定”")
    ] = False,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", help="发现此级别及以上的缺陷时以状态 1 退出：veto、major、minor、hint"),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="列出无法判定的规则和原因")] = False,
) -> int:
    """检查病历：列出缺陷、原文证据、依据、得分和等级。

    例：bingli check examples/02-神经内科-脑梗死.json

    例：bingli check 入院记录.txt --type 入院记录 --no-model
    """
    from app.assembly import open_checker
    from app.qc.render.text import render_text
    from app.qc.rule import SEVERITIES
    from app.records.model import DOCUMENT_TYPES
    from app.records.model import document_type as known_type
    from app.records.readers import ReadRecord, read_source, sources_in
    from app.settings import load_settings

    if document_type is not None and known_type(document_type) == "其他" and document_type != "其他":
        raise UserError(f"没有文书类型“{document_type}”；可用的有：{'、'.join(DOCUMENT_TYPES)}。")
    if fail_on is not None and fail_on not in SEVERITIES:
        raise UserError(f"--fail-on 的取值“{fail_on}”不可用，请用 {'、'.join(SEVERITIES)} 之一。")
    settings = load_settings(profile=profile, model=model)
    kind = known_type(document_type) if document_type else None
    failed = found = False

    def readable() -> Iterator[ReadRecord]:
        nonlocal failed
        for path in (source for file in files for source in sources_in(file)):
            try:
                yield read_source(path, kind)
            except UserError as error:
                failed = True
                warn(str(error))

    with ExitStack() as stack:
        checker = None
        for read in readable():
            if checker is None:
                checker = stack.enter_context(open_checker(settings, use_model=not no_model))
            for warning in read.warnings:
                warn(f"{read.record.record_id}：{warning}")
            report = checker.check(read.record)
            if output_format is Format.JSON:
                say(report.result.model_dump_json())
            else:
                mark = _underlined if stdout_is_terminal() else None
                say(render_text(report, explain=explain, **({"mark": mark} if mark else {})))
            if fail_on is not None:
                counted = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
                found |= any(finding.severity in counted for finding in report.result.findings)
    return EXIT_FAILED if failed else EXIT_FOUND if found else 0


def _underlined(text: str) -> str:
    return typer.style(text, underline=True, bold=True)
