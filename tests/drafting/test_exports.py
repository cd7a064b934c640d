"""Drafts as files: labelled in every format, true to the draft, readable by the programs they are for."""

import io
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from shutil import copy

import docx
import pytest
from docx.oxml.ns import qn
from pypdf import PdfReader

from app.drafting.export import FORMATS, check_suffix, export
from app.drafting.export.markdown import plain
from app.drafting.export.view import DraftView
from app.drafting.review import Place, Reviewer, edit
from app.errors import UserError
from app.labelling.label import NOTICE
from app.labelling.verify import verify
from app.records.model import Evidence
from tests.drafting.stays import KEY, finished, note, stay

TRAP = "患者诉<script>alert(1)</script>胸痛*加重*，予[链接](x)&amp;处理。"


@pytest.fixture(scope="module")
def draft():
    return finished(stay())[1]


@pytest.fixture(scope="module")
def exported(draft, tmp_path_factory):
    """The draft in every format, written once."""
    folder = tmp_path_factory.mktemp("exported")
    for ending in FORMATS:
        export(draft, stay(), folder / f"d{ending}", KEY)
    return folder


@pytest.fixture
def written(exported, tmp_path):
    """Writes a draft; without one, gives a copy of the draft of this module."""

    def write(ending, draft=None, record=None):
        path = tmp_path / f"d{ending}"
        if draft:
            export(draft, record or stay(), path, KEY)
        else:
            copy(exported / path.name, path)
        return path

    return write


def shown(path):
    """The text that a reader of the file sees, without white space."""
    data = path.read_bytes()
    if path.suffix == ".pdf":
        text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages).replace("\0", "")
    elif path.suffix == ".docx":
        text = "".join(p.text for p in docx.Document(io.BytesIO(data)).paragraphs)
    else:
        text = re.sub(r"<style>.*?</style>|<[^>]*>", "", data.decode(), flags=re.DOTALL)
    return "".join(text.split())


# --- every format ---


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_is_labelled_whole(written, draft, ending):
    found = verify(written(ending), KEY)
    assert (found.status, found.problems) == ("whole", ())
    assert found.label.AIGC.ProduceID == draft.label["AIGC"]["ProduceID"]


@pytest.mark.parametrize("ending", [".html", ".md", ".json", ".fhir.json"])
def test_every_change_of_a_word_shows(written, ending):
    path = written(ending)
    path.write_text(path.read_text("utf-8").replace("右下肺炎", "左下肺炎", 1), "utf-8")
    assert verify(path, KEY).status == "tampered"


@pytest.mark.parametrize("ending", [".pdf", ".docx", ".html", ".md", ".fhir.json"])
def test_every_page_shows_the_draft(written, draft, ending):
    text = shown(written(ending)).replace("\\", "")
    for section in draft.sections:
        assert section.name in text
        for sentence in section.sentences:
            assert "".join(sentence.text.split()).rstrip("。") in text
    assert text.count(NOTICE) >= 2


def test_longer_endings_win(tmp_path):
    check_suffix(tmp_path / "甲.FHIR.JSON")
    with pytest.raises(UserError, match="不支持"):
        check_suffix(tmp_path / "fhir")


def test_numbers_resolve_to_what_is_cited(draft):
    view = DraftView(draft, stay())
    sources = {source.number: source for source in view.sources}
    assert sorted(sources) == list(range(1, len(sources) + 1))
    for block in view.blocks:
        for line in block.lines:
            assert [sources[number].citation for number in line.numbers] == list(line.sentence.citations)
    assert any(source.quote == "（2026-05-06）血常规：白细胞13.2×10^9/L（高）" for source in view.sources)
    assert any(source.quote == "右下肺炎" and source.where == "诊断 DX1" for source in view.sources)


