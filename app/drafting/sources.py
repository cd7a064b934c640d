"""The whole stay as source items in time order: sentences of notes, results, reports, orders, procedures."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from app.drafting.draft import Citation, ResourceCitation
from app.drafting.normal import content_of, normalise
from app.drafting.salience import ItemKind, cues, salience_of
from app.drafting.strangers import Stranger, strangers_in
from app.records.model import (
    CHINA_TIME,
    Document,
    DocumentType,
    Evidence,
    ExamReport,
    LabResult,
    MedicalRecord,
    Order,
    Procedure,
    Span,
)
from app.text.reading import Reading
from app.text.width import half_width

ADMISSION_NOTES: tuple[DocumentType, ...] = ("入院记录", "再次或多次入院记录", "24小时内入出院记录")
COURSE_NOTES: tuple[DocumentType, ...] = (
    "首次病程记录", "日常病程记录", "上级医师查房记录", "疑难病例讨论记录", "交接班记录", "转科记录", "阶段小结",
    "抢救记录", "有创诊疗操作记录", "会诊记录", "手术记录", "术后首次病程记录", "输血记录",
)  # fmt: skip
_BRIEF_SECTIONS = {
    "手术记录": ("手术名称", "术中诊断", "术后诊断", "手术日期"),
    "会诊记录": ("会诊意见", "会诊建议", "会诊结论"),
}
_SHORTEST_COPY = 8
"""Content characters from which an equal sentence is a copy; shorter ones (患者无不适) recur honestly."""
_LIST_NUMBER = re.compile(r"[(（]?\d{1,2}(?:[.．](?!\d)|[、)）])\s*(?=\S)|[①-⑳]\s*(?=\S)")
_SPEAKER = re.compile(r"[\u4e00-\u9fa5]{2,4}(?:副?主任|主治|住院)医师(?:首次)?查房[：:]\s*(?=\S)")
_HAS_CHANGED = frozenset({"高", "低", "异常", "阳性", "危急"})
_PLAIN, _SALIENT = 3, 6
"""Weights of structured data: worth telling, and not to be left out (see ``cues.yaml``)."""


class SourceItem(NamedTuple):
    """One thing the record says.

    Attributes:
        text: the verbatim sentence, or a rendering of structured data.
        at: when it was so; aware, ``None`` if the record does not say.
        section: canonical section name for sentences, the collection for structured data.
        document_type: of the note, ``None`` for structured data.
    """

    text: str
    citation: Citation
    at: datetime | None
    kind: ItemKind
    weight: int
    section: str
    document_type: DocumentType | None = None

    @property
    def is_salient(self) -> bool:
        """Whether a reader of the discharge record would miss it."""
        return self.weight >= cues().salient_from

    @property
    def is_tellable(self) -> bool:
        """Whether it may be retold in the course."""
        return self.weight >= cues().tellable_from

    @property
    def dated_text(self) -> str:
        """The text with its day, for a writer or judge who sees nothing else."""
        return dated(self.text, self.at)


class Result(NamedTuple):
    """A laboratory result and the source item made of it."""

    lab: LabResult
    item: SourceItem


def dated(text: str, at: datetime | None) -> str:
    """The text with its day before it."""
    return f"（{day_of(at)}）{text}" if at else text


def day_of(moment: datetime | None) -> str:
    """The day in China Standard Time as a reader sees it."""
    return f"{moment.astimezone(CHINA_TIME):%Y-%m-%d}" if moment else ""


class Stay:
    """Everything the record says about one stay, ready to be drafted from.

    The record's own discharge or death record, consent forms and front page are no sources: a draft must rest on
    what they rest on themselves. Nor are notes that speak of another patient.
    """

    def __init__(
        self, record: MedicalRecord, *, without: Sequence[DocumentType] = (), until: datetime | None = None
    ) -> None:
        """Read the stay.

        Args:
            record: the stay.
            without: document types that are no sources, such as the one that is drafted.
            until: what happened later is left out.
        """
        self.record = record
        self._without = frozenset(without)
        self._until = until

    def is_in_time(self, at: datetime | None) -> bool:
        """Whether the document may tell of that moment."""
        return self._until is None or at is None or at <= self._until

    @cached_property
    def strangers(self) -> tuple[Stranger, ...]:
        """The notes that contradict who the patient is."""
        return tuple(strangers_in(self.record))

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """The documents in time order; one without a time stays behind the one before it in the record."""
        foreign = {stranger.document.id for stranger in self.strangers if stranger.is_another}
        times, last = [], datetime.min.replace(tzinfo=CHINA_TIME)
        for document in self.record.documents or ():
            last = happened_at(document) or last
            is_source = document.kind not in self._without and document.id not in foreign
            if is_source and self.is_in_time(happened_at(document)):
                times.append((last, document))
        return tuple(Reading(document) for _, document in sorted(times, key=lambda pair: pair[0]))

    def readings_of(self, kinds: Sequence[DocumentType]) -> tuple[Reading, ...]:
        """The readings of documents of these types, in time order."""
        return tuple(reading for reading in self.readings if reading.document.kind in kinds)

    @cached_property
    def course(self) -> tuple[SourceItem, ...]:
        """Sentences of the course notes, copied text only at its first place."""
        seen = {
            _fingerprint(item.text) for r in self.readings_of(ADMISSION_NOTES) for item in sentences_of(r)
        }
        seen |= {_fingerprint(procedure.name) for procedure in self.record.procedures or () if procedure.name}
        return tuple(
            _first_places((item for r in self.readings_of(COURSE_NOTES) for item in sentences_of(r)), seen)
        )

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """Laboratory results in time order."""
        labs = enumerate(self.record.lab_results or ())
        results = [Result(lab, _lab_item(at, lab)) for at, lab in labs if lab.item and lab.value]
        in_time = (result for result in results if self.is_in_time(result.item.at))
        return tuple(sorted(in_time, key=lambda result: result.item.at or _LATEST))

    @cached_property
    def reports(self) -> tuple[SourceItem, ...]:
        """Conclusions of examinations."""
        return self._in_order(
            _exam_item(at, e)
            for at, e in enumerate(self.record.exam_reports or ())
            if e.impression or e.finding
        )

    @cached_property
    def procedures(self) -> tuple[SourceItem, ...]:
        """Operations and procedures."""
        return self._in_order(
            _procedure_item(at, p) for at, p in enumerate(self.record.procedures or ()) if p.name
        )

    @cached_property
    def drugs(self) -> tuple[SourceItem, ...]:
        """Drug orders of the stay, with start and stop."""
        orders = enumerate(self.record.orders or ())
        return self._in_order(
            _drug_item(at, order) for at, order in orders if is_drug(order) and not is_take_home(order)
        )

    @cached_property
    def take_home(self) -> tuple[SourceItem, ...]:
        """Drugs the patient takes home."""
        orders = enumerate(self.record.orders or ())
        return tuple(
            item
            for at, order in orders
            if is_take_home(order) and self.is_in_time((item := _drug_item(at, order)).at)
        )

    @property
    def data(self) -> tuple[SourceItem, ...]:
        """The structured data: results, reports, procedures, drugs."""
        results = (result.item for result in self.results)
        return (*results, *self.reports, *self.procedures, *self.drugs, *self.take_home)

    @property
    def named(self) -> tuple[SourceItem, ...]:
        """Diagnoses and allergies of the data, which have no time."""
        diagnoses = (
            named_item("diagnosis", d.name or "", resource("diagnoses", at, d.id))
            for at, d in enumerate(self.record.diagnoses or ())
        )
        allergies = (
            named_item("event", f"{a.substance or ''}过敏", resource("allergies", at, None))
            for at, a in enumerate(self.record.allergies or ())
        )
        return (*diagnoses, *allergies)

    def cited_text(self, citation: Citation) -> str:
        """What a citation says, with its day; empty if it points at nothing of the record."""
        if isinstance(citation, Evidence):
            document = self.record.documents_by_id.get(citation.document_id)
            at = happened_at(document) if document else None
            return dated(citation.quote, at)
        collection, _, name = citation.resource.partition("/")
        if collection == "documents":
            return name if name in self.record.documents_by_id else ""
        if collection == "encounter":
            value = getattr(self.record.encounter, name, None)
            return dated("", value) if isinstance(value, datetime) else str(value or "")
        return self._rendered.get(citation, "")

    @cached_property
    def _rendered(self) -> dict[Citation, str]:
        return {item.citation: item.dated_text for item in (*self.data, *self.named)}

    @cached_property
    def salient(self) -> tuple[SourceItem, ...]:
        """Everything that a discharge record should not leave out, in time order."""
        return self._in_order(item for item in (*self.course, *self.data) if item.is_salient)

    def _in_order(self, items: Iterable[SourceItem]) -> tuple[SourceItem, ...]:
        in_time = (item for item in items if self.is_in_time(item.at))
        return tuple(sorted(in_time, key=lambda item: item.at or _LATEST))


_LATEST = datetime.max.replace(tzinfo=CHINA_TIME)


def happened_at(document: Document) -> datetime | None:
    """When what the document tells happened, else when it was written."""
    return document.event_at or document.completed_at


def sentences_of(
    reading: Reading, accepts: Callable[[str], bool] = lambda section: True
) -> Iterator[SourceItem]:
    """The sentences of a note as source items, headings left out."""
    document = reading.document
    for section in reading.sections:
        if not accepts(section.name):
            continue
        for sentence in reading.sentences_of(section):
            span = Span(sentence.start, sentence.end)
            if _is_brief_enough(document, section.name, span):
                yield sentence_item(document, span, section.name)


def _is_brief_enough(document: Document, section: str, sentence: Span) -> bool:
    """Whether a long document's sentence is of its brief parts, or tells of bleeding, blood or a mishap."""
    wanted = _BRIEF_SECTIONS.get(document.kind)
    if not wanted or not section or section in wanted:
        return True
    return bool(cues().in_long_parts.search(half_width(sentence.of(document.text))))


