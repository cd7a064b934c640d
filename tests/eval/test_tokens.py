"""The token benchmark, against a model double."""

import json

import pytest
import typer
from typer.testing import CliRunner

from app.cli.evaluate_tokens import evaluate_tokens
from app.errors import UserError
from app.records.readers import read_source
from app.resources import ROOT
from eval.tokens import Cost, RecordCost, report
from tests.support.model_server import ModelServer, Reply, Token

NOTE = """主诉：咳嗽、咳痰3天。
现病史：患者3天前受凉后出现咳嗽，咳白色黏痰，无发热，自服止咳药，症状无好转，来我院就诊。
既往史：高血压病史5年，口服药物。
体格检查：T 36.8℃，P 80次/分，R 20次/分，BP 130/80mmHg。
初步诊断：急性支气管炎
"""


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "病历.json"
    entries = [{"record_id": f"R{i}", "emr_content": NOTE, "problems": []} for i in range(3)]
    path.write_text(json.dumps(entries, ensure_ascii=False), "utf-8")
    return path


@pytest.fixture
def server():
    no = Reply(tokens=[Token('"'), Token("否", 0.6, {"是": 0.4}), Token('"')])
    with ModelServer(no) as running:
        yield running


def run(*arguments):
    app = typer.Typer()
    app.command()(evaluate_tokens)
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_both_ways_are_counted_over_the_same_notes(notes, server):
    found = json.loads(
        run(notes, "--model", server.url, "--records", 2, "--timed", 1, "--format-out", "json")
    )
    assert (found["n"], found["timed_records"]) == (2, 1)
    one_by_one = found["one_prompt_per_rule"]
    assert one_by_one["calls"] == found["questions"] > 10
    assert one_by_one["prompt_tokens"] > found["questions"] * 100
    asked_alone = [r for r in server.requests if "整改建议" in r["messages"][-1]["content"]]
    assert len(asked_alone) == found["questions"]
    assert found["facts"]["calls"] * 2 == pytest.approx(
        len(server.requests) - len(asked_alone), abs=found["facts"]["calls"]
    )
    assert 0 <= found["token_share"] < 1
    assert found["time_share"] is not None


def test_the_table(notes, server):
    shown = run(notes, "--model", server.url, "--records", 1)
    assert "一条规则一次" in shown
    assert "时间之比" not in shown


def test_one_type_of_a_stay(server):
    stay = next((ROOT / "examples").glob("01*.json"))
    options = ("--format", "bingli", "--type", "入院记录", "--format-out", "json")
    found = json.loads(run(stay, "--model", server.url, *options))
    whole = len(read_source(stay).record.documents_of("入院记录")[0].text)
    assert (found["n"], found["characters"]) == (1, whole)


def test_sums_worked_by_hand():
    notes = [
        RecordCost(100, 4, Cost(2, 200, 4, 1.0), Cost(4, 800, 4, 10.0), is_timed=True),
        RecordCost(300, 4, Cost(0, 0, 0, 0.0), Cost(4, 1200, 4, 0.0), is_timed=False),
    ]
    found = report(notes).as_json()
    assert found["facts"]["tokens"] == 102
    assert found["one_prompt_per_rule"] == {
        "calls": 4,
        "prompt_tokens": 1000,
        "answer_tokens": 4,
        "tokens": 1004,
    }
    assert found["token_share"] == pytest.approx(204 / 2008, abs=1e-4)
    assert found["time_share"] == 0.1
    with pytest.raises(UserError):
        report([])
