import json

import pytest

from app.cli.main import main

NOTE = "主诉：腹痛2天。\n现病史：2天前进食后出现腹痛。\n"


@pytest.fixture
def bingli(tmp_path, monkeypatch, capsys):
    """Run the command line; gives (status, stdout, stderr)."""
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "入院记录.txt"
    path.write_text(NOTE, "utf-8")
    return path


def test_check_prints_one_object_a_record(bingli, note):
    status, out, err = bingli("check", note, "--no-model", "--format", "json")
    assert (status, err) == (0, "")
    result = json.loads(out)
    assert result["format"] == "bingli/result/1"
    assert result["outcomes"]["N-105"] == "defect"


def test_a_bad_file_does_not_stop_the_others(bingli, note, tmp_path):
    status, out, err = bingli("check", tmp_path / "没有.json", note, "--no-model", "--format", "json")
    assert status == 2
    assert err == f"找不到 {tmp_path / '没有.json'}，请检查路径。\n"
    assert json.loads(out)["record_id"] == "入院记录"


@pytest.mark.parametrize("level", ["hint", "minor"])
def test_fail_on(bingli, note, level):
    assert bingli("check", note, "--no-model", "--fail-on", level)[0] == 1


def test_fail_on_nothing_so_grave(bingli, tmp_path):
    note = tmp_path / "日常病程记录.txt"
    note.write_text("今日腹痛减轻，继续观察。", "utf-8")
    assert bingli("check", note, "--no-model", "--fail-on", "veto")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check"], "缺少 FILE…"),
        (["nonsense"], "没有命令 nonsense"),
        (["check", "x", "--no-such-option"], "没有选项 --no-such-option"),
        (["check", "x", "--type", "病史"], "没有文书类型“病史”；可用的有：门(急)诊病历、"),
        (
            ["check", "x", "--fail-on", "fatal"],
            "--fail-on 的取值“fatal”不在 'veto', 'major', 'minor', 'hint' 之内",
        ),
        (["check", "x", "--profile", "火星"], "找不到 x"),
        (["rules", "explain", "F-000"], "没有规则 F-000"),
    ],
)
def test_bad_usage_gets_one_sentence_and_status_2(bingli, arguments, sentence):
    status, out, err = bingli(*arguments)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_an_unknown_profile(bingli, note):
    status, out, err = bingli("check", note, "--no-model", "--profile", "火星")
    assert (status, out) == (2, "")
    assert "没有名为 火星 的评分方案" in err


@pytest.mark.parametrize(
    "command",
    [[], ["check"], ["draft"], ["verify"], ["label"], ["rules"], ["kb"], ["models"], ["terms"], ["eval"]],
    ids=" ".join,
)
def test_every_command_has_help(bingli, command):
    status, out, _ = bingli(*command, "--help")
    assert status == 0
    assert "bingli" in out


def test_a_rule_page(bingli):
    status, out, _ = bingli("rules", "explain", "f-102")
    assert status == 0
    assert "F-102 入院记录超过24小时完成" in out


def test_list_of_rules(bingli):
    status, out, _ = bingli("rules", "list", "--format", "json")
    assert status == 0
    late = {
        "code": "F-102",
        "title": "入院记录超过24小时完成",
        "severity": "major",
        "points": 3.0,
        "category": "form",
    }
    assert late in json.loads(out)


def test_a_missing_model_is_one_sentence(bingli, note):
    status, out, err = bingli("check", note)
    assert (status, out) == (2, "")
    assert "bingli models pull" in err
    assert err.count("\n") == 1
