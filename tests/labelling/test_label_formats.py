import io
import json
import re
import zipfile

import docx as python_docx
import openpyxl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.chart import BarChart, Reference
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject

from app.errors import UserError
from app.labelling import docx, html, json_file, markdown, ooxml, pdf, text, xlsx
from app.labelling.found import judge
from app.labelling.label import NOTICE, Label, LabelError, new_label, to_json

KEY = b"a secret of the tests"
LABEL = new_label("001191110000000000000010001", KEY, "患者好转出院。")
LATER = new_label("001191110000000000000010001", KEY, "患者转院。")
ODD = new_label("a'b&c<d>e(f)g)h#{i}:%", KEY, "")
DOSE = "阿司匹林100mg，每日1次"


def a_json() -> bytes:
    return json.dumps({"format": "bingli/draft/1", "sections": [{"text": DOSE, "n": 1.5}]}).encode()


def a_markdown() -> bytes:
    return f"---\ntitle: 出院记录 # 草稿\n---\n\n# 诊疗经过\n\n{DOSE}\n".encode()


def a_page() -> bytes:
    return (
        "<!DOCTYPE html>\n<html><head><meta charset='utf-8'><title>出院记录</title>"
        "<style>p{}</style></head>\n"
        f"<body class='a'><h1>诊疗经过</h1><p>{DOSE}</p>"
        "<table><tr><td>5</td><td>0</td></tr></table></body></html>"
    ).encode()


def a_document() -> bytes:
    document = python_docx.Document()
    document.add_heading("诊疗经过", 1)
    document.add_paragraph(DOSE)
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "5", "0"
    return saved(document)


def a_workbook() -> bytes:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = "缺陷"
    sheet.append(["用法", "次数"])
    sheet.append([DOSE, 2])
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=2))
    sheet.add_chart(chart, "D2")
    workbook.create_sheet("说明")["B3"] = "=缺陷!B2"
    return saved(workbook)


