"""Vital signs, nursing level and condition against the notes."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import Check, DocumentCheck
from app.qc.checks.correspondence import sentence_around, written
from app.qc.checks.order_of_events import shown, written_head
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.qc.timeline import day_of, is_cancelled, later
from app.records.model import Document, DocumentType, Order, Span, Vitals
from app.text.assertion import Assertion, assertion_at
from app.text.patterns import regex
from app.text.quantities import VitalSign

_TITLES = {
    "temperature": "体温", "pulse": "脉搏", "respiration": "呼吸", "systolic": "收缩压", "diastolic": "舒张压",
    "spo2": "血氧饱和度", "heart_rate": "心率",
}  # fmt: skip
_PULSELESS = regex("死亡|抢救|停搏|骤停|无脉|测不出|心肺复苏|临终|呼吸机|机械通气|室颤|除颤|胎")
_FIBRILLATION = regex(
    "房颤|心房颤动|心房纤颤|早搏|期前收缩|绝对不齐|强弱不等|脉搏短绌|扑动|不等|心律失常|心律不齐"
)
_FEVER = regex(r"发热|高热|高烧|低热|发烧|热退|退热|热峰|体温|降温|T\s?(?:3[89]|4[0-2])")
_LEVELS = {"特级护理": "特级", "特别护理": "特级", "一级护理": "一级", "Ⅰ级护理": "一级", "I级护理": "一级"}
_NURSING = regex("护理")
_STABLE = regex("病情(?:平稳|稳定|好转)|一般情况(?:可|好|良好)|生命体征平稳")
_NOTICE_LEVEL = regex("病危|病重")
_OFF_CRITICAL = regex("停|解除|取消|撤|改|既往|入院时|曾|不|未|有.{0,6}危险|可能|告知|通知书|随时|危重")


class FeverUnmentioned(Check, name="fever_unmentioned"):
    """High fever on days in a row of which no course note of these days or the next tells.

    Attributes:
        limit: the temperature in ℃ from which a day counts.
        days: how many calendar days in a row.
    """

    limit: float = 38.5
    days: int = Field(default=2, ge=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each run of feverish days."""
        admitted = case.record.encounter.admitted_at
        feverish = sorted(
            {
                day_of(v.at)
                for v in case.record.vitals or ()
                if v.at and (v.temperature or 0) >= self.limit and (admitted is None or v.at >= admitted)
            }
        )
        runs = [run for run in _runs(feverish) if len(run) >= self.days]
        return combine((self._rule_on_run(case, run, applies_to) for run in runs), none_reason="没有持续高热")

    def _rule_on_run(self, case: Case, run: list[date], types: tuple[DocumentType, ...]) -> Ruling:
        last = run[-1] + timedelta(days=1)
        notes = [
            d
            for d in case.documents_of(*types)
            if (m := d.event_at or written(d)) and run[0] <= day_of(m) <= last
        ]
        if any(_FEVER.search(case.reading(note).half) for note in notes):
            return PASSED
        if not case.is_over and case.as_of is not None and day_of(case.as_of) <= last:
            return not_applicable("患者在院，书写时限未到")
        details = {"since": f"{run[0]}", "until": f"{run[-1]}", "limit": f"{self.limit:g}"}
        return defect(Hit(notes[0].id if notes else None, details=details))


def _runs(days: list[date]) -> Iterator[list[date]]:
    run = days[:1]
    for before, day in pairwise(days):
        if (day - before).days > 1:
            yield run
            run = []
        run.append(day)
    if run:
        yield run


