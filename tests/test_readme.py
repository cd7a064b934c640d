"""What the README shows is what the program prints."""

import re
import shlex

import pytest

from app.cli.main import main
from app.resources import ROOT

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\n(\$ bingli .*?)^```", README, flags=re.M | re.S)
WITHOUT_MODEL = [block for block in BLOCKS if "--no-model" in block or block.startswith("$ bingli rules")]


def test_there_is_something_to_compare():
    assert len(WITHOUT_MODEL) >= 2


@pytest.mark.parametrize("block", WITHOUT_MODEL, ids=lambda block: block.partition("\n")[0])
def test_shown_lines_are_printed(block, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(ROOT)
    command, _, shown = block.partition("\n")
    assert main(shlex.split(command.removeprefix("$ bingli "))) == 0
    printed = capsys.readouterr().out.splitlines()
    missing = [line for line in shown.splitlines() if line not in ("", "…") and line not in printed]
    assert missing == []


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()