# --- Markdown ---


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("白细胞6.8×10^9/L", "白细胞6.8×10^9/L"),
        ("*加重*", "\\*加重\\*"),
        ("<b>", "\\<b\\>"),
        ("1.右下肺炎", "1\\.右下肺炎"),
        ("- 项", "\\- 项"),
        ("2.5mg", "2\\.5mg"),
        ("第一行\n# 第二行", "第一行 \\# 第二行"),
    ],
)
def test_markdown_of_record_text_is_only_text(text, escaped):
    assert plain(text) == escaped


def test_markdown_notes_resolve(written):
    text = written(".md").read_text("utf-8")
    defined = set(re.findall(r"^\[\^(\d+)\]: ", text, re.MULTILINE))
    assert defined == set(re.findall(r"\[\^(\d+)\](?!:)", text))


# --- HTML ---


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.ids, self.targets, self.tags, self.loads, self.marks = [], [], [], [], []
        self.in_mark = False
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.targets += [values["href"].removeprefix("#")] if tag == "a" else []
        self.loads += [
            v for k, v in attrs if k in ("src", "srcset") or (k == "href" and not v.startswith("#"))
        ]
        self.in_mark = tag == "mark"

    def handle_data(self, data):
        if self.in_mark:
            self.marks.append(data)
            self.in_mark = False


def test_html_links_every_sentence_to_its_sources(written, draft):
    page = Page(written(".html"))
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)
    quotes = [
        c.quote for s in draft.sections for x in s.sentences for c in x.citations if isinstance(c, Evidence)
    ]
    assert set(quotes) <= set(page.marks)


def test_html_shows_who_decided_what(written, draft):
    by = Reviewer("李某", datetime(2026, 5, 14, 11, 0, tzinfo=UTC))
    page = written(".html", edit(draft, Place("入院情况", 0), "左侧胸痛3天。", by)).read_text("utf-8")
    assert "不支持；李某 2026-05-14 19:00 修改" in page
    assert re.search(r'<a class="sentence open" href="#s1">左侧胸痛3天。</a>', page)
    assert page.count("sentence open") == 1


def test_html_runs_and_loads_nothing(written):
    trapped = stay(documents=[note("D<1>", "日常病程记录", TRAP, "2026-05-08T09:00:00+08:00")])
    path = written(".html", finished(trapped)[1], trapped)
    page = Page(path)
    assert "script" not in page.tags
    assert page.loads == []
    assert not re.search(r"url\(|@import", path.read_text("utf-8"))
    assert verify(path, KEY).status == "whole"


# --- PDF ---


def test_pdf_has_embedded_fonts_selectable_text_and_page_numbers(written, draft):
    pages = PdfReader(written(".pdf")).pages
    for number, page in enumerate(pages, start=1):
        text = "".join(page.extract_text().replace("\0", "").split())
        assert f"第{number}页共{len(pages)}页" in text
        assert "病案号：T1" in text
        for font in page["/Resources"]["/Font"].values():
            assert "/FontFile3" in font["/DescendantFonts"][0]["/FontDescriptor"]
    assert "头孢地尼胶囊" in shown(written(".pdf"))


def test_pdf_numbers_lead_to_their_sources(written, draft):
    reader = PdfReader(written(".pdf"))
    links = [
        annotation.get_object()
        for page in reader.pages
        for annotation in page.get("/Annots", [])
        if annotation.get_object()["/Subtype"] == "/Link"
    ]
    view = DraftView(draft, stay())
    pieces = [p for block in view.blocks for line in block.lines for p in line.mark_pieces if p.number]
    assert len(links) == len(pieces)
    assert all(link.get("/Dest") or link.get("/A") for link in links)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("白细胞6.8×10⁹/L", "6.8×10^9/L"),
        ("SpO₂98%", "SpO298%"),
        ("口𰻝面", "口［U+30EDD］面"),
        ("甲\u200b乙", "甲乙"),
    ],
)
def test_pdf_says_what_its_fonts_cannot_draw(written, text, drawn):
    record = stay(documents=[note("D1", "入院记录", f"主诉：{text}3天。", None)])
    assert drawn in shown(written(".pdf", finished(record)[1], record))