def a_pdf(*pages: str) -> bytes:
    """A PDF of one line a page; its glyph codes are UTF-16, which its ToUnicode table says."""
    writer = PdfWriter()
    pages = pages or (f"{NOTICE}\n{DOSE}",)
    codes = sorted({character.encode("utf-16-be").hex() for shown in pages for character in shown})
    table = DecodedStreamObject()
    table.set_data(
        "begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange "
        f"{len(codes)} beginbfchar {' '.join(f'<{code}> <{code}>' for code in codes)} endbfchar endcmap".encode()
    )
    descendant = DictionaryObject({NameObject("/Subtype"): NameObject("/CIDFontType2")})
    font = DictionaryObject({
        NameObject("/Type"): NameObject("/Font"),
        NameObject("/Subtype"): NameObject("/Type0"),
        NameObject("/BaseFont"): NameObject("/Test"),
        NameObject("/Encoding"): NameObject("/Identity-H"),
        NameObject("/DescendantFonts"): ArrayObject([descendant]),
        NameObject("/ToUnicode"): writer._add_object(table),
    })  # fmt: skip
    for shown in pages:
        page = writer.add_blank_page(595, 842)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        stream = DecodedStreamObject()
        lines = (f"<{line.encode('utf-16-be').hex()}> Tj 0 -20 Td" for line in shown.split("\n"))
        stream.set_data(f"BT /F1 12 Tf 50 800 Td {' '.join(lines)} ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    writer.add_metadata({"/Title": "discharge"})
    return saved(writer)


def saved(document) -> bytes:
    stream = io.BytesIO()
    document.write(stream) if isinstance(document, PdfWriter) else document.save(stream)
    return stream.getvalue()


def edited(data: bytes, name: str, old: str, new: str) -> bytes:
    """A package with one part changed."""
    parts = ooxml.unpack(data)
    assert old in parts[name].decode()
    return ooxml.pack(parts | {name: parts[name].decode().replace(old, new).encode()})


FORMATS = {
    "json": (json_file, a_json),
    "markdown": (markdown, a_markdown),
    "html": (html, a_page),
    "docx": (docx, a_document),
    "xlsx": (xlsx, a_workbook),
    "pdf": (pdf, a_pdf),
}
every_format = pytest.mark.parametrize(("kind", "make"), FORMATS.values(), ids=FORMATS)


def status_of(kind, data: bytes, key: bytes = KEY) -> str:
    return judge(kind.read(data), key).status


def changed_dose(kind, labelled: bytes) -> bytes:
    if kind is docx:
        return edited(labelled, "word/document.xml", "100mg", "200mg")
    if kind is xlsx:
        name = next(name for name, part in ooxml.unpack(labelled).items() if b"100mg" in part)
        return edited(labelled, name, "100mg", "200mg")
    old, new = (
        ("100mg".encode("utf-16-be").hex(), "200mg".encode("utf-16-be").hex())
        if kind is pdf
        else ("100mg", "200mg")
    )
    assert old.encode() in labelled
    return labelled.replace(old.encode(), new.encode())


def rewritten_label(kind, labelled: bytes, change) -> bytes:
    """The file with another text in the place of its implicit label."""
    if kind is docx or kind is xlsx:
        parts = ooxml.unpack(labelled)
        (old,) = ooxml.label_copies(parts)
        return ooxml.pack(ooxml.with_label(parts, change(old)))
    if kind is markdown:
        block = re.search(rb"AIGC:\n(  .*\n)+", labelled)[0].decode()
        fields = yaml.safe_load(block)["AIGC"]
        return labelled.replace(
            block.encode(), f"AIGC: {change(json.dumps(fields, separators=(',', ':')))}\n".encode()
        )
    if kind is json_file:
        document = json.loads(labelled)
        marked = json.dumps(document | {"label": document["label"] | {"AIGC": "@"}})
        return marked.replace(
            '"@"', change(json.dumps(document["label"]["AIGC"], separators=(",", ":")))
        ).encode()
    old = re.search(rb'\{"Label".*?\}', labelled)[0].decode()
    return labelled.replace(old.encode(), change(old).encode())


@every_format
def test_what_is_written_reads_back_whole(kind, make) -> None:
    judgement = judge(kind.read(kind.write(make(), LABEL, KEY)), KEY)
    assert (judgement.status, judgement.problems) == ("whole", ())
    assert judgement.label.notice == NOTICE
    assert judgement.label.AIGC.ProduceID == LABEL.AIGC.ProduceID


@every_format
def test_every_allowed_character_survives_the_container(kind, make) -> None:
    assert (
        judge(kind.read(kind.write(make(), ODD, KEY)), KEY).label.AIGC.ContentProducer
        == ODD.AIGC.ContentProducer
    )


@every_format
def test_a_second_writing_replaces_the_label(kind, make) -> None:
    once = kind.write(make(), LABEL, KEY)
    twice = kind.write(once, LATER, KEY)
    found = kind.read(twice)
    assert len(found.copies) == 1
    assert LATER.AIGC.ProduceID in found.copies[0]
    assert found.content.count(NOTICE) == kind.read(once).content.count(NOTICE)


@pytest.mark.parametrize("kind", [json_file, markdown, html])
def test_writing_the_same_label_again_changes_no_byte(kind) -> None:
    make = {json_file: a_json, markdown: a_markdown, html: a_page}[kind]
    once = kind.write(make(), LABEL, KEY)
    assert kind.write(once, LABEL, KEY) == once


@every_format
def test_one_changed_character_is_seen(kind, make) -> None:
    assert status_of(kind, changed_dose(kind, kind.write(make(), LABEL, KEY))) == "tampered"


@every_format
@pytest.mark.parametrize(
    ("change", "status", "problem"),
    [
        (lambda old: old.replace('"Label":"1"', '"Label":"2"'), "tampered", "完整性校验值"),
        (lambda old: old.replace("-SHA256:v1", "-SHA256:v2"), "unverifiable", "本机密钥"),
        (
            lambda old: re.sub(r'"ReservedCode1":"[^"]*"', '"ReservedCode1":""', old),
            "unverifiable",
            "本机密钥",
        ),
        (lambda old: old.replace(',"ReservedCode2":""', ""), "incomplete", "缺少键 ReservedCode2"),
        (lambda old: old.replace('"Label":"1"', '"Label":"1","Label":"1"'), "incomplete", "键 Label 重复"),
        (lambda old: old.replace('"Label":"1"', '"Label":"1","Note":"1"'), "incomplete", "未知的键 Note"),
        (lambda old: old.replace('"Label":"1"', '"Label":"9"'), "incomplete", "Label 的值"),
    ],
)
def test_a_changed_label_is_judged(kind, make, change, status: str, problem: str) -> None:
    data = kind.write(make(), LABEL, KEY)
    judgement = judge(kind.read(rewritten_label(kind, data, change)), KEY)
    assert judgement.status == status
    assert problem in "".join(judgement.problems)


@every_format
def test_rewriting_the_same_label_changes_nothing(kind, make) -> None:
    data = kind.write(make(), LABEL, KEY)
    assert status_of(kind, rewritten_label(kind, data, lambda old: old)) == "whole"


@every_format
def test_a_file_of_another_key_cannot_be_verified(kind, make) -> None:
    assert status_of(kind, kind.write(make(), LABEL, KEY), b"another key") == "unverifiable"


@every_format
def test_an_unlabelled_file_has_no_label(kind, make) -> None:
    assert status_of(kind, make()) == ("incomplete" if kind is pdf else "absent")


@every_format
def test_a_notice_without_its_elements_is_not_delivered(kind, make) -> None:
    if kind is pdf:
        with pytest.raises(LabelError, match="显式提示"):
            pdf.write(a_pdf(DOSE), LABEL, KEY)
    else:
        with pytest.raises(LabelError, match="读回不符"):
            kind.write(make(), Label(AIGC=LABEL.AIGC, notice="仅供参考"), KEY)


@every_format
def test_a_failed_reading_back_is_an_error(kind, make, monkeypatch) -> None:
    read = kind.read
    monkeypatch.setattr(kind, "read", lambda data: read(data)._replace(copies=()))
    with pytest.raises(LabelError, match="读回不符"):
        kind.write(make(), LABEL, KEY)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text().filter(lambda name: name != "AIGC"), json_values))
