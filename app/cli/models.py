"""``bingli models``: the language models of this machine."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, NamedTuple

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

from app.cli.output import progress_console
from app.errors import UserError
from app.llm.catalogue import ModelSpec, ModelState, catalogue, model_folder, model_spec, model_state
from app.llm.conversion import convert, converted_folder
from app.llm.engines import embedded_server, verified_file
from app.llm.pull import pull
from app.llm.vllm_environment import build_environment, environment_folder
from app.settings import Settings, load_settings

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


class Engine(StrEnum):
    """What runs the model."""

    LLAMA_CPP = "llama.cpp"
    VLLM = "vllm"


class _Running(NamedTuple):
    model_name: str
    url: str
    wait: Callable[[], object]


_VLLM_START_SECONDS = 900.0
_VenvOption = Annotated[
    Path | None,
    typer.Option(
        "--venv", metavar="DIR", help="vLLM 的虚拟环境；缺省为数据文件夹中的 vllm。", show_default=False
    ),
]


@models_app.command("install-vllm")
def install_vllm_command(venv: _VenvOption = None) -> None:
    """建立 vLLM（CPU 版）的独立虚拟环境；已建好则什么也不做。

    约占 3.6 GB；pip 的软件源里要有 PyTorch 的 CPU 版。有显卡的服务器请按 vLLM 的说明另装，用 --venv 指给 serve。
    例：bingli models install-vllm
    """
    folder = venv or environment_folder(load_settings())
    is_new = build_environment(folder, progress_console.print)
    typer.echo(f"vLLM 环境{'已建好' if is_new else '已在本机，无需再建'}：{folder}")


@models_app.command("convert")
def convert_command(name: _NameArgument = None, venv: _VenvOption = None) -> None:
    """把已取得的模型转换成 vLLM 能载入的文件夹（safetensors），只需做一次。

    例：bingli models convert
    """
    settings = load_settings()
    spec = model_spec(name or settings.model)
    folder = converted_folder(spec, model_folder(settings))
    source = verified_file(spec, model_folder(settings))
    is_new = convert(source, folder, venv or environment_folder(settings))
    typer.echo(f"模型 {spec.name} {'已转换' if is_new else '早已转换'}：{folder}")


@models_app.command("serve")
def serve_command(
    engine: Annotated[
        Engine, typer.Option("--engine", help="llama.cpp（内嵌）或 vllm（并发多、文本长时更快）。")
    ] = Engine.LLAMA_CPP,
    port: Annotated[int, typer.Option(min=0, max=65535, help="端口；0 取任一空闲端口。")] = 0,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="DIR",
            help="vLLM 载入的模型文件夹；缺省为 bingli models convert 的结果。",
            show_default=False,
        ),
    ] = None,
    venv: _VenvOption = None,
) -> None:
    """在本机回环地址上运行模型（OpenAI 协议），按 Ctrl-C 结束；密钥取设置 BINGLI_MODEL_API_KEY。

    例：bingli models serve --engine vllm --port 8081
    """
    settings = load_settings()
    if engine is Engine.LLAMA_CPP and (model or venv):
        raise UserError("--model 和 --venv 只用于 --engine vllm；内嵌引擎的模型由设置 BINGLI_MODEL 指定。")
    serving = _embedded(settings, port) if engine is Engine.LLAMA_CPP else _vllm(settings, port, model, venv)
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # a service manager's end is as orderly as Ctrl-C
    with serving as running:
        typer.echo(f"模型 {running.model_name} 的地址：{running.url}/v1（按 Ctrl-C 结束）")
        try:
            running.wait()
        except KeyboardInterrupt:
            typer.echo("已结束。", err=True)


@contextmanager
def _embedded(settings: Settings, port: int) -> Iterator[_Running]:
    with embedded_server(settings, api_key=settings.model_api_key, port=port) as server:
        yield _Running(server.spec.name, server.url, threading.Event().wait)


@contextmanager
def _vllm(settings: Settings, port: int, model: Path | None, venv: Path | None) -> Iterator[_Running]:
    from app.llm.vllm_server import vllm_server

    folder = model or converted_folder(model_spec(settings.model), model_folder(settings))
    if model is None and not folder.exists():
        raise UserError(
            f"还没有供 vLLM 用的模型（{folder}），请先运行 bingli models convert，或用 --model 指定。"
        )
    log = settings.data_dir / "logs" / "vllm.log"
    progress_console.print(f"正在启动 vLLM，约需半分钟至数分钟，进展见 {log}", markup=False)
    with vllm_server(
        folder,
        venv or environment_folder(settings),
        log,
        api_key=settings.model_api_key,
        context_tokens=settings.model_context_tokens,
        start_seconds=_VLLM_START_SECONDS,
        port=port,
    ) as server:
        yield _Running(server.model_name, server.url, server.wait)
