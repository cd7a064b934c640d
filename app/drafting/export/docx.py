"""The draft as a Word document in the form that hospitals print, with a list of sources at its end."""

import io
from collections.abc import Iterable

import docx
from docx.document import Document as Word
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt
from docx.styles.style import BaseStyle
from docx.text.paragraph import Paragraph
from docx.text.run import Run

from app.drafting.draft import Draft
from app.drafting.export.view import MISSING_HEADING, SIGNATURE, SOURCES_HEADING, Block, DraftView, Line
from app.labelling import docx as docx_label
from app.labelling.label import Label
from app.records.model import MedicalRecord

_FONT = "宋体"
_NO_BREAK = "\u2060"
_LAST = 3
"""Characters before a mark that go to the next line with it."""
_NOT_LAST = "([{·‘“〈《「『【〔〖（．［｛￡￥"
_NOT_FIRST = "!),.:;?]}·―’”…、。〃々〉》」』】〕〗！），．：；？］｜｝～￠["


def render(draft: Draft, record: MedicalRecord, key: bytes) -> bytes:
    """The labelled document.

    Args:
        draft: its label is taken over, sealed anew over what this file shows.
        record: for the patient line and the names of the cited documents.
        key: secret of the label's integrity value.
    """
    view = DraftView(draft, record)
    word = docx.Document()
    _lay_out(word)
    _keep_marks_with_words(word)
    _margins(word, view)
    _head(word, view)
    for block in view.blocks:
        _block(word, block)
    _signature(word)
    _omissions(word, view)
    _source_list(word, view)
    file = io.BytesIO()
    word.save(file)
    return docx_label.write(file.getvalue(), Label.model_validate(draft.label), key)


def _lay_out(word: Word) -> None:
    page = word.sections[0]
    page.page_width, page.page_height = Cm(21), Cm(29.7)
    page.left_margin = page.right_margin = Cm(2.5)
    page.top_margin = page.bottom_margin = Cm(2.2)
    style = word.styles["Normal"]
    style.font.name, style.font.size = _FONT, Pt(11)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), _FONT)
    _language(style, "zh-CN")
    style.paragraph_format.space_after = Pt(4)
    # A stop that hangs in the margin would be parted from the mark behind it.
    hanging = OxmlElement("w:overflowPunct")
    hanging.set(qn("w:val"), "0")
    style.element.get_or_add_pPr().insert(0, hanging)


def _keep_marks_with_words(word: Word) -> None:
    """No line begins with the number of a source: the bracket joins the characters that may not begin one."""
    settings = word.settings.element
    before = settings.find(qn("w:characterSpacingControl"))
    for tag, characters in (("w:noLineBreaksBefore", _NOT_FIRST), ("w:noLineBreaksAfter", _NOT_LAST)):
        rule = OxmlElement(tag)
        rule.set(qn("w:lang"), "zh-CN")
        rule.set(qn("w:val"), characters)
        before.addnext(rule)


def _margins(word: Word, view: DraftView) -> None:
    """Header and footer of every page."""
    page = word.sections[0]
    _centred(page.header.paragraphs[0], view.running_head)
    footer = page.footer.paragraphs[0]
    _centred(footer, f"{view.notice}　　第" if view.notice else "第")
    for instruction, after in (("PAGE", "页　共"), ("NUMPAGES", "页")):
        _field(footer, instruction)
        _run(footer, after)


def _centred(paragraph: Paragraph, text: str) -> None:
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _run(paragraph, text)


def _run(paragraph: Paragraph, text: str) -> None:
    paragraph.add_run(text).font.size = Pt(9)


def _field(paragraph: Paragraph, instruction: str) -> None:
    """A field that the word processor fills in."""
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), instruction)
    paragraph._p.append(field)
    _run(paragraph, "1")
    field.append(paragraph.runs[-1]._r)


def _head(word: Word, view: DraftView) -> None:
    title = word.add_paragraph()
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = title.add_run(view.title)
    run.bold, run.font.size = True, Pt(18)
    for line in (view.patient_line, view.date_line):
        word.add_paragraph().add_run(line).font.size = Pt(10)