class VitalsDiffer(Check, name="vitals_differ"):
    """Vital signs in a note that are far from every set charted about that time.

    Attributes:
        hours: how far a charted set may lie from the note.
        temperature: the difference in ℃ from which it counts.
        pulse: the difference per minute.
        systolic: the difference in mmHg.
    """

    hours: float = Field(default=2, gt=0)
    temperature: float = 1.0
    pulse: float = 20
    systolic: float = 30

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each note and combine."""
        documents = case.documents_of(*applies_to)
        rulings = (self._rule_on_document(case, document) for document in documents)
        return combine(rulings, none_reason="没有同时点的体温单数据")

    def _rule_on_document(self, case: Case, document: Document) -> Ruling:
        head = written_head(document)
        moment = document.event_at or (head[1] if head else None)
        if moment is None:
            return not_applicable("文书没有测量时间")
        reach = timedelta(hours=self.hours)
        near = [v for v in case.record.vitals or () if v.at and abs(v.at - moment) <= reach]
        if not near:
            return not_applicable("没有同时点的体温单数据")
        signs = _first_set(case, document)
        if signs and all(sign.masked for sign in signs):
            return undetermined("生命体征被脱敏")
        hits = [hit for sign in signs if (hit := self._hit(document, sign, near))]
        return defect(*hits) if hits else PASSED

    def _hit(self, document: Document, sign: VitalSign, near: list[Vitals]) -> Hit | None:
        limit = {"temperature": self.temperature, "pulse": self.pulse, "systolic": self.systolic}.get(
            sign.name
        )
        charted = [(v.at, value) for v in near if v.at and (value := getattr(v, sign.name, None)) is not None]
        if limit is None or sign.value is None or not charted:
            return None
        if any(abs(value - sign.value) < limit for _, value in charted):
            return None
        at, value = charted[0]
        details = {
            "sign": _TITLES[sign.name],
            "value": f"{sign.value:g}",
            "charted": f"{value:g}",
            "at": shown(at),
        }
        return Hit.at(document, sign.span, **{**details, "document": document.title or document.kind})


def _first_set(case: Case, document: Document) -> list[VitalSign]:
    """The vital signs of the first line or sentence that gives at least two of them."""
    half = case.reading(document).half
    signs = case.vital_signs(document)
    for first, second in pairwise(signs):
        if second.span.start - first.span.end <= 12 and "\n" not in half[first.span.end : second.span.start]:
            return [s for s in signs if first.span.start <= s.span.start <= first.span.start + 60]
    return []


class Range(BaseModel):
    """What a living patient can have, bounds included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lowest: float
    highest: float


class _Reading(NamedTuple):
    name: str
    value: float