def sentence_item(document: Document, span: Span, section: str) -> SourceItem:
    """One verbatim sentence as a source item, without its list number and without who says it."""
    start = span.start
    for lead in (_LIST_NUMBER, _SPEAKER):
        if found := lead.match(document.text, start, span.end):
            start = found.end()
    evidence = document.evidence(Span(start, span.end))
    salience = salience_of(evidence.quote, section, document.kind)
    return SourceItem(
        evidence.quote,
        evidence,
        happened_at(document),
        salience.kind,
        salience.weight,
        section,
        document.kind,
    )


def without_list_number(text: str) -> str:
    """The text of a listed sentence."""
    return _LIST_NUMBER.sub("", text, count=1) if _LIST_NUMBER.match(text) else text


def _fingerprint(text: str) -> str:
    return content_of(normalise(text))


def _first_places(items: Iterable[SourceItem], seen: set[str]) -> Iterator[SourceItem]:
    for item in items:
        print_ = _fingerprint(item.text)
        if len(print_) >= _SHORTEST_COPY:
            if print_ in seen:
                continue
            seen.add(print_)
        if print_:
            yield item


def resource(collection: str, position: int, identifier: str | None) -> ResourceCitation:
    """The citation of one entry; one without id is named by its place, counted from 0 (``orders/#3``)."""
    return ResourceCitation(resource=f"{collection}/{identifier or f'#{position}'}")


