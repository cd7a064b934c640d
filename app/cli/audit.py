"""``bingli audit``: a batch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Model, NoModel, Profile
from app.cli.output import Format, progress_console, say
from app.errors import UserError

if TYPE_CHECKING:
    from app.batch.statistics import Statistics
    from app.settings import Settings


def audit(
    source: Annotated[
        str,
        typer.Argument(
            help="病历 JSON、JSONL、放病历的文件夹，或加引号的通配符", metavar="IN", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="存放结果的文件夹", metavar="DIR", show_default=False)],
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="进程数（缺省每个核心一个）", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="接着做上次没有做完的审核")] = False,
    profile: Profile = None,
    model: Model = None,
    no_model: NoModel = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            help="Ray 集群：ray://主机:端口，或 local（缺省用本机进程）",
            show_default=False,
        ),
    ] = None,
    output_format: Annotated[Format, typer.Option("--format", help="汇总的格式")] = Format.TEXT,
) -> None:
    """审核一批病历：逐份结果、汇总、国家指标和报告。

    在 DIR 中写 results.jsonl、errors.jsonl、summary.json、report.html 和 report.xlsx；中断后加 --resume 接着做。

    例：bingli audit examples --out 审核结果 --no-model
    """
    import json

    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from app.batch.audit import audit as run_audit
    from app.batch.report import SUMMARY
    from app.batch.sources import total_bytes
    from app.settings import load_settings

    settings = load_settings(profile=profile, model=model, cluster=cluster)
    processes = _processes(workers, settings, use_model=not no_model)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=progress_console, disable=not progress_console.is_terminal)
    with bar:
        task = bar.add_task("审核", total=total_bytes(source))
        try:
            statistics = run_audit(
                source,
                out,
                settings,
                use_model=not no_model,
                workers=processes,
                resume=resume,
                on_progress=lambda size: bar.advance(task, size),
            )
        except KeyboardInterrupt as interrupt:
            raise UserError(f"已中断，做完的都在 {out}；加 --resume 再次运行即可接着做。") from interrupt
    if output_format is Format.JSON:
        say(json.dumps(json.loads((out / SUMMARY).read_text("utf-8")), ensure_ascii=False))
    else:
        say(_told(statistics, out))


def _processes(given: int | None, settings: "Settings", *, use_model: bool) -> int | None:
    """One process a core; but one only with the embedded model, which uses all cores by itself."""
    if not use_model or settings.model.startswith(("http://", "https://")):
        return given
    if settings.cluster:
        raise UserError(
            "集群上不用内嵌模型；请加 --no-model，或用 --model 指定各机都能访问的模型服务的网址。"
        )
    if given is not None and given > 1:
        raise UserError(
            "内嵌模型自己会用全部核心，只能用一个进程；请去掉 --workers，或加 --no-model，或用 --model 指定模型服务的网址。"
        )
    return 1


def _told(statistics: "Statistics", out: Path) -> str:
    from app.batch.statistics import ALL_GRADES

    whole = statistics.whole()
    grades = "  ".join(f"{grade} {whole.grades[grade]}" for grade in ALL_GRADES)
    mean = "—" if whole.mean_score is None else f"{whole.mean_score:.1f}"
    lines = [f"病历 {whole.records} 份    平均分 {mean}    {grades}"]
    unread = sum(statistics.problems.values())
    if unread:
        lines.append(f"未计入 {unread} 份，原因见 {out / 'errors.jsonl'}")
    lines.append(f"报告 {out / 'report.html'}")
    return "\n".join(lines)
