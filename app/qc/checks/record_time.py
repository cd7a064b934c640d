"""Whether course and nursing notes say when they were written, and to the minute where they must."""

from datetime import datetime
from typing import NamedTuple

from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import CHINA_TIME, Document, Span
from app.text.patterns import regex
from app.text.times import find_dates

_HEAD_CHARACTERS = 80
_CLOCK = regex(r"[^\n]{0,4}?[\d*]{1,2}\s*[:时]\s*[\d*]{1,2}")


class _WrittenTime(NamedTuple):
    span: Span
    has_minutes: bool


def _written_time(case: Case, document: Document) -> _WrittenTime | None:
    """The date in the first line, or beside 记录时间 in the head."""
    half = case.reading(document).half
    first_line = half.partition("\n")[0][:_HEAD_CHARACTERS]
    labelled = half.find("记录时间", 0, 3 * _HEAD_CHARACTERS)
    heads = [(0, first_line)]
    if labelled >= 0:
        heads.append((labelled, half[labelled : labelled + _HEAD_CHARACTERS]))
    for start, text in heads:
        for date in find_dates(text):
            if date.precision in ("day", "minute"):
                has_minutes = date.precision == "minute" or _CLOCK.match(text, date.span.end) is not None
                return _WrittenTime(date.span.shifted(start), has_minutes)
    return None


class RecordTimeMissing(DocumentCheck, name="record_time_missing"):
    """A note without a time: neither at its head nor as data."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        if document.written_at or document.event_at or _written_time(case, document):
            return PASSED
        first_line = Span(0, len(document.text.partition("\n")[0]))
        return defect(Hit.at(document, first_line, document=document.title or document.kind))


class MinuteMissing(DocumentCheck, name="minute_missing"):
    """A note of a patient in 病危 or 病重 whose time is not given to the minute."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        if not case.timeline.levels_are_given:
            return undetermined("未提供病情级别")
        serious = case.timeline.serious_periods()
        if not serious:
            return not_applicable("没有病危（重）期")
        moment = document.event_at or document.completed_at
        if moment is None:
            return not_applicable("文书没有时间，由缺记录时间规则判定")
        if not any(period.start <= moment <= period.end for period in serious):
            return not_applicable("记录不在病危（重）期内")
        return self._rule_on_time(document, _written_time(case, document), moment)

    def _rule_on_time(self, document: Document, written: _WrittenTime | None, moment: datetime) -> Ruling:
        if written is not None and not written.has_minutes:
            return defect(Hit.at(document, written.span, document=document.title or document.kind))
        local = moment.astimezone(CHINA_TIME)
        if written is None and (local.hour, local.minute) == (0, 0):
            return undetermined("只有结构化时间，且为00:00")
        return PASSED
