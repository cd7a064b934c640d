"""The draft as a Word document in the form that hospitals print, with a list of sources at its end."""

import io
from typing import NamedTuple

import docx
from docx.document import Document as Word
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Cm, Pt
from docx.text.paragraph import Paragraph

from app.drafting.draft import Citation, Draft, DraftSection, DraftSentence, Omission
from app.drafting.sources import day_of, happened_at
from app.labelling import docx as docx_label
from app.labelling.label import Label
from app.records.model import Evidence, MedicalRecord, Patient

_FONT = "宋体"
_DATES = ("入院日期", "出院日期", "住院天数")
_LISTED = ("入院诊断", "出院诊断", "出院医嘱", "待核实")
_UNCERTAIN = "［未核验］"
_COLLECTIONS = {
    "lab_results": "检验结果", "exam_reports": "检查报告", "procedures": "手术操作", "orders": "医嘱",
    "diagnoses": "诊断", "allergies": "过敏", "encounter": "住院信息",
}  # fmt: skip


def render(draft: Draft, record: MedicalRecord, key: bytes) -> bytes:
    """The labelled document.

    Args:
        draft: its label is taken over, sealed anew over what this file shows.
        record: for the patient line and the names of the cited documents.
        key: secret of the label's integrity value.
    """
    word = docx.Document()
    _lay_out(word)
    _head(word, draft, record)
    sources: dict[Citation, int] = {}
    for section in draft.sections:
        if section.name not in _DATES:
            _section(word, section, sources)
    _signature(word)
    _omissions(word, draft.missing, record)
    _source_list(word, sources, record)
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


def _head(word: Word, draft: Draft, record: MedicalRecord) -> None:
    title = word.add_paragraph()
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = title.add_run(f"{draft.document_type}（草稿）")
    run.bold, run.font.size = True, Pt(18)
    word.add_paragraph(_patient_line(record))
    dates = [f"{name}：{_words(section)}" for name in _DATES if (section := draft.section(name))]
    word.add_paragraph("　　".join(dates))


def _patient_line(record: MedicalRecord) -> str:
    patient, encounter = record.patient, record.encounter
    fields = (
        ("姓名", patient.name), ("性别", patient.sex), ("年龄", _age(patient, record)), ("科室", encounter.department),
        ("床号", encounter.bed), ("病案号", record.record_id),
    )  # fmt: skip
    return "　　".join(f"{name}：{value}" for name, value in fields if value)


def _age(patient: Patient, record: MedicalRecord) -> str | None:
    born, admitted = patient.birth_date, record.encounter.admitted_at
    if patient.age or not born or not admitted:
        return patient.age
    on = admitted.date()
    return f"{on.year - born.year - ((on.month, on.day) < (born.month, born.day))}岁"


def _words(section: DraftSection) -> str:
    return "".join(sentence.text for sentence in section.sentences)


def _section(word: Word, section: DraftSection, sources: dict[Citation, int]) -> None:
    paragraph = word.add_paragraph()
    paragraph.paragraph_format.space_before = Pt(6)
    paragraph.add_run(f"{section.name}：").bold = True
    for number, sentence in enumerate(section.sentences):
        if section.name in _LISTED and len(section.sentences) > 1:
            paragraph = word.add_paragraph()
            paragraph.paragraph_format.left_indent = Pt(22)
        _sentence(paragraph, sentence, sources, ends_here=number + 1 == len(section.sentences))


def _sentence(
    paragraph: Paragraph, sentence: DraftSentence, sources: dict[Citation, int], *, ends_here: bool
) -> None:
    text = sentence.text
    if not ends_here and text[-1:] not in "。；！？，：":
        text += "。"
    paragraph.add_run(text + (_UNCERTAIN if sentence.verdict == "unverified" else ""))
    numbers = [sources.setdefault(citation, len(sources) + 1) for citation in sentence.citations]
    if numbers:
        paragraph.add_run(f"[{','.join(map(str, numbers))}]").font.superscript = True


def _signature(word: Word) -> None:
    line = word.add_paragraph("医师签名：____________　　日期：____________")
    line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    line.paragraph_format.space_before = Pt(12)


def _omissions(word: Word, missing: tuple[Omission, ...], record: MedicalRecord) -> None:
    if not missing:
        return
    _small_heading(word, "草稿未提及的重要内容（供核对，定稿前删除）")
    for omission in missing:
        place = _place(omission.source, record)
        _small(word, f"{omission.what}　{place.where}")


def _source_list(word: Word, sources: dict[Citation, int], record: MedicalRecord) -> None:
    _small_heading(word, "出处")
    for citation, number in sources.items():
        place = _place(citation, record)
        _small(word, f"[{number}] {place.where}{f'：“{place.quote}”' if place.quote else ''}")


class _Place(NamedTuple):
    where: str
    quote: str


def _place(citation: Citation, record: MedicalRecord) -> _Place:
    """Where a citation leads, for a reader without the program."""
    if isinstance(citation, Evidence):
        document = record.documents_by_id[citation.document_id]
        day = day_of(happened_at(document))
        return _Place(
            "，".join(filter(None, (document.title or document.type, day, citation.document_id))),
            citation.quote,
        )
    collection, _, identifier = citation.resource.partition("/")
    return _Place(f"{_COLLECTIONS.get(collection, collection)} {identifier}", "")


def _small_heading(word: Word, text: str) -> None:
    paragraph = word.add_paragraph()
    paragraph.paragraph_format.space_before = Pt(12)
    run = paragraph.add_run(text)
    run.bold, run.font.size = True, Pt(9)


def _small(word: Word, text: str) -> None:
    paragraph = word.add_paragraph()
    paragraph.paragraph_format.space_after = Pt(0)
    paragraph.add_run(text).font.size = Pt(9)
