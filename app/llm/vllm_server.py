"""A vLLM server as a child process, run from an environment of its own and reached by HTTP only."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

import httpx

from app.llm.engines import ADAPTER, ModelUnavailable
from app.llm.vllm_environment import CPU_VARIABLES, is_cpu_build, require_environment
from app.settings import OFFLINE_ENVIRONMENT

LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.25
_STOP_SECONDS = 20.0
# Without disable_any_whitespace a model can write white space up to max_tokens (vllm#38696, #54497).
_STRUCTURED_OUTPUTS = {"backend": "xgrammar", "disable_any_whitespace": True}
_ADAPTER_FOLDER = "adapter"
_CPU_OPTIONS = ("--enforce-eager", "--dtype", "bfloat16")


class VllmServer(NamedTuple):
    """A running server: where it answers, the name of its model, its process, what it prints."""

    url: str
    model_name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def wait(self) -> NoReturn:
        """Wait for as long as the server runs, which should end with its context only.

        Raises:
            ModelUnavailable: it has ended by itself.
        """
        self.process.wait()
        raise ModelUnavailable(
            f"vLLM 服务自己结束了（状态 {self.process.returncode}），原因见 {self.log} 的末尾。"
        )


@contextmanager
def vllm_server(
    folder: Path,
    environment: Path,
    log: Path,
    *,
    api_key: str,
    context_tokens: int,
    start_seconds: float,
    port: int = 0,
) -> Iterator[VllmServer]:
    """Serve the model of ``folder`` on loopback; entered when it is ready, ended with the context.

    Args:
        folder: weights, configuration and tokenizer, as transformers saves them; its name is the model's. A folder
            ``adapter`` in it, as peft saves one, is served beside it as ``statements``.
        environment: the virtual environment of vLLM.
        log: what the server prints; overwritten. It holds no prompts.
        api_key: what callers must bring.
        context_tokens: prompt and answer together.
        start_seconds: how long starting may take.
        port: 0 takes any free port.

    Raises:
        UserError: the environment or the model folder is not there.
        ModelUnavailable: the server ends before it is ready, or is not ready in time.
    """
    require_environment(environment)
    if not (folder / "config.json").is_file():
        raise ModelUnavailable(f"{folder} 不是 vLLM 能载入的模型文件夹（没有 config.json），请检查 --model。")
    port = port or _free_port()
    process = _start(_command(folder, environment, port, context_tokens), environment, log, api_key)
    server = VllmServer(f"http://{LOOPBACK}:{port}", folder.resolve().name, process, log)
    try:
        _wait_until_ready(server, start_seconds)
        yield server
    finally:
        _stop(process)


def _command(folder: Path, environment: Path, port: int, context_tokens: int) -> list[str]:
    options: dict[str, str] = {
        "--host": LOOPBACK,
        "--port": str(port),
        "--served-model-name": folder.resolve().name,
        "--max-model-len": str(context_tokens),
        # The field of this name in a request is ignored by xgrammar: it must be said at the start.
        "--structured-outputs-config": json.dumps(_STRUCTURED_OUTPUTS),
    }
    pairs = ["--enable-prompt-tokens-details", *(part for pair in options.items() for part in pair)]
    cpu = _CPU_OPTIONS if is_cpu_build(environment) else ()
    vllm = str(environment.absolute() / "bin" / "vllm")
    return [vllm, "serve", str(folder), *pairs, *_adapter_options(folder / _ADAPTER_FOLDER), *cpu]


def _adapter_options(folder: Path) -> tuple[str, ...]:
    is_there = (folder / "adapter_config.json").is_file()
    return ("--enable-lora", "--lora-modules", f"{ADAPTER}={folder}") if is_there else ()


def _start(command: list[str], environment: Path, log: Path, api_key: str) -> "subprocess.Popen[bytes]":
    log.parent.mkdir(parents=True, exist_ok=True)
    cpu = CPU_VARIABLES if is_cpu_build(environment) else {}
    with log.open("wb") as output:
        # A session of its own: Ctrl-C is ours to pass on, and the engine's processes can be ended with it.
        return subprocess.Popen(  # noqa: S603 - the environment and folder that the user names
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_variables(environment) | cpu | {"VLLM_API_KEY": api_key},
            start_new_session=True,
        )


def _variables(environment: Path) -> dict[str, str]:
    """Ours without what would lead its Python to our packages, and with its own programs first."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    path = f"{environment.absolute() / 'bin'}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept | OFFLINE_ENVIRONMENT | {"PATH": path, "VLLM_HOST_IP": LOOPBACK}


def _wait_until_ready(server: VllmServer, limit_seconds: float) -> None:
    until = time.monotonic() + limit_seconds
    with httpx.Client(trust_env=False, timeout=5) as client:
        while time.monotonic() < until:
            if server.process.poll() is not None:
                raise ModelUnavailable(f"vLLM 服务没有启动起来，原因见 {server.log} 的末尾。")
            try:
                if client.get(f"{server.url}/health").status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(_POLL_SECONDS)
    raise ModelUnavailable(f"vLLM 服务 {limit_seconds:g} 秒内没有就绪，进展见 {server.log}。")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server and the engine it started: first politely, then whatever is left of its session."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