def test_pdf_of_a_word_longer_than_a_line(written):
    record = stay(documents=[note("D1", "入院记录", f"主诉：{'A' * 400}3天。", None)])
    assert "A" * 400 in shown(written(".pdf", finished(record)[1], record))


@pytest.mark.parametrize("lines", [14, 20])
def test_pdf_leaves_no_heading_alone_at_the_foot_of_a_page(written, lines):
    record = stay(documents=[note("D1", "入院记录", f"主诉：{'A' * 80 * lines}3天。", None)])
    for page in PdfReader(written(".pdf", finished(record)[1], record)).pages:
        *_, last, _foot = page.extract_text().replace("\0", "").splitlines()
        assert last.strip() not in {"入院诊断：", "出院诊断：", "出院医嘱：", "出处"}


# --- docx ---


def test_docx_numbers_lead_to_their_sources(written, draft):
    word = docx.Document(str(written(".docx")))
    body = word.element.body
    names = [mark.get(qn("w:name")) for mark in body.iter(qn("w:bookmarkStart"))]
    view = DraftView(draft, stay())
    assert names == [f"source{source.number}" for source in view.sources]
    links = [
        (link.get(qn("w:anchor")), "".join(t.text for t in link.iter(qn("w:t"))))
        for link in body.iter(qn("w:hyperlink"))
    ]
    assert links == [
        (f"source{piece.number}", piece.text)
        for block in view.blocks
        for line in block.lines
        for piece in line.mark_pieces
        if piece.number is not None
    ]
    ids = [mark.get(qn("w:id")) for mark in body.iter(qn("w:bookmarkStart"))]
    assert len(set(ids)) == len(ids)


def test_docx_keeps_a_mark_with_the_word_before_it(written):
    word = docx.Document(str(written(".docx")))
    before = word.settings.element.find(qn("w:noLineBreaksBefore"))
    assert "[" in before.get(qn("w:val"))
    assert before.getprevious().tag in (qn("w:noLineBreaksAfter"), qn("w:characterSpacingControl"))
    assert any("\u2060[1" in paragraph.text for paragraph in word.paragraphs)


def test_docx_has_header_footer_and_page_fields(written):
    page = docx.Document(str(written(".docx"))).sections[0]
    assert page.header.paragraphs[0].text == "出院记录（草稿）　试某　病案号：T1"
    assert {"PAGE", "NUMPAGES"} == set(re.findall(r'w:instr="(\w+)"', page.footer._element.xml))


# --- FHIR R4 ---

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00"


@pytest.fixture
def bundle(written):
    return json.loads(written(".fhir.json").read_text("utf-8"))


def resources(bundle):
    return {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}


