"""Whether things happened, and were written, in a possible order."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache

from pydantic import Field

from app.qc.case import STAY_EVENT_TITLES, Case, StayEvent, course_moment
from app.qc.checks.base import Check, DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.qc.timeline import is_cancelled, later
from app.records.model import CHINA_TIME, Document, DocumentType, Order, Procedure, Span
from app.text.patterns import regex
from app.text.times import find_dates

_AFTER_LIFE = regex("尸|遗体|死亡|出院|停止|取消|作废|终止|转院")
_MADE_UP = regex("补记|补录|补写|追记")
_HEAD = 60


def shown(moment: datetime) -> str:
    """A moment as users read it."""
    with suppress(OverflowError):
        moment = moment.astimezone(CHINA_TIME)
    return moment.strftime("%Y-%m-%d %H:%M")


def written_head(document: Document) -> tuple[Span, datetime] | None:
    """The time, to the minute, that stands at the head of a document's text."""
    return _head_time(document.text[:_HEAD])


@lru_cache(maxsize=512)
def _head_time(head: str) -> tuple[Span, datetime] | None:
    for date in find_dates(head):
        if date.value is not None and date.precision == "minute":
            return date.span, date.value
    return None


class StayReversed(Check, name="stay_reversed"):
    """The stay ends before it begins."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        stay = case.record.encounter
        ends = [(title, m) for title, m in (("出院", stay.discharged_at), ("死亡", stay.died_at)) if m]
        if not ends:
            return undetermined("未提供出院或死亡时间") if case.is_over else not_applicable("患者在院")
        if stay.admitted_at is None:
            return undetermined("未提供入院时间")
        early = [(title, moment) for title, moment in ends if moment < stay.admitted_at]
        if not early:
            return PASSED
        title, moment = early[0]
        return defect(
            Hit(details={"admitted": shown(stay.admitted_at), "event": title, "ended": shown(moment)})
        )


class ProcedureOutsideStay(Check, name="procedure_outside_stay"):
    """A procedure that begins before admission, after the stay's end, or ends before it begins.

    An emergency procedure may come before admission.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each procedure and combine."""
        rulings = (self._rule_on_procedure(case, procedure) for procedure in case.record.procedures or ())
        return combine(rulings, none_reason="没有手术与操作")

    def _rule_on_procedure(self, case: Case, procedure: Procedure) -> Ruling:
        started, ended = procedure.started_at, procedure.ended_at
        admitted, left = case.record.encounter.admitted_at, case.ended_at
        if started is None or admitted is None:
            return undetermined("未提供手术或入院时间")
        problem = None
        if ended is not None and ended < started:
            problem = f"结束时间{shown(ended)}早于开始时间{shown(started)}"
        elif started < admitted and procedure.emergency is not True:
            if procedure.emergency is None:
                return undetermined(f"未说明“{procedure.name or '手术'}”是否为急诊")
            problem = f"开始时间{shown(started)}早于入院时间{shown(admitted)}"
        elif left is not None and started > left:
            problem = f"开始时间{shown(started)}晚于离院时间{shown(left)}"
        if problem is None:
            return PASSED
        return defect(Hit(details={"procedure": procedure.name or "手术", "problem": problem}))


class WrittenBefore(DocumentCheck, name="written_before"):
    """A document finished before an event that it can only follow."""

    event: StayEvent

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        moment, done = case.moment_of(self.event), document.completed_at
        if moment is None:
            return undetermined(f"未提供{STAY_EVENT_TITLES[self.event]}时间")
        if done is None:
            return undetermined("文书没有完成时间")
        if done >= moment:
            return PASSED
        if "急诊" in (document.title or "") or "急诊" in document.text[:_HEAD]:
            return not_applicable("急诊完成并随患者转入的文书")
        return defect(
            Hit.at(document, document=document.title or document.kind, done=shown(done), moment=shown(moment))
        )


class WrittenAhead(DocumentCheck, name="written_ahead"):
    """A document finished before what it records had happened (预写).

    The event is the document's own, else the end of its procedure, else for a 出院记录 the discharge.

    Attributes:
        of_procedure: types that record a procedure.
        discharge_lead_hours: how long before discharge a 出院记录 may be finished; by default it is not judged.
    """

    of_procedure: tuple[DocumentType, ...] = ("手术记录", "麻醉记录", "术后首次病程记录", "有创诊疗操作记录")
    discharge_lead_hours: float | None = Field(default=None, ge=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        event = self._event(case, document)
        if event is None:
            return not_applicable("没有所记事件的时间")
        if document.completed_at is None:
            return undetermined("文书没有完成时间")
        if document.completed_at >= event:
            return PASSED
        return defect(
            Hit.at(
                document,
                document=document.title or document.kind,
                done=shown(document.completed_at),
                event=shown(event),
            )
        )

    def _event(self, case: Case, document: Document) -> datetime | None:
        if document.kind == "出院记录":
            left = case.record.encounter.discharged_at
            if left is None or self.discharge_lead_hours is None:
                return None
            return later(left, timedelta(hours=-self.discharge_lead_hours))
        if document.event_at is not None or document.kind not in self.of_procedure:
            return document.event_at
        for procedure in case.record.procedures or ():
            if procedure.ended_at and document in case.documents_for(procedure, document.kind):
                return procedure.ended_at
        return None


class AfterTheEnd(Check, name="after_the_end"):
    """An order given, or a course event, after the patient had left or died.

    Course documents count by the event they record, else by the time at their head; one that is only finished
    later does not. Take-home drugs and what a death still asks for are no defect.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        end = case.ended_at
        if end is None:
            return undetermined("未提供出院或死亡时间") if case.is_over else not_applicable("患者在院")
        title = "死亡" if case.record.encounter.died_at else "出院"
        hits = [*self._orders(case, end, title), *self._documents(case, end, title, applies_to)]
        return defect(*hits) if hits else PASSED

    def _orders(self, case: Case, end: datetime, title: str) -> Iterator[Hit]:
        for order in case.record.orders or ():
            if order.ordered_at is None or order.ordered_at <= end or order.take_home:
                continue
            is_made_up = order.executed_at is not None and order.executed_at <= end
            leaves = order.kind == "出院带药" or order.category == "出院"
            if not is_made_up and not leaves and not _AFTER_LIFE.search(order.content or ""):
                what = f"医嘱“{order.content or order.id or ''}”"
                yield Hit(
                    details={"what": what, "at": shown(order.ordered_at), "event": title, "end": shown(end)}
                )

    def _documents(
        self, case: Case, end: datetime, title: str, types: tuple[DocumentType, ...]
    ) -> Iterator[Hit]:
        for document in case.documents_of(*types):
            head = written_head(document)
            moment = document.event_at or (head[1] if head else None)
            if moment is not None and moment > end and not _MADE_UP.search(document.text[:_HEAD]):
                spans = (head[0],) if head and not document.event_at else ()
                what = document.title or document.kind
                yield Hit.at(document, *spans, what=what, at=shown(moment), event=title, end=shown(end))


