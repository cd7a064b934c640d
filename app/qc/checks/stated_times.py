"""Whether the times that documents state agree with each other and with the data."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check, DocumentCheck
from app.qc.checks.order_of_events import shown
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.qc.timeline import day_of, later
from app.records.model import Document, DocumentType, Evidence, Procedure, Span, Transfer
from app.text.patterns import regex
from app.text.times import DateMention, find_dates

_SPACE = regex(r"[\s:]{0,4}")
_LABELS: dict[str, re.Pattern[str]] = {
    event: regex(rf"{event}(?:日期|时间)") for event in ("入院", "出院", "手术", "死亡")
}
_HAN = regex(r"[\u4e00-\u9fff]")
_DEATH_TOLD = regex(r"(?:宣[布告](?:临床|生物学)?死亡|临床死亡)")
_CLOCK = r"(?P<hour>\d{1,2})[:时](?P<minute>\d{2})"
_CRITICAL_TAKEN = regex(
    _CLOCK + r"分?[^。;\n]{0,12}?(?:接|获|收到|处理|处置|予)[^。;\n]{0,24}?危急值(?P<told>[^。;\n]{0,30})"
)
_ANAESTHESIA = regex(
    r"麻醉起止(?:时间)?\s*:?\s*(?P<start>\d{1,2}:\d{2})\s*[-—~至到]+\s*(?P<end>\d{1,2}:\d{2})"
)
_TRANSFER_LABEL = regex(r"(?P<side>转出|转入)(?:科室|科别)\s*:\s*(?P<name>[\u4e00-\u9fff]{2,12})")
_TRANSFER_TIME = regex(r"(?:转出|转入|转科)(?:日期|时间)")
_LOCAL = regex("局麻|局部|浸润|表面")


class Stated(NamedTuple):
    """A date that a document states for an event."""

    document: Document
    span: Span
    date: DateMention

    @property
    def evidence(self) -> Evidence:
        """The label and the date."""
        return self.document.evidence(self.span)


@lru_cache(maxsize=512)
def _date_at_start(words: str) -> DateMention | None:
    return next((date for date in find_dates(words) if date.span.start == 0), None)


def stated_dates(case: Case, document: Document, event: str) -> Iterator[Stated]:
    """The dates that stand after the labels of an event in one document."""
    half = case.reading(document).half
    for label in _LABELS[event].finditer(half):
        if event != "死亡" and _HAN.match(half, max(0, label.start() - 1), label.start()):
            continue
        start = _SPACE.match(half, label.end())
        position = start.end() if start else label.end()
        date = _date_at_start(half[position : position + 24])
        if date is not None:
            yield Stated(document, Span(label.start(), position + date.span.end), date)


class StayDatesDiffer(Check, name="stay_dates_differ"):
    """The day of admission, discharge or operation stated in a document is not that of the data, or of another.

    Attributes:
        tolerance_minutes: with it, times stated to the minute are compared as well.
    """

    tolerance_minutes: float | None = Field(default=None, ge=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each event and combine."""
        documents = case.documents_of(*applies_to)
        if not documents:
            return not_applicable(f"没有{'、'.join(applies_to)}")
        stay = case.record.encounter
        rulings = [
            self._rule_on_event(case, documents, "入院", [stay.admitted_at] if stay.admitted_at else []),
            self._rule_on_event(case, documents, "出院", [stay.discharged_at] if stay.discharged_at else []),
            self._rule_on_event(
                case, documents, "手术", [p.started_at for p in case.record.procedures or () if p.started_at]
            ),
        ]
        return combine(rulings, none_reason="没有可比的日期")

    def _rule_on_event(
        self, case: Case, documents: tuple[Document, ...], event: str, known: list[datetime]
    ) -> Ruling:
        stated = [s for document in documents for s in stated_dates(case, document, event)]
        usable = [s for s in stated if s.date.value is not None and s.date.precision in ("day", "minute")]
        if not usable:
            masked = any(s.date.masked for s in stated)
            return undetermined(f"{event}日期被脱敏") if masked else not_applicable(f"文书没有写{event}日期")
        if known:
            wrong = [s for s in usable if not any(self._agree(s.date, moment) for moment in known)]
            hits = [self._hit(s, event, "、".join(map(shown, known)), ()) for s in wrong]
            return defect(*hits) if hits else PASSED
        first, *others = usable
        wrong = [
            s
            for s in others
            if s.date.value and first.date.value and not self._agree(s.date, first.date.value)
        ]
        if event == "手术" or not others:
            return not_applicable(f"{event}日期只有一处")
        quote = first.evidence.quote
        hits = [self._hit(s, event, f"{first.document.kind}所写“{quote}”", (first.evidence,)) for s in wrong]
        return defect(*hits) if hits else PASSED

    def _agree(self, date: DateMention, moment: datetime) -> bool:
        if date.value is None:
            return True
        if day_of(date.value) != day_of(moment):
            return False
        if self.tolerance_minutes is None or date.precision != "minute":
            return True
        return abs(date.value - moment) <= timedelta(minutes=self.tolerance_minutes)

    def _hit(self, stated: Stated, event: str, known: str, other: tuple[Evidence, ...]) -> Hit:
        name = stated.document.title or stated.document.kind
        details = {"event": event, "document": name, "known": known}
        return Hit(stated.document.id, None, (stated.evidence, *other), details)