def test_any_json_object_can_be_labelled(content: dict) -> None:
    labelled = json_file.labelled(content, LABEL, KEY)
    assert {**labelled, "label": None} == {**content, "label": None}
    assert status_of(json_file, json.dumps(labelled).encode()) == "whole"
    assert (
        status_of(json_file, json.dumps(labelled, indent=3, sort_keys=True, ensure_ascii=False).encode())
        == "whole"
    )


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name not in {"AIGC", "label"}), json_values, min_size=1
    )
)
def test_any_json_object_is_guarded(content: dict) -> None:
    labelled = json_file.labelled(content, LABEL, KEY)
    labelled.pop(next(iter(content)))
    assert status_of(json_file, json.dumps(labelled).encode()) == "tampered"


@given(st.text(alphabet="患者AI生成，。\n\r-> #:\u3000𬌗a1"))
def test_any_markdown_body_can_be_labelled(body: str) -> None:
    written = markdown.write(body.encode(), LABEL, KEY)
    assert status_of(markdown, written) == "whole"
    assert markdown.write(written, LABEL, KEY) == written


@given(st.text(alphabet="患者AI生成，。\n<>&'\" \u3000𬌗a1"))
def test_any_text_of_a_page_can_be_labelled(body: str) -> None:
    from html import escape

    assert (
        status_of(
            html, html.write(f"<html><head></head><body>{escape(body)}</body></html>".encode(), LABEL, KEY)
        )
        == "whole"
    )


