import json

import pytest
from typer.testing import CliRunner

from app.cli.evaluate import eval_app
from app.errors import UserError

NOTES = [
    {
        "record_id": "a",
        "emr_content": "主诉：反复腹痛。\n现病史：患者出现腹痛。\n既往史：高血压5年。\n入院诊断：腹痛",
        "problems": [{"rule_id": "IC-ZS-01-V1"}, {"rule_id": "IC-XB-02-V1"}],
    }
]


@pytest.fixture
def notes(tmp_path, monkeypatch):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "notes.json"
    path.write_text(json.dumps(NOTES), "utf-8")
    return path


def run(*arguments):
    result = CliRunner().invoke(eval_app, list(map(str, arguments)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_json_and_predictions(notes, tmp_path):
    predictions = tmp_path / "found.jsonl"
    result = run("qc", notes, "--format", "chip2025", "--no-model", "--predictions", predictions)
    printed = json.loads(result.stdout)
    assert printed["n_records"] == 1
    assert printed["rules"]["IC-ZS-01-V1"]["tp"] == 1
    assert printed["rules"]["IC-XB-02-V1"]["fn"] == 1
    (line,) = predictions.read_text("utf-8").splitlines()
    found = json.loads(line)
    assert found["record_id"] == "a"
    assert "IC-ZS-01-V1" in found["rule_ids"]


def test_table(notes):
    result = run("qc", notes, "--no-model", "--format-out", "text")
    assert "IC-ZS-01-V1" in result.stdout
    assert "1.00（0.21–1.00）" in result.stdout
    assert "病历 1 份" in result.stdout


def test_list():
    assert run("list").stdout.startswith("qc  ")


def test_predictions_that_cannot_be_written(notes, tmp_path):
    with pytest.raises(UserError, match="无法写入"):
        run("qc", notes, "--no-model", "--predictions", tmp_path / "missing" / "found.jsonl")


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="无法读取"):
        run("qc", tmp_path / "missing.json", "--no-model")