class NotBeforeProcedure(Check, name="not_before_procedure"):
    """A preoperative document finished after its procedure had begun; emergency procedures are exempt."""

    kinds: tuple[str, ...] = ("手术", "介入")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each procedure's documents and combine."""
        return combine(self._rulings(case, applies_to), none_reason=f"没有手术或没有{'、'.join(applies_to)}")

    def _rulings(self, case: Case, types: tuple[DocumentType, ...]) -> Iterator[Ruling]:
        for procedure in case.record.procedures or ():
            if procedure.kind in self.kinds:
                documents = case.documents_for(procedure, *types)
                yield from (self._rule_on_document(procedure, document) for document in documents)

    def _rule_on_document(self, procedure: Procedure, document: Document) -> Ruling:
        done, started = document.completed_at, procedure.started_at
        if done is None or started is None:
            return undetermined("未提供手术开始时间或文书完成时间")
        if done <= started:
            return PASSED
        if procedure.emergency:
            return not_applicable("抢救性急诊手术")
        if procedure.emergency is None:
            return undetermined(f"未说明“{procedure.name or '手术'}”是否为急诊手术")
        name = document.title or document.kind
        return defect(Hit.at(document, document=name, done=shown(done), started=shown(started)))


class DiscussedAfterDecision(Check, name="discussed_after_decision"):
    """A preoperative discussion later than the order for the operation, or than the patient's consent to it.

    Attributes:
        kinds: kinds of procedure that are judged.
        patient_roles: roles of signatures on the consent that are the patient's side.
    """

    kinds: tuple[str, ...] = ("手术",)
    patient_roles: tuple[str, ...] = ("患者", "近亲属", "授权委托人", "法定代理人")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation and combine."""
        concerned = [p for p in case.record.procedures or () if p.kind in self.kinds]
        rulings = (
            self._rule_on_document(case, procedure, document)
            for procedure in concerned
            for document in case.documents_for(procedure, *applies_to)
        )
        return combine(rulings, none_reason=f"没有手术或没有{'、'.join(applies_to)}")

    def _rule_on_document(self, case: Case, procedure: Procedure, document: Document) -> Ruling:
        discussed = document.event_at or document.completed_at
        if discussed is None:
            return undetermined("术前讨论没有时间")
        decisions = [*self._ordered(case, procedure), *self._consented(case, procedure)]
        early = [(what, moment) for what, moment in decisions if moment < discussed]
        if early and procedure.emergency:
            return not_applicable("抢救性急诊手术")
        if early and procedure.emergency is None:
            return undetermined(f"未说明“{procedure.name or '手术'}”是否为急诊手术")
        if early:
            what, moment = early[0]
            details = {"discussed": shown(discussed), "decision": what, "moment": shown(moment)}
            return defect(Hit.at(document, **details))
        return PASSED if decisions else undetermined("未提供手术医嘱时间和同意书患方签署时间")

    def _ordered(self, case: Case, procedure: Procedure) -> Iterator[tuple[str, datetime]]:
        orders = [o for o in case.record.orders or () if o.category == "手术" and not is_cancelled(o)]
        alone = len(case.record.procedures or ()) == 1 and len(orders) == 1
        for order in orders:
            named = procedure.name is not None and procedure.name in (order.content or "")
            if order.ordered_at and (alone or named):
                yield "手术医嘱", order.ordered_at

    def _consented(self, case: Case, procedure: Procedure) -> Iterator[tuple[str, datetime]]:
        for document in case.documents_for(procedure, "手术知情同意书"):
            signed = [
                s.signed_at for s in document.signatures or () if s.role in self.patient_roles and s.signed_at
            ]
            if signed:
                yield "手术知情同意书患方签署", min(signed)


class OrderTimesReversed(Check, name="order_times_reversed"):
    """An order stopped before it was given, or carried out before it was given.

    Orders carried out within the hours before the end of a resuscitation are oral ones entered afterwards.

    Attributes:
        resuscitation_hours: how long before its end a resuscitation may have begun.
    """

    resuscitation_hours: float = Field(default=6, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge all orders."""
        orders = [o for o in case.record.orders or () if o.ordered_at]
        if not orders:
            return undetermined("没有写下达时间的医嘱") if case.record.orders else not_applicable("没有医嘱")
        hits = [hit for order in orders if (hit := self._hit(case, order))]
        return defect(*hits) if hits else PASSED

    def _hit(self, case: Case, order: Order) -> Hit | None:
        given, stopped, executed = order.ordered_at, order.stopped_at, order.executed_at
        if given is None:
            return None
        problem = None
        if stopped is not None and stopped < given:
            problem = f"{shown(stopped)}停止，早于{shown(given)}下达"
        elif executed is not None and executed < given and not self._in_resuscitation(case, order, executed):
            problem = f"{shown(executed)}执行，早于{shown(given)}下达"
        return (
            Hit(details={"order": order.content or order.id or "", "problem": problem}) if problem else None
        )

    def _in_resuscitation(self, case: Case, order: Order, executed: datetime) -> bool:
        if re.search("抢救|口头|补", order.content or ""):
            return True
        ends = [d.event_at or d.completed_at for d in case.documents_of("抢救记录")]
        reach = timedelta(hours=self.resuscitation_hours)
        return any(end is not None and timedelta(0) <= end - executed <= reach for end in ends)