def named_item(kind: ItemKind, name: str, citation: ResourceCitation) -> SourceItem:
    """A name of the data as a source item without time or weight."""
    return SourceItem(name, citation, None, kind, 0, citation.resource.partition("/")[0])


def _lab_item(position: int, lab: LabResult) -> SourceItem:
    critical, changed = lab.flag == "危急", lab.flag in _HAS_CHANGED
    reference = f"，参考值{lab.reference}" if lab.reference else ""
    flag = f"（{lab.flag}{reference}）" if changed else ""
    panel = f"{lab.panel}：" if lab.panel else ""
    text = f"{panel}{lab_name(lab)}{lab_value(lab)}{flag}"
    weight = _SALIENT if critical else _PLAIN if changed else 0
    return SourceItem(
        text, resource("lab_results", position, lab.id), lab.sampled_at or lab.reported_at,
        "critical" if critical else "result", weight, "lab_results",
    )  # fmt: skip


def lab_name(lab: LabResult) -> str:
    """The item as it stands before a number: one that ends in a letter or digit keeps its distance."""
    name = lab.item or ""
    return f"{name} " if name[-1:].isascii() and name[-1:].isalnum() else name


def lab_value(lab: LabResult) -> str:
    """Value and unit as they are written together."""
    return f"{lab.value}{'×' if (lab.unit or '').startswith('10') else ''}{lab.unit or ''}"


def _exam_item(position: int, exam: ExamReport) -> SourceItem:
    name = f"{exam.site or ''}{exam.modality if exam.modality not in (None, '其他') else '检查'}"
    conclusion = (exam.impression or exam.finding or "").strip()
    return SourceItem(
        f"{name}：{conclusion}", resource("exam_reports", position, exam.id), exam.performed_at or exam.reported_at,
        "critical" if exam.critical else "result", _SALIENT, "exam_reports",
    )  # fmt: skip


def _procedure_item(position: int, procedure: Procedure) -> SourceItem:
    anesthesia = f"在{procedure.anesthesia}下" if procedure.anesthesia not in (None, "", "无") else ""
    name = procedure.name or ""
    side = procedure.laterality if procedure.laterality and procedure.laterality not in name else None
    where = f"（{side}{'' if side == '双侧' else '侧'}）" if side else ""
    implants = "、".join(implant.name for implant in procedure.implants or () if implant.name)
    told = f"，植入{implants}" if implants else ""
    if procedure.blood_units:
        told += f"，输血{procedure.blood_units:g}单位"
    return SourceItem(
        f"{anesthesia}行{name}{where}{told}", resource("procedures", position, procedure.id),
        procedure.started_at or procedure.ended_at, "operation", _SALIENT, "procedures",
    )  # fmt: skip


def is_drug(order: Order) -> bool:
    """Whether the order orders a drug by name."""
    return order.category == "药品" or order.drug is not None


def is_take_home(order: Order) -> bool:
    """Whether the patient takes it home."""
    return is_drug(order) and (bool(order.take_home) or order.kind == "出院带药")


def _drug_item(position: int, order: Order) -> SourceItem:
    weight = _SALIENT if is_take_home(order) else _PLAIN
    return SourceItem(
        drug_text(order),
        resource("orders", position, order.id),
        order.ordered_at,
        "treatment",
        weight,
        "orders",
    )


def drug_text(order: Order) -> str:
    """Name, dose, route and frequency; the order's own words where the drug is not given in parts."""
    drug = order.drug
    if drug is None or not drug.name:
        return (order.content or "").strip()
    dose = f"{drug.dose:g}{drug.unit or ''}" if drug.dose is not None else ""
    return " ".join(part for part in (drug.name, dose, drug.route, drug.frequency) if part)
