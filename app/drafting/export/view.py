"""A draft as a reader sees it on any page: patient line, numbered sources, what was left out."""

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from app.drafting.draft import Citation, Draft, DraftSection, DraftSentence, ResourceCitation
from app.drafting.sources import Stay, day_of, happened_at
from app.records.model import CHINA_TIME, Document, Evidence, MedicalRecord

SIGNATURE = "医师签名：____________　　日期：____________"
MISSING_HEADING = "草稿未提及的重要内容（供核对，定稿前删除）"
SOURCES_HEADING = "出处"

_HEAD_SECTIONS = (
    "入院日期", "出院日期", "死亡时间", "小结日期", "转科日期", "转出科室", "转入科室", "住院天数",
)  # fmt: skip
_LISTED = (
    "入院诊断", "出院诊断", "死亡诊断", "目前诊断", "出院医嘱", "诊疗计划", "转科目的及注意事项", "待核实",
)  # fmt: skip
_NEW_PARAGRAPH = re.compile(r"\d{1,2}月\d{1,2}日：|住院期间用药：")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_UNCERTAIN = "［未核验］"
_STOPS = "。；！？，："
_COLLECTIONS = {
    "lab_results": "检验结果", "exam_reports": "检查报告", "procedures": "手术操作", "orders": "医嘱",
    "diagnoses": "诊断", "allergies": "过敏", "encounter": "住院信息", "documents": "文书",
}  # fmt: skip
_FIELDS = {
    "admitted_at": "入院时间", "discharged_at": "出院时间", "died_at": "死亡时间", "transfers": "转科",
}  # fmt: skip


class MarkPiece(NamedTuple):
    """A part of a mark; ``number`` is that of the source it names, ``None`` for what stands between."""

    text: str
    number: int | None = None


class Line(NamedTuple):
    """A sentence as it is printed: closed by a stop where another follows, with the numbers of its sources."""

    text: str
    numbers: tuple[int, ...]
    sentence: DraftSentence

    @property
    def mark(self) -> str:
        """The numbers as a reader sees them, ``[3,5-9]``; empty without sources."""
        return "".join(piece.text for piece in self.mark_pieces)

    @property
    def mark_pieces(self) -> list["MarkPiece"]:
        """The mark, cut so that each number shown can lead to its source."""
        runs = (list(run) for _, run in groupby(enumerate(self.numbers), key=lambda pair: pair[1] - pair[0]))
        pieces: list[MarkPiece] = []
        for run in runs:
            first, last = run[0][1], run[-1][1]
            pieces.append(MarkPiece("," if pieces else "["))
            pieces.append(MarkPiece(str(first), first))
            if last != first:
                pieces += [MarkPiece("-"), MarkPiece(str(last), last)]
        return [*pieces, MarkPiece("]")] if pieces else []


class Block(NamedTuple):
    """A section; ``is_list`` where every sentence stands on a line of its own."""

    name: str
    lines: tuple[Line, ...]
    is_list: bool

    @property
    def paragraphs(self) -> list[list[Line]]:
        """The lines of running text, a new paragraph for every day; at least one, be it empty."""
        paragraphs: list[list[Line]] = [[]]
        for line in self.lines:
            if paragraphs[-1] and _NEW_PARAGRAPH.match(line.text):
                paragraphs.append([])
            paragraphs[-1].append(line)
        return paragraphs


class Source(NamedTuple):
    """A numbered source.

    Attributes:
        where: document, day and id, or the entry of the structured data, for a reader without the program.
        quote: the words it rests on; empty where the data say no more than ``where``.
    """

    number: int
    where: str
    quote: str
    citation: Citation


class Missing(NamedTuple):
    """A salient fact that the draft leaves out, and where it stands."""

    what: str
    where: str


