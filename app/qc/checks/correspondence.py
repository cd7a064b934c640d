"""Whether orders, reports and the course notes speak of the same things.

A note counts for what came before it was written. Matching is generous: a report that a note may mean is taken
as told, because a false defect costs more than a missed one.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.order_of_events import shown
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import is_cancelled, later
from app.records.model import Document, DocumentType, ExamReport, Order, Span
from app.text.assertion import Assertion, assertion_at
from app.text.investigations import (
    Examination,
    find_examinations,
    names_modality,
    regions_in,
    regions_shown,
    report_regions,
)
from app.text.patterns import regex
from app.text.width import half_width

_OUTSIDE = regex("外院|院外|会诊阅片|外送")
_PHRASES = regex(r"[。;,、\n()!:]+")
_GENERIC = regex("未见|正常|请结合|建议|随访|复查|术后|改变$|同前|较前|符合|考虑|结合临床")
_SHORTEST_PHRASE = 5
_JUST_ADMITTED = timedelta(hours=2)
_NOT_DONE = regex("未做|未能|拒绝|拒查|拒做|取消|退检|未行|不配合|暂缓|改期|未完成")
_AWAITED = regex("待回|未回|未出|待报告|待结果|未归|待病理|尚未|送检中|待追")
_GUIDED = regex("引导|定位|阅片|会诊")
_SENTENCE_ENDS = "。;\n"


def written(document: Document) -> datetime | None:
    """When a document was finished, else when what it records happened."""
    return document.completed_at or document.event_at


def notes_from(case: Case, types: tuple[DocumentType, ...], moment: datetime) -> list[Document]:
    """The documents of the types finished at or after a moment, in order."""
    dated = [(w, d) for d in case.documents_of(*types) if (w := written(d)) and w >= moment]
    return [document for _, document in sorted(dated, key=lambda pair: pair[0])]


def nearest(documents: list[Document], moment: datetime) -> str | None:
    """The id of the document written nearest to a moment; ``None`` without any."""
    timed = [(abs(w - moment), d.id) for d in documents if (w := written(d))]
    return min(timed)[1] if timed else None


def sentence_around(half: str, span: Span) -> str:
    """The sentence of half-width text in which ``span`` lies."""
    start = max(half.rfind(mark, 0, span.start) for mark in _SENTENCE_ENDS) + 1
    ends = (half.find(mark, span.end) for mark in _SENTENCE_ENDS)
    return half[start : min((end for end in ends if end >= 0), default=len(half))]


def report_name(report: ExamReport) -> str:
    """A report as a user reads it."""
    modality = "" if report.modality == "其他" and report.site else report.modality or "检查"
    return f"{report.site or ''}{modality}"


def is_of_stay(case: Case, report: ExamReport) -> bool:
    """Whether an examination was made here during the stay; one before admission is not the chart's."""
    taken, admitted = report.performed_at or report.reported_at, case.record.encounter.admitted_at
    outside = _OUTSIDE.search(f"{report.site or ''}{report.impression or ''}")
    return not outside and (taken is None or admitted is None or taken >= admitted)


