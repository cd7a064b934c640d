"""Whether orders, reports and the course notes speak of the same things.

A note counts for what came before it was written. Matching is generous: a report that a note may mean is taken
as told, because a false defect costs more than a missed one.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check, DocumentCheck
from app.qc.checks.order_of_events import shown
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import day_of, is_cancelled, later
from app.records.model import Document, DocumentType, ExamReport, Order, Span
from app.text.assertion import Assertion, assertion_at
from app.text.investigations import (
    Examination,
    classes_of,
    drug_class,
    drug_names,
    find_examinations,
    names_modality,
    regions_in,
    regions_shown,
    report_regions,
)
from app.text.lexicons import load_mapping
from app.text.width import half_width

_OUTSIDE = re.compile("外院|院外|会诊阅片|外送")
_PHRASES = re.compile(r"[。;,、\n()!:]+")
_GENERIC = re.compile("未见|正常|请结合|建议|随访|复查|术后|改变$|同前|较前|符合|考虑|结合临床")
_SHORTEST_PHRASE = 5
_JUST_ADMITTED = timedelta(hours=2)
_NOT_DONE = re.compile("未做|未能|拒绝|拒查|拒做|取消|退检|未行|不配合|暂缓|改期|未完成")
_AWAITED = re.compile("待回|未回|未出|待报告|待结果|未归|待病理|尚未|送检中|待追")
_GUIDED = re.compile("引导|定位|阅片|会诊")
_SENTENCE_ENDS = "。;\n"


def written(document: Document) -> datetime | None:
    """When a document was finished, else when what it records happened."""
    return document.completed_at or document.event_at


def notes_from(case: Case, types: tuple[DocumentType, ...], moment: datetime) -> list[Document]:
    """The documents of the types finished at or after a moment, in order."""
    dated = [(w, d) for d in case.record.documents_of(*types) if (w := written(d)) and w >= moment]
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
        return re.compile(self.impression) if self.impression else None

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
        for document in case.record.documents or ():
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
    earlier = [
        case.reading(d).half
        for d in case.record.documents or ()
        if (w := written(d)) and w < report.reported_at
    ]
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
        records = case.record.documents_of(*self.taken_in)
        reports = list(self._reports(case))
        if reports and records and not any(_SPECIMEN.search(case.reading(d).half) for d in records):
            details = {"report": "病理报告", "problem": "手术（操作）记录没有写取材送检"}
            return combine((ruling, defect(Hit(records[0].id, details=details))), none_reason="")
        if not reports and case.is_over:
            return combine((ruling, *self._unreported(case, records)), none_reason="没有病理检查")
        return ruling

    def _unreported(self, case: Case, records: tuple[Document, ...]) -> Iterator[Ruling]:
        told = [case.reading(d).half for d in case.record.documents_of(*self.told_in)]
        for document in records:
            half = case.reading(document).half
            match = _SENT.search(half)
            if match and assertion_at(document.text, Span(*match.span())) is Assertion.PRESENT:
                if any("病理" in text for text in told):
                    yield PASSED
                else:
                    details = {"report": "送检标本", "problem": "没有病理报告，出院记录也没有写结果待回报"}
                    yield defect(Hit.at(document, Span(*match.span()), **details))


_SPECIMEN = re.compile("病理|送检|标本|活检|取材|冰冻|切片|送病|组织")
_SENT = re.compile(r"送(?:常规|快速|术后|石蜡|组织)?病理|病理送检|标本[^。;\n]{0,10}送(?:病|检)")


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


_TOPICAL = re.compile(
    "外用|滴眼|滴耳|滴鼻|阴道|纳肛|直肠|涂|漱口|冲洗|眼膏|软膏|乳膏|栓|洗剂|凝胶|贴|喷雾|封管|皮试"
)
_SUSCEPTIBILITY = re.compile("敏感|耐药|中介|药敏|MIC")
_ALLERGY = re.compile(r"[^。;,\n]{0,8}过敏(?!反应)")


class DrugOrders(NamedTuple):
    """The orders of one drug, in order of time."""

    name: str
    kind: str
    orders: tuple[Order, ...]

    @property
    def begun_at(self) -> datetime | None:
        """When the first was given."""
        return min((o.ordered_at for o in self.orders if o.ordered_at), default=None)


def systemic_drugs(case: Case, groups: tuple[str, ...]) -> list[DrugOrders]:
    """The drugs of the groups that were given in the stay other than locally, with their orders."""
    classes = classes_of(groups)
    found: dict[tuple[str, str], list[Order]] = {}
    for order in case.record.orders or ():
        if order.category != "药品" or order.take_home or order.kind == "出院带药" or is_cancelled(order):
            continue
        route = order.drug.route if order.drug else None
        if _TOPICAL.search(f"{route or ''} {order.content or ''}"):
            continue
        known = drug_class((order.drug.name if order.drug else None) or order.content or "")
        if known and known[1] in classes:
            found.setdefault(known, []).append(order)
    return [DrugOrders(name, kind, tuple(orders)) for (name, kind), orders in found.items()]


def tells_drug(case: Case, note: Document, drug: DrugOrders, words: re.Pattern[str]) -> bool:
    """Whether a note speaks of a drug: by a name of its class, or by general words.

    Sentences on susceptibility or allergy do not count, nor does what the note denies.
    """
    half = case.reading(note).half
    names = (
        *drug_names(drug.name),
        *load_mapping("drug_classes").get(drug.kind, ()),
        drug.kind.removesuffix("类"),
    )
    for name in names:
        position = half.find(name)
        while position >= 0:
            after = position + len(name)
            if not _SUSCEPTIBILITY.search(sentence_around(half, Span(position, after))) and (
                not _ALLERGY.match(half, after)
            ):
                return True
            position = half.find(name, position + 1)
    for match in words.finditer(half):
        span = Span(*match.span())
        if not _SUSCEPTIBILITY.search(sentence_around(half, span)) and (
            assertion_at(note.text, span) is not Assertion.ABSENT
        ):
            return True
    return False


class DrugNotDiscussed(Check, name="drug_not_discussed"):
    """A drug of some groups was given and no course note speaks of it.

    Attributes:
        groups: drug groups or classes.
        words: a pattern of general words that will do.
        routes: a pattern that the route must match; by default every route but local ones.
        single_dose_in: further types that will do for drugs given by single orders only (before operations).
        note_hours: hours after the first order up to which a note is awaited in hospital.
    """

    groups: tuple[str, ...] = Field(min_length=1)
    words: str
    routes: str | None = None
    single_dose_in: tuple[DocumentType, ...] = ()
    note_hours: float = Field(default=24, gt=0)

    @cached_property
    def _words(self) -> re.Pattern[str]:
        return re.compile(self.words)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each drug and combine."""
        drugs = [drug for drug in systemic_drugs(case, self.groups) if self._is_route(drug)]
        rulings = (self._rule_on_drug(case, drug, applies_to) for drug in drugs)
        return combine(rulings, none_reason=f"未用{'、'.join(self.groups)}")

    def _is_route(self, drug: DrugOrders) -> bool:
        if self.routes is None:
            return True
        written_routes = (f"{o.drug.route if o.drug else ''} {o.content or ''}" for o in drug.orders)
        return any(re.search(self.routes, route) for route in written_routes)

    def _rule_on_drug(self, case: Case, drug: DrugOrders, types: tuple[DocumentType, ...]) -> Ruling:
        begun = drug.begun_at
        if begun is None:
            return undetermined(f"{drug.name}医嘱没有时间")
        if all(order.kind == "临时" for order in drug.orders):
            types = (*types, *self.single_dose_in)
        notes = notes_from(case, types, later(begun, -timedelta(hours=48)))
        if any(tells_drug(case, note, drug, self._words) for note in notes):
            return PASSED
        after = [note for note in notes if (w := written(note)) and w >= begun]
        limit = later(begun, timedelta(hours=self.note_hours))
        if not case.is_past(limit):
            return not_yet(limit, f"病程中对使用{drug.name}的记录")
        if not after and case.ended_at is not None and case.ended_at <= limit:
            return undetermined("用药后不久离院，没有后续病程")
        details = {"drug": drug.name, "begun": shown(begun), "count": len(drug.orders)}
        return defect(Hit(nearest(notes, begun), details=details))