class ReportTimesReversed(Check, name="report_times_reversed"):
    """A report issued before its specimen or examination was taken, or before it was ordered."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge all reports."""
        ordered = {o.id: o.ordered_at for o in case.record.orders or () if o.id and o.ordered_at}
        hits: dict[str, Hit] = {}
        judged = False
        for name, taken, reported, order_id in self._reports(case):
            if reported is None:
                continue
            asked = ordered.get(order_id or "")
            judged = judged or bool(taken or asked)
            early = next(
                ((what, m) for what, m in (("采样或检查", taken), ("申请", asked)) if m and reported < m),
                None,
            )
            if early:
                details = {
                    "report": name,
                    "reported": shown(reported),
                    "what": early[0],
                    "moment": shown(early[1]),
                }
                hits.setdefault(f"{name}{reported}", Hit(details=details))
        if hits:
            return defect(*hits.values())
        return PASSED if judged else undetermined("报告没有可比的时间")

    def _reports(self, case: Case) -> Iterator[tuple[str, datetime | None, datetime | None, str | None]]:
        for result in case.record.lab_results or ():
            yield (
                result.panel or result.item or "检验",
                result.sampled_at,
                result.reported_at,
                result.order_id,
            )
        for report in case.record.exam_reports or ():
            name = f"{report.site or ''}{report.modality or '检查'}"
            yield name, report.performed_at, report.reported_at, report.order_id


class CourseTimesClash(Check, name="course_times_clash"):
    """Two course documents of one type at the same minute, or a head time far from that of completion.

    Attributes:
        head_hours: how far the time at the head may lie from the time of completion.
    """

    head_hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        documents = [d for d in case.course_documents if d.kind in applies_to]
        if not documents:
            return not_applicable("没有写时间的病程类文书")
        hits = [*self._simultaneous(documents), *self._far_heads(documents)]
        return defect(*hits) if hits else PASSED

    def _simultaneous(self, documents: list[Document]) -> Iterator[Hit]:
        seen: dict[tuple[str, datetime], Document] = {}
        for document in documents:
            key = (document.kind, course_moment(document))
            first = seen.setdefault(key, document)
            if first is not document and first.text != document.text:
                names = f"“{first.title or first.kind}”与“{document.title or document.kind}”"
                yield Hit.at(document, problem=f"{names}的时间同为{shown(key[1])}")

    def _far_heads(self, documents: list[Document]) -> Iterator[Hit]:
        for document in documents:
            head, done = written_head(document), document.completed_at
            if head is None or done is None or _MADE_UP.search(document.text[:_HEAD]):
                continue
            if abs(head[1] - done) > timedelta(hours=self.head_hours) and document.event_at is None:
                problem = f"首行时间{shown(head[1])}与完成时间{shown(done)}相差超过{self.head_hours:g}小时"
                yield Hit.at(document, head[0], problem=problem)
