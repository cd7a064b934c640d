"""How often documents were written, by the patient's condition (病历书写基本规范第二十二条（二）（三）（七）)."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise

from pydantic import Field

from app.qc.case import COURSE_TYPES, Case, course_moment
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Due, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import Level, Period, day_of, later, midnight_after
from app.records.model import Document, DocumentType, Span

_DAY = timedelta(days=1)
_COURSE_NOTE = "病程记录"
_UNTIMED = "有病程类文书没有时间"


class _CourseCheck(Check):
    """A check of the 病程类文书.

    Attributes:
        also: further document types that a hospital counts among them.
    """

    also: tuple[DocumentType, ...] = ()

    def _notes(self, case: Case) -> tuple[Document, ...]:
        if not self.also:
            return case.course_documents
        more = (d for d in case.documents_of(*self.also) if d.completed_at or d.event_at)
        return tuple(sorted((*case.course_documents, *more), key=course_moment))

    def _all_are_timed(self, case: Case) -> bool:
        return len(self._notes(case)) == len(case.documents_of(*COURSE_TYPES, *self.also))


class CourseGap(_CourseCheck, name="course_gap"):
    """Two neighbouring course notes lie more calendar days apart than the condition allows.

    The stay's end closes the last gap. Between notes in which the level changes, a serious level counts the
    days that fall to it, the stable one all, for every level asks at least as much.

    Attributes:
        level: the level of condition.
        maximum_days: the largest allowed difference of calendar days.
    """

    level: Level
    maximum_days: int = Field(ge=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if case.record.encounter.admitted_at is None:
            return undetermined("未提供入院时间")
        if self.level != "稳定" and not case.timeline.levels_are_given:
            return undetermined("未提供病情级别")
        stages = [period for period in case.timeline.periods if period.level == self.level]
        notes = self._notes(case)
        if not stages:
            return not_applicable(f"没有{self.level}期")
        if not notes:
            return not_applicable("没有病程类文书，由缺文书规则判定")
        ruling = combine(self._rulings(case, stages, notes), none_reason=f"{self.level}期没有可判的间隔")
        if ruling.outcome == "defect" and not self._all_are_timed(case):
            return undetermined(_UNTIMED)
        whole = (day_of(case.timeline.periods[-1].end) - day_of(case.timeline.periods[0].start)).days
        if ruling.outcome == "pass" and whole < self.maximum_days:
            return ruling._replace(outcome="not_applicable", reason=f"在院不足{self.maximum_days}天")
        if not case.timeline.levels_are_given and ruling.outcome != "not_applicable":
            return ruling._replace(reason="未提供病情级别，按稳定判")
        return ruling

    def _rulings(self, case: Case, stages: list[Period], notes: tuple[Document, ...]) -> Iterator[Ruling]:
        end = case.timeline.periods[-1].end
        for earlier, until in self._gaps(notes, end):
            since = course_moment(earlier)
            counted = max((self._days(since, until, stage) for stage in stages), default=0)
            if counted > self.maximum_days:
                first_line = Span(0, len(earlier.text.partition("\n")[0]))
                yield defect(
                    Hit.at(
                        earlier,
                        first_line,
                        since=day_of(since),
                        until=day_of(until),
                        gap=counted,
                        level=self.level,
                    )
                )
            elif counted > 0:
                yield PASSED
        if not case.is_over and case.timeline.periods[-1].level == self.level:
            limit = midnight_after(course_moment(notes[-1]), self.maximum_days)
            if not case.is_past(limit):
                yield Ruling("not_applicable", due=Due(limit, _COURSE_NOTE))

    def _gaps(self, notes: tuple[Document, ...], end: datetime) -> Iterator[tuple[Document, datetime]]:
        during = [note for note in notes if course_moment(note) < end]
        for earlier, following in pairwise(during):
            yield earlier, course_moment(following)
        if during:
            yield during[-1], end

    def _days(self, since: datetime, until: datetime, stage: Period) -> int:
        """The calendar days between two moments that count in a stage; 0 when it has none of them."""
        inside = (day_of(min(until, stage.end)) - day_of(max(since, stage.start))).days
        if inside <= 0:
            return 0
        return (day_of(until) - day_of(since)).days if self.level == "稳定" else inside


class CourseDayMissing(_CourseCheck, name="course_day_missing"):
    """A calendar day of a 病危 period without any course note.

    The first and last day do not count when the period covers less than ``edge_hours`` of them.
    """

    level: Level = "病危"
    edge_hours: float = Field(default=12, ge=0, le=24)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if not case.timeline.levels_are_given:
            return undetermined("未提供病情级别，也没有病危医嘱")
        stages = [period for period in case.timeline.periods if period.level == self.level]
        written = {day_of(course_moment(document)) for document in self._notes(case)}
        ruling = combine(self._rulings(case, stages, written), none_reason=f"没有满一日的{self.level}期")
        if ruling.outcome == "defect" and not self._all_are_timed(case):
            return undetermined(_UNTIMED)
        return ruling

    def _rulings(self, case: Case, stages: list[Period], written: set[date]) -> Iterator[Ruling]:
        today = None if case.is_over or case.as_of is None else day_of(case.as_of)
        for day in (day for stage in stages for day in self._days(stage)):
            if day in written:
                yield PASSED
            elif day != today:
                yield defect(Hit(details={"day": day.isoformat(), "level": self.level}))
        if today and case.as_of and case.timeline.periods and case.timeline.periods[-1].level == self.level:
            yield not_yet(midnight_after(case.as_of, int(today in written)), _COURSE_NOTE)

    def _days(self, stage: Period) -> Iterator[date]:
        midnight = midnight_after(stage.start, -1)
        while midnight < stage.end:
            covered = min(stage.end, midnight + _DAY) - max(stage.start, midnight)
            if covered >= timedelta(hours=self.edge_hours):
                yield day_of(midnight)
            midnight += _DAY


class PostoperativeDayMissing(_CourseCheck, name="postoperative_day_missing"):
    """A calendar day after an operation without any course note.

    Days up to the one before the stay's end count, and in hospital those before the day of judgement.

    Attributes:
        days: how many days after that of the operation.
        kinds: kinds of procedure that are judged.
    """

    days: int = Field(default=3, ge=1)
    kinds: tuple[str, ...] = ("手术",)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation and combine."""
        concerned = [p for p in case.record.procedures or () if p.kind in self.kinds]
        written = {day_of(course_moment(document)) for document in self._notes(case)}
        end = case.ended_at or case.as_of
        rulings = (
            self._rule_on_operation(p.name or "手术", p.ended_at or p.started_at, end, written)
            for p in concerned
        )
        ruling = combine(rulings, none_reason="没有手术")
        if ruling.outcome == "defect" and not self._all_are_timed(case):
            return undetermined(_UNTIMED)
        return ruling

    def _rule_on_operation(
        self, name: str, operated: datetime | None, end: datetime | None, written: set[date]
    ) -> Ruling:
        if operated is None or end is None:
            return undetermined("未提供手术日期")
        following = (day_of(later(operated, n * _DAY)) for n in range(1, self.days + 1))
        judged = [day for day in following if day < day_of(end)]
        if not judged:
            return not_applicable("术后住院不足1日")
        missing = [day.isoformat() for day in judged if day not in written]
        if not missing:
            return PASSED
        return defect(Hit(details={"procedure": name, "missing": "、".join(missing), "days": self.days}))


