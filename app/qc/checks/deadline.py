"""Whether documents were finished in time. “以内” includes the boundary (民法典第1259条)."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from app.qc.case import STAY_EVENT_TITLES, Case, StayEvent
from app.qc.checks.base import Check, DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import day_of, later
from app.records.model import Document, DocumentType, Procedure

SENIOR_TITLES = ("主治医师", "副主任医师", "主任医师")
_MINUTE = timedelta(minutes=1)
_HEAD_CHARACTERS = 120
_TITLE = r"(副主任|主任|主治|副教授|教授)(?:医师|医生)?"
_NAMED_TITLE = re.compile(_TITLE)
_ROUND = re.compile(_TITLE + r"[^。\n]{0,14}?(?:查房|查看)")
_TITLES = {
    "主治": "主治医师", "副主任": "副主任医师", "副教授": "副主任医师", "主任": "主任医师", "教授": "主任医师",
}  # fmt: skip


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
        documents = case.record.documents_of(*applies_to)
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
            return not_applicable("当日完成，医院未规定小时数")
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
        documents = case.record.documents_of(*applies_to)
        rulings = (self._rule_on_document(case, document) for document in documents)
        return combine(rulings, none_reason=f"没有{'、'.join(applies_to)}")

    def _rule_on_document(self, case: Case, document: Document) -> Ruling:
        ended, admitted = case.moment_of(self.until), case.record.encounter.admitted_at
        title = STAY_EVENT_TITLES[self.until]
        if ended is None:
            return undetermined(f"未提供{title}时间")
        limit = timedelta(hours=self.limit_hours)
        name = document.title or document.kind
        if admitted and ended - admitted >= limit and not case.record.documents_of(*self.full_types):
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


class FirstRound(Check, name="first_round"):
    """The first round of a senior physician is not on record, or was recorded too late.

    Course notes that open with a senior physician's round count as rounds.

    Attributes:
        limit_hours: hours after admission, inclusive.
        titles: professional titles that count.
        late_counts: whether a late round is a defect; otherwise only a missing one.
    """

    limit_hours: float = Field(gt=0)
    titles: tuple[str, ...] = SENIOR_TITLES
    late_counts: bool = True

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        admitted = case.record.encounter.admitted_at
        if admitted is None:
            return undetermined("未提供入院时间")
        limit = later(admitted, timedelta(hours=self.limit_hours))
        if case.ended_at is not None and case.ended_at <= limit:
            return not_applicable(f"住院不足{self.limit_hours:g}小时")
        ruling = self._rule_on_rounds(rounds_of(case, applies_to), admitted, limit)
        if ruling is not None:
            return ruling
        if not case.is_past(limit):
            return not_yet(limit, f"{self.titles[0]}查房记录")
        return defect(Hit(details=self._details("无记录")))

    def _rule_on_rounds(
        self, rounds: tuple[Document, ...], admitted: datetime, limit: datetime
    ) -> Ruling | None:
        """What the rounds on record say; ``None`` when no round of a senior physician is on record."""
        unknown = [d for d in rounds if rounding_title(d) is None]
        senior = [d for d in rounds if rounding_title(d) in self.titles]
        timed = [(moment, d) for d in senior if (moment := d.completed_at or d.event_at)]
        if timed and (not self.late_counts or min(moment for moment, _ in timed) <= limit):
            return PASSED
        maybe_early = [
            d for d in unknown if (moment := d.completed_at or d.event_at) is None or moment <= limit
        ]
        if maybe_early or len(timed) < len(senior) or (unknown and not timed):
            return undetermined("查房医师的职称或查房时间无法识别")
        if not timed:
            return None
        moment, first = min(timed, key=lambda pair: pair[0])
        return defect(Hit(first.id, details=self._details(elapsed_text(moment - admitted))))

    def _details(self, elapsed: str) -> dict[str, object]:
        days = f"{self.limit_hours / 24:g}"
        return {"title": self.titles[0], "limit": f"{self.limit_hours:g}", "days": days, "elapsed": elapsed}


def rounds_of(case: Case, types: tuple[DocumentType, ...]) -> tuple[Document, ...]:
    """The documents of the types, and the 日常病程记录 that open with a senior physician's round."""
    noted = (d for d in case.record.documents_of("日常病程记录") if _ROUND.search(_head(d)))
    return (*case.record.documents_of(*types), *(d for d in noted if d.kind not in types))


def rounding_title(document: Document) -> str | None:
    """The professional title of the physician of a round: the 主持人's, else as headed, else the author's.

    One of ``SENIOR_TITLES``, or ``None`` where nobody of these is named: rounds are written down by juniors.
    """
    hosts = [p.title for p in document.participants or () if p.role == "主持人" and p.title]
    headed = _ROUND.search(_head(document)) or _NAMED_TITLE.search(document.title or "")
    authors = [document.author.title] if document.author and document.author.title else []
    written = [*hosts, *([headed.group()] if headed else []), *authors]
    return next((_TITLES[match.group(1)] for title in written if (match := _NAMED_TITLE.search(title))), None)


def _head(document: Document) -> str:
    return f"{document.title or ''}\n{document.text[:_HEAD_CHARACTERS]}"


class SurgeonRound(Check, name="surgeon_round"):
    """No note shows that the surgeon saw the patient before the operation, or within hours after it.

    A note shows it by its author, its participants or its text; before the operation also a 术前小结 with a
    section on the surgeon's visit.

    Attributes:
        limit_hours: hours after the end of the operation, inclusive.
        kinds: kinds of procedure that are judged.
    """

    limit_hours: float = Field(default=24, gt=0)
    kinds: tuple[str, ...] = ("手术",)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation and combine."""
        notes = rounds_of(case, applies_to)
        concerned = (p for p in case.record.procedures or () if p.kind in self.kinds)
        return combine((self._rule_on(case, p, notes) for p in concerned), none_reason="没有手术")

    def _rule_on(self, case: Case, procedure: Procedure, notes: tuple[Document, ...]) -> Ruling:
        surgeon, started, ended = procedure.surgeon, procedure.started_at, procedure.ended_at
        if not surgeon or "*" in surgeon or started is None or ended is None:
            return undetermined("未提供术者或手术起止时间")
        details = {"procedure": procedure.name or "手术", "surgeon": surgeon}
        limit = later(ended, timedelta(hours=self.limit_hours))
        seen = [
            (d, m) for d in notes if (m := d.event_at or d.completed_at) and self._shows(case, d, surgeon)
        ]
        before = any(moment <= started for _, moment in seen)
        after = any(ended <= moment <= limit for _, moment in seen)
        if not after and not case.is_past(limit):
            return not_yet(limit, f"术者{surgeon}术后查房记录")
        lacking = []
        if not before and procedure.emergency is False:
            lacking.append("术前没有术者查看患者的记录")
        if not after and (case.ended_at is None or case.ended_at > limit):
            lacking.append(f"手术结束后{self.limit_hours:g}小时内没有术者查房记录")
        if lacking:
            return defect(Hit(details={**details, "problem": "，".join(lacking)}))
        if not before and procedure.emergency is None:
            return undetermined("未说明是否为抢救性急诊手术")
        return PASSED

    def _shows(self, case: Case, document: Document, surgeon: str) -> bool:
        people = [
            document.author.name if document.author else None,
            *(p.name for p in document.participants or ()),
        ]
        if surgeon in people or surgeon in document.text or surgeon in (document.title or ""):
            return True
        return document.kind == "术前小结" and bool(case.reading(document).body("术前查看患者"))
