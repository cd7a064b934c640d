import io
import json
from pathlib import Path

import docx as python_docx
import openpyxl
import pytest
from typer.testing import CliRunner

from app.cli.label import label_app
from app.errors import UserError
from app.labelling import docx, html, json_file, markdown, pdf, text, xlsx
from app.labelling.label import LabelError, label_key, new_label
from app.labelling.verify import format_of, label_file, verify
from app.settings import load_settings

KEY = b"a secret of the tests"
PAGE = "<html><head></head><body>患者好转出院。</body></html>"


def a_document() -> bytes:
    stream = io.BytesIO()
    python_docx.Document().save(stream)
    return stream.getvalue()


def a_workbook() -> bytes:
    stream = io.BytesIO()
    openpyxl.Workbook().save(stream)
    return stream.getvalue()


@pytest.fixture
def label():
    return new_label("001191110000000000000010001", KEY, "患者好转出院。")


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.json", b' {"a": 1}', json_file),
        ("a.txt", b'{"a": 1}', text),
        ("a", b'\xef\xbb\xbf{"a": 1}', json_file),
        ("a.md", b"<html>", markdown),
        ("a.MD", b"text", markdown),
        ("a", b"---\nAIGC: 1\n---\n", markdown),
        ("a.tmp", b"<!DOCTYPE HTML><html>", html),
        ("a.htm", "<p>正文</p>".encode(), html),
        ("a.txt", b"%PDF-1.7", pdf),
        ("a.txt", "见 %PDF-1.7".encode(), text),
        ("a.zip", a_document(), docx),
        ("a.docx", a_workbook(), xlsx),
    ],
)
def test_the_format_is_told_by_content_then_by_name(name: str, data: bytes, kind) -> None:
    assert format_of(Path(name), data) is kind


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.json", b"", "文件是空的"),
        ("a.txt", b" \n", "文件是空的"),
        ("a.png", b"\x89PNG\0\0", "不认识的文件格式"),
        ("a.txt", b"ab\0c", "不认识的文件格式"),
        ("a.csv", b"a,b", "不认识的文件格式"),
        ("a.docx", b"PK\x03\x04rest", "已损坏"),
    ],
)
def test_an_unknown_format_is_refused_by_name(name: str, data: bytes, sentence: str) -> None:
    with pytest.raises(UserError, match=f"{name}：.*{sentence}"):
        format_of(Path(name), data)


def test_a_file_is_labelled_in_place_and_verified(tmp_path, label) -> None:
    path = tmp_path / "出院记录.html"
    path.write_text(PAGE)
    label_file(path, label, KEY)
    verification = verify(path, KEY)
    assert (verification.path, verification.status, verification.problems) == (path, "whole", ())
    assert verification.label.AIGC.ProduceID == label.AIGC.ProduceID
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_labelled_stays_as_it_was(tmp_path, label) -> None:
    path = tmp_path / "a.md"
    path.write_text("正文")
    with pytest.raises(LabelError, match=r"a\.md：.*读回不符"):
        label_file(path, label.model_copy(update={"notice": "仅供参考"}), KEY)
    assert path.read_text() == "正文"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_what_cannot_be_read_is_named(tmp_path, name: str) -> None:
    with pytest.raises(UserError, match=str(tmp_path / name)):
        verify(tmp_path / name, KEY)


@pytest.fixture
def folder(tmp_path, monkeypatch, label):
    """Files in every state of a label, sealed with the key of the settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    key = label_key(load_settings())
    for name in ("whole.json", "tampered.json"):
        Path(name).write_text('{"text": "每日1次"}')
        label_file(Path(name), label, key)
    Path("tampered.json").write_text(Path("tampered.json").read_text().replace("每日1次", "每日2次"))
    Path("absent.html").write_text(PAGE)
    Path("foreign.html").write_text(PAGE)
    label_file(Path("foreign.html"), label, b"another key")
    Path("incomplete.md").write_text("本内容由AI生成\n")
    Path("broken.json").write_text("{")
    return tmp_path


@pytest.fixture
def bingli_label(folder):
    return lambda *arguments: CliRunner().invoke(label_app, ["verify", *arguments])


def test_every_file_gets_its_line(bingli_label) -> None:
    result = bingli_label("whole.json", "tampered.json", "absent.html", "foreign.html", "incomplete.md")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "whole.json：标识完整",
        "tampered.json：内容或标识已被改动（完整性校验值与内容或标识不符）",
        "absent.html：没有标识（既没有隐式标识，也没有显式提示）",
        "foreign.html：不能核验（没有用本机密钥算出的完整性校验值）",
        "incomplete.md：标识不全（有显式提示，没有隐式标识）",
    ]


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["whole.json", "--fail-on", "problem"], 0),
        (["whole.json", "absent.html", "--fail-on", "problem"], 1),
        (["absent.html", "--fail-on", "tampered"], 0),
        (["absent.html", "--fail-on", "tampered", "--fail-on", "absent"], 1),
        (["tampered.json", "broken.json", "--fail-on", "tampered"], 2),
        (["whole.json", "--fail-on", "whole"], 2),
        ([], 2),
    ],
)
def test_the_exit_status_says_what_was_asked(bingli_label, arguments: list[str], exit_code: int) -> None:
    assert bingli_label(*arguments).exit_code == exit_code


def test_unreadable_files_get_one_sentence_and_the_others_are_done(bingli_label) -> None:
    result = bingli_label("broken.json", "missing.pdf", "whole.json")
    assert result.exit_code == 2
    assert result.stdout == "whole.json：标识完整\n"
    broken, missing = result.stderr.splitlines()
    assert broken.startswith("broken.json：不是有效的 JSON")
    assert missing.startswith("找不到文件 missing.pdf")


def test_programs_read_one_object_a_line(bingli_label) -> None:
    result = bingli_label("whole.json", "incomplete.md", "--format", "json")
    whole, incomplete = map(json.loads, result.stdout.splitlines())
    assert (whole["path"], whole["status"], whole["problems"]) == ("whole.json", "whole", [])
    assert whole["label"] == json.loads(Path("whole.json").read_text())["label"]
    assert (incomplete["status"], incomplete["label"]) == ("incomplete", None)


def test_help_shows_an_example(bingli_label) -> None:
    assert "bingli label verify 出院记录.docx" in bingli_label("--help").stdout


def test_the_reader_of_pdf_does_not_log_what_it_reads(tmp_path, caplog) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes("%PDF-1.7\n1 0 obj\n(患者好转出院\\q)\nendobj\nstartxref\n3\n%%EOF".encode())
    with pytest.raises(UserError, match="PDF 已损坏"):
        verify(path, KEY)
    assert not caplog.records
