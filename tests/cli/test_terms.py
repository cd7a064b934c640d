import json
import sqlite3

import pytest
from typer.testing import CliRunner

from app.cli.terms import terms_app
from app.errors import UserError
from app.settings import load_settings
from app.terms.reading import read_table
from app.terms.table import load_terms_table

run = CliRunner().invoke
ROWS = "I10,高血压\nI63.900,脑梗死\nK80.100,胆囊结石伴慢性胆囊炎\n"


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def table_file(tmp_path):
    def write(content, encoding="utf-8", name="编码.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode(encoding))
        return path

    return write


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize(
    "content",
    [
        ROWS,
        "诊断编码,诊断名称\n" + ROWS,
        "序号,疾病名称,ICD编码\n1,高血压,I10\n2,脑梗死,I63.900\n3,胆囊结石伴慢性胆囊炎,K80.100\n",
        ROWS.replace(",", "\t"),
        "\n" + ROWS + "\n\n",
    ],
)
def test_every_usual_form_is_read(table_file, content, encoding):
    table = read_table(table_file(content, encoding))
    assert table.kind == "icd10"
    assert [(term.code, term.name) for term in table.terms] == [
        ("I10", "高血压"),
        ("I63.900", "脑梗死"),
        ("K80.100", "胆囊结石伴慢性胆囊炎"),
    ]


def test_operations_with_levels(table_file):
    table = read_table(
        table_file("手术编码,手术名称,手术级别\n51.2300,腹腔镜下胆囊切除术,3\n47.0100,阑尾切除术,Ⅱ级\n")
    )
    assert table.kind == "icd9cm3"
    assert [term.level for term in table.terms] == ["三级", "二级"]


def test_what_is_odd_is_told_and_kept(table_file):
    content = ROWS + "I63.900,脑梗死\nI63.900,脑梗塞\n,无编码\nZ99,\n第一章,传染病\n"
    table = read_table(table_file(content))
    assert (len(table.terms), table.repeated, table.skipped) == (5, 1, (6, 7))
    assert table.ambiguous == {"I63.900": ("脑梗死", "脑梗塞")}
    assert table.malformed == ((8, "第一章"),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "没有内容"),
        (b"\x00\x01\x02", "不是 UTF-8 或 GB18030"),
        ("高血压,脑梗死\n糖尿病,肺炎\n".encode(), "看不出编码列"),
        ("编码,名称\n1001,甲\n1002,乙\n".encode(), "--kind"),
        ("编码,名称\nI10,\n".encode(), "没有一行同时有编码和名称"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "坏.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_table(path, "icd10" if "没有一行" in words else None)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="找不到"):
        read_table(tmp_path / "没有.csv")


def test_import_then_list(table_file):
    assert run(terms_app, ["list"]).stdout == ""
    result = run(terms_app, ["import", str(table_file(ROWS + ROWS))])
    assert (result.exit_code, result.stdout) == (0, "诊断编码（ICD-10）：已导入 3 条（编码.csv）。\n")
    assert result.stderr == "3 行与前面的行完全相同，只保留一次。\n"
    listed = json.loads(run(terms_app, ["list", "--format", "json"]).stdout)
    assert [(table["kind"], table["source"], table["rows"]) for table in listed] == [("icd10", "编码.csv", 3)]
    assert run(terms_app, ["list"]).stdout.startswith("诊断编码（ICD-10）\t3 条\t")


def test_import_as_json(table_file):
    report = json.loads(run(terms_app, ["import", str(table_file(ROWS)), "--format", "json"]).stdout)
    assert (report["kind"], report["rows"], report["malformed"]) == ("icd10", 3, [])


def test_a_new_table_replaces_the_old_one_of_its_kind_only(table_file):
    run(terms_app, ["import", str(table_file(ROWS))])
    run(terms_app, ["import", str(table_file("51.2300,腹腔镜下胆囊切除术\n", name="手术.csv"))])
    run(terms_app, ["import", str(table_file("J18.900,肺炎\n", name="新.csv"))])
    terms = load_terms_table(load_settings())
    assert [(table.kind, table.source, table.rows) for table in terms.tables] == [
        ("icd10", "新.csv", 1),
        ("icd9cm3", "手术.csv", 1),
    ]
    assert terms.terms_of("icd10", "I10") == ()
    assert [term.name for term in terms.terms_of("icd10", "j18.900")] == ["肺炎"]
    assert terms.codes_of("icd9cm3", "腹腔镜下胆囊切除术") == ("51.2300",)


def test_a_bad_file_leaves_the_old_table(table_file, tmp_path):
    run(terms_app, ["import", str(table_file(ROWS))])
    (tmp_path / "空.csv").write_text("")
    assert isinstance(run(terms_app, ["import", str(tmp_path / "空.csv")]).exception, UserError)
    assert load_terms_table(load_settings()).tables[0].rows == 3


def test_no_table_is_none():
    assert load_terms_table(load_settings()) is None


def test_a_damaged_store_says_what_to_do(table_file):
    run(terms_app, ["import", str(table_file(ROWS))])
    path = load_settings().data_dir / "terms.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(UserError, match="重新导入") as caught:
        load_terms_table(load_settings()).terms_of("icd10", "I10")
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