class ReportNotDiscussed(Check, name="report_not_discussed"):
    """An examination whose report no later note tells, that nobody ordered, or that has no report.

    Attributes:
        modalities: the modalities that are judged.
        impression: a pattern that the impression must state for the report to be judged.
        orders_too: whether a report without an order, or an executed order without a report, is a defect.
        due_hours: hours after an order is carried out from which its report is awaited.
        note_hours: hours after a report up to which a note is awaited in hospital.
    """

    modalities: tuple[str, ...] = Field(min_length=1)
    impression: str | None = None
    orders_too: bool = False
    due_hours: float = Field(default=24, gt=0)
    note_hours: float = Field(default=24, gt=0)

    @cached_property
    def _impression(self) -> re.Pattern[str] | None:
        return regex(self.impression) if self.impression else None

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each report, then each order without one."""
        reports = [r for r in self._reports(case) if is_of_stay(case, r)]
        rulings = [self._rule_on_report(case, report, reports, applies_to) for report in reports]
        if self.orders_too:
            rulings += self._rule_on_orders(case, reports)
        return combine(rulings, none_reason=f"住院期间没有{'、'.join(self.modalities)}")

    def _reports(self, case: Case) -> Iterator[ExamReport]:
        for report in case.record.exam_reports or ():
            if report.modality in self.modalities and self._is_judged(report):
                yield report

    def _is_judged(self, report: ExamReport) -> bool:
        if self._impression is None:
            return True
        text = report.impression or ""
        matches = self._impression.finditer(half_width(text))
        return any(assertion_at(text, Span(*match.span())) is Assertion.PRESENT for match in matches)

    def _rule_on_report(
        self, case: Case, report: ExamReport, reports: list[ExamReport], types: tuple[DocumentType, ...]
    ) -> Ruling:
        reported, ended = report.reported_at, case.ended_at
        if reported is None:
            return undetermined(f"{report_name(report)}没有报告时间")
        if ended is not None and reported > ended:
            return not_applicable("离院后才出报告")
        problems = [] if self._is_ordered(case, report) else ["没有对应的医嘱"]
        notes = notes_from(case, types, reported)
        if not any(tells_report(case, note, report, reports) for note in notes):
            limit = later(reported, timedelta(hours=self.note_hours))
            if not notes and ended is not None and ended <= limit:
                return undetermined("报告后不久离院，没有后续病程")
            if not case.is_past(limit):
                return not_yet(limit, f"病程中对{report_name(report)}结果的记录")
            problems.append("报告后的病程没有写结果和分析")
        if not problems:
            return PASSED
        details = {"report": f"{shown(reported)}的{report_name(report)}报告", "problem": "，".join(problems)}
        return defect(Hit(notes[0].id if notes else None, details=details))

    def _is_ordered(self, case: Case, report: ExamReport) -> bool:
        taken, admitted = report.performed_at, case.record.encounter.admitted_at
        just_admitted = taken is None or admitted is None or taken - admitted < _JUST_ADMITTED
        if not self.orders_too or just_admitted or report.order_id:
            return True
        return any(is_order_of(order, report) for order in case.record.orders or ())

    def _rule_on_orders(self, case: Case, reports: list[ExamReport]) -> Iterator[Ruling]:
        for order in case.record.orders or ():
            kind = next((m for m in self.modalities if names_modality(order.content or "", m)), None)
            if kind is None or order.category not in ("检查", "检验") or _GUIDED.search(order.content or ""):
                continue
            if order.executed_at is None or is_cancelled(order):
                continue
            is_reported = any(is_order_of(order, report) for report in case.record.exam_reports or ())
            if is_reported or self._has_result(case, order):
                yield PASSED
            else:
                yield self._without_report(case, order, order.executed_at, kind)

    def _has_result(self, case: Case, order: Order) -> bool:
        return any(order.id and result.order_id == order.id for result in case.record.lab_results or ())

    def _without_report(self, case: Case, order: Order, executed: datetime, kind: str) -> Ruling:
        due, ended = later(executed, timedelta(hours=self.due_hours)), case.ended_at
        if ended is None or ended < due:
            return not_applicable("报告未到时限")
        for document in case.documents:
            half = case.reading(document).half
            for mention in find_examinations(half, kind):
                sentence = sentence_around(half, mention.span)
                if _NOT_DONE.search(sentence) or _AWAITED.search(sentence):
                    return not_applicable("文书已说明未做或结果待回报")
        return defect(Hit(details={"report": f"医嘱“{order.content}”", "problem": "已执行而没有报告"}))


def is_order_of(order: Order, report: ExamReport) -> bool:
    """Whether a report answers an order: by its id, else by modality and region."""
    if report.order_id and order.id:
        return report.order_id == order.id
    content = order.content or ""
    if not report.modality or not names_modality(content, report.modality):
        return False
    half = half_width(content)
    named = frozenset().union(*(m.regions for m in find_examinations(half, report.modality)))
    own = report_regions(report.site)
    return not named or not own or bool(named & own) or bool(regions_in(half) & own)


def tells_report(case: Case, note: Document, report: ExamReport, reports: list[ExamReport]) -> bool:
    """Whether a note tells a report: names the examination, or repeats what it found.

    A bare “CT” stands for the report unless the note names another CT that has a report of its own.
    """
    half, modality = case.reading(note).half, report.modality or "其他"
    own = report_regions(report.site)
    mentions = [m for m in find_examinations(half, modality) if not m.is_planned and not m.is_elsewhere]
    others = frozenset().union(
        *(report_regions(r.site) for r in reports if r is not report and r.modality == report.modality)
    )
    if not own or any((m.regions or regions_shown(half, m)) & own for m in mentions):
        return bool(mentions) or _repeats_finding(case, half, report)
    if not any(mention.regions & others for mention in mentions) and any(
        not mention.regions and not regions_shown(half, mention) & others for mention in mentions
    ):
        return True
    return _repeats_finding(case, half, report)


def _repeats_finding(case: Case, half: str, report: ExamReport) -> bool:
    phrases = [
        phrase
        for phrase in _PHRASES.split(half_width(report.impression or ""))
        if len(phrase) >= _SHORTEST_PHRASE and not _GENERIC.search(phrase) and phrase in half
    ]
    if not phrases or report.reported_at is None:
        return False
    earlier = [case.reading(d).half for d in case.documents if (w := written(d)) and w < report.reported_at]
    return any(all(phrase not in text for text in earlier) for phrase in phrases)


class PathologyUnmatched(ReportNotDiscussed, name="pathology_unmatched"):
    """A pathology report not told, a specimen of which the operation record is silent, or one never reported.

    Attributes:
        taken_in: types that record the taking of a specimen.
        told_in: types that may say that the report is awaited.
    """

    modalities: tuple[str, ...] = ("病理",)
    taken_in: tuple[DocumentType, ...] = ("手术记录", "有创诊疗操作记录")
    told_in: tuple[DocumentType, ...] = ("出院记录", "死亡记录", "24小时内入出院记录")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the reports, then the specimens without one."""
        ruling = super().rule_on(case, applies_to)
        records = case.documents_of(*self.taken_in)
        reports = list(self._reports(case))
        if reports and records and not any(_SPECIMEN.search(case.reading(d).half) for d in records):
            details = {"report": "病理报告", "problem": "手术（操作）记录没有写取材送检"}
            return combine((ruling, defect(Hit(records[0].id, details=details))), none_reason="")
        if not reports and case.is_over:
            return combine((ruling, *self._unreported(case, records)), none_reason="没有病理检查")
        return ruling

    def _unreported(self, case: Case, records: tuple[Document, ...]) -> Iterator[Ruling]:
        told = [case.reading(d).half for d in case.documents_of(*self.told_in)]
        for document in records:
            half = case.reading(document).half
            match = _SENT.search(half)
            if match and assertion_at(document.text, Span(*match.span())) is Assertion.PRESENT:
                if any("病理" in text for text in told):
                    yield PASSED
                else:
                    details = {"report": "送检标本", "problem": "没有病理报告，出院记录也没有写结果待回报"}
                    yield defect(Hit.at(document, Span(*match.span()), **details))