def test_json_keeps_lone_surrogates_and_refuses_what_json_does_not_have() -> None:
    assert status_of(json_file, json_file.write(b'{"a": "\\ud800"}', LABEL, KEY)) == "whole"
    for bad in (
        b"{",
        b"[1]",
        b'{"a": NaN}',
        b'{"a": ' + b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\xff',
    ):
        with pytest.raises(UserError):
            json_file.read(bad)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"n": 1.5', '"n": 1.5, "n": 1.5'),
        ('"n": 1.5', '"n": "1.5"'),
        (NOTICE, "AI生成"),
        ('"notice"', '"remark": "", "notice"'),
        ('"format"', '"AIGC": {}, "format"'),
    ],
)
def test_json_is_guarded_beyond_its_values(old: str, new: str) -> None:
    data = json_file.write(a_json(), LABEL, KEY).decode()
    assert old in data
    assert status_of(json_file, data.replace(old, new).encode()) == "tampered"


def test_two_labels_in_json_are_seen() -> None:
    data = json_file.write(a_json(), LABEL, KEY).decode()
    aigc = json.dumps(json.loads(data)["label"]["AIGC"])
    judgement = judge(json_file.read(data.replace('"AIGC"', f'"AIGC": {aigc}, "AIGC"').encode()), KEY)
    assert judgement.status == "incomplete"
    assert "隐式标识有 2 份，只应有一份" in judgement.problems


def test_markdown_keeps_its_other_front_matter() -> None:
    data = markdown.write(markdown.write(a_markdown(), LABEL, KEY), LATER, KEY).decode()
    head = data.split("---\n")[1]
    assert head.startswith("title: 出院记录 # 草稿\nAIGC:\n")
    assert yaml.safe_load(head)["AIGC"] == markdown_label(data)
    assert f"---\n\n> {NOTICE}\n\n# 诊疗经过" in data


def markdown_label(data: str) -> dict:
    return judge(markdown.read(data.encode()), KEY).label.AIGC.model_dump()


def test_markdown_sees_two_labels_and_windows_line_ends() -> None:
    data = markdown.write(a_markdown(), LABEL, KEY)
    assert status_of(markdown, data.replace(b"\n", b"\r\n")) == "whole"
    block = re.search(rb"AIGC:\n(  .*\n)+", data)[0]
    assert judge(markdown.read(data.replace(block, block * 2)), KEY).status == "incomplete"


@pytest.mark.parametrize("body", ["---\na: [\n---\n正文\n", "---\n\tb: c\n---\n"])
def test_markdown_with_broken_front_matter_is_refused(body: str) -> None:
    with pytest.raises(UserError, match="YAML"):
        markdown.write(body.encode(), LABEL, KEY)


def test_a_rule_is_no_front_matter() -> None:
    data = markdown.write("正文\n\n---\n\n又一段\n".encode(), LABEL, KEY).decode()
    assert data.endswith("正文\n\n---\n\n又一段\n")


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("<td>5</td><td>0</td>", "<td>50</td><td></td>", "tampered"),
        ("<td>5</td><td>0</td>", "<td>\n 5</td>\n<td>0 </td>", "whole"),
        ("<style>p{}</style>", "<style>p{color:red}</style>", "whole"),
        ("<h1>", "<h1><!-- 注 -->", "whole"),
        (NOTICE, "仅供参考", "tampered"),
        ("<meta charset", "<meta name=aigc content='{}'><meta charset", "incomplete"),
    ],
)
def test_a_page_is_guarded_as_far_as_its_text_goes(old: str, new: str, status: str) -> None:
    data = html.write(a_page(), LABEL, KEY).decode()
    assert old in data
    assert status_of(html, data.replace(old, new).encode()) == status


