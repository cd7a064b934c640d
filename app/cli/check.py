"""``bingli check``: one or more records or notes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Model, NoModel, Profile
from app.cli.output import EXIT_FAILED, EXIT_FOUND, say, stdout_is_terminal, warn
from app.errors import UserError

if TYPE_CHECKING:
    from app.qc.result import Report
    from app.records.model import DocumentType
    from app.records.readers import ReadRecord
    from app.settings import Settings


class CheckFormat(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


class FailOn(StrEnum):
    """The severity from which findings turn the exit status to 1."""

    VETO = "veto"
    MAJOR = "major"
    MINOR = "minor"
    HINT = "hint"


def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="病历 JSON、放文书 .txt 的文件夹，或单份文书", metavar="FILE…", show_default=False
        ),
    ],
    document_type: Annotated[str | None, typer.Option("--type", help="单份文书的类型，例如 入院记录")] = None,
    output_format: Annotated[
        CheckFormat, typer.Option("--format", help="输出格式；json 每份病历一行，html 每份病历一页")
    ] = CheckFormat.TEXT,
    profile: Profile = None,
    model: Model = None,
    no_model: NoModel = False,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="发现此级别及以上的缺陷时以状态 1 退出")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="列出无法判定的规则和原因")] = False,
) -> int:
    """检查病历：列出缺陷、原文证据、依据、得分和等级。

    例：bingli check examples/02-神经内科-脑梗死.json

    例：bingli check 入院记录.txt --type 入院记录 --no-model
    """
    from app.assembly import open_checker
    from app.settings import load_settings

    kind = _known_type(document_type)
    settings = load_settings(profile=profile, model=model)
    failed: list[str] = []
    found = False
    with ExitStack() as stack:
        checker = render = None
        for read in _readable(files, kind, failed):
            if checker is None or render is None:
                checker = stack.enter_context(open_checker(settings, use_model=not no_model))
                render = _renderer(output_format, settings, explain=explain)
            report = checker.check(read.record)
            say(render(report))
            found = found or _has_finding(report, fail_on)
    return EXIT_FAILED if failed else EXIT_FOUND if found else 0


def _known_type(written: str | None) -> "DocumentType | None":
    from app.records.model import DOCUMENT_TYPES, document_type

    if written is None:
        return None
    kind = document_type(written)
    if kind == "其他" and written != "其他":
        raise UserError(f"没有文书类型“{written}”；可用的有：{'、'.join(DOCUMENT_TYPES)}。")
    return kind


def _readable(files: list[Path], kind: "DocumentType | None", failed: list[str]) -> "Iterator[ReadRecord]":
    """The records that can be read; for the others, says why and adds the sentence to ``failed``."""
    from app.records.readers import read_source, sources_in

    for path in (source for file in files for source in sources_in(file)):
        try:
            read = read_source(path, kind)
        except UserError as error:
            failed.append(str(error))
            warn(str(error))
            continue
        for warning in read.warnings:
            warn(f"{read.record.record_id}：{warning}")
        yield read


def _renderer(
    output_format: CheckFormat, settings: "Settings", *, explain: bool
) -> "Callable[[Report], str]":
    from app.assembly import clause_texts
    from app.qc.render.html import render_html
    from app.qc.render.text import plain_mark, render_text

    if output_format is CheckFormat.JSON:
        return lambda report: report.result.model_dump_json()
    clauses = clause_texts(settings)
    if output_format is CheckFormat.HTML:
        return lambda report: render_html(report, clause_text=clauses)
    mark = _underlined if stdout_is_terminal() else plain_mark
    return lambda report: render_text(report, mark=mark, clause_text=clauses, explain=explain)


def _has_finding(report: "Report", fail_on: FailOn | None) -> bool:
    from app.qc.rule import SEVERITIES

    if fail_on is None:
        return False
    counted = SEVERITIES[: SEVERITIES.index(fail_on.value) + 1]
    return any(finding.severity in counted for finding in report.result.findings)


def _underlined(text: str) -> str:
    return typer.style(text, underline=True, bold=True)
