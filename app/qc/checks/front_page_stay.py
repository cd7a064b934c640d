"""The front page against the stay: times, days, departments, how it ended, readmission, resuscitations."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property

from pydantic import ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.front_page import PageCheck, page_hit, with_evidence
from app.qc.front_page import FrontPageView
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.qc.timeline import day_of
from app.records.model import CHINA_TIME, Document, DocumentType, Evidence, Span
from app.text.assertion import Assertion, assertion_at
from app.text.patterns import regex
from app.text.times import find_durations
from app.text.width import half_width

_DAY = regex(r"[\d*]{4}\s*[-/.年]\s*[\d*]{1,2}\s*[-/.月]\s*[\d*]{1,2}\s*日?")
_CLOCK = regex(r"[\sT]*(?P<hour>[\d*]{1,2})\s*[:时]\s*(?P<minute>[\d*]{1,2})")
_DEATH_TYPES: tuple[DocumentType, ...] = ("死亡记录", "24小时内入院死亡记录", "死亡病例讨论记录")
_DISCHARGE_TYPES: tuple[DocumentType, ...] = ("出院记录", "24小时内入出院记录")
_ADVICE = ("出院医嘱", "随访", "出院带药", "注意事项")
_LATER = regex(r"(?:左右)?之?[后内]")
_SUFFIX = regex(r"(?:[一二三四五六七八九十\d]+)?(?:病区|病房|病室|区)$")


class PageMinuteMissing(PageCheck, name="page_minute_missing"):
    """An admission or discharge time without hour and minute."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge both times; of one that the page does not deliver, the encounter's."""
        stay = case.record.encounter
        times = (("admitted_at", stay.admitted_at), ("discharged_at", stay.discharged_at))
        rulings = [self._rule_on_time(page, key, moment) for key, moment in times]
        return combine(rulings, none_reason="首页没有填写入院和出院时间")

    def _rule_on_time(self, page: FrontPageView, key: str, otherwise: datetime | None) -> Ruling:
        entry = page.entry(key)
        if not entry.says:
            return (
                _midnight(otherwise) if otherwise and not entry.is_delivered else not_applicable("该项为空")
            )
        day = _DAY.search(entry.text)
        if day is None:
            return undetermined(f"{entry.item.title}不是可读的日期")
        clock = _CLOCK.match(entry.text, day.end())
        if clock is None:
            return defect(page_hit(page, key, item=entry.item.title, value=entry.text))
        return undetermined("时间恰为00:00") if _is_midnight(clock) else PASSED


def _is_midnight(clock: re.Match[str]) -> bool:
    return not (clock["hour"] + clock["minute"]).strip("0")


def _midnight(moment: datetime) -> Ruling:
    local = moment.astimezone(CHINA_TIME)
    return undetermined("时间恰为00:00") if (local.hour, local.minute) == (0, 0) else PASSED


class LengthOfStayWrong(PageCheck, name="length_of_stay_wrong"):
    """A length of stay other than the discharge day less the admission day.

    Attributes:
        same_day: the values accepted when both are one day.
    """

    same_day: tuple[float, ...] = (0, 1)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        admitted, ended, written = (
            case.record.encounter.admitted_at,
            case.ended_at,
            page.entry("length_of_stay"),
        )
        if admitted is None or ended is None or written.number is None:
            return undetermined("未提供入院时间、出院时间或实际住院天数")
        days = (day_of(ended) - day_of(admitted)).days
        if days < 0:
            return undetermined("出院时间早于入院时间")
        if written.number in (self.same_day if days == 0 else (days,)):
            return PASSED
        details = {
            "written": f"{written.number:g}",
            "days": days,
            "admitted": f"{day_of(admitted):%Y-%m-%d}",
            "discharged": f"{day_of(ended):%Y-%m-%d}",
        }
        return defect(page_hit(page, "length_of_stay", "admitted_at", "discharged_at", **details))