_SPECIMEN = regex("病理|送检|标本|活检|取材|冰冻|切片|送病|组织")
_SENT = regex(r"送(?:常规|快速|术后|石蜡|组织)?病理|病理送检|标本[^。;\n]{0,10}送(?:病|检)")


class CultureUnmatched(ReportNotDiscussed, name="culture_unmatched"):
    """A culture without report, or whose report no later note tells; cultures may stand among the lab results."""

    modalities: tuple[str, ...] = ("细菌培养",)
    orders_too: bool = True
    due_hours: float = 120

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if case.record.exam_reports is None and case.record.lab_results is None:
            return undetermined("未提供检查、检验报告")
        return super().rule_on(case, applies_to)

    def _reports(self, case: Case) -> Iterator[ExamReport]:
        found = list(super()._reports(case))
        if found:
            yield from found
            return
        seen: set[tuple[str | None, datetime | None]] = set()
        for result in case.record.lab_results or ():
            key = (result.specimen, result.reported_at)
            if re.search("培养|细菌鉴定", f"{result.panel or ''}{result.item or ''}") and key not in seen:
                seen.add(key)
                yield ExamReport(
                    modality="细菌培养",
                    site=result.specimen,
                    impression=result.value,
                    performed_at=result.sampled_at,
                    reported_at=result.reported_at,
                    order_id=result.order_id,
                )


_QUOTED_TODAY = regex(r"(?:今日|今晨|今天|昨日|昨天|昨晚|刚刚|今)[^。;\n]{0,12}\Z")
_SHOWED = regex(r"[^。;,\n]{0,10}?(?:示|提示|见|报告|回报)(?!申请)")
_NOT_HERE = regex("床旁|床边|外院|院外|当地|门诊|急诊|入院前|既往|带来|自带|术中|拟|预约|待")


class ExaminationUnreported(Check, name="examination_unreported"):
    """A note tells what an examination of today or yesterday showed, and the record has none of its kind.

    Attributes:
        modalities: the modalities that are judged.
    """

    modalities: tuple[str, ...] = ("CT", "MRI")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each note."""
        reported = {report.modality for report in case.record.exam_reports or ()}
        documents = case.documents_of(*applies_to)
        if not documents:
            return not_applicable(f"没有{'、'.join(applies_to)}")
        hits = [
            Hit.at(document, mention.span, report=modality, document=document.title or document.kind)
            for modality in self.modalities
            if modality not in reported
            for document in documents
            for mention in find_examinations(case.reading(document).half, modality)
            if self._is_told(case.reading(document).half, mention)
        ]
        return defect(*hits) if hits else PASSED

    def _is_told(self, half: str, mention: Examination) -> bool:
        before = half[max(0, mention.span.start - 30) : mention.span.start]
        sentence = re.split(r"[。;\n]", before)[-1]
        if mention.is_planned or _NOT_HERE.search(sentence):
            return False
        return bool(_QUOTED_TODAY.search(sentence) and _SHOWED.match(half, mention.span.end))