class TreatmentNotDiscussed(Check, name="treatment_not_discussed"):
    """Orders of a treatment, known by their wording, of which no course note speaks.

    Attributes:
        orders: a pattern for the content of the orders.
        words: a pattern that a note must show.
        kind: the treatment as the user reads it.
    """

    orders: str
    words: str
    kind: str
    note_hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        given = [
            o
            for o in case.record.orders or ()
            if re.search(self.orders, o.content or "") and not is_cancelled(o) and o.category != "会诊"
        ]
        if not given:
            return not_applicable(f"没有{self.kind}医嘱")
        begun = min((o.ordered_at for o in given if o.ordered_at), default=None)
        if begun is None:
            return undetermined(f"{self.kind}医嘱没有时间")
        notes = notes_from(case, applies_to, later(begun, -timedelta(hours=48)))
        if any(re.search(self.words, case.reading(note).half) for note in notes):
            return PASSED
        limit = later(begun, timedelta(hours=self.note_hours))
        if not case.is_past(limit):
            return not_yet(limit, f"病程中对{self.kind}的记录")
        details = {"order": given[0].content or self.kind, "kind": self.kind, "begun": shown(begun)}
        return defect(Hit(notes[0].id if notes else None, details=details))


class DrugChangeUnexplained(Check, name="drug_change_unexplained"):
    """An important drug begun or stopped, and no note about that time speaks of it.

    Only long-term orders count; a drug continued by another order is neither begun nor stopped, and what stops
    with the stay needs no reason.

    Attributes:
        words: drug group or class -> a pattern of general words that will do.
        hours: how far from the change a note may be finished.
    """

    words: dict[str, str]
    hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each change and combine."""
        rulings = [
            self._rule_on_change(case, drug, re.compile(words), change, applies_to)
            for group, words in self.words.items()
            for drug in systemic_drugs(case, (group,))
            for change in self._changes(case, drug)
        ]
        return combine(rulings, none_reason="没有重要药物的变更")

    def _changes(self, case: Case, drug: DrugOrders) -> Iterator[tuple[str, datetime]]:
        orders = [o for o in drug.orders if o.kind == "长期"]
        reach = timedelta(hours=self.hours)
        for order in orders:
            others = [o for o in drug.orders if o is not order]
            begun, stopped = order.ordered_at, order.stopped_at
            if begun and not any(o.stopped_at and abs(begun - o.stopped_at) <= reach for o in others):
                yield "使用", begun
            is_final = stopped and case.ended_at and case.ended_at - stopped <= reach
            continued = any(o.ordered_at and stopped and abs(stopped - o.ordered_at) <= reach for o in others)
            if stopped and not is_final and not continued and case.is_over:
                yield "停用", stopped

    def _rule_on_change(
        self,
        case: Case,
        drug: DrugOrders,
        words: re.Pattern[str],
        change: tuple[str, datetime],
        types: tuple[DocumentType, ...],
    ) -> Ruling:
        what, moment = change
        reach = timedelta(hours=self.hours)
        limit = later(moment, reach)
        near = [d for d in notes_from(case, types, later(moment, -reach)) if (w := written(d)) and w <= limit]
        before = [d for d in case.record.documents_of(*types) if (w := written(d)) and w <= moment]
        if any(tells_drug(case, note, drug, words) for note in near):
            return PASSED
        if what == "停用" and any(self._plans_end(case, note, drug) for note in before):
            return PASSED
        if not case.is_past(limit):
            return not_yet(limit, f"病程中对{what}{drug.name}的说明")
        details = {"drug": drug.name, "change": what, "at": shown(moment), "hours": f"{self.hours:g}"}
        place = nearest(list(case.record.documents_of(*types)), moment)
        return defect(Hit(place, details=details))

    def _plans_end(self, case: Case, note: Document, drug: DrugOrders) -> bool:
        half = case.reading(note).half
        position = half.find(drug.name)
        if position < 0:
            return False
        sentence = sentence_around(half, Span(position, position + len(drug.name)))
        return re.search(r"疗程|停|至|用满|\d\s?(?:天|日|小时)", sentence) is not None


class ResuscitationDrugs(DocumentCheck, name="resuscitation_drugs"):
    """A resuscitation record tells of drugs for which there is no order.

    Attributes:
        groups: classes of the drugs that are compared.
        hours: how far from the record's event the order may lie.
    """

    groups: tuple[str, ...] = ("血管活性药",)
    hours: float = Field(default=24, gt=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        half = case.reading(document).half
        names = sorted(
            {n for kind in classes_of(self.groups) for n in load_mapping("drug_classes").get(kind, ())},
            key=len,
            reverse=True,
        )
        told = [Span(*m.span()) for m in re.finditer("|".join(map(re.escape, names)), half)]
        given = [s for s in told if assertion_at(document.text, s) is Assertion.PRESENT and _dosed(half, s)]
        if not given:
            return not_applicable("抢救记录没有写需比对的用药")
        ordered = " ".join(
            half_width(f"{o.content or ''}{o.drug.name if o.drug else ''}")
            for o in self._orders(case, document)
        )
        missing = {s.of(half): s for s in given if s.of(half) not in ordered}
        if not missing:
            return PASSED
        return defect(Hit.at(document, *missing.values(), drugs="、".join(missing)))

    def _orders(self, case: Case, document: Document) -> Iterator[Order]:
        moment, reach = document.event_at or document.completed_at, timedelta(hours=self.hours)
        for order in case.record.orders or ():
            given = order.executed_at or order.ordered_at
            if moment is None or given is None or abs(given - moment) <= reach:
                yield order


def _dosed(half: str, span: Span) -> bool:
    near = half[max(0, span.start - 8) : span.end + 16]
    return re.search(r"\d\s?(?:mg|ml|[μu]g|支|[Uu])|静推|静注|静滴|泵入|肌注|静脉|推注", near) is not None


class TubeUnrecorded(Check, name="tube_unrecorded"):
    """A tube placed or removed by order, of which no note of that day or the next tells.

    Attributes:
        tubes: for each kind of tube, a pattern for orders and notes alike.
        actions: a pattern for placing or removing, in orders and notes.
    """

    tubes: tuple[str, ...] = Field(min_length=1)
    actions: str

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each order and combine."""
        rulings = (
            self._rule_on_order(case, order, tube, applies_to)
            for order in case.record.orders or ()
            for tube in self.tubes
            if order.category in ("操作", "护理", "其他") and self._matches(order, tube)
        )
        return combine(rulings, none_reason="没有置管、拔管医嘱")

    def _matches(self, order: Order, tube: str) -> bool:
        content = order.content or ""
        return bool(re.search(tube, content) and re.search(self.actions, content)) and not is_cancelled(order)

    def _rule_on_order(self, case: Case, order: Order, tube: str, types: tuple[DocumentType, ...]) -> Ruling:
        executed = order.executed_at
        if executed is None:
            return undetermined("未见执行时间")
        limit = later(executed, timedelta(days=2))
        if not case.is_over and not case.is_past(limit):
            return not_applicable("患者在院，书写时限未到")
        day = day_of(executed)
        notes = [
            d
            for d in case.record.documents_of(*types)
            if (m := d.event_at or written(d)) and 0 <= (day_of(m) - day).days <= 1
        ]
        if any(re.search(tube, case.reading(note).half) for note in notes):
            return PASSED
        if not notes and case.ended_at is not None and (day_of(case.ended_at) - day).days <= 1:
            return undetermined("操作后不久离院，没有后续病程")
        details = {"order": order.content or "", "executed": shown(executed)}
        return defect(Hit(notes[0].id if notes else None, details=details))