class VitalsImplausible(Check, name="vitals_implausible"):
    """A vital sign that no living patient has, or a systolic pressure not above the diastolic.

    Attributes:
        ranges: vital sign -> what is possible.
    """

    ranges: dict[str, Range]

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the notes and the chart."""
        hits = [*self._in_documents(case, applies_to), *self._in_chart(case)]
        return defect(*hits) if hits else PASSED

    def _in_documents(self, case: Case, types: tuple[DocumentType, ...]) -> Iterator[Hit]:
        for document in case.documents_of(*types):
            half = case.reading(document).half
            signs = case.vital_signs(document)
            for sign in signs:
                problem = None if sign.value is None else self._problem(_Reading(sign.name, sign.value))
                if problem and not _PULSELESS.search(sentence_around(half, sign.span)):
                    yield Hit.at(document, sign.span, problem=problem, place=document.title or document.kind)
            for first, second in pairwise(signs):
                if (
                    first.name == "systolic"
                    and second.name == "diastolic"
                    and _reversed(first.value, second.value)
                ):
                    span = Span(first.span.start, second.span.end)
                    yield Hit.at(
                        document, span, problem=f"血压{span.of(half)}收缩压不高于舒张压", place=document.kind
                    )

    def _in_chart(self, case: Case) -> Iterator[Hit]:
        died = case.record.encounter.died_at
        for vital in case.record.vitals or ():
            near_death = died and vital.at and vital.at >= later(died, -timedelta(hours=24))
            if near_death:
                continue
            readings = [
                _Reading(name, value)
                for name in self.ranges
                if (value := getattr(vital, name, None)) is not None
            ]
            problems = [p for reading in readings if (p := self._problem(reading))]
            if _reversed(vital.systolic, vital.diastolic):
                problems.append(f"血压{vital.systolic:g}/{vital.diastolic:g}收缩压不高于舒张压")
            if problems:
                at = shown(vital.at) if vital.at else "时间不详"
                yield Hit(details={"problem": "、".join(problems), "place": f"体温单（{at}）"})

    def _problem(self, reading: _Reading) -> str | None:
        possible = self.ranges.get(reading.name)
        if possible is None or possible.lowest <= reading.value <= possible.highest:
            return None
        return f"{_TITLES[reading.name]}{reading.value:g}超出可能范围"


def _reversed(systolic: float | None, diastolic: float | None) -> bool:
    return systolic is not None and diastolic is not None and 0 < systolic <= diastolic


class HeartRateAndPulse(DocumentCheck, name="heart_rate_and_pulse"):
    """A pulse above the heart rate, or far below it without atrial fibrillation or premature beats.

    Attributes:
        difference: heart rate minus pulse from which it counts.
    """

    difference: float = 10

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        half = case.reading(document).half
        signs = case.vital_signs(document)
        pulse = next((s for s in signs if s.name == "pulse" and s.value is not None), None)
        rates = [s for s in signs if s.name == "heart_rate" and s.value is not None]
        rate = next((s for s in rates if pulse and s.span.start > pulse.span.start), None)
        if pulse is None or rate is None or pulse.value is None or rate.value is None:
            return undetermined("没有同时写心率和脉搏")
        details = {"pulse": f"{pulse.value:g}", "rate": f"{rate.value:g}"}
        if pulse.value > rate.value + 5:
            return defect(Hit.at(document, pulse.span, rate.span, problem="脉搏多于心率", **details))
        if rate.value - pulse.value < self.difference:
            return PASSED
        diagnoses = "".join(d.name or "" for d in case.record.diagnoses or ())
        if _FIBRILLATION.search(half) or _FIBRILLATION.search(diagnoses):
            return not_applicable("有房颤或早搏")
        return defect(
            Hit.at(document, pulse.span, rate.span, problem="心率明显多于脉搏而无房颤、早搏", **details)
        )


class NursingLevel(Check, name="nursing_level"):
    """A time of 病危 or 病重 without special or first-level nursing, or first-level nursing up to discharge.

    Attributes:
        grace_hours: hours after the condition was stated within which the order may follow.
    """

    grace_hours: float = Field(default=2, ge=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        nursing = [
            o
            for o in case.record.orders or ()
            if _NURSING.search(o.content or "") and "级" in (o.content or "")
        ]
        if not nursing:
            return not_applicable("没有护理级别医嘱")
        if case.record.encounter.conditions is None:
            return undetermined("未提供病情级别")
        high = [o for o in nursing if any(word in (o.content or "") for word in _LEVELS) and o.ordered_at]
        hits = [*self._uncovered(case, high), *self._at_discharge(case, high, applies_to)]
        return defect(*hits) if hits else PASSED

    def _uncovered(self, case: Case, high: list[Order]) -> Iterator[Hit]:
        grace = timedelta(hours=self.grace_hours)
        for period in case.timeline.serious_periods():
            if period.end - period.start <= grace:
                continue
            if not any(_covers(order, later(period.start, grace)) for order in high):
                yield Hit(
                    details={"problem": f"{shown(period.start)}起{period.level}，没有特级或一级护理医嘱"}
                )

    def _at_discharge(self, case: Case, high: list[Order], types: tuple[DocumentType, ...]) -> Iterator[Hit]:
        stay = case.record.encounter
        if stay.discharged_at is None or stay.disposition != "医嘱离院":
            return
        kept = [o for o in high if _covers(o, later(stay.discharged_at, -timedelta(minutes=1)))]
        notes = [
            d
            for d in case.documents_of(*types)
            if (w := written(d)) and day_of(w) == day_of(stay.discharged_at)
        ]
        if kept and any(_STABLE.search(case.reading(note).half) for note in notes):
            yield Hit(details={"problem": "出院当日病情稳定而仍为一级护理"})


def _covers(order: Order, moment: datetime) -> bool:
    begun = order.ordered_at
    return begun is not None and begun <= moment and (order.stopped_at is None or order.stopped_at > moment)


class ConditionNotice(Check, name="condition_notice"):
    """A notice of 病危 or 病重 that does not fit the order: another level, an earlier day, or no order at all."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each notice and combine."""
        documents = case.documents_of(*applies_to)
        return combine(
            (self._rule_on(case, document) for document in documents), none_reason="没有病危（重）通知书"
        )

    def _rule_on(self, case: Case, document: Document) -> Ruling:
        spells = [
            *((o.ordered_at, o.content or "") for o in case.record.orders or () if self._is_level(o)),
            *((c.start, c.level) for c in case.record.encounter.conditions or ()),
        ]
        name = document.title or document.kind
        match = _NOTICE_LEVEL.search(document.title or "") or _NOTICE_LEVEL.search(document.text)
        if not spells:
            return defect(Hit.at(document, document=name, problem="没有病危（重）医嘱"))
        if match is not None and not any(match.group() in content for _, content in spells):
            ordered = "、".join(dict.fromkeys(c.strip() for _, c in spells))
            return defect(
                Hit.at(document, document=name, problem=f"通知书为{match.group()}，医嘱为{ordered}")
            )
        begun = min((at for at, _ in spells if at), default=None)
        done = document.completed_at
        if begun is None or done is None:
            return undetermined("没有医嘱或通知书的时间")
        if day_of(done) < day_of(begun):
            problem = f"通知书{shown(done)}早于医嘱{shown(begun)}"
            return defect(Hit.at(document, document=name, problem=problem))
        return PASSED

    def _is_level(self, order: Order) -> bool:
        return order.category == "病情" and not is_cancelled(order) and "停" not in (order.content or "")


