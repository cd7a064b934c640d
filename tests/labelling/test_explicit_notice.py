"""Switching off the explicit notice: a setting, an entry of the audit log, and the implicit label as ever."""

import json

import pytest
from typer.testing import CliRunner

from app.cli.label import label_app
from app.drafting.drafter import open_drafter
from app.drafting.export import FORMATS, export
from app.errors import UserError
from app.labelling.label import NOTICE
from app.labelling.labeller import NOTICE_SWITCHED_OFF, Labeller
from app.labelling.verify import verify
from app.privacy.audit_log import AuditFilter, AuditLog
from app.privacy.keys import audit_key
from app.settings import Settings
from app.storage.database import open_database
from tests.drafting.stays import stay


def entries(settings):
    with open_database(settings) as database:
        return AuditLog(database, audit_key(settings)).page(AuditFilter(action=NOTICE_SWITCHED_OFF)).items


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_without_the_notice_keeps_the_implicit_label(tmp_path, ending):
    settings = Settings(data_dir=tmp_path / "data", explicit_label=False)
    with open_drafter(settings, use_model=False) as drafter:
        drafted = drafter.draft(stay())
    file = tmp_path / f"draft{ending}"
    export(drafted.draft, stay(), file, drafted.key)
    found = verify(file, drafted.key)
    assert found.status == "implicit"
    assert found.label.AIGC.Label == "1"
    assert len(entries(settings)) == 1


def test_the_log_has_one_entry_a_labeller_and_none_while_the_notice_is_on(tmp_path):
    on = Settings(data_dir=tmp_path)
    assert Labeller.of(on).label("甲")["notice"] == NOTICE
    assert not (tmp_path / "bingli.sqlite").exists()
    off = Settings(data_dir=tmp_path, explicit_label=False)
    labeller = Labeller.of(off)
    assert entries(off) == ()
    assert [labeller.label(text)["notice"] for text in "甲乙"] == ["", ""]
    assert len(entries(off)) == 1


def test_without_a_log_nothing_is_labelled(tmp_path):
    settings = Settings(
        data_dir=tmp_path, explicit_label=False, database_url="sqlite:////nowhere/at/all.sqlite"
    )
    labeller = Labeller.of(settings)
    with pytest.raises(UserError):
        labeller.label("甲")


def test_taking_the_notice_out_afterwards_is_tampering(tmp_path):
    settings = Settings(data_dir=tmp_path)
    with open_drafter(settings, use_model=False) as drafter:
        drafted = drafter.draft(stay())
    file = tmp_path / "draft.json"
    export(drafted.draft, stay(), file, drafted.key)
    content = json.loads(file.read_text("utf-8"))
    content["label"]["notice"] = ""
    file.write_text(json.dumps(content), "utf-8")
    assert verify(file, drafted.key).status == "tampered"


def test_the_command_can_fail_on_it(tmp_path, monkeypatch):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path))
    file = tmp_path / "result.json"
    file.write_text(
        json.dumps(Labeller.of(Settings(data_dir=tmp_path, explicit_label=False)).labelled({"a": 1}))
    )
    assert CliRunner().invoke(label_app, ["verify", str(file)]).exit_code == 0
    assert CliRunner().invoke(label_app, ["verify", str(file), "--fail-on", "implicit"]).exit_code == 1
