"""Transfusions: consent and tests before, approval, record and course note after."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.order_of_events import shown
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import day_of, is_cancelled, later
from app.records.model import Document, DocumentType, Order
from app.text.patterns import regex
from app.text.times import find_dates
from app.text.width import half_width

_RESCUE = regex("抢救用血|急救用血|抢救|紧急用血|紧急输血|大出血")
_STARTED = regex(r"(?:输血|输注)?开始(?:输注|输血)?时间\s*:?")
_TOLD = regex(
    r"输血|输注|红细胞|血浆|血小板\s?\d|冷沉淀|输[^。;,\n]{0,12}(?:\d\s?[Uu]|单位|治疗量|袋|ml)|备血"
)
_NO_TRANSFUSION = regex("备血|申请|配血|血型")
_MATCHED = regex("交叉配血|配血")
_BLOOD_GROUP = regex("ABO|血型")
_VOLUME = regex(r"(?P<amount>\d+(?:\.\d+)?)\s?(?P<unit>ml|毫升|[Uu](?![a-z])|单位)", re.IGNORECASE)
_ML_OF_UNIT = 200
_BLOOD = regex("红细胞|全血|红悬|悬浮红|备血|输血|用血")


class Transfusion(NamedTuple):
    """One transfusion: its order, its record, or both, and when it began."""

    order: Order | None
    document: Document | None
    started_at: datetime | None

    @property
    def is_rescue(self) -> bool:
        """Whether the blood was for an emergency."""
        words = (self.order.content or "" if self.order else "", self.document.text if self.document else "")
        title = self.document.title or "" if self.document else ""
        return any(_RESCUE.search(text) for text in (*words, title))

    @property
    def name(self) -> str:
        """As a user reads it."""
        if self.document is not None:
            return self.document.title or self.document.kind
        return (self.order and self.order.content) or "输血"


def transfusions(case: Case) -> tuple[Transfusion, ...]:
    """The transfusions that were carried out, by order and record.

    A record belongs to the order that it refers to, else to that carried out on its day.
    """
    records = list(case.documents_of("输血记录"))
    found = []
    for order in _executed(case):
        document = _record_of(order, records)
        if document is not None:
            records.remove(document)
        found.append(Transfusion(order, document, _started(case, document) or order.executed_at))
    found += [Transfusion(None, document, _started(case, document)) for document in records]
    return tuple(found)


def _executed(case: Case) -> Iterator[Order]:
    for order in case.record.orders or ():
        is_done = order.category == "输血" and order.executed_at and not is_cancelled(order)
        if is_done and not _NO_TRANSFUSION.search(order.content or ""):
            yield order


def _record_of(order: Order, records: list[Document]) -> Document | None:
    referring = next((d for d in records if order.id and order.id in (d.refers_to or ())), None)
    if referring is not None or order.executed_at is None:
        return referring
    day = day_of(order.executed_at)
    moments = ((d, d.event_at or d.completed_at) for d in records if not d.refers_to)
    return next((d for d, moment in moments if moment and 0 <= (day_of(moment) - day).days <= 1), None)


def _started(case: Case, document: Document | None) -> datetime | None:
    if document is None:
        return None
    half = case.reading(document).half
    label = _STARTED.search(half)
    dates = find_dates(half[label.end() : label.end() + 24]) if label else ()
    return dates[0].value if dates and dates[0].precision == "minute" else None


class TransfusedTooEarly(Check, name="transfused_too_early"):
    """A transfusion that began before the patient's consent, or before grouping and cross-matching.

    Attributes:
        patient_roles: roles of signatures that are the patient's side.
    """

    patient_roles: tuple[str, ...] = ("患者", "近亲属", "授权委托人", "法定代理人")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each transfusion and combine."""
        consented, tests = self._consented(case), self._tests(case)
        rulings = (self._rule_on(t, consented, tests) for t in transfusions(case))
        return combine(rulings, none_reason="没有输血")

    def _rule_on(
        self, transfusion: Transfusion, consented: datetime | None, tests: list[tuple[str, datetime]]
    ) -> Ruling:
        started = transfusion.started_at
        if transfusion.is_rescue:
            return not_applicable("抢救用血")
        if started is None:
            return undetermined("没有输血开始时间")
        requirements = [*([("输血治疗知情同意书签署", consented)] if consented else []), *tests]
        late = next(((what, moment) for what, moment in requirements if moment > started), None)
        if late is None:
            return PASSED if requirements else undetermined("没有同意书签署时间，也没有血型、配血结果")
        details = {"transfusion": transfusion.name, "started": shown(started), "what": late[0]}
        hit = Hit(
            transfusion.document.id if transfusion.document else None,
            details={**details, "moment": shown(late[1])},
        )
        return defect(hit)

    def _consented(self, case: Case) -> datetime | None:
        documents = case.documents_of("输血治疗知情同意书")
        signed = [
            s.signed_at
            for d in documents
            for s in d.signatures or ()
            if s.role in self.patient_roles and s.signed_at
        ]
        return min(signed or [d.completed_at for d in documents if d.completed_at], default=None)

    def _tests(self, case: Case) -> list[tuple[str, datetime]]:
        found = []
        for name, pattern in (("交叉配血结果报告", _MATCHED), ("血型结果报告", _BLOOD_GROUP)):
            moments = [
                r.reported_at
                for r in case.record.lab_results or ()
                if r.reported_at and pattern.search(f"{r.panel or ''}{r.item or ''}")
            ]
            if moments:
                found.append((name, min(moments)))
        return found