_ADVICE = re.compile(r"(?:会诊)?(?:意见|建议)\s*:?")
_LISTED = re.compile(r"建议\s*:\s*")
_NO_ADVICE = re.compile("无特殊(?:处理|处置|建议|治疗|意见)|暂无特殊|无需特殊")
_PROPOSES = re.compile("查|用|予|行|转|停|改|加|建议|换|补|监测|复诊|控制|避免|禁|手术|治疗|训练|评估")
_DEPARTMENT = re.compile(r"(?:应邀|受邀|邀请|会诊|被邀)科室\s*:?\s*(?P<name>[\u4e00-\u9fff]{2,8}?科)")
_TITLE_DEPARTMENT = re.compile(r"(?P<name>[\u4e00-\u9fff]{2,8}?科)会诊")


class AdviceUnanswered(DocumentCheck, name="advice_unanswered"):
    """Consultation advice that no later note takes up, and no later order carries out.

    A note takes it up by naming the consultation, the department or an advised drug.

    Attributes:
        hours: hours after the consultation up to which a note is awaited in hospital.
        note_types: the notes that may take it up.
    """

    hours: float = Field(default=48, gt=0)
    note_types: tuple[DocumentType, ...] = Field(min_length=1)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        moment = document.event_at or document.completed_at
        advice = self._advice(case, document)
        if moment is None or advice is None:
            return undetermined("没有会诊时间或会诊意见")
        half = case.reading(document).half
        words = advice.of(half)
        if _NO_ADVICE.search(words) or not _PROPOSES.search(words):
            return not_applicable("会诊没有提出处理建议")
        notes = [n for n in notes_from(case, self.note_types, moment) if n.id != document.id]
        if self._is_answered(case, document, words, notes) or self._is_ordered(case, words, moment):
            return PASSED
        limit = later(moment, timedelta(hours=self.hours))
        if not case.is_past(limit):
            return not_yet(limit, "会诊意见执行情况的记录")
        if not notes and case.ended_at is not None and case.ended_at <= limit:
            return undetermined("会诊后不久离院，没有后续病程")
        name = document.title or document.kind
        return defect(Hit.at(document, self._shortened(half, advice), document=name, at=shown(moment)))

    def _advice(self, case: Case, document: Document) -> Span | None:
        reading = case.reading(document)
        section = reading.section("会诊意见")
        start = section.body.start if section else None
        if start is None:
            found = list(_ADVICE.finditer(reading.half))
            start = found[0].end() if found else None
        if start is None:
            return None
        listed = _LISTED.search(reading.half, start)
        start = listed.end() if listed else start
        end = reading.half.find("签名", start)
        span = Span(start, end if end >= 0 else len(reading.half))
        return span if span.of(reading.half).strip() else None

    def _shortened(self, half: str, advice: Span) -> Span:
        text = advice.of(half).rstrip()
        first = re.match(r"[^\n]{1,120}", text)
        return Span(advice.start, advice.start + (first.end() if first else len(text)))

    def _is_answered(self, case: Case, document: Document, words: str, notes: list[Document]) -> bool:
        stems = self._departments(case, document)
        known = [name for names in load_mapping("drug_classes").values() for name in names if len(name) > 2]
        drugs = [name for name in known if name in words]
        for note in notes:
            half = case.reading(note).half
            if "会诊" in half or any(stem in half for stem in stems) or any(drug in half for drug in drugs):
                return True
        return False

    def _departments(self, case: Case, document: Document) -> set[str]:
        half = case.reading(document).half
        found = [*_DEPARTMENT.finditer(half), *_TITLE_DEPARTMENT.finditer(document.title or "")]
        names = {match["name"] for match in found}
        return names | {re.sub("医学科|内科|外科|科", "", name) for name in names if len(name) > 3} - {""}

    def _is_ordered(self, case: Case, words: str, moment: datetime) -> bool:
        later_orders = [
            o
            for o in case.record.orders or ()
            if o.ordered_at and o.ordered_at >= moment and o.kind != "出院带药"
        ]
        advised = [
            (modality, mention)
            for modality in ("CT", "MRI", "X线", "超声", "内镜", "心电图")
            for mention in find_examinations(words, modality)
        ]
        for order in later_orders:
            content = half_width(order.content or "")
            if order.category in ("检查", "检验") and any(_asks(content, *each) for each in advised):
                return True
            known = drug_class(content) if order.category == "药品" else None
            if known and known[0] in words:
                return True
            if order.category == "检验" and any(
                len(part) > 2 and part in words for part in re.split(r"[(、,)\s]", content)
            ):
                return True
            if order.category in ("转科", "手术", "操作") and "转" in content and "转" in words:
                return True
        return False


