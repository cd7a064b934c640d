"""``bingli models``: what a user types and sees."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import models
from app.cli.models import models_app
from app.errors import UserError
from app.llm.catalogue import ModelSpec

CONTENT = b"weights" * 100
SPEC = ModelSpec(
    name="tiny",
    title="测试模型",
    file="tiny.gguf",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="Apache-2.0",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(models, "catalogue", lambda: {"tiny": SPEC})
    monkeypatch.setattr(models, "model_spec", lambda name: SPEC)
    (tmp_path / "tiny.gguf").write_bytes(CONTENT)
    return tmp_path / "data" / "models"


def run(*arguments: str):
    return CliRunner().invoke(models_app, arguments)


def test_pulling_twice_fetches_once(folder: Path) -> None:
    first, second = run("pull", "--from", "tiny.gguf"), run("pull", "tiny")
    assert first.stdout == f"模型 tiny 已取得并核对：{folder / 'tiny.gguf'}\n"
    assert second.stdout == f"模型 tiny 已在本机，无需再取：{folder / 'tiny.gguf'}\n"
    assert first.stderr == second.stderr == ""


def test_a_source_that_fails_is_one_line_on_stderr() -> None:
    result = run("pull", "--from", "nowhere")
    assert result.stderr.count("\n") == 1
    assert isinstance(result.exception, UserError)


@pytest.mark.parametrize(
    ("present", "state", "title"),
    [(None, "absent", "缺失"), (CONTENT, "verified", "已核对"), (b"x", "corrupt", "损坏")],
)
def test_the_list_shows_what_is_there(folder: Path, present: bytes | None, state: str, title: str) -> None:
    if present is not None:
        folder.mkdir(parents=True)
        (folder / "tiny.gguf").write_bytes(present)
    assert title in run("list").stdout
    (row,) = json.loads(run("list", "--format", "json").stdout)
    assert row == {
        "name": "tiny",
        "title": "测试模型",
        "bytes": len(CONTENT),
        "sha256": SPEC.sha256,
        "licence": "Apache-2.0",
        "state": state,
        "path": str(folder / "tiny.gguf"),
    }


@pytest.mark.parametrize("command", ["pull", "list", "serve"])
def test_every_command_is_helped_with_an_example(command: str) -> None:
    assert f"bingli models {command}" in run(command, "--help").stdout


def test_serving_needs_the_model(folder: Path) -> None:
    assert isinstance(run("serve").exception, UserError)