class DeathTimesDiffer(Check, name="death_times_differ"):
    """Places that state the death differ, or a resuscitation or vital signs come after it.

    Attributes:
        tolerance_minutes: how far stated times may differ.
    """

    tolerance_minutes: float = Field(default=1, ge=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        stay = case.record.encounter
        if stay.died_at is None and stay.disposition != "死亡":
            return not_applicable("患者未死亡")
        stated = [s for d in case.documents_of(*applies_to) for s in self._stated(case, d)]
        exact = [s for s in stated if s.date.precision == "minute" and s.date.value]
        died = stay.died_at or (exact[0].date.value if exact else None)
        if died is None:
            return undetermined("没有写到分钟的死亡时间")
        hits = [*self._differing(exact, died, stay.died_at is not None), *self._later(case, died)]
        if hits:
            return defect(*hits)
        places = len(exact) + (stay.died_at is not None)
        return PASSED if places > 1 or case.record.vitals else undetermined("死亡时间只有一处记录")

    def _stated(self, case: Case, document: Document) -> Iterator[Stated]:
        yield from stated_dates(case, document, "死亡")
        half = case.reading(document).half
        for told in _DEATH_TOLD.finditer(half):
            start = max(0, told.start() - 24)
            dates = [d for d in find_dates(half[start : told.start()]) if d.precision == "minute"]
            if dates:
                yield Stated(document, Span(start + dates[-1].span.start, told.end()), dates[-1])

    def _differing(self, exact: list[Stated], died: datetime, known: bool) -> Iterator[Hit]:
        for stated in exact:
            if stated.date.value and abs(stated.date.value - died) > timedelta(
                minutes=self.tolerance_minutes
            ):
                others = () if known else (exact[0].evidence,)
                problem = f"{stated.document.title or stated.document.kind}写为{shown(stated.date.value)}"
                details = {"problem": f"{problem}，与死亡时间{shown(died)}不同"}
                yield Hit(stated.document.id, None, (stated.evidence, *others), details)

    def _later(self, case: Case, died: datetime) -> Iterator[Hit]:
        limit = later(died, timedelta(minutes=self.tolerance_minutes))
        for document in case.documents_of("抢救记录"):
            if document.event_at and document.event_at > limit:
                problem = f"抢救结束时间{shown(document.event_at)}晚于死亡时间{shown(died)}"
                yield Hit.at(document, problem=problem)
        for vital in case.record.vitals or ():
            if vital.at and vital.at > limit and (vital.pulse or vital.systolic or vital.respiration):
                problem = f"死亡时间{shown(died)}之后，{shown(vital.at)}仍有生命体征"
                yield Hit(details={"problem": problem})
                return


class CriticalValueTooEarly(Check, name="critical_value_too_early"):
    """A note that handles a critical value at a time before the value was reported.

    Laboratories telephone before they issue, hence a tolerance.

    Attributes:
        tolerance_minutes: how long before the report it may be handled.
    """

    tolerance_minutes: float = Field(default=30, ge=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each note that tells when a critical value was taken."""
        reported = [
            *(r.reported_at for r in case.record.lab_results or () if r.flag == "危急" and r.reported_at),
            *(r.reported_at for r in case.record.exam_reports or () if r.critical and r.reported_at),
        ]
        if not reported:
            return not_applicable("没有危急值")
        hits: list[Hit] = []
        told = False
        for document in case.documents_of(*applies_to):
            moment = document.event_at or document.completed_at
            if moment is None:
                continue
            for match in _CRITICAL_TAKEN.finditer(case.reading(document).half):
                taken = _at_clock(moment, f"{match['hour']}:{match['minute']}")
                same_day = [r for r in reported if taken and day_of(r) == day_of(taken)]
                told = told or bool(same_day)
                if (
                    taken
                    and same_day
                    and all(r - taken > timedelta(minutes=self.tolerance_minutes) for r in same_day)
                ):
                    details = {"taken": shown(taken), "reported": shown(min(same_day))}
                    hits.append(Hit.at(document, Span(*match.span()), **details))
        if hits:
            return defect(*hits)
        return PASSED if told else undetermined("病程没有写接获危急值的时间")


def _at_clock(day: datetime, clock: str) -> datetime | None:
    hour, minute = (int(part) for part in clock.split(":"))
    return (
        day.replace(hour=hour, minute=minute, second=0, microsecond=0) if hour < 24 and minute < 60 else None
    )


class TransferDiffers(Check, name="transfer_differs"):
    """A transfer note whose departments or day are not those of any transfer on record.

    Attributes:
        tolerance_hours: how far the stated time may lie from the transfer.
    """

    tolerance_hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each transfer note and combine."""
        documents = case.documents_of(*applies_to)
        transfers = case.record.encounter.transfers
        if not documents:
            return not_applicable("没有转科记录")
        if transfers is None:
            return undetermined("未提供转科流转数据")
        return combine((self._rule_on(case, d, transfers) for d in documents), none_reason="没有转科记录")

    def _rule_on(self, case: Case, document: Document, transfers: tuple[Transfer, ...]) -> Ruling:
        half = case.reading(document).half
        named = {match["side"]: match for match in _TRANSFER_LABEL.finditer(half)}
        date = self._stated_time(half)
        if not transfers:
            return defect(Hit.at(document, problem="转科流转数据中没有转科"))
        if not named and date is None:
            return undetermined("转科记录没有写科室和时间")
        fits = [t for t in transfers if self._names_agree(t, named)]
        if not fits:
            span = next(iter(named.values()))
            route = "、".join(f"{t.from_department or '？'}→{t.to_department or '？'}" for t in transfers)
            return defect(Hit.at(document, Span(*span.span()), problem=f"科室与转科流转（{route}）不同"))
        moments = [t.at for t in fits if t.at]
        if date is None or date.value is None or not moments:
            return PASSED
        value, reach = date.value, timedelta(hours=self.tolerance_hours)
        if any(abs(value - moment) <= reach for moment in moments):
            return PASSED
        problem = f"所写转科时间{shown(value)}与流转时间{shown(moments[0])}不同"
        return defect(Hit.at(document, date.span, problem=problem))

    def _stated_time(self, half: str) -> DateMention | None:
        label = _TRANSFER_TIME.search(half)
        if label is None:
            return None
        dates = find_dates(half[label.end() : label.end() + 26])
        if not dates or dates[0].span.start > 3:
            return None
        return dates[0]._replace(span=dates[0].span.shifted(label.end()))

    def _names_agree(self, transfer: Transfer, named: dict[str, re.Match[str]]) -> bool:
        sides = (("转出", transfer.from_department), ("转入", transfer.to_department))
        return all(
            known is None or side not in named or known in named[side]["name"] or named[side]["name"] in known
            for side, known in sides
        )


class AnaesthesiaOutsideOperation(DocumentCheck, name="anaesthesia_outside_operation"):
    """Anaesthesia that begins after its operation, or ends before it; local anaesthesia is exempt."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        procedure = self._procedure(case, document)
        if procedure is None or procedure.started_at is None or procedure.ended_at is None:
            return undetermined("未提供手术起止时间")
        if _LOCAL.search(procedure.anesthesia or ""):
            return not_applicable("局部麻醉")
        match = _ANAESTHESIA.search(case.reading(document).half)
        if match is None:
            return undetermined("麻醉记录没有写起止时间")
        started, ended = _around(procedure, match["start"]), _around(procedure, match["end"])
        if started is None or ended is None:
            return undetermined("麻醉起止时间不可读")
        if ended < started:
            ended = later(ended, timedelta(days=1))
        problem = self._problem(started, ended, procedure.started_at, procedure.ended_at)
        return defect(Hit.at(document, Span(*match.span()), problem=problem)) if problem else PASSED

    def _procedure(self, case: Case, document: Document) -> Procedure | None:
        owners = (p for p in case.record.procedures or () if document in case.documents_for(p, document.kind))
        return next(owners, None)

    def _problem(self, started: datetime, ended: datetime, cut: datetime, closed: datetime) -> str | None:
        if started > cut:
            return f"麻醉开始{shown(started)}晚于手术开始{shown(cut)}"
        if ended < closed:
            return f"麻醉结束{shown(ended)}早于手术结束{shown(closed)}"
        return None


def _around(procedure: Procedure, clock: str) -> datetime | None:
    """The moment with that clock time that lies nearest to the operation."""
    if procedure.started_at is None:
        return None
    moment = _at_clock(procedure.started_at, clock)
    if moment is None:
        return None
    days = (later(moment, timedelta(days=shift)) for shift in (-1, 0, 1))
    return min(days, key=lambda day: abs(day - procedure.started_at))  # type: ignore[operator]


class ConsultedBeforeAsked(DocumentCheck, name="consulted_before_asked"):
    """A consultation given before it was asked for, by the document's own times or by its order."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        half = case.reading(document).half
        given = document.event_at or self._stated(half, "会诊") or document.completed_at
        asked = self._ordered(case, document) or self._stated(half, "申请")
        if given is None or asked is None:
            return undetermined("没有申请时间或会诊时间")
        if given >= asked:
            return PASSED
        return defect(Hit.at(document, asked=shown(asked), given=shown(given)))

    def _stated(self, half: str, what: Literal["会诊", "申请"]) -> datetime | None:
        match = re.search(rf"{what}(?:日期|时间)", half)
        dates = find_dates(half[match.end() : match.end() + 26]) if match else ()
        is_read = dates and dates[0].span.start <= 3 and dates[0].precision == "minute"
        return dates[0].value if is_read else None

    def _ordered(self, case: Case, document: Document) -> datetime | None:
        referred = document.refers_to or ()
        return next(
            (o.ordered_at for o in case.record.orders or () if o.id in referred and o.ordered_at), None
        )
