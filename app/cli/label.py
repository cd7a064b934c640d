"""``bingli label``: the label of generated content."""

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import EXIT_FAILED, EXIT_FOUND, Format, say, warn
from app.errors import UserError
from app.settings import load_settings

if TYPE_CHECKING:
    from app.labelling.verify import Verification

label_app = typer.Typer(
    no_args_is_help=True, help="生成内容标识（GB 45438-2025）。例：bingli label verify 出院记录.docx"
)


class FailOn(StrEnum):
    """Which state of a label makes the exit status 1; ``problem`` is every state but whole."""

    PROBLEM = "problem"
    IMPLICIT = "implicit"
    TAMPERED = "tampered"
    INCOMPLETE = "incomplete"
    ABSENT = "absent"
    UNVERIFIABLE = "unverifiable"


@label_app.callback()
def _group() -> None:
    """Keep ``verify`` a command of its own, though it is the only one."""


@label_app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="文件…", help="要核验的文件。")],
    output: Annotated[
        Format, typer.Option("--format", help="text：每个文件一行；json：每个文件一行 JSON 对象。")
    ] = Format.TEXT,
    fail_on: Annotated[
        list[FailOn] | None,
        typer.Option(help="有文件属于这种状态时退出码为 1，可重复给出；problem：凡不是“标识完整”的。"),
    ] = None,
) -> None:
    """核验文件里的生成内容标识在不在、全不全、有没有被改动。

    支持 JSON（检查结果、草稿、病历，连同其中每条发现和文书的 ai_label）、每行一个对象的 JSON（results.jsonl）、
    docx、xlsx、PDF、HTML、Markdown、FHIR 和纯文本。“只有隐式标识”：生成时按设置关闭了显式提示。

    退出码：0 都已核验；1 有 --fail-on 所指的状态；2 有文件读不了（其余文件仍核验）。

    例：bingli label verify 出院记录.docx 出院记录.json --fail-on problem
    """
    from app.labelling.label import label_key
    from app.labelling.verify import verify as verify_file

    key = label_key(load_settings())
    done: list[Verification] = []
    for file in files:
        try:
            done.append(verify_file(file, key))
        except UserError as error:
            warn(str(error))
        else:
            say(_as_json(done[-1]) if output is Format.JSON else _as_text(done[-1]))
    if len(done) < len(files):
        raise typer.Exit(EXIT_FAILED)
    if any(_fails(verification, fail_on or ()) for verification in done):
        raise typer.Exit(EXIT_FOUND)


def _as_text(verification: "Verification") -> str:
    from app.labelling.found import STATUS_NAMES

    line = f"{verification.path}：{STATUS_NAMES[verification.status]}"
    return f"{line}（{'；'.join(verification.problems)}）" if verification.problems else line


def _as_json(verification: "Verification") -> str:
    label = verification.label
    return json.dumps(
        {
            "path": str(verification.path),
            "status": verification.status,
            "problems": verification.problems,
            "label": label.model_dump() if label else None,
        },
        ensure_ascii=False,
    )


def _fails(verification: "Verification", fail_on: Iterable[FailOn]) -> bool:
    return verification.status != "whole" and any(
        state.value in ("problem", verification.status) for state in fail_on
    )