class DeathTimeDiffers(PageCheck, name="death_time_differs"):
    """The discharge time of a patient who died is not the time of death.

    Attributes:
        tolerance_minutes: the greatest difference that is tolerated, inclusive.
    """

    tolerance_minutes: float = Field(default=1, ge=0)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page's discharge time, else the encounter's."""
        if page.disposition is None:
            return undetermined("未提供离院方式")
        if page.disposition != "死亡":
            return not_applicable("未死亡")
        died, note = self._death(case)
        left = _moment(page.text("discharged_at")) or case.record.encounter.discharged_at
        if died is None or left is None:
            return undetermined("未提供死亡时间" if died is None else "未提供出院时间")
        if abs(left - died) <= timedelta(minutes=self.tolerance_minutes):
            return PASSED
        details = {"left": f"{_local(left):%Y-%m-%d %H:%M}", "died": f"{_local(died):%Y-%m-%d %H:%M}"}
        hit = page_hit(page, "discharged_at", **details)
        return defect(with_evidence(hit, *_label(case, note, "死亡日期")))

    def _death(self, case: Case) -> tuple[datetime | None, Document | None]:
        note = next(iter(case.documents_of(*_DEATH_TYPES[:2])), None)
        return case.record.encounter.died_at or (note.event_at if note else None), note


def _moment(written: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=CHINA_TIME)


def _local(moment: datetime) -> datetime:
    try:
        return moment.astimezone(CHINA_TIME)
    except OverflowError:
        return moment


def _label(case: Case, document: Document | None, section: str) -> tuple[Evidence, ...]:
    """The section of a document with its heading, as evidence."""
    found = case.reading(document).section(section) if document else None
    if document is None or found is None:
        return ()
    return (document.evidence(Span(found.heading.start, max(found.heading.end, found.body.end))),)


class DispositionContradicted(PageCheck, name="disposition_contradicted"):
    """How the patient left, by the page, is not what the record tells.

    Attributes:
        told: for each way of leaving, a pattern of how the discharge record or the last notes tell it; a
            place that is denied or supposed does not count.
        unless: a pattern of words of supposing, advising or warning earlier in the clause.
        last_hours: notes within so many hours before the end are last notes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    told: dict[str, str] = Field(min_length=1)
    unless: str
    last_hours: float = Field(default=24, gt=0)

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        return {way: regex(pattern) for way, pattern in self.told.items()}

    @cached_property
    def _unless(self) -> re.Pattern[str]:
        return regex(self.unless)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        entry, stay = page.entry("disposition"), case.record.encounter
        written = entry.choice
        if written is None:
            return (
                undetermined("首页未提供离院方式") if not entry.says else not_applicable("离院方式取值不合")
            )
        hits = [*self._on_death(case, page, written), *self._as_told(case, page, written)]
        if not hits and stay.disposition and stay.disposition != written:
            hits = [page_hit(page, "disposition", written=written, other=f"出院登记为{stay.disposition}")]
        if hits:
            return defect(hits[0])
        closing = case.documents_of(*_DEATH_TYPES, *_DISCHARGE_TYPES)
        return PASSED if closing else undetermined("没有出院记录或死亡记录可以比对")

    def _on_death(self, case: Case, page: FrontPageView, written: str) -> Iterator[Hit]:
        notes = case.documents_of(*_DEATH_TYPES)
        closed = case.documents_of(*_DISCHARGE_TYPES)
        if written != "死亡" and (notes or case.record.encounter.died_at):
            other = f"病历有{notes[0].kind}" if notes else "患者已死亡"
            hit = page_hit(page, "disposition", written=written, other=other)
            yield with_evidence(hit, *(_first_line(note) for note in notes[:1]))
        elif written == "死亡" and not notes and closed and not case.record.encounter.died_at:
            hit = page_hit(
                page, "disposition", written=written, other=f"病历没有死亡记录，却有{closed[0].kind}"
            )
            yield with_evidence(hit, _first_line(closed[0]))

    def _as_told(self, case: Case, page: FrontPageView, written: str) -> Iterator[Hit]:
        for document in self._last_notes(case):
            half = case.reading(document).half
            for way, pattern in self._patterns.items():
                for match in pattern.finditer(half) if way != written else ():
                    span = Span(*match.span())
                    clause = max(half.rfind(mark, 0, span.start) for mark in "。;,\n") + 1
                    is_supposed = self._unless.search(half, clause, span.end)
                    if not is_supposed and assertion_at(document.text, span) is Assertion.PRESENT:
                        other = f"{document.title or document.kind}写“{span.of(document.text)}”"
                        hit = page_hit(page, "disposition", written=written, other=other)
                        yield with_evidence(hit, document.evidence(span))

    def _last_notes(self, case: Case) -> Iterator[Document]:
        yield from case.documents_of(*_DISCHARGE_TYPES)
        end = case.ended_at
        for document in case.course_documents if end else ():
            done = document.completed_at
            if done and end and abs(end - done) <= timedelta(hours=self.last_hours):
                yield document


