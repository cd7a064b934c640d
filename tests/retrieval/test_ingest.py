from itertools import pairwise

import docx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from app.errors import UserError
from retrieval.ingest import PASSAGE_CHARACTERS, chunks_of, read_pages, split


@settings(deadline=None)
@given(
    st.text(alphabet="患者，。；：\n \t\u3000第一二条#3a𬌗", max_size=900).map(lambda text: text * 3),
)
@example("第一条 总则。\n第二条 细则。")
@example("甲。" * 700)
@example("无标点" * 500)
def test_passages_are_exact_bounded_and_in_order(text):
    passages = split(text)
    for passage in passages:
        assert 0 < passage.end - passage.start <= PASSAGE_CHARACTERS
        assert text[passage.start : passage.end].strip() == text[passage.start : passage.end]
    assert all(a.end <= b.start for a, b in pairwise(passages))
    kept = "".join(text[passage.start : passage.end] for passage in passages)
    assert "".join(kept.split()) == "".join(text.split())


def test_clause_headings_are_kept_as_clauses():
    text = "前言一句。\n第一条 病历应当及时完成。\n依照第九条办理。\n　第十二条　归档。"
    assert [(p.clause, text[p.start : p.end]) for p in split(text)] == [
        ("", "前言一句。"),
        ("第一条", "第一条 病历应当及时完成。\n依照第九条办理。"),
        ("第十二条", "第十二条　归档。"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_plain_text_in_either_encoding(tmp_path, encoding):
    file = tmp_path / "院内规定.txt"
    file.write_bytes("第三条 夜班抢救由二线医师到场。".encode(encoding))
    (chunk,) = chunks_of(file)
    assert (chunk.text, chunk.clause, chunk.level) == (
        "第三条 夜班抢救由二线医师到场。",
        "第三条",
        "hospital",
    )
    assert (chunk.document, chunk.title, chunk.file, chunk.page) == (
        "院内规定.txt",
        "院内规定",
        "院内规定.txt",
        None,
    )


def test_control_characters_cannot_reach_a_terminal(tmp_path):
    file = tmp_path / "a.md"
    file.write_text("甲\x1b[31m乙\r\n丙", encoding="utf-8", newline="")
    (page,) = read_pages(file)
    assert page.text == "甲 [31m乙 \n丙"


def test_docx_paragraphs_and_tables_in_order(tmp_path):
    document = docx.Document()
    document.add_paragraph("第一条 值班。")
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "科室", "内科"
    document.add_paragraph("第二条 交班。")
    file = tmp_path / "a.docx"
    document.save(str(file))
    assert read_pages(file)[0].text == "第一条 值班。\n科室\t内科\n第二条 交班。"


def write_pdf(file, pages, password=None):
    """A pdf of Latin lines: one Helvetica text object a page."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(300, 300)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(file)


def test_pdf_chunks_know_their_page(tmp_path):
    file = tmp_path / "a.pdf"
    write_pdf(file, ["Rounds twice a day.", "Handover at the bedside."])
    assert [(chunk.page, chunk.text) for chunk in chunks_of(file)] == [
        (1, "Rounds twice a day."),
        (2, "Handover at the bedside."),
    ]
    texts = [page.extract_text() for page in PdfReader(file).pages]
    assert all(texts[c.page - 1][c.start : c.end] == c.text for c in chunks_of(file))


def make_encrypted(path):
    write_pdf(path, ["secret"], password="password")


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("没有.txt", lambda path: None, "找不到"),
        ("图.png", lambda path: path.write_bytes(b"x"), "不受支持"),
        ("空.txt", lambda path: path.write_bytes(b" \n"), "没有文字"),
        ("空.pdf", lambda path: write_pdf(path, [""]), "扫描件"),
        ("坏.pdf", lambda path: path.write_bytes(b"%PDF-1.4 nonsense"), "不是完好的 pdf"),
        ("密.pdf", make_encrypted, "加密"),
        ("坏.docx", lambda path: path.write_bytes(b"PK nonsense"), "不是完好的 docx"),
        ("坏.txt", lambda path: path.write_bytes(b"\xff\xff\xff"), "GB18030"),
        ("长.txt", lambda path: path.write_text("字" * 1_000_001, encoding="utf-8"), "拆成"),
        ("夹.txt", lambda path: path.mkdir(), "找不到"),
    ],
)
def test_a_file_that_cannot_be_added_says_why(tmp_path, name, make, said):
    file = tmp_path / name
    make(file)
    with pytest.raises(UserError) as raised:
        chunks_of(file)
    assert said in str(raised.value)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)
