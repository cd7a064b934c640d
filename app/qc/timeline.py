"""The timeline of a stay: what happened when, and how ill the patient was meanwhile."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

from app.records.model import CHINA_TIME, Document, MedicalRecord, Order
from app.text.patterns import regex

Level = Literal["病危", "病重", "稳定"]
EventKind = Literal[
    "admission", "condition", "transfer", "operation", "resuscitation",
    "consultation", "critical_value", "discharge", "death", "document",
]  # fmt: skip
EVENT_TITLES: dict[EventKind, str] = {
    "admission": "入院", "condition": "病情", "transfer": "转科", "operation": "手术与操作", "resuscitation": "抢救",
    "consultation": "会诊", "critical_value": "危急值", "discharge": "出院", "death": "死亡", "document": "文书",
}  # fmt: skip

# A longer one is a typing error in one of its two times.
_LONGEST_STAY = timedelta(days=3660)
_SERIOUS: tuple[Level, ...] = get_args(Level)[:2]
_CONDITION_ENDS = regex("(?:停|取消|解除|撤销)(?:止|下)?(?:病危|病重)?|改为?一般")
_CANCELLED = regex("取消|作废|撤销|撤回")
_DEPARTMENT = regex(r"[\u4e00-\u9fff]{1,6}科")
_URGENT = regex(r"急会诊|(?<!非)紧急会诊|急诊会诊|会诊(?:类别|类型|性质)\s*[:：]?\s*(?:急|紧急)")
_EXTERNAL = regex("外院|院外|机构外|远程|上级医院|医疗机构外")


class Period(NamedTuple):
    """A stretch of the stay at one level of condition."""

    level: Level
    start: datetime
    end: datetime


class Event(NamedTuple):
    """Something that happened; ``until`` where it lasted, ``document_id`` where one records it."""

    at: datetime
    kind: EventKind
    title: str
    until: datetime | None = None
    document_id: str | None = None


class Consultation(NamedTuple):
    """A consultation: its order, its record, or both."""

    order: Order | None
    document: Document | None

    @property
    def is_urgent(self) -> bool:
        """Whether it was asked for as 急会诊."""
        return any(_URGENT.search(words) for words in self._words())

    @property
    def is_external(self) -> bool:
        """Whether physicians of another institution were asked."""
        return any(_EXTERNAL.search(words) for words in self._words())

    def _words(self) -> Iterator[str]:
        if self.order is not None:
            yield self.order.content or ""
        if self.document is not None:
            yield self.document.title or ""
            yield self.document.text[:120]


def day_of(moment: datetime) -> date:
    """The calendar day in China."""
    try:
        return moment.astimezone(CHINA_TIME).date()
    except OverflowError:
        return moment.date()


def midnight_after(moment: datetime, days: int) -> datetime:
    """The end of the calendar day in China that comes ``days`` after that of ``moment``."""
    try:
        return datetime.combine(day_of(moment) + timedelta(days=days + 1), datetime.min.time(), CHINA_TIME)
    except OverflowError:
        return datetime.max.replace(tzinfo=CHINA_TIME)


def later(moment: datetime, by: timedelta) -> datetime:
    """``moment + by``, or the latest moment there is."""
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(tzinfo=CHINA_TIME)


def is_cancelled(order: Order) -> bool:
    """Whether an order was withdrawn before it was carried out."""
    withdrawn = order.stopped_at is not None and order.executed_at is None
    return withdrawn or _says_cancelled(order.content or "")


@lru_cache(maxsize=4096)
def _says_cancelled(content: str) -> bool:
    return _CANCELLED.search(content) is not None


@dataclass(frozen=True, eq=False)
class Timeline:
    """The timeline of one record up to its end, or else up to the moment of judgement."""

    record: MedicalRecord
    ended_at: datetime | None
    as_of: datetime | None

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Everything with a time, in order."""
        found = (
            *self._stay(), *self._conditions(), *self._transfers(), *self._operations(),
            *self._resuscitations(), *self._consultations(), *self._critical_values(), *self._documents(),
        )  # fmt: skip
        return tuple(sorted(found, key=lambda event: event.at))

    @cached_property
    def levels_are_given(self) -> bool:
        """Whether intervals or orders say how ill the patient was; an empty list of intervals does."""
        return self.record.encounter.conditions is not None or bool(self._ordered_conditions())

    @cached_property
    def periods(self) -> tuple[Period, ...]:
        """The stay from admission on, cut by level, the graver level winning; empty without usable times.

        Levels come from ``encounter.conditions``, else from orders of 病危 and 病重.
        """
        start, end = self.record.encounter.admitted_at, self.ended_at or self.as_of
        if start is None or end is None or not timedelta(0) < end - start <= _LONGEST_STAY:
            return ()
        given = self.record.encounter.conditions
        spells = (
            [(c.start, c.end, c.level) for c in given if c.start is not None]
            if given is not None
            else self._ordered_conditions()
        )
        serious = [Period(level, max(start, since), min(end, until or end)) for since, until, level in spells]
        return _cut(start, end, [period for period in serious if period.start < period.end])

    def serious_periods(self) -> tuple[Period, ...]:
        """The periods of 病危 and 病重."""
        return tuple(period for period in self.periods if period.level in _SERIOUS)

    @cached_property
    def consultations(self) -> tuple[Consultation, ...]:
        """Consultation orders that stand, each with its record, and records without an order.

        A record that names an order in ``refers_to`` belongs to it; the others go to the orders before them,
        first to those that name the same department.
        """
        orders = [o for o in self.record.orders or () if o.category == "会诊" and not is_cancelled(o)]
        orders.sort(key=lambda order: (order.ordered_at is None, order.ordered_at))
        free = [d for d in self.record.documents_of("会诊记录") if not _is_request_only(d)]
        paired: dict[int, Document] = {}
        for number, order in enumerate(orders):
            found = next((d for d in free if order.id and order.id in (d.refers_to or ())), None)
            _take(number, found, paired, free)
        for is_same in (_names_department, _may_follow):
            for number, order in enumerate(orders):
                if number not in paired:
                    found = next((d for d in free if _may_follow(order, d) and is_same(order, d)), None)
                    _take(number, found, paired, free)
        pairs = [Consultation(order, paired.get(number)) for number, order in enumerate(orders)]
        return (*pairs, *(Consultation(None, document) for document in free))

    def _stay(self) -> Iterator[Event]:
        stay = self.record.encounter
        moments: tuple[tuple[EventKind, datetime | None], ...] = (
            ("admission", stay.admitted_at),
            ("discharge", stay.discharged_at),
            ("death", stay.died_at),
        )
        yield from (Event(at, kind, EVENT_TITLES[kind]) for kind, at in moments if at)

    def _conditions(self) -> Iterator[Event]:
        for period in self.serious_periods():
            yield Event(period.start, "condition", period.level, period.end)

    def _transfers(self) -> Iterator[Event]:
        for transfer in self.record.encounter.transfers or ():
            if transfer.at:
                title = f"{transfer.from_department or '？'}→{transfer.to_department or '？'}"
                yield Event(transfer.at, "transfer", title)

    def _operations(self) -> Iterator[Event]:
        for procedure in self.record.procedures or ():
            at = procedure.started_at or procedure.ended_at
            if at:
                yield Event(at, "operation", procedure.name or procedure.kind or "手术", procedure.ended_at)

    def _resuscitations(self) -> Iterator[Event]:
        for document in self.record.documents_of("抢救记录"):
            at = document.event_at or document.completed_at
            if at:
                yield Event(at, "resuscitation", "抢救", None, document.id)

    def _consultations(self) -> Iterator[Event]:
        for order, document in self.consultations:
            done = (document.event_at or document.completed_at) if document else None
            asked = order and order.ordered_at
            at = asked or done
            if at:
                title = (order and order.content) or (document and document.title) or "会诊"
                yield Event(at, "consultation", title, done, document.id if document else None)

    def _critical_values(self) -> Iterator[Event]:
        for result in self.record.lab_results or ():
            if result.flag == "危急" and result.reported_at:
                title = f"{result.item or '检验'} {result.value or ''}{result.unit or ''}"
                yield Event(result.reported_at, "critical_value", title)
        for report in self.record.exam_reports or ():
            if report.critical and report.reported_at:
                title = report.impression or report.modality or "检查"
                yield Event(report.reported_at, "critical_value", title)

    def _documents(self) -> Iterator[Event]:
        for document in self.record.documents or ():
            at = document.event_at or document.completed_at
            if at:
                title = document.title or document.kind
                yield Event(at, "document", title, document.completed_at, document.id)

    def _ordered_conditions(self) -> list[tuple[datetime, datetime | None, Level]]:
        ordered = [
            (o.ordered_at, o.stopped_at, o.content or "")
            for o in self.record.orders or ()
            if o.category == "病情" and o.ordered_at
        ]
        found: list[tuple[datetime, datetime | None, Level]] = []
        for since, until, content in sorted(ordered, key=lambda order: order[0]):
            begins = _CONDITION_ENDS.sub("", content)
            level = next((level for level in _SERIOUS if level in begins), None)
            if level is None and begins == content:
                continue
            if found and found[-1][1] is None:
                found[-1] = (found[-1][0], since, found[-1][2])
            if level is not None:
                found.append((since, until, level))
        return found


