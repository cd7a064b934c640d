import json

import pytest
import typer

from app.cli.audit import audit
from app.errors import UserError


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command; gives what it printed."""
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    command = typer.Typer()
    command.command()(audit)

    def call(*arguments: object) -> tuple[str, str]:
        command([str(argument) for argument in arguments], standalone_mode=False)
        return tuple(capsys.readouterr())

    return call


@pytest.fixture
def given(tmp_path):
    path = tmp_path / "病历.jsonl"
    note = {"id": "D1", "type": "日常病程记录", "text": "今日无发热。", "written_at": "2026-03-02 10:00"}
    path.write_text(json.dumps({"record_id": "A", "documents": [note]}) + "\n{\n", "utf-8")
    return path


def test_an_audit_tells_what_it_did(run, given, tmp_path):
    out, err = run(given, "--out", tmp_path / "out", "--no-model", "--workers", 1)
    assert out.startswith("病历 1 份")
    assert "未计入 1 份" in out
    assert str(tmp_path / "out" / "report.html") in out
    assert err == ""
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "results.jsonl", "errors.jsonl", "summary.json", "report.html", "report.xlsx", "report", "state.sqlite",
    }  # fmt: skip


def test_json_is_the_summary(run, given, tmp_path):
    out, _ = run(given, "--out", tmp_path / "out", "--no-model", "--workers", 1, "--format", "json")
    assert json.loads(out) == json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["没有.jsonl", "--no-model"], "找不到"),
        (["{given}", "--workers", "2"], "只能用一个进程"),
        (["{given}", "--no-model", "--profile", "没有"], "没有名为 没有 的评分方案"),
    ],
)
def test_mistakes_are_one_sentence(run, given, tmp_path, arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        run(*(argument.format(given=given) for argument in arguments), "--out", tmp_path / "out")
    assert not (tmp_path / "out" / "results.jsonl").exists()