def _first_line(document: Document) -> Evidence:
    return document.evidence(Span(0, len(document.text.partition("\n")[0][:40])))


class ReadmissionPlanContradicted(PageCheck, name="readmission_plan_contradicted"):
    """A readmission planned within 31 days without purpose, or none planned against the discharge record.

    Attributes:
        planned: a pattern of a planned readmission, looked for in the advice; a time of at most
            ``within_days`` from now must stand before it in the same clause.
        unless: a pattern of words of supposing in that clause.
        within_days: the days that the page's item speaks of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    planned: str
    unless: str
    within_days: float = Field(default=31, gt=0)

    @cached_property
    def _planned(self) -> re.Pattern[str]:
        return regex(self.planned)

    @cached_property
    def _supposing(self) -> re.Pattern[str]:
        return regex(self.unless)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        plan, purpose = page.entry("readmission_plan_31_days"), page.entry("readmission_purpose")
        if plan.choice is None:
            return undetermined("首页未提供31天内再住院计划")
        if plan.choice == "有":
            if purpose.says:
                return PASSED
            if not purpose.is_delivered:
                return undetermined("首页未提供再住院目的")
            return defect(page_hit(page, plan.item.key, problem="填“有”而没有写目的"))
        for document in case.documents_of(*_DISCHARGE_TYPES):
            if span := self._told(case, document):
                problem = f"填“无”，而{document.title or document.kind}写“{span.of(document.text)}”"
                hit = page_hit(page, plan.item.key, problem=problem)
                return defect(with_evidence(hit, document.evidence(span)))
        return PASSED

    def _told(self, case: Case, document: Document) -> Span | None:
        reading = case.reading(document)
        for section in reading.sections if self._planned.search(reading.half) else ():
            for match in (
                self._planned.finditer(reading.half, *section.body) if section.name in _ADVICE else ()
            ):
                start = max(reading.half.rfind(mark, 0, match.start()) for mark in "。;,:\n") + 1
                is_said = assertion_at(document.text, Span(*match.span())) is Assertion.PRESENT
                if is_said and self._is_soon(reading.half[start : match.start()]):
                    return Span(start, match.end())
        return None

    def _is_soon(self, words: str) -> bool:
        if self._supposing.search(words):
            return False
        times = [each for each in find_durations(words) if _LATER.match(words, each.span.end)]
        return bool(times) and (times[-1].maximum_days or self.within_days + 1) <= self.within_days


class DepartmentsDiffer(PageCheck, name="departments_differ"):
    """The departments on the page are not those the patient went through."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page against the transfers."""
        moves = case.record.encounter.transfers
        if moves is None:
            return undetermined("未提供转科数据")
        if not moves:
            return not_applicable("没有转科")
        ordered = sorted(
            moves, key=lambda move: (move.at is None, move.at or datetime.max.replace(tzinfo=CHINA_TIME))
        )
        compared = (
            ("admission_department", ordered[0].from_department),
            ("discharge_department", ordered[-1].to_department),
        )
        hits = [hit for key, name in compared if name and (hit := self._differs(page, key, name))]
        transfer = page.entry("transfer_department")
        missing = [
            m.to_department for m in ordered if m.to_department and not _names(transfer.text, m.to_department)
        ]
        if transfer.is_delivered and missing and not _is_code(transfer.text):
            problem = f"转科科别填“{transfer.text}”，实际转入{'、'.join(missing)}"
            hits.append(page_hit(page, "transfer_department", problem=problem))
        return defect(*hits) if hits else PASSED

    def _differs(self, page: FrontPageView, key: str, name: str) -> Hit | None:
        entry = page.entry(key)
        if not entry.says or _is_code(entry.text) or _names(entry.text, name):
            return None
        return page_hit(page, key, problem=f"{entry.item.title}填“{entry.text}”，实际为{name}")