def _cut(start: datetime, end: datetime, serious: list[Period]) -> tuple[Period, ...]:
    bounds = sorted({start, end, *(p.start for p in serious), *(p.end for p in serious)})
    found: list[Period] = []
    for since, until in pairwise(bounds):
        here = {p.level for p in serious if p.start <= since and until <= p.end}
        level: Level = next((level for level in _SERIOUS if level in here), "稳定")
        if found and found[-1].level == level:
            found[-1] = Period(level, found[-1].start, until)
        else:
            found.append(Period(level, since, until))
    return tuple(found)


def _take(number: int, found: Document | None, paired: dict[int, Document], free: list[Document]) -> None:
    if found is not None:
        paired[number] = found
        free.remove(found)


def _is_request_only(document: Document) -> bool:
    return "申请" in (document.title or "") and "会诊意见" not in document.text


def _departments(words: Iterable[str]) -> set[str]:
    return {match.lstrip("请邀") for each in words for match in _DEPARTMENT.findall(each)}


def _names_department(order: Order, document: Document) -> bool:
    asked = _departments([order.content or ""])
    written = (document.title or "") + document.text[:300]
    return any(department in written for department in asked)


def _may_follow(order: Order, document: Document) -> bool:
    done = document.completed_at or document.event_at
    return done is None or order.ordered_at is None or done >= order.ordered_at
