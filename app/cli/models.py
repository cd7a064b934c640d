"""``bingli models``: the language models of this machine."""

import json
import threading
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from app.llm.catalogue import ModelSpec, ModelState, catalogue, model_folder, model_spec, model_state
from app.llm.engines import embedded_server
from app.llm.pull import pull
from app.settings import load_settings

models_app = typer.Typer(no_args_is_help=True, help="取得、查看和运行语言模型。例：bingli models pull")

_STATE_TITLES = {
    ModelState.VERIFIED: "已核对",
    ModelState.PARTIAL: "未取完",
    ModelState.ABSENT: "缺失",
    ModelState.CORRUPT: "损坏",
}
_NameArgument = Annotated[
    str | None, typer.Argument(metavar="模型名", help="模型目录中的名称；缺省取设置中的模型。")
]


class _Bar:
    """Shows a pull on stderr; the bar only where a terminal can draw it."""

    def __init__(self, spec: ModelSpec) -> None:
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(
            *columns, TimeRemainingColumn(), console=self._console, disable=not self._console.is_terminal
        )
        self._task = self._progress.add_task(f"取模型 {spec.name}", total=spec.bytes)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def note(self, sentence: str) -> None:
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def reached(self, done_bytes: int) -> None:
        self._progress.update(self._task, completed=done_bytes)


@models_app.command("pull")
def pull_command(
    name: _NameArgument = None,
    given: Annotated[
        Path | None,
        typer.Option("--from", metavar="路径", help="已有的模型文件，或放着它的文件夹；给出时不联网。"),
    ] = None,
) -> None:
    """取得模型并核对校验和；中断后再次运行会接着取，已有则不再取。

    依次尝试官方模型仓库（可用环境变量 HF_ENDPOINT 换成镜像）和 pip 软件包。
    例：bingli models pull --from /media/usb/models
    """
    settings = load_settings()
    spec = model_spec(name or settings.model)
    with _Bar(spec) as bar:
        pulled = pull(spec, model_folder(settings), bar, given=given)
    typer.echo(f"模型 {spec.name} {'已取得并核对' if pulled.is_new else '已在本机，无需再取'}：{pulled.path}")


@models_app.command("list")
def list_command(
    form: Annotated[Literal["text", "json"], typer.Option("--format", help="输出形式。")] = "text",
) -> None:
    """列出模型目录和各模型在本机的状态。

    例：bingli models list --format json
    """
    folder = model_folder(load_settings())
    states = {spec: model_state(spec, folder) for spec in catalogue().values()}
    if form == "json":
        rows = [
            spec.model_dump(include={"name", "title", "bytes", "sha256", "licence"})
            | {"state": state, "path": str(folder / spec.file)}
            for spec, state in states.items()
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table("名称", "说明", "大小", "许可", "状态")
    for spec, state in states.items():
        table.add_row(spec.name, spec.title, f"{spec.bytes / 1e6:.0f} MB", spec.licence, _STATE_TITLES[state])
    Console().print(table)


@models_app.command("serve")
def serve_command(
    port: Annotated[int, typer.Option(min=0, max=65535, help="端口；0 取任一空闲端口。")] = 0,
) -> None:
    """在本机回环地址上运行内嵌模型（OpenAI 协议），按 Ctrl-C 结束；密钥取设置 BINGLI_MODEL_API_KEY。

    例：bingli models serve --port 8081
    """
    settings = load_settings()
    with embedded_server(settings, api_key=settings.model_api_key, port=port) as server:
        typer.echo(f"模型 {server.spec.name} 的地址：{server.url}/v1（按 Ctrl-C 结束）")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            typer.echo("已结束。", err=True)