def _asks(content: str, modality: str, mention: Examination) -> bool:
    orders = find_examinations(content, modality)
    return any(
        not mention.regions or not order.regions or mention.regions & order.regions for order in orders
    )


_QUOTED_TODAY = re.compile(r"(?:今日|今晨|今天|昨日|昨天|昨晚|刚刚|今)[^。;\n]{0,12}\Z")
_SHOWED = re.compile(r"[^。;,\n]{0,10}?(?:示|提示|见|报告|回报)(?!申请)")
_NOT_HERE = re.compile("床旁|床边|外院|院外|当地|门诊|急诊|入院前|既往|带来|自带|术中|拟|预约|待")


class ExaminationUnreported(Check, name="examination_unreported"):
    """A note tells what an examination of today or yesterday showed, and the record has none of its kind.

    Attributes:
        modalities: the modalities that are judged.
    """

    modalities: tuple[str, ...] = ("CT", "MRI")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each note."""
        reported = {report.modality for report in case.record.exam_reports or ()}
        documents = case.record.documents_of(*applies_to)
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


class RestrictedAntimicrobial(Check, name="restricted_antimicrobial"):
    """A special-grade antimicrobial (特殊使用级) without a consultation that agrees to it.

    The grade is that of the order's drug (``antimicrobial_grade``), or by the hospital's list.

    Attributes:
        drugs: the hospital's list.
        grade: the grade that needs a consultation.
    """

    drugs: tuple[str, ...] = ()
    grade: str = "特殊使用级"

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each drug of the grade."""
        given = systemic_drugs(case, ("抗菌药物",))
        if not given:
            return not_applicable("未用抗菌药物")
        if not self.drugs and not any(grade_of(order) for drug in given for order in drug.orders):
            return undetermined("未配置本院抗菌药物分级目录")
        used = [
            d.name for d in given if d.name in self.drugs or any(grade_of(o) == self.grade for o in d.orders)
        ]
        if not used:
            return not_applicable("未用特殊使用级抗菌药物")
        consultations = [case.reading(d).half for d in case.record.documents_of("会诊记录")]
        notes = [case.reading(d).half for d in case.record.documents_of(*applies_to)]
        missing = [
            name
            for name in used
            if not any(name in text or "抗菌药" in text for text in consultations)
            and not any(name in text and "会诊" in text for text in notes)
        ]
        return defect(*(Hit(details={"drug": name}) for name in missing)) if missing else PASSED


def grade_of(order: Order) -> str | None:
    """The antimicrobial grade that the source system gives with an order (限制使用级, 特殊使用级)."""
    grade = order.drug.extra.get("antimicrobial_grade") if order.drug else None
    return grade if isinstance(grade, str) else None
