"""Filing of finished records, and what was changed after it."""

from collections.abc import Iterator
from datetime import date, datetime
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import CHECKS, Check, DocumentCheck
from app.qc.checks.order_of_events import shown
from app.qc.checks.orders import read_moment
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import day_of, midnight_after
from app.qc.work_calendar import WorkCalendar, load_calendar
from app.records.model import Document, DocumentType

_MODIFIED = "modified_at"
_APPROVED_BY = "modification_approved_by"


class FiledLate(Check, name="filed_late"):
    """A record filed after the end of the n-th work day that follows the day of discharge.

    Attributes:
        workdays: how many work days there are.
        calendar: the calendar of work days.
        holidays: the hospital's own days off.
        worked: weekend days that the hospital works.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    workdays: int = Field(default=2, ge=1)
    calendar: str = "china"
    holidays: tuple[date, ...] = ()
    worked: tuple[date, ...] = ()

    @cached_property
    def _calendar(self) -> WorkCalendar:
        return load_calendar(self.calendar).with_changes(self.holidays, self.worked)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if not case.is_over:
            return not_applicable("患者在院")
        ended, filed = case.ended_at, case.record.archived_at
        if ended is None:
            return undetermined("未提供出院时间")
        try:
            last = self._calendar.nth_workday_after(day_of(ended), self.workdays)
        except OverflowError:
            return undetermined("出院时间超出日历的范围")
        limit = midnight_after(datetime.combine(last, datetime.min.time(), ended.tzinfo), 0)
        if filed is None:
            if case.as_of_is_given and case.as_of and case.as_of <= limit:
                return not_yet(limit, "病案归档")
            return undetermined("未提供归档时间")
        if filed < limit:
            return PASSED
        if not self._calendar.knows(day_of(ended), last):
            return undetermined("工作日历没有这一年的放假安排")
        details = {"discharged": day_of(ended), "last": last, "filed": shown(filed), "days": self.workdays}
        return defect(Hit(details=details))


class Expected(BaseModel):
    """A check for one missing document, with the document types that will do."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    check: str
    applies_to: tuple[DocumentType, ...]
    parameters: dict[str, Any] = Field(default_factory=dict)

    @cached_property
    def built(self) -> Check:
        """The check with its parameters."""
        return CHECKS[self.check](**self.parameters)


class FiledIncomplete(Check, name="filed_incomplete"):
    """A filed record that lacks documents which the events of the stay call for.

    Attributes:
        parts: checks for missing documents; each missing one counts.
    """

    parts: tuple[Expected, ...] = Field(min_length=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if case.record.archived_at is None:
            return not_applicable("未归档")
        missing = list(dict.fromkeys(self._missing(case)))
        return (
            defect(Hit(details={"missing": "、".join(missing), "count": len(missing)})) if missing else PASSED
        )

    def _missing(self, case: Case) -> Iterator[str]:
        for part in self.parts:
            if part.built.rule_on(case, part.applies_to).outcome == "defect":
                yield "或".join(part.applies_to)


class ChangedAfterFiling(DocumentCheck, name="changed_after_filing"):
    """A document changed after the record was filed, without an approval.

    The source tells it by ``modified_at`` (ISO 8601) and ``modification_approved_by`` of the document.
    """

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        filed, changed = case.record.archived_at, read_moment(document.extra.get(_MODIFIED))
        if filed is None:
            return not_applicable("未归档")
        if changed is None:
            return undetermined("未提供修改历史")
        if changed <= filed or document.extra.get(_APPROVED_BY):
            return PASSED
        title = document.title or document.kind
        return defect(Hit.at(document, document=title, changed=shown(changed), filed=shown(filed)))


class ChangedAfterSigning(DocumentCheck, name="changed_after_signing"):
    """A document changed after its last signature; the source tells it by ``modified_at`` of the document."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        moments = [s.signed_at for s in document.signatures or () if s.name and s.signed_at]
        changed = read_moment(document.extra.get(_MODIFIED))
        if not document.signatures:
            return not_applicable("未签名")
        if changed is None or not moments:
            return undetermined("未提供修改历史或签名时间")
        if changed <= max(moments):
            return PASSED
        title = document.title or document.kind
        return defect(Hit.at(document, document=title, changed=shown(changed), signed=shown(max(moments))))
