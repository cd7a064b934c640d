"""Whether documents were finished in time. “以内” includes the boundary (民法典第1259条)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from app.qc.case import STAY_EVENT_TITLES, Case, StayEvent
from app.qc.checks.base import Check, DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import day_of, later
from app.records.model import Document, DocumentType, Procedure

_MINUTE = timedelta(minutes=1)


def elapsed_text(elapsed: timedelta) -> str:
    """An elapsed time as users read it, cut to the minute; a late one never reads as in time."""
    minutes = -(-elapsed // _MINUTE)
    return f"{minutes // 60}小时{minutes % 60}分"


def lateness(document: Document, start: datetime, limit_hours: float, done: datetime) -> Ruling:
    """Whether a document was finished at most ``limit_hours`` after ``start``."""
    elapsed = done - start
    if elapsed <= timedelta(hours=limit_hours):
        return PASSED
    title = document.title or document.kind
    return defect(Hit.at(document, document=title, limit=f"{limit_hours:g}", elapsed=elapsed_text(elapsed)))


def awaited(case: Case, start: datetime | None, limit_hours: float, what: str) -> Ruling:
    """The ruling on a document that is not there and whose absence another rule judges."""
    if start is not None:
        limit = later(start, timedelta(hours=limit_hours))
        if not case.is_past(limit):
            return not_yet(limit, what)
    return not_applicable(f"没有{what}")


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
        documents = case.documents_of(*applies_to)
        start = case.moment_of(self.after)
        if not documents:
            return awaited(case, start, self.limit_hours, "或".join(applies_to))
        if start is None:
            return undetermined(f"未提供{STAY_EVENT_TITLES[self.after]}时间")
        rulings = [self._rule_on_document(document, start) for document in documents]
        if self.judge == "earliest" and any(ruling.outcome == "pass" for ruling in rulings):
            return PASSED
        if any(ruling.outcome == "undetermined" for ruling in rulings):
            return undetermined("文书没有完成时间")
        if self.judge == "earliest":
            first = min(range(len(documents)), key=lambda n: documents[n].completed_at or start)
            return rulings[first]
        return combine(rulings, none_reason="没有可判的文书")

    def _rule_on_document(self, document: Document, start: datetime) -> Ruling:
        if document.completed_at is None:
            return undetermined("文书没有完成时间")
        return lateness(document, start, self.limit_hours, document.completed_at)


class EventDeadline(DocumentCheck, name="event_deadline"):
    """A document finished later than a number of hours after the end of what it records."""

    limit_hours: float = Field(gt=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        if document.event_at is None:
            return undetermined(f"{document.kind}没有所记事件的时间")
        if document.completed_at is None:
            return undetermined("文书没有完成时间")
        return lateness(document, document.event_at, self.limit_hours, document.completed_at)


class ProcedureDeadline(Check, name="procedure_deadline"):
    """A document finished later than a number of hours after the end of its procedure.

    Attributes:
        limit_hours: the limit, inclusive; without one, only a document of a later calendar day is late.
        kinds: kinds of procedure that are judged.
    """

    limit_hours: float | None = Field(default=None, gt=0)
    kinds: tuple[str, ...] = ("手术", "介入")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each procedure's documents and combine."""
        return combine(self._rulings(case, applies_to), none_reason=f"没有手术或没有{'、'.join(applies_to)}")

    def _rulings(self, case: Case, types: tuple[DocumentType, ...]) -> Iterator[Ruling]:
        for procedure in case.record.procedures or ():
            if procedure.kind not in self.kinds:
                continue
            documents = case.documents_for(procedure, *types)
            if not documents and self.limit_hours is not None:
                yield awaited(case, procedure.ended_at, self.limit_hours, "、".join(types))
            yield from (self._rule_on_document(document, procedure) for document in documents)

    def _rule_on_document(self, document: Document, procedure: Procedure) -> Ruling:
        done, ended, started = document.completed_at, procedure.ended_at, procedure.started_at
        if done is None:
            return undetermined("文书没有完成时间")
        if self.limit_hours is None:
            return self._rule_by_day(document, done, ended or started)
        if ended is not None:
            return lateness(document, ended, self.limit_hours, done)
        if started is not None and done - started <= timedelta(hours=self.limit_hours):
            return PASSED
        return undetermined("未提供手术结束时间")

    def _rule_by_day(self, document: Document, done: datetime, ended: datetime | None) -> Ruling:
        if ended is None:
            return undetermined("未提供操作时间")
        if day_of(done) <= day_of(ended):
            return PASSED
        title = document.title or document.kind
        return defect(
            Hit.at(
                document,
                document=title,
                limit="当日",
                elapsed=elapsed_text(done - ended),
                day=f"{day_of(done)}",
            )
        )


class ShortStayNote(Check, name="short_stay_note"):
    """A 24-hour record finished late, or used for a stay that was not shorter than its name says.

    Attributes:
        until: what ended the stay.
        limit_hours: hours after that, inclusive; also the length from which a stay is too long for the form.
        full_types: documents of which one makes up for the wrong form.
    """

    until: Literal["discharge", "death"]
    limit_hours: float = Field(default=24, gt=0)
    full_types: tuple[DocumentType, ...]

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each document and combine."""
        documents = case.documents_of(*applies_to)
        rulings = (self._rule_on_document(case, document) for document in documents)
        return combine(rulings, none_reason=f"没有{'、'.join(applies_to)}")

    def _rule_on_document(self, case: Case, document: Document) -> Ruling:
        ended, admitted = case.moment_of(self.until), case.record.encounter.admitted_at
        title = STAY_EVENT_TITLES[self.until]
        if ended is None:
            return undetermined(f"未提供{title}时间")
        limit = timedelta(hours=self.limit_hours)
        name = document.title or document.kind
        if admitted and ended - admitted >= limit and not case.documents_of(*self.full_types):
            stay = elapsed_text(ended - admitted)
            problem = f"入院至{title}已有{stay}，不能用{document.kind}代替{'、'.join(self.full_types)}"
            return defect(Hit.at(document, document=name, problem=problem))
        done = document.completed_at
        if done is None:
            return undetermined("文书没有完成时间")
        if done - ended <= limit:
            return PASSED
        problem = f"{title}后{elapsed_text(done - ended)}才完成，要求{self.limit_hours:g}小时内"
        return defect(Hit.at(document, document=name, problem=problem))