class DraftView:
    """One draft beside its record; rejected sentences are not shown.

    Attributes:
        draft: with characters that no page can hold replaced, one by one, so that offsets hold.
        record: likewise.
    """

    def __init__(self, draft: Draft, record: MedicalRecord) -> None:
        self.draft = Draft.model_validate(_printable(draft.model_dump()))
        self.record = MedicalRecord.model_validate(_printable(record.model_dump(by_alias=True)))
        self._stay = Stay(self.record)
        self._numbers: dict[Citation, int] = {}
        self.blocks = tuple(self._block(s) for s in self.draft.sections if s.name not in _HEAD_SECTIONS)
        self.sources = tuple(self._source(number, c) for c, number in self._numbers.items())

    @property
    def title(self) -> str:
        """The document's title; a draft says that it is one."""
        return f"{self.draft.document_type}{'（草稿）' if self.draft.status == 'draft' else ''}"

    @property
    def notice(self) -> str:
        """The explicit notice of the label."""
        return str(self.draft.label["notice"])

    @property
    def patient_line(self) -> str:
        """Who it is about."""
        patient, encounter = self.record.patient, self.record.encounter
        fields = (
            ("姓名", patient.name), ("性别", patient.sex), ("年龄", self._age), ("科室", encounter.department),
            ("床号", encounter.bed), ("病案号", self.record.record_id),
        )  # fmt: skip
        return "　".join(f"{name}：{value}" for name, value in fields if value)

    @property
    def running_head(self) -> str:
        """What stands above every page: enough to put a stray sheet back."""
        name = self.record.patient.name
        return "　".join(filter(None, (self.title, name, f"病案号：{self.record.record_id}")))

    @property
    def date_line(self) -> str:
        """The sections of a word or two: dates, departments, length of stay."""
        short = (s for s in self.draft.sections if s.name in _HEAD_SECTIONS)
        return "　".join(f"{s.name}：{''.join(x.text for x in _shown(s))}" for s in short)

    @cached_property
    def missing(self) -> tuple[Missing, ...]:
        """What was left out."""
        return tuple(Missing(o.what, self._where(o.source)) for o in self.draft.missing)

    def document_name(self, document: Document) -> str:
        """Title, day and id of a note."""
        day = day_of(happened_at(document))
        return "，".join(filter(None, (document.title or document.type, day, document.id)))

    @property
    def _age(self) -> str | None:
        born, admitted = self.record.patient.birth_date, self.record.encounter.admitted_at
        if self.record.patient.age or not born or not admitted:
            return self.record.patient.age
        on = admitted.astimezone(CHINA_TIME).date()
        return f"{on.year - born.year - ((on.month, on.day) < (born.month, born.day))}岁"

    def _block(self, section: DraftSection) -> Block:
        shown = _shown(section)
        is_list = section.name in _LISTED and len(shown) > 1
        return Block(section.name, tuple(self._lines(shown, is_list=is_list)), is_list)

    def _lines(self, sentences: tuple[DraftSentence, ...], *, is_list: bool) -> Iterator[Line]:
        for left, sentence in zip(reversed(range(len(sentences))), sentences, strict=True):
            stop = "。" if left and not is_list and sentence.text[-1:] not in _STOPS else ""
            mark = _UNCERTAIN if sentence.verdict == "unverified" and not sentence.review else ""
            numbers = [self._numbers.setdefault(c, len(self._numbers) + 1) for c in sentence.citations]
            yield Line(f"{sentence.text}{stop}{mark}", tuple(numbers), sentence)

    def _source(self, number: int, citation: Citation) -> Source:
        quote = citation.quote if isinstance(citation, Evidence) else self._entry(citation)
        return Source(number, self._where(citation), quote, citation)

    def _entry(self, citation: ResourceCitation) -> str:
        """An entry of the structured data in words; a field says no more than its name."""
        is_field = citation.resource.partition("/")[0] in ("encounter", "documents")
        return "" if is_field else self._stay.cited_text(citation)

    def _where(self, citation: Citation) -> str:
        if isinstance(citation, Evidence):
            return self.document_name(self.record.documents_by_id[citation.document_id])
        collection, _, name = citation.resource.partition("/")
        if collection == "documents":
            return self.document_name(self.record.documents_by_id[name])
        return f"{_COLLECTIONS.get(collection, collection)} {_FIELDS.get(name, name)}"


def _printable(value: object) -> object:
    """The value with U+FFFD for every character that XML 1.0 forbids."""
    match value:
        case str():
            return _UNPRINTABLE.sub("\ufffd", value)
        case dict():
            return {name: _printable(member) for name, member in value.items()}
        case list() | tuple():
            return [_printable(member) for member in value]
        case _:
            return value


def _shown(section: DraftSection) -> tuple[DraftSentence, ...]:
    return tuple(sentence for sentence in section.sentences if sentence.state != "rejected")