class TransfusionUnrecorded(Check, name="transfusion_unrecorded"):
    """A transfusion carried out without a transfusion record, or of which no course note tells.

    Attributes:
        note_hours: hours after its beginning up to which a course note is awaited in hospital.
    """

    note_hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each transfusion and combine."""
        return combine(
            (self._rule_on(case, t, applies_to) for t in transfusions(case)), none_reason="没有已执行的输血"
        )

    def _rule_on(self, case: Case, transfusion: Transfusion, types: tuple[DocumentType, ...]) -> Ruling:
        if transfusion.document is None:
            return defect(Hit(details={"transfusion": transfusion.name, "problem": "没有输血记录"}))
        started = transfusion.started_at
        notes = [
            d
            for d in case.documents_of(*types)
            if started is None or (d.completed_at or d.event_at or started) >= started
        ]
        if any(_TOLD.search(case.reading(note).half) for note in notes):
            return PASSED
        limit = later(started, timedelta(hours=self.note_hours)) if started else None
        if limit is not None and not case.is_past(limit):
            return not_yet(limit, "输血后的病程记录")
        problem = "其后的病程没有写输血指征、成分与量及有无反应"
        return defect(
            Hit(transfusion.document.id, details={"transfusion": transfusion.name, "problem": problem})
        )


class RequiredTest(BaseModel):
    """A test before transfusion: its name and a pattern for panel, item and specimen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    pattern: str


class PretransfusionTestsMissing(Check, name="pretransfusion_tests_missing"):
    """A required test without a result before the first transfusion.

    Results that the transfusion record or the consent quotes count.

    Attributes:
        tests: the tests.
        quoted_in: documents that may quote the results.
    """

    tests: tuple[RequiredTest, ...] = Field(min_length=1)
    quoted_in: tuple[DocumentType, ...] = ("输血治疗知情同意书", "输血记录")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the first transfusion."""
        given = transfusions(case)
        if not given:
            return not_applicable("没有已执行的输血")
        if given[0].is_rescue and len(given) == 1:
            return not_applicable("抢救用血")
        first = min((t.started_at for t in given if t.started_at), default=None)
        results = [
            f"{r.panel or ''} {r.item or ''}"
            for r in case.record.lab_results or ()
            if first is None or r.reported_at is None or r.reported_at <= first
        ]
        quoted = [case.reading(d).half for d in case.documents_of(*self.quoted_in)]
        missing = [
            test.name
            for test in self.tests
            if not any(re.search(test.pattern, half_width(text)) for text in (*results, *quoted))
        ]
        if not missing:
            return PASSED
        return defect(Hit(details={"missing": "、".join(missing), "transfusion": given[0].name}))


class ApprovalLevel(BaseModel):
    """Who approves a day's blood: from ``at_least`` ml on, shown by ``pattern``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_least: float = Field(ge=0)
    approver: str
    pattern: str


class BloodApprovalMissing(Check, name="blood_approval_missing"):
    """Blood asked for on one day without the approval that its amount calls for.

    Approval shows in the transfusion request, consent or record. A unit (U) is taken as 200 ml.

    Attributes:
        levels: by falling amount.
        shown_in: a pattern; a document without it tells nothing of approval.
    """

    levels: tuple[ApprovalLevel, ...] = Field(min_length=1)
    shown_in: str = "核准|批准|审批|审核|同意用血"

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each day and combine."""
        orders = sorted(self._orders(case), key=lambda pair: pair[0])
        days = (list(group) for _, group in groupby(orders, key=lambda pair: day_of(pair[0])))
        return combine((self._rule_on_day(case, day, applies_to) for day in days), none_reason="没有用血医嘱")

    def _orders(self, case: Case) -> Iterator[tuple[datetime, Order]]:
        for order in case.record.orders or ():
            if order.category == "输血" and order.ordered_at and not is_cancelled(order):
                yield order.ordered_at, order

    def _rule_on_day(
        self, case: Case, day: list[tuple[datetime, Order]], types: tuple[DocumentType, ...]
    ) -> Ruling:
        planned = [
            o for _, o in day if not _RESCUE.search(o.content or "") and _BLOOD.search(o.content or "")
        ]
        if not planned:
            return not_applicable("急救用血或没有备血")
        amount = sum(_millilitres(order.content or "") for order in planned)
        texts = [
            f"{d.title or ''}{case.reading(d).half}"
            for d in case.documents_of(*types)
            if d.kind != "其他" or re.search("输血|用血|备血", d.title or "")
        ]
        requests = [text for text in texts if re.search(self.shown_in, text)]
        level = next((level for level in self.levels if amount >= level.at_least), None)
        if level is None or not amount or not requests:
            return undetermined("未提供用血申请与审批数据")
        if any(re.search(level.pattern, text) for text in requests):
            return PASSED
        details = {"day": day_of(day[0][0]), "amount": f"{amount:g}", "approver": level.approver}
        return defect(Hit(details=details))


def _millilitres(content: str) -> float:
    amounts = [(float(m["amount"]), m["unit"].lower()) for m in _VOLUME.finditer(half_width(content))]
    return sum(number if unit in ("ml", "毫升") else number * _ML_OF_UNIT for number, unit in amounts[:1])
