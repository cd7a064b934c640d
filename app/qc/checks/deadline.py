"""Whether documents were finished in time. “以内” includes the boundary (民法典第1259条)."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from app.qc.case import STAY_EVENT_TITLES, Case, StayEvent
from app.qc.checks.base import Check, DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Procedure

SENIOR_TITLES = ("主治医师", "副主任医师", "主任医师")
_MINUTE = timedelta(minutes=1)


def elapsed_text(elapsed: timedelta) -> str:
    """An elapsed time as users read it, cut to the minute; a late one never reads as in time."""
    minutes = -(-elapsed // _MINUTE)
    return f"{minutes // 60}小时{minutes % 60}分"


def _lateness(document: Document, start: datetime, limit_hours: float, done: datetime) -> Ruling:
    elapsed = done - start
    if elapsed <= timedelta(hours=limit_hours):
        return PASSED
    return defect(Hit.at(document, document=document.kind, limit=f"{limit_hours:g}", elapsed=elapsed_text(elapsed)))


class Deadline(Check, name="deadline"):
    """Documents finished later than a number of hours after an event of the stay.

    Attributes:
        after: the event.
        limit_hours: the limit, inclusive.
        judge: whether only the earliest document must keep it, or each.
    """

    after: StayEvent
    limit_hours: float = Field(gt=0)
    judge: Literal["earliest", "each"] = "earliest"

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        documents = case.record.documents_of(*applies_to)
        if not documents:
            return not_applicable(f"没有{'、'.join(applies_to)}")
        start = case.moment_of(self.after)
        if start is None:
            return undetermined(f"未提供{STAY_EVENT_TITLES[self.after]}时间")
        done = {d.id: d.completed_at for d in documents if d.completed_at}
        if len(done) < len(documents):
            return undetermined("文书没有完成时间")
        if self.judge == "earliest":
            documents = (min(documents, key=lambda d: done[d.id]),)
        rulings = (_lateness(d, start, self.limit_hours, done[d.id]) for d in documents)
        return combine(rulings, none_reason="没有可判的文书")


class EventDeadline(DocumentCheck, name="event_deadline"):
    """A document finished later than a number of hours after the end of what it records."""

    limit_hours: float = Field(gt=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        if document.event_at is None:
            return undetermined(f"{document.kind}没有所记事件的时间")
        if document.completed_at is None:
            return undetermined("文书没有完成时间")
        return _lateness(document, document.event_at, self.limit_hours, document.completed_at)


class ProcedureDeadline(Check, name="procedure_deadline"):
    """A document finished later than a number of hours after the end of its procedure."""

    limit_hours: float = Field(gt=0)
    kinds: tuple[str, ...] = ("手术", "介入")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each procedure's documents and combine."""
        rulings = [
            self._rule_on_document(document, procedure)
            for procedure in case.record.procedures or ()
            if procedure.kind in self.kinds
            for document in case.documents_for(procedure, *applies_to)
        ]
        return combine(rulings, none_reason=f"没有手术或没有{'、'.join(applies_to)}")

    def _rule_on_document(self, document: Document, procedure: Procedure) -> Ruling:
        done = document.completed_at
        if done is None:
            return undetermined("文书没有完成时间")
        if procedure.ended_at is not None:
            return _lateness(document, procedure.ended_at, self.limit_hours, done)
        started = procedure.started_at
        if started is not None and done - started <= timedelta(hours=self.limit_hours):
            return PASSED
        return undetermined("未提供手术结束时间")


class FirstRound(Check, name="first_round"):
    """The first round of a senior physician is not on record, or was recorded too late.

    Attributes:
        limit_hours: hours after admission, inclusive.
        titles: professional titles that count.
    """

    limit_hours: float = Field(gt=0)
    titles: tuple[str, ...] = SENIOR_TITLES

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        admitted = case.record.encounter.admitted_at
        if admitted is None:
            return undetermined("未提供入院时间")
        limit = admitted + timedelta(hours=self.limit_hours)
        if case.ended_at is not None and case.ended_at <= limit:
            return not_applicable(f"住院不足{self.limit_hours:g}小时")
        rounds = case.record.documents_of(*applies_to)
        senior = [d for d in rounds if rounding_title(d) in self.titles]
        timed = [(moment, d) for d in senior if (moment := d.completed_at or d.event_at)]
        if timed:
            moment, first = min(timed, key=lambda pair: pair[0])
            return _lateness(first, admitted, self.limit_hours, moment)
        if not case.is_past(limit):
            return not_applicable("患者在院，书写时限未到")
        if senior or any(rounding_title(d) is None for d in rounds):
            return undetermined("查房医师的职称或查房时间无法识别")
        return defect(Hit(details={"document": "上级医师查房记录", "limit": f"{self.limit_hours:g}", "elapsed": "无记录"}))


def rounding_title(document: Document) -> str | None:
    """The professional title of the physician of a round: the 主持人, else the author, else as titled."""
    people = [p.title for p in document.participants or () if p.role == "主持人"]
    people.append(document.author.title if document.author else None)
    written = document.title or ""
    people.extend(title for title in ("副主任医师", "主任医师", "主治医师") if title in written)
    return next((title for title in people if title), None)