def test_a_page_shows_its_banner_first_and_keeps_the_json_readable() -> None:
    data = html.write(a_page(), LABEL, KEY).decode()
    assert re.search(rf"<body class='a'>\s*<p[^>]*>{NOTICE}</p>", data)
    assert """<meta name="AIGC" content='{"Label":"1",""" in data


@pytest.mark.parametrize("page", ["<p>正文</p>", "<html><body>正文</body></html>"])
def test_a_page_without_head_or_body_is_refused(page: str) -> None:
    with pytest.raises(UserError, match="<head>"):
        html.write(page.encode(), LABEL, KEY)


def test_a_word_document_has_the_notice_around_and_still_opens() -> None:
    document = python_docx.Document(io.BytesIO(docx.write(docx.write(a_document(), LABEL, KEY), LATER, KEY)))
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts == [NOTICE, "诊疗经过", DOSE, NOTICE]
    assert document.element.body[-1].tag.endswith("sectPr")
    assert status_of(docx, saved(document)) == "whole"


def test_a_word_document_names_the_property_in_all_three_parts() -> None:
    parts = ooxml.unpack(docx.write(docx.write(a_document(), LABEL, KEY), LATER, KEY))
    custom = parts["docProps/custom.xml"].decode()
    assert custom.count('name="AIGC"') == custom.count(":lpwstr>") / 2 == 1
    assert parts["[Content_Types].xml"].decode().count('PartName="/docProps/custom.xml"') == 1
    assert parts["_rels/.rels"].decode().count("/relationships/custom-properties") == 1
    assert json.loads(ooxml.label_copies(parts)[0])["ProduceID"] == LATER.AIGC.ProduceID


def test_other_properties_of_a_package_stay() -> None:
    parts = ooxml.unpack(docx.write(a_document(), LABEL, KEY))
    custom = parts["docProps/custom.xml"].decode().replace('name="AIGC"', 'name="病区"')
    again = ooxml.with_label(parts | {"docProps/custom.xml": custom.encode()}, to_json(LATER.AIGC))
    written = again["docProps/custom.xml"].decode()
    assert re.findall(r'pid="(\d+)"', written) == ["2", "3"]
    assert 'name="病区"' in written


def test_two_properties_of_one_name_are_seen() -> None:
    data = docx.write(a_document(), LABEL, KEY)
    custom = ooxml.unpack(data)["docProps/custom.xml"].decode()
    one = re.search(r"<property .*</property>", custom)[0]
    assert "有 2 份" in "".join(
        judge(docx.read(edited(data, "docProps/custom.xml", one, one * 2)), KEY).problems
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.paragraphs[0]._p.getparent().remove(document.paragraphs[0]._p),
        lambda document: document.add_paragraph("补一句"),
        lambda document: document.tables[0].cell(0, 0).paragraphs[0].add_run("0"),
        lambda document: (
            setattr(document.tables[0].cell(0, 0), "text", ""),
            setattr(document.tables[0].cell(0, 1), "text", "50"),
        ),
    ],
)
def test_edits_of_a_word_document_are_seen(change) -> None:
    document = python_docx.Document(io.BytesIO(docx.write(a_document(), LABEL, KEY)))
    change(document)
    assert status_of(docx, saved(document)) == "tampered"


def test_comments_of_a_word_document_are_under_the_seal() -> None:
    document = python_docx.Document(io.BytesIO(a_document()))
    document.add_comment(document.paragraphs[1].runs, text="出处：D05", author="bingli")
    data = docx.write(saved(document), LABEL, KEY)
    assert status_of(docx, data) == "whole"
    assert status_of(docx, edited(data, "word/comments.xml", "D05", "D06")) == "tampered"


def test_runs_may_be_split_without_a_change() -> None:
    data = docx.write(a_document(), LABEL, KEY)
    split = "</w:t></w:r><w:r><w:t>mg"
    assert status_of(docx, edited(data, "word/document.xml", "mg", split)) == "whole"