class Event(BaseModel):
    """A change that nursing may record: its name, how nurses write it, and how physicians do."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    name: str
    nursing: str
    course: str

    @cached_property
    def in_nursing(self) -> re.Pattern[str]:
        """The compiled pattern for nursing records."""
        return regex(self.nursing)

    @cached_property
    def in_course(self) -> re.Pattern[str]:
        """The compiled pattern for course notes."""
        return regex(self.course)


class NursingEventUntold(Check, name="nursing_event_untold"):
    """A grave event in a nursing record of which no physician's note tells.

    Attributes:
        events: the events.
        note_types: the notes that may tell them.
    """

    events: tuple[Event, ...] = Field(min_length=1)
    note_types: tuple[DocumentType, ...] = Field(min_length=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each event and combine."""
        records = case.documents_of(*applies_to)
        if not records:
            return undetermined("未提供护理记录")
        notes = [case.reading(d).half for d in case.documents_of(*self.note_types)]
        hits = [
            Hit.at(record, Span(*match.span()), event=event.name)
            for record in records
            for event in self.events
            for match in self._told(case, record, event)
            if not any(event.in_course.search(note) for note in notes)
        ]
        return defect(*hits[:3]) if hits else PASSED

    def _told(self, case: Case, record: Document, event: Event) -> Iterator[re.Match[str]]:
        for match in event.in_nursing.finditer(case.reading(record).half):
            sentence = sentence_around(match.string, Span(*match.span()))
            is_plan = re.search(
                "预防|风险|评分|评估|宣教|防止|防|防范|高危|警示|标识|警惕|避免|告知|嘱", sentence
            )
            if not is_plan and assertion_at(record.text, Span(*match.span())) is Assertion.PRESENT:
                yield match
                return