def _names(written: str, department: str) -> bool:
    """Whether a written list of departments names one, wards and bed numbers apart."""
    plain = _SUFFIX.sub("", half_width(department))
    return plain in written or (len(written) > 1 and _SUFFIX.sub("", written) in plain)


def _is_code(written: str) -> bool:
    return (
        bool(written) and not re.search(r"[\u4e00-\u9fff]", written) and re.search(r"\d", written) is not None
    )


class IntensiveCareTimesContradict(PageCheck, name="intensive_care_times_contradict"):
    """Intensive care begins before admission, ends after discharge, or ends before it begins; hours do not add up.

    Attributes:
        tolerance_hours: the greatest difference of hours that counts as rounding.
    """

    tolerance_hours: float = Field(default=1, ge=0)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page's list of stays in intensive care."""
        raw = page.entry("icu_stays").raw
        stays = [s for s in raw if isinstance(s, dict)] if isinstance(raw, list | tuple) else []
        if not stays:
            return self._without_list(case, page)
        times = [(_moment(str(s.get("entered_at"))), _moment(str(s.get("left_at")))) for s in stays]
        problems = [problem for entered, left in times for problem in self._problems(case, entered, left)]
        written = page.entry("icu_hours").number
        known = [(left - entered) / timedelta(hours=1) for entered, left in times if entered and left]
        if written is not None and len(known) == len(times) and not problems:
            total = sum(known)
            if abs(total - written) > self.tolerance_hours:
                problems.append(f"明细合计{total:.1f}小时，监护时数填{written:g}小时")
        if problems:
            return defect(page_hit(page, "icu_stays", problem="；".join(problems)))
        return PASSED if known else undetermined("重症监护明细没有进出时间")

    def _without_list(self, case: Case, page: FrontPageView) -> Ruling:
        stay = case.record.encounter
        moves = [name for move in stay.transfers or () for name in (move.from_department, move.to_department)]
        wards = "".join(filter(None, (page.text("admission_ward"), stay.ward, stay.department, *moves)))
        if page.entry("icu_hours").number or re.search("重症|ICU|监护", wards):
            return undetermined("未提供重症监护明细")
        return not_applicable("未入重症监护")

    def _problems(self, case: Case, entered: datetime | None, left: datetime | None) -> Iterator[str]:
        admitted, ended = case.record.encounter.admitted_at, case.ended_at
        if entered and admitted and entered < admitted:
            yield "进入时间早于入院"
        if left and ended and left > ended:
            yield "退出时间晚于出院"
        if entered and left and left < entered:
            yield "退出时间早于进入时间"


class RescueCountDiffers(PageCheck, name="rescue_count_differs"):
    """The number of resuscitations is not that of the records, or more succeeded than there were."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        entry, success = page.entry("rescue_count"), page.entry("rescue_success_count")
        if not entry.is_delivered:
            return not_applicable("首页没有抢救次数栏")
        if not entry.text or (entry.says and entry.number is None):
            return undetermined("抢救次数为空或不可读")
        count, records = entry.number or 0, case.documents_of("抢救记录")
        if success.number is not None and success.number > count:
            problem = f"抢救成功{success.number:g}次，抢救{count:g}次"
            return defect(page_hit(page, "rescue_success_count", "rescue_count", problem=problem))
        if count != len(records):
            problem = f"首页填抢救{count:g}次，病历有抢救记录{len(records)}份"
            hit = page_hit(page, "rescue_count", problem=problem)
            return defect(with_evidence(hit, *map(_first_line, records[:3])))
        return PASSED


class AutopsyContradicted(PageCheck, name="autopsy_contradicted"):
    """No answer on autopsy for a patient who died, or an autopsy of one who did not."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        entry, died = page.entry("autopsy"), page.disposition == "死亡"
        if page.disposition is None:
            return undetermined("未提供离院方式")
        if not entry.is_delivered:
            return undetermined("首页未提供尸检栏") if died else not_applicable("未死亡")
        if died and entry.choice is None:
            return defect(page_hit(page, "autopsy", problem="患者死亡而尸检栏未填“是”或“否”"))
        if not died and entry.choice == "是":
            return defect(page_hit(page, "autopsy", "disposition", problem="患者未死亡而尸检栏填“是”"))
        return PASSED if entry.text else not_applicable("未死亡")
