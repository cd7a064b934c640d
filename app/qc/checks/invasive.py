"""Invasive procedures without a record."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property

from pydantic import ConfigDict

from app.qc.case import COURSE_TYPES, Case
from app.qc.checks.presence import ProcedureDocumentMissing
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, undetermined
from app.qc.timeline import day_of, is_cancelled
from app.records.model import Document, DocumentType, Order


class InvasiveRecordMissing(ProcedureDocumentMissing, name="invasive_record_missing"):
    """An invasive procedure, delivered as such or only ordered, without a record or a passage in a note.

    Attributes:
        ordered: a pattern of orders of category 操作 that are invasive procedures.
        not_ordered: a pattern of those that are none after all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    ordered: str
    not_ordered: str

    @cached_property
    def _ordered(self) -> re.Pattern[str]:
        return re.compile(self.ordered)

    @cached_property
    def _not_ordered(self) -> re.Pattern[str]:
        return re.compile(self.not_ordered)

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
                details = {"procedure": content, "missing": "、".join(types), "what": "缺"}
                yield defect(Hit(details=details))

    def _is_recorded(
        self, case: Case, order: Order, deed: str, moment: datetime, types: tuple[DocumentType, ...]
    ) -> bool:
        def is_near(document: Document) -> bool:
            written = document.event_at or document.completed_at
            return written is None or 0 <= (day_of(written) - day_of(moment)).days <= 1

        records = case.record.documents_of(*types)
        if any(is_near(d) or (order.id and order.id in (d.refers_to or ())) for d in records):
            return True
        return any(deed in d.text for d in case.record.documents_of(*COURSE_TYPES, "护理记录") if is_near(d))