class FinalNoteMissing(_CourseCheck, name="final_note_missing"):
    """No course note on the day of discharge or the day before."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        stay = case.record.encounter
        if not case.is_over or stay.died_at is not None or stay.disposition == "死亡":
            return not_applicable("患者未出院" if not case.is_over else "患者死亡")
        if stay.discharged_at is None:
            return undetermined("未提供出院时间")
        if stay.admitted_at and stay.discharged_at - stay.admitted_at < _DAY:
            return not_applicable("住院不足24小时")
        last_days = {day_of(stay.discharged_at), day_of(later(stay.discharged_at, -_DAY))}
        if any(day_of(course_moment(document)) in last_days for document in self._notes(case)):
            return PASSED
        if not self._all_are_timed(case):
            return undetermined(_UNTIMED)
        return defect(Hit(details={"discharged": day_of(stay.discharged_at).isoformat()}))


class DocumentInterval(Check, name="document_interval"):
    """Too many days without a document of the rule's types, from admission on and from each of them.

    Attributes:
        maximum_days: the largest allowed difference of calendar days.
    """

    maximum_days: int = Field(ge=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        admitted, end = case.record.encounter.admitted_at, case.ended_at or case.as_of
        if admitted is None or end is None:
            return undetermined("未提供入院时间")
        documents = case.documents_of(*applies_to)
        written = sorted(m for d in documents if (m := d.completed_at or d.event_at))
        marks = [admitted, *(m for m in written if admitted < m < end)]
        gaps = [(a, b) for a, b in pairwise([*marks, end]) if self._is_long(a, b)]
        if gaps:
            untimed = len(written) < len(documents)
            what = "、".join(applies_to)
            return undetermined(f"有{what}没有时间") if untimed else defect(*self._hits(gaps, what))
        limit = midnight_after(marks[-1], self.maximum_days)
        due = None if case.is_over or case.is_past(limit) else Due(limit, applies_to[0])
        if not self._is_long(admitted, end):
            return Ruling("not_applicable", f"住院未超过{self.maximum_days}日", due=due)
        return PASSED._replace(due=due)

    def _is_long(self, since: datetime, until: datetime) -> bool:
        return (day_of(until) - day_of(since)).days > self.maximum_days

    def _hits(self, gaps: list[tuple[datetime, datetime]], what: str) -> Iterator[Hit]:
        for since, until in gaps:
            days = (day_of(until) - day_of(since)).days
            details = {"missing": what, "limit": self.maximum_days, "gap": days}
            yield Hit(details={**details, "since": day_of(since), "until": day_of(until)})
