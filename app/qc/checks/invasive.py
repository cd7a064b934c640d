"""Invasive procedures without a record."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property

from app.qc.case import COURSE_TYPES, Case
from app.qc.checks.procedures import ProcedureDocument, Session
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, undetermined
from app.qc.timeline import day_of, is_cancelled
from app.records.model import Document, DocumentType, Order
from app.text.patterns import regex


class InvasiveRecordMissing(ProcedureDocument, name="invasive_record_missing"):
    """An invasive procedure, delivered as such or only ordered, without a record or a passage in a note.

    A note of ``told_in`` from the day of the procedure or the next that names it will do.

    Attributes:
        ordered: a pattern of orders of category 操作 that are invasive procedures.
        not_ordered: a pattern of those that are none after all.
    """

    ordered: str
    not_ordered: str

    @cached_property
    def _ordered(self) -> re.Pattern[str]:
        return regex(self.ordered)

    @cached_property
    def _not_ordered(self) -> re.Pattern[str]:
        return regex(self.not_ordered)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each procedure, then the orders that no procedure answers, and combine."""
        rulings = [super().rule_on(case, applies_to), *self._rulings_on_orders(case, applies_to)]
        return combine(rulings, none_reason="没有有创诊疗操作")

    def _rulings_on_orders(self, case: Case, types: tuple[DocumentType, ...]) -> Iterator[Ruling]:
        done = {day_of(m) for p in case.record.procedures or () if (m := p.started_at or p.ended_at)}
        for order in case.record.orders or ():
            content = order.content or ""
            if order.category != "操作" or is_cancelled(order):
                continue
            match = self._ordered.search(content)
            if match is None or self._not_ordered.search(content):
                continue
            moment = order.executed_at or order.ordered_at
            if moment is None or day_of(moment) in done:
                continue
            if self._is_recorded(case, order, match.group(), moment, types):
                yield PASSED
            elif order.executed_at is None:
                yield undetermined(f"“{content}”只有医嘱，未见执行")
            else:
                details = {
                    "procedure": content,
                    "document": "或".join(types),
                    "problem": "没有书写，病程中也没有相应内容",
                }
                yield defect(Hit(details=details))

    def _is_recorded(
        self, case: Case, order: Order, deed: str, moment: datetime, types: tuple[DocumentType, ...]
    ) -> bool:
        records = case.documents_of(*types)
        if any(_is_near(d, moment) or (order.id and order.id in (d.refers_to or ())) for d in records):
            return True
        notes = case.documents_of(*COURSE_TYPES, "护理记录")
        return any(deed in d.text for d in notes if _is_near(d, moment))

    def _is_told(self, case: Case, session: Session) -> bool:
        names = [p.name for p in session.procedures if p.name]
        notes = [d for d in case.documents_of(*self.told_in) if _is_near(d, self._bound(session))]
        return bool(names) and all(any(name in d.text for d in notes) for name in names)


def _is_near(document: Document, moment: datetime | None) -> bool:
    written = document.event_at or document.completed_at
    return written is None or moment is None or 0 <= (day_of(written) - day_of(moment)).days <= 1
