"""``bingli deid``, ``bingli audit-log`` and ``bingli accounts``, as a user calls them."""

import json

import pytest
from sqlalchemy import delete

from app.cli.main import main
from app.privacy.audit_log import AuditLog
from app.privacy.keys import audit_key
from app.settings import load_settings
from app.storage.database import open_database
from app.storage.tables import AuditEntryRow

NOTE = "姓名：甄大川　性别：男\n主诉：腹痛3天。\n医师签名：祁远山　2026-05-06\n"


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def call(capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "甄大川入院记录.txt"
    path.write_text(NOTE, "utf-8")
    return path


def test_a_note_is_printed_without_names(call, note):
    status, out, err = call("deid", note)
    assert status == 0
    assert "甄" not in out
    assert "祁" not in out
    assert out.startswith("姓名：某甲　性别：男\n主诉：腹痛3天。\n医师签名：某乙　20")
    assert "姓名 2 处、日期 1 处" in err


def test_json_says_where_and_why(call, note):
    status, out, _ = call("deid", note, "--format", "json")
    replaced = json.loads(out)["replaced"]
    assert status == 0
    assert [(each["kind"], NOTE[each["start"] : each["end"]]) for each in replaced] == [
        ("name", "甄大川"),
        ("name", "祁远山"),
        ("date", "2026-05-06"),
    ]


def test_a_record_stays_a_record(call, examples, tmp_path):
    status, out, _ = call("deid", examples / "02-神经内科-脑梗死.json")
    assert status == 0
    record = json.loads(out)
    assert record["record_id"].startswith("DEID")
    assert "甄大川" not in out


def test_no_file_name_gives_a_patient_away(call, note, examples, tmp_path):
    out = tmp_path / "out"
    status, printed, _ = call("deid", note, examples / "02-神经内科-脑梗死.json", "--out", out)
    names = sorted(path.name for path in out.iterdir())
    assert (status, printed, len(names)) == (0, "", 2)
    assert names[0].startswith("DEID")
    assert names[1] == "文书001.txt"


def test_the_same_file_gives_the_same_text_again(call, note):
    assert call("deid", note)[1] == call("deid", note)[1]


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_done(call, note, tmp_path):
    status, out, err = call("deid", tmp_path / "none.json", note)
    assert status == 2
    assert "找不到" in err
    assert "某甲" in out


def log() -> AuditLog:
    settings = load_settings()
    return AuditLog(open_database(settings), audit_key(settings))


def test_an_untouched_log_is_whole(call):
    log().write("U17", "read_record", "record", "R1")
    assert call("audit-log", "verify")[:2] == (0, "操作日志完整，共 1 条。\n")
    status, out, _ = call("audit-log", "verify", "--format", "json")
    assert (status, json.loads(out)) == (0, {"entries": 1, "is_whole": True, "broken": None})


def test_a_log_with_a_hole_is_told(call):
    for number in range(3):
        log().write("U17", "read_record", "record", f"R{number}")
    with open_database(load_settings()) as database, database.session() as session:
        session.execute(delete(AuditEntryRow).where(AuditEntryRow.number == 2))
    status, out, _ = call("audit-log", "verify")
    assert (status, out) == (1, "操作日志不完整：第 2 条，缺少第 2 条（后面是第 3 条）。\n")


def test_entries_are_listed_and_exported(call, tmp_path):
    log().write("U17", "read_record", "record", "R1", "查看")
    log().write("q1", "decide", "finding", "f1")
    assert "U17  read_record  record  R1  查看" in call("audit-log", "list", "--actor", "U17")[1]
    assert json.loads(call("audit-log", "list", "--object", "f1", "--format", "json")[1])["actor"] == "q1"
    out = tmp_path / "log.jsonl"
    assert call("audit-log", "export", "--out", out)[0] == 0
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [line["number"] for line in lines] == [1, 2]
    assert all(len(line["seal"]) == 64 for line in lines)


def add(call, name="root", role="管理员"):
    return call("accounts", "add", name, "--display-name", "王医师", "--department", "心内科", "--role", role)


def test_an_account_lives_its_life(call):
    status, out, _ = add(call)
    assert status == 0
    assert out.startswith("一次性口令：")
    add(call, "U17", "医师")
    assert call("accounts", "roles", "U17", "--role", "医师", "--role", "qc", "--until", "2099-01-01")[0] == 0
    assert (
        "U17  王医师  心内科  医师（至 2099-01-01）、质控人员（至 2099-01-01）" in call("accounts", "list")[1]
    )
    assert call("accounts", "password", "U17")[1].startswith("一次性口令：")
    assert call("accounts", "disable", "U17")[0] == 0
    assert "已停用" in call("accounts", "list")[1]
    assert call("accounts", "enable", "U17")[0] == 0
    assert len(call("accounts", "token", "U17", "--title", "HIS")[1].strip()) > 40
    listed = [json.loads(line) for line in call("accounts", "list", "--format", "json")[1].splitlines()]
    assert [(each["name"], each["is_disabled"]) for each in listed] == [("U17", False), ("root", False)]
    actions = [entry.action for entry, _ in log().entries()]
    assert actions == [
        "account_add",
        "account_add",
        "account_roles",
        "account_password",
        "account_disable",
        "account_enable",
        "token_add",
    ]
    assert call("audit-log", "verify")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("disable", "root"), "管理员"),
        (("disable", "nobody"), "没有账号"),
        (("roles", "root", "--role", "院长"), "没有角色“院长”"),
        (("add", "root", "--display-name", "又一个", "--role", "医师"), "已存在"),
        (("add", "王 医师", "--display-name", "王", "--role", "医师"), "不可用"),
        (("token", "root", "--title", "x", "--days", "0"), "--days"),
    ],
)
def test_a_mistake_is_one_sentence(call, arguments, said):
    add(call)
    status, out, err = call("accounts", *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
