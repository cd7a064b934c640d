"""How often course notes were written, by the patient's condition (病历书写基本规范第二十二条（二）)."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Literal, NamedTuple

from pydantic import Field

from app.qc.case import Case, course_moment
from app.qc.checks.base import Check
from app.qc.ruling import Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import CHINA_TIME, Document, DocumentType, Span

Level = Literal["病危", "病重", "稳定"]
_DAY = timedelta(days=1)


class Period(NamedTuple):
    """A stretch of the stay at one level of condition."""

    level: Level
    start: datetime
    end: datetime


def periods(case: Case) -> tuple[Period, ...]:
    """The stay from admission to its end (or the moment of judgement), cut by level; empty without times."""
    start, end = case.record.encounter.admitted_at, case.ended_at or case.as_of
    if start is None or end is None or end <= start:
        return ()
    serious = sorted(
        (max(start, c.start), min(end, c.end or end), c.level)
        for c in case.record.encounter.conditions or ()
        if c.start is not None
    )
    found: list[Period] = []
    here = start
    for begin, until, level in serious:
        if begin > here:
            found.append(Period("稳定", here, begin))
        if until > max(begin, here):
            found.append(Period(level, max(begin, here), until))
            here = until
    if here < end:
        found.append(Period("稳定", here, end))
    return tuple(found)


def _day(moment: datetime) -> date:
    return moment.astimezone(CHINA_TIME).date()


class CourseGap(Check, name="course_gap"):
    """Two neighbouring course notes lie more calendar days apart than the condition allows.

    The stay's end closes the last gap; a gap counts where its first day lies in a period of the level.

    Attributes:
        level: the level of condition.
        maximum_days: the largest allowed difference of calendar days.
    """

    level: Level
    maximum_days: int = Field(ge=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        stages = [period for period in periods(case) if period.level == self.level]
        if case.record.encounter.admitted_at is None:
            return undetermined("未提供入院时间")
        if not stages:
            return not_applicable(f"没有{self.level}期")
        if not case.course_documents:
            return not_applicable("没有病程类文书，由缺文书规则判定")
        return combine(self._rulings(case, stages), none_reason=f"{self.level}期不足{self.maximum_days}天")

    def _rulings(self, case: Case, stages: list[Period]) -> Iterator[Ruling]:
        for stage in stages:
            for earlier, later in self._neighbours(case, stage):
                since = _day(course_moment(earlier))
                gap = (_day(later) - since).days
                if gap <= self.maximum_days:
                    yield Ruling("pass")
                    continue
                first_line = Span(0, len(earlier.text.partition("\n")[0]))
                yield defect(
                    Hit.at(earlier, first_line, since=since.isoformat(), until=_day(later).isoformat(), gap=gap)
                )

    def _neighbours(self, case: Case, stage: Period) -> Iterator[tuple[Document, datetime]]:
        notes = [d for d in case.course_documents if course_moment(d) <= stage.end]
        moments = [course_moment(d) for d in case.course_documents if course_moment(d) > stage.start]
        for note, following in pairwise(notes):
            if course_moment(following) > stage.start:
                yield note, course_moment(following)
        if notes and stage.end == (case.ended_at or case.as_of) and not any(m > stage.end for m in moments):
            yield notes[-1], stage.end


class CourseDayMissing(Check, name="course_day_missing"):
    """A calendar day of a 病危 period without any course note.

    The first and last day do not count when the period covers less than ``edge_hours`` of them.
    """

    level: Level = "病危"
    edge_hours: float = Field(default=12, ge=0, le=24)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if case.record.encounter.conditions is None:
            return undetermined("未提供病情级别")
        stages = [period for period in periods(case) if period.level == self.level]
        written = {_day(course_moment(document)) for document in case.course_documents}
        rulings = (
            Ruling("pass") if day in written else defect(Hit(details={"day": day.isoformat()}))
            for stage in stages
            for day in self._days(stage)
        )
        return combine(rulings, none_reason=f"没有{self.level}期")

    def _days(self, stage: Period) -> Iterator[date]:
        day = _day(stage.start)
        while day <= _day(stage.end):
            midnight = datetime(day.year, day.month, day.day, tzinfo=CHINA_TIME)
            covered = min(stage.end, midnight + _DAY) - max(stage.start, midnight)
            if covered >= timedelta(hours=self.edge_hours):
                yield day
            day += _DAY
