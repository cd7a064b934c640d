"""Weeks of pregnancy against the last menstruation and the expected day of birth."""

import re
from datetime import datetime, timedelta

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import Document, Span
from app.text.patterns import regex
from app.text.times import find_dates

_LAST_MENSTRUATION = regex(r"末次月经(?:时间|日期)?\s*(?:\(LMP\))?\s*[:为于是]*\s*|LMP\s*:?\s*")
_EXPECTED = regex(r"预产期\s*(?:\(EDC\))?\s*[:为于是]*\s*|EDC\s*:?\s*")
_WEEKS = regex(r"(?:孕|停经|妊娠)\s*(?P<weeks>\d{1,2})\s*(?:\+\s*(?P<days>[0-6])\s*)?周")
_CORRECTED = regex(
    "超声|B超|彩超|核[实对定]|推算|纠正|校正|修正|月经不(?:规则|规律|准|调)|末次月经不详|胚胎移植|试管|IVF"
)
_REACH = 24
_TERM = timedelta(days=280)
_LONGEST_WEEKS = 44


class GestationContradicted(DocumentCheck, name="gestation_contradicted"):
    """The weeks of pregnancy that a note gives do not follow from the last menstruation it gives.

    A note that speaks of ultrasound, of irregular menses or of a correction is not judged.

    Attributes:
        tolerance_days: how far the two may differ, inclusive.
    """

    tolerance_days: int = Field(default=7, ge=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        half = case.reading(document).half
        if "末次月经" not in half and "LMP" not in half:
            return not_applicable("没有写末次月经")
        weeks = _WEEKS.search(half)
        if weeks is None:
            return not_applicable("没有写孕周")
        if _CORRECTED.search(half):
            return not_applicable("孕周已结合超声核对")
        last = _dated(half, _LAST_MENSTRUATION)
        if last is None or last[0] is None:
            return undetermined("末次月经的日期不全或被脱敏")
        return self._rule_on_dates(case, document, last[0], last[1], Span(*weeks.span()))

    def _rule_on_dates(
        self, case: Case, document: Document, last: datetime, place: Span, stated: Span
    ) -> Ruling:
        half = case.reading(document).half
        problems, places = [], [place]
        match = _WEEKS.search(half)
        seen_at = case.record.encounter.admitted_at or document.completed_at
        if match and seen_at is not None:
            days = int(match["weeks"]) * 7 + int(match["days"] or 0)
            reckoned = (seen_at - last).days
            is_plausible = 0 < reckoned <= _LONGEST_WEEKS * 7
            if is_plausible and abs(reckoned - days) > self.tolerance_days:
                problems.append(
                    f"由末次月经推算入院时孕{reckoned // 7}周+{reckoned % 7}天，所写为“{stated.of(document.text)}”"
                )
                places.append(stated)
        expected = _dated(half, _EXPECTED)
        if expected and expected[0] and abs(expected[0] - last - _TERM).days > self.tolerance_days:
            due = last + _TERM
            problems.append(f"由末次月经推算预产期为{due:%Y-%m-%d}，所写为{expected[0]:%Y-%m-%d}")
            places.append(expected[1])
        if not problems and seen_at is None:
            return undetermined("未提供入院时间")
        return defect(Hit.at(document, *places, problem="；".join(problems))) if problems else PASSED


def _dated(half: str, label: re.Pattern[str]) -> tuple[datetime | None, Span] | None:
    """The date after a label and where both stand; the date is ``None`` where it is masked or has no year."""
    match = label.search(half)
    if match is None:
        return None
    found = next(iter(find_dates(half[match.end() : match.end() + _REACH])), None)
    if found is None or found.span.start > 2:
        return None, Span(*match.span())
    value = found.value if found.precision in ("day", "minute") else None
    return value, Span(match.start(), match.end() + found.span.end)