def _block(word: Word, block: Block) -> None:
    paragraph = word.add_paragraph()
    paragraph.paragraph_format.space_before = Pt(6)
    paragraph.add_run(f"{block.name}：").bold = True
    if block.is_list:
        for line in block.lines:
            item = word.add_paragraph()
            item.paragraph_format.left_indent = Pt(22)
            _lines(item, [line])
        return
    _lines(paragraph, block.paragraphs[0])
    for lines in block.paragraphs[1:]:
        _lines(word.add_paragraph(), lines)


def _lines(paragraph: Paragraph, lines: Iterable[Line]) -> None:
    for line in lines:
        if line.numbers:
            paragraph.add_run(line.text[:-_LAST])
            _language(paragraph.add_run(f"{line.text[-_LAST:]}{_NO_BREAK}"), "en-US")
            _mark(paragraph, line)
        else:
            paragraph.add_run(line.text)


def _language(styled: Run | BaseStyle, language: str) -> None:
    """Set the language of the Chinese characters.

    LibreOffice breaks Chinese before any bracket, joiner or not; text of another language keeps together.
    """
    tag = OxmlElement("w:lang")
    tag.set(qn("w:eastAsia"), language)
    styled.element.get_or_add_rPr().append(tag)


def _mark(paragraph: Paragraph, line: Line) -> None:
    """The numbers of the sources, each leading to its entry; never parted from the word before them."""
    for piece in line.mark_pieces:
        run = _raised(paragraph, piece.text)
        if piece.number is not None:
            _link(run, _source_name(piece.number))


def _raised(paragraph: Paragraph, text: str) -> Run:
    run = paragraph.add_run("" if text == "-" else text)
    run.font.superscript = True
    if text == "-":
        run._r.append(OxmlElement("w:noBreakHyphen"))
    return run


def _link(run: Run, bookmark: str) -> None:
    """Make the run lead to a bookmark of this document."""
    link = OxmlElement("w:hyperlink")
    link.set(qn("w:anchor"), bookmark)
    link.set(qn("w:history"), "1")
    run._r.addprevious(link)
    link.append(run._r)


def _source_name(number: int) -> str:
    return f"source{number}"


def _signature(word: Word) -> None:
    line = word.add_paragraph(SIGNATURE)
    line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    line.paragraph_format.space_before = Pt(12)


def _omissions(word: Word, view: DraftView) -> None:
    if view.missing:
        _small_heading(word, MISSING_HEADING)
        for missing in view.missing:
            _small(word, f"{missing.what}　{missing.where}")


def _source_list(word: Word, view: DraftView) -> None:
    _small_heading(word, SOURCES_HEADING)
    for source in view.sources:
        entry = _small(
            word, f"[{source.number}] {source.where}{f'：“{source.quote}”' if source.quote else ''}"
        )
        entry.paragraph_format.left_indent, entry.paragraph_format.first_line_indent = Pt(20), Pt(-20)
        _bookmark(entry, source.number)


def _bookmark(paragraph: Paragraph, number: int) -> None:
    for tag in ("w:bookmarkStart", "w:bookmarkEnd"):
        mark = OxmlElement(tag)
        mark.set(qn("w:id"), str(number))
        if tag == "w:bookmarkStart":
            mark.set(qn("w:name"), _source_name(number))
            paragraph.runs[0]._r.addprevious(mark)
        else:
            paragraph._p.append(mark)


def _small_heading(word: Word, text: str) -> None:
    paragraph = word.add_paragraph()
    paragraph.paragraph_format.space_before = Pt(12)
    run = paragraph.add_run(text)
    run.bold, run.font.size = True, Pt(9)


def _small(word: Word, text: str) -> Paragraph:
    paragraph = word.add_paragraph()
    paragraph.paragraph_format.space_after = Pt(0)
    paragraph.add_run(text).font.size = Pt(9)
    return paragraph