def references(value):
    if isinstance(value, dict):
        yield from [value["reference"]] if "reference" in value else []
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def nothing_empty(value):
    """FHIR has no null, no empty string, object or array (datatypes, JSON)."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value not in (None, "", [], {}) and all(map(nothing_empty, members))


def test_fhir_is_a_document(bundle):
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "document")  # bdl-9, bdl-10, bdl-11
    assert bundle["identifier"]["system"]
    assert bundle["identifier"]["value"]
    assert re.fullmatch(INSTANT, bundle["timestamp"])
    assert bundle["entry"][0]["resource"]["resourceType"] == "Composition"
    assert list(resources(bundle)) == ["Composition", "Patient", "Encounter", "Device", "Provenance"]


def test_fhir_validates_against_the_resource_models(bundle):
    models = pytest.importorskip("fhir.resources.R4B.bundle")
    validated = models.Bundle.model_validate(bundle)
    assert [type(entry.resource).__name__ for entry in validated.entry] == [
        "Composition", "Patient", "Encounter", "Device", "Provenance",
    ]  # fmt: skip


def test_fhir_references_resolve_inside_the_bundle(bundle):
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)  # bdl-7
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", url) for url in urls)
    assert set(references(bundle)) <= set(urls)


def test_fhir_has_no_nulls(bundle):
    assert nothing_empty(bundle)


def test_fhir_required_elements(bundle):
    found = resources(bundle)
    composition, encounter, provenance = found["Composition"], found["Encounter"], found["Provenance"]
    assert composition["status"] == "preliminary"
    assert composition.keys() >= {"type", "date", "author", "title", "subject", "encounter"}
    assert {"system": "http://loinc.org", "code": "18842-5"} in composition["type"]["coding"]
    assert encounter["status"] == "finished"
    assert encounter["class"]["code"] == "IMP"
    assert datetime.fromisoformat(encounter["period"]["start"]) < datetime.fromisoformat(
        encounter["period"]["end"]
    )
    assert found["Patient"]["gender"] == "male"
    assert re.fullmatch(INSTANT, provenance["recorded"])
    assert all("who" in agent for agent in provenance["agent"])
    assert {entity["role"] for entity in provenance["entity"]} == {"source"}


def test_fhir_sections_are_well_formed_narratives(bundle):
    from lxml import etree

    composition = resources(bundle)["Composition"]
    for text in (composition["text"], *(section["text"] for section in composition["section"])):
        assert text["status"] == "generated"
        div = etree.fromstring(text["div"])
        assert div.tag == "{http://www.w3.org/1999/xhtml}div"
        assert "".join(div.itertext()).strip()  # txt-2
    assert [s["title"] for s in composition["section"]][-2:] == ["出处", "提示"]


def test_fhir_says_that_an_ai_asserted_it(bundle):
    code = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}
    for resource in (bundle, resources(bundle)["Composition"], resources(bundle)["Provenance"]):
        assert any(code.items() <= coding.items() for coding in resource["meta"]["security"])


def test_fhir_of_a_record_that_says_little(written):
    record = stay(patient={}, encounter={}, documents=[note("D1", "其他", "文。", None)], diagnoses=None, orders=None,
                  lab_results=None, exam_reports=None)  # fmt: skip
    bundle = json.loads(written(".fhir.json", finished(record)[1], record).read_text("utf-8"))
    assert nothing_empty(bundle)
    assert resources(bundle)["Encounter"]["status"] == "in-progress"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda b: b["meta"].pop("extension"), "incomplete"),
        (lambda b: b["meta"]["extension"].append(b["meta"]["extension"][0]), "incomplete"),
        (lambda b: b["entry"][0]["resource"].update(title="出院记录"), "tampered"),
        (lambda b: b["meta"].pop("security"), "tampered"),
    ],
)
def test_fhir_labels_that_are_not_whole(written, bundle, change, status):
    change(bundle)
    path = written(".fhir.json")
    path.write_text(json.dumps(bundle), "utf-8")
    assert verify(path, KEY).status == status


def test_fhir_laid_out_anew_is_whole(written, bundle):
    path = written(".fhir.json")
    path.write_text(json.dumps(bundle, ensure_ascii=True, separators=(",", ":")), "utf-8")
    assert verify(path, KEY).status == "whole"


@pytest.mark.parametrize(
    "text",
    [
        '{"resourceType":"Bundle","meta":{},"meta":{}}',
        '{"resourceType":"Bundle","meta":[]}',
        '{"resourceType":"Bundle"',
    ],
)
def test_damaged_fhir_is_refused(tmp_path, text):
    path = tmp_path / "d.fhir.json"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match="FHIR"):
        verify(path, KEY)


# --- characters that no page can hold ---


@pytest.mark.parametrize("character", ["\0", "\x0b", "\x1b", "\u2028", "\ud800", "\ufffe", "😀", "\r\n"])
def test_any_character_of_a_record_can_be_exported(tmp_path, character):
    text = f"主诉：胸{character}痛3天。"
    record = stay(patient={"name": f"试{character}某"}, documents=[note("D1", "入院记录", text, None)])
    _, draft = finished(record)
    for ending in (".json", ".fhir.json", ".docx", ".html", ".md"):
        export(draft, record, tmp_path / f"d{ending}", KEY)
        assert verify(tmp_path / f"d{ending}", KEY).status == "whole"
