"""Consultations: recorded, in time."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.deadline import elapsed_text
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import Consultation, later
from app.records.model import CHINA_TIME, Document, DocumentType
from app.text.patterns import regex
from app.text.times import find_dates
from app.text.width import half_width

_ASKED = regex(r"(?:申请|请求|发出|呼叫)(?:会诊)?(?:日期|时间)\s*:\s*")
_ARRIVED = regex(r"(?:到达|到位|到场)(?:现场)?(?:日期|时间)\s*:\s*")
_CLOCK = regex(r"(\d{1,2})[:时](\d{1,2})")
_LABEL_REACH = 24


class ConsultationMissing(Check, name="consultation_missing"):
    """A consultation order that stands, without a consultation record.

    Attributes:
        limit_hours: hours after an order within which an unexecuted one may still be answered.
    """

    limit_hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each consultation order and combine."""
        ordered = [consultation for consultation in case.consultations if consultation.order]
        return combine(
            (self._rule_on_order(case, each) for each in ordered), none_reason="没有有效的会诊医嘱"
        )

    def _rule_on_order(self, case: Case, consultation: Consultation) -> Ruling:
        order = consultation.order
        if consultation.document is not None or order is None:
            return PASSED
        asked = order.executed_at or order.ordered_at
        if asked is None:
            return undetermined("会诊医嘱没有时间")
        limit = later(asked, timedelta(hours=self.limit_hours))
        if not case.is_past(limit):
            return not_yet(limit, f"会诊记录（{order.content or '会诊'}）")
        if order.executed_at is None and case.ended_at is not None and case.ended_at <= limit:
            return undetermined("会诊医嘱的执行状态未知，且未到时限")
        return defect(Hit(details={"order": order.content or "会诊", "order_id": order.id or ""}))


class ConsultationDeadline(Check, name="consultation_deadline"):
    """An ordinary consultation finished later than a number of hours after it was asked for.

    The request's time is the order's, else the one written in the record.

    Attributes:
        limit_hours: the limit, inclusive.
    """

    limit_hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each consultation record and combine."""
        return combine(self._rulings(case), none_reason="没有普通会诊的记录")

    def _rulings(self, case: Case) -> Iterator[Ruling]:
        for consultation in case.consultations:
            document = consultation.document
            if document is None:
                continue
            if consultation.is_urgent or consultation.is_external:
                yield not_applicable("急会诊或机构外会诊")
                continue
            asked, done = _asked_at(consultation, document), document.event_at or document.completed_at
            if asked is None or done is None:
                yield undetermined("没有会诊申请时间或完成时间")
            elif done - asked <= timedelta(hours=self.limit_hours):
                yield PASSED
            else:
                details = {"document": document.title or document.kind, "limit": f"{self.limit_hours:g}"}
                yield defect(Hit.at(document, **details, elapsed=elapsed_text(done - asked)))


class UrgentConsultationLate(Check, name="urgent_consultation_late"):
    """An urgent consultation whose physician arrived late, or whose record was finished late.

    Attributes:
        limit_minutes: minutes from the request to the arrival, inclusive.
        record_hours: hours from the consultation to its record, inclusive; not judged unless given.
    """

    limit_minutes: float = Field(default=10, gt=0)
    record_hours: float | None = Field(default=None, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each urgent consultation record and combine."""
        urgent = [c for c in case.consultations if c.document is not None and c.is_urgent]
        rulings = (self._rule_on_record(case, c, c.document) for c in urgent if c.document is not None)
        return combine(rulings, none_reason="没有急会诊的记录")

    def _rule_on_record(self, case: Case, consultation: Consultation, document: Document) -> Ruling:
        asked = _asked_at(consultation, document)
        arrived = _labelled(document, _ARRIVED, asked)
        name = document.title or document.kind
        if self._is_recorded_late(document):
            return defect(
                Hit.at(document, document=name, problem=f"会诊结束后超过{self.record_hours:g}小时才完成记录")
            )
        if asked is None or arrived is None:
            return undetermined("没有会诊请求时间或到位时间")
        if arrived - asked <= timedelta(minutes=self.limit_minutes):
            return PASSED
        problem = f"请求后{elapsed_text(arrived - asked)}才到位，要求{self.limit_minutes:g}分钟内"
        return defect(Hit.at(document, document=name, problem=problem))

    def _is_recorded_late(self, document: Document) -> bool:
        if self.record_hours is None or document.event_at is None or document.completed_at is None:
            return False
        return document.completed_at - document.event_at > timedelta(hours=self.record_hours)


def _asked_at(consultation: Consultation, document: Document) -> datetime | None:
    if consultation.order is not None and consultation.order.ordered_at is not None:
        return consultation.order.ordered_at
    return _labelled(document, _ASKED, document.event_at or document.completed_at)


def _labelled(document: Document, label: re.Pattern[str], near: datetime | None) -> datetime | None:
    """The time to the minute behind a label; one without a date is of the day of ``near``."""
    half = half_width(document.text)
    match = label.search(half)
    if match is None:
        return None
    behind = half[match.end() : match.end() + _LABEL_REACH]
    dates = find_dates(behind, near.year if near else None)
    if dates and dates[0].span.start == 0:
        return dates[0].value if dates[0].precision == "minute" else None
    clock = _CLOCK.match(behind)
    if clock is None or near is None:
        return None
    hour, minute = int(clock.group(1)), int(clock.group(2))
    if hour > 23 or minute > 59:
        return None
    return near.astimezone(CHINA_TIME).replace(hour=hour, minute=minute, second=0, microsecond=0)