def test_a_workbook_keeps_its_chart_and_shows_the_notice_below() -> None:
    data = xlsx.write(xlsx.write(a_workbook(), LABEL, KEY), LATER, KEY)
    sheet = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
    assert [row[0].value for row in sheet.iter_rows()] == ["用法", DOSE, NOTICE]
    assert any("charts/chart" in name for name in ooxml.unpack(data))


@pytest.mark.parametrize("kind", [docx, xlsx])
def test_damaged_packages_are_refused(kind) -> None:
    whole = a_document() if kind is docx else a_workbook()
    doubled = io.BytesIO(whole)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(doubled, "a") as package:
        package.writestr("docProps/core.xml", "<a/>")
    main = "word/document.xml" if kind is docx else "xl/workbook.xml"
    parts = ooxml.unpack(whole)
    for bad in (
        whole[: len(whole) // 2],
        doubled.getvalue(),
        ooxml.pack({name: part for name, part in parts.items() if name != main}),
        ooxml.pack(parts | {main: parts[main][:-20]}),
    ):
        with pytest.raises(UserError):
            kind.read(bad)


def test_the_label_of_a_pdf_stands_plain_in_its_bytes() -> None:
    data = pdf.write(pdf.write(a_pdf(), LATER, KEY), LABEL, KEY)
    (plain,) = re.findall(rb"/AIGC \((\{.*?\})\)", data)
    assert json.loads(plain)["ProduceID"] == LABEL.AIGC.ProduceID
    information = PdfReader(io.BytesIO(data)).metadata
    assert information["/AIGC"] == plain.decode()
    assert information.title == "discharge"


@pytest.mark.parametrize("hide", [lambda data: data, lambda data: data.replace(b"/AIGC (", b"/AIG#43 (")])
def test_a_pdf_whose_label_cannot_be_scanned_says_so(hide) -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf.write(a_pdf(), LABEL, KEY))))
    data = saved(writer)
    assert b"/AIGC (" in data
    judgement = judge(pdf.read(hide(data)), KEY)
    assert judgement.status == "incomplete"
    assert judgement.problems == ("隐式标识不是明文，直接扫描文件读不到",)


def test_a_pdf_with_an_older_label_still_in_it_is_seen() -> None:
    data = pdf.write(a_pdf(), LABEL, KEY)
    older = f"9 0 obj << /AIGC ({to_json(LATER.AIGC)}) >> endobj\n".encode()
    assert "有 2 份" in "".join(judge(pdf.read(data + older), KEY).problems)


def test_pages_of_a_pdf_are_told_apart() -> None:
    data = pdf.write(a_pdf(NOTICE, "一", "二"), LABEL, KEY)
    writer = PdfWriter()
    reader = PdfReader(io.BytesIO(data))
    for number in (0, 2, 1):
        writer.add_page(reader.pages[number])
    writer.add_metadata(reader.metadata)
    assert status_of(pdf, saved(writer)) == "tampered"


def test_damaged_and_encrypted_pdfs_are_refused() -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(a_pdf())))
    writer.encrypt("密", algorithm="RC4-128")
    for bad in (saved(writer), b"%PDF-1.7\n", a_pdf()[:200]):
        with pytest.raises(UserError, match="PDF"):
            pdf.read(bad)


def test_plain_text_carries_the_notice_only() -> None:
    data = text.write(f"诊疗经过\n{DOSE}\n".encode("gb18030"), LABEL, KEY)
    assert data.decode() == f"{NOTICE}\n\n诊疗经过\n{DOSE}\n"
    assert text.write(data, LABEL, KEY) == data
    assert status_of(text, data) == "unverifiable"
    assert status_of(text, DOSE.encode()) == "absent"
    with pytest.raises(LabelError):
        text.write(b"", Label(AIGC=LABEL.AIGC, notice="仅供参考"), KEY)
    with pytest.raises(UserError, match="GB18030"):
        text.read(b"\xff\xff")
