"""Whether the course notes speak of the drugs and treatments that were ordered."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check, DocumentCheck
from app.qc.checks.correspondence import nearest, notes_from, sentence_around, written
from app.qc.checks.order_of_events import shown
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import day_of, is_cancelled, later
from app.records.model import Document, DocumentType, Order, Span
from app.text.assertion import Assertion, assertion_at
from app.text.investigations import classes_of, drug_class, drug_names
from app.text.lexicons import load_mapping
from app.text.patterns import regex
from app.text.width import half_width

_TOPICAL = regex(
    "外用|滴眼|滴耳|滴鼻|阴道|纳肛|直肠|涂|漱口|冲洗|眼膏|软膏|乳膏|栓|洗剂|凝胶|贴|喷雾|封管|皮试"
)
_SUSCEPTIBILITY = regex("敏感|耐药|中介|药敏|MIC")
_ALLERGY = regex(r"[^。;,\n]{0,8}过敏(?!反应)")


class DrugOrders(NamedTuple):
    """The orders of one drug, in order of time."""

    name: str
    kind: str
    orders: tuple[Order, ...]

    @property
    def begun_at(self) -> datetime | None:
        """When the first was given."""
        return min((o.ordered_at for o in self.orders if o.ordered_at), default=None)


def systemic_drugs(case: Case, groups: tuple[str, ...]) -> list[DrugOrders]:
    """The drugs of the groups that were given in the stay other than locally, with their orders."""
    classes = classes_of(groups)
    return [drug for drug in case.remembered(_systemic_drugs) if drug.kind in classes]


def _systemic_drugs(case: Case) -> tuple[DrugOrders, ...]:
    found: dict[tuple[str, str], list[Order]] = {}
    for order in case.record.orders or ():
        if order.category != "药品" or order.take_home or order.kind == "出院带药" or is_cancelled(order):
            continue
        route = order.drug.route if order.drug else None
        if _TOPICAL.search(f"{route or ''} {order.content or ''}"):
            continue
        known = drug_class((order.drug.name if order.drug else None) or order.content or "")
        if known:
            found.setdefault(known, []).append(order)
    return tuple(DrugOrders(name, kind, tuple(orders)) for (name, kind), orders in found.items())


def tells_drug(case: Case, note: Document, drug: DrugOrders, words: re.Pattern[str]) -> bool:
    """Whether a note speaks of a drug: by a name of its class, or by general words.

    Sentences on susceptibility or allergy do not count, nor does what the note denies.
    """
    half = case.reading(note).half
    names = (
        *drug_names(drug.name),
        *load_mapping("drug_classes").get(drug.kind, ()),
        drug.kind.removesuffix("类"),
    )
    for name in names:
        position = half.find(name)
        while position >= 0:
            after = position + len(name)
            if not _SUSCEPTIBILITY.search(sentence_around(half, Span(position, after))) and (
                not _ALLERGY.match(half, after)
            ):
                return True
            position = half.find(name, position + 1)
    for match in words.finditer(half):
        span = Span(*match.span())
        if not _SUSCEPTIBILITY.search(sentence_around(half, span)) and (
            assertion_at(note.text, span) is not Assertion.ABSENT
        ):
            return True
    return False


class DrugNotDiscussed(Check, name="drug_not_discussed"):
    """A drug of some groups was given and no course note speaks of it.

    Attributes:
        groups: drug groups or classes.
        words: a pattern of general words that will do.
        routes: a pattern that the route must match; by default every route but local ones.
        single_dose_in: further types that will do for drugs given by single orders only (before operations).
        note_hours: hours after the first order up to which a note is awaited in hospital.
    """

    groups: tuple[str, ...] = Field(min_length=1)
    words: str
    routes: str | None = None
    single_dose_in: tuple[DocumentType, ...] = ()
    note_hours: float = Field(default=24, gt=0)

    @cached_property
    def _words(self) -> re.Pattern[str]:
        return regex(self.words)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each drug and combine."""
        drugs = [drug for drug in systemic_drugs(case, self.groups) if self._is_route(drug)]
        rulings = (self._rule_on_drug(case, drug, applies_to) for drug in drugs)
        return combine(rulings, none_reason=f"未用{'、'.join(self.groups)}")

    def _is_route(self, drug: DrugOrders) -> bool:
        if self.routes is None:
            return True
        written_routes = (f"{o.drug.route if o.drug else ''} {o.content or ''}" for o in drug.orders)
        return any(re.search(self.routes, route) for route in written_routes)

    def _rule_on_drug(self, case: Case, drug: DrugOrders, types: tuple[DocumentType, ...]) -> Ruling:
        begun = drug.begun_at
        if begun is None:
            return undetermined(f"{drug.name}医嘱没有时间")
        if all(order.kind == "临时" for order in drug.orders):
            types = (*types, *self.single_dose_in)
        notes = notes_from(case, types, later(begun, -timedelta(hours=48)))
        if any(tells_drug(case, note, drug, self._words) for note in notes):
            return PASSED
        after = [note for note in notes if (w := written(note)) and w >= begun]
        limit = later(begun, timedelta(hours=self.note_hours))
        if not case.is_past(limit):
            return not_yet(limit, f"病程中对使用{drug.name}的记录")
        if not after and case.ended_at is not None and case.ended_at <= limit:
            return undetermined("用药后不久离院，没有后续病程")
        details = {"drug": drug.name, "begun": shown(begun), "count": len(drug.orders)}
        return defect(Hit(nearest(notes, begun), details=details))


class TreatmentNotDiscussed(Check, name="treatment_not_discussed"):
    """Orders of a treatment, known by their wording, of which no course note speaks.

    Attributes:
        orders: a pattern for the content of the orders.
        words: a pattern that a note must show.
        kind: the treatment as the user reads it.
    """

    orders: str
    words: str
    kind: str
    note_hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        given = [
            o
            for o in case.record.orders or ()
            if re.search(self.orders, o.content or "") and not is_cancelled(o) and o.category != "会诊"
        ]
        if not given:
            return not_applicable(f"没有{self.kind}医嘱")
        begun = min((o.ordered_at for o in given if o.ordered_at), default=None)
        if begun is None:
            return undetermined(f"{self.kind}医嘱没有时间")
        notes = notes_from(case, applies_to, later(begun, -timedelta(hours=48)))
        if any(re.search(self.words, case.reading(note).half) for note in notes):
            return PASSED
        limit = later(begun, timedelta(hours=self.note_hours))
        if not case.is_past(limit):
            return not_yet(limit, f"病程中对{self.kind}的记录")
        details = {"order": given[0].content or self.kind, "kind": self.kind, "begun": shown(begun)}
        return defect(Hit(notes[0].id if notes else None, details=details))


class DrugChangeUnexplained(Check, name="drug_change_unexplained"):
    """An important drug begun or stopped, and no note about that time speaks of it.

    Only long-term orders count; a drug continued by another order is neither begun nor stopped, and what stops
    with the stay needs no reason.

    Attributes:
        words: drug group or class -> a pattern of general words that will do.
        hours: how far from the change a note may be finished.
        changes: the changes that are judged.
    """

    words: dict[str, str]
    hours: float = Field(default=24, gt=0)
    changes: tuple[Literal["使用", "停用"], ...] = ("使用", "停用")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each change and combine."""
        rulings = [
            self._rule_on_change(case, drug, regex(words), change, applies_to)
            for group, words in self.words.items()
            for drug in systemic_drugs(case, (group,))
            for change in self._changes(case, drug)
            if change[0] in self.changes
        ]
        return combine(rulings, none_reason="没有重要药物的变更")

    def _changes(self, case: Case, drug: DrugOrders) -> Iterator[tuple[str, datetime]]:
        orders = [o for o in drug.orders if o.kind == "长期"]
        reach = timedelta(hours=self.hours)
        for order in orders:
            others = [o for o in drug.orders if o is not order]
            begun, stopped = order.ordered_at, order.stopped_at
            if begun and not any(o.stopped_at and abs(begun - o.stopped_at) <= reach for o in others):
                yield "使用", begun
            is_final = stopped and case.ended_at and case.ended_at - stopped <= reach
            continued = any(o.ordered_at and stopped and abs(stopped - o.ordered_at) <= reach for o in others)
            if stopped and not is_final and not continued and case.is_over:
                yield "停用", stopped

    def _rule_on_change(
        self,
        case: Case,
        drug: DrugOrders,
        words: re.Pattern[str],
        change: tuple[str, datetime],
        types: tuple[DocumentType, ...],
    ) -> Ruling:
        what, moment = change
        reach = timedelta(hours=self.hours)
        limit = later(moment, reach)
        near = [d for d in notes_from(case, types, later(moment, -reach)) if (w := written(d)) and w <= limit]
        before = [d for d in case.documents_of(*types) if (w := written(d)) and w <= moment]
        if any(tells_drug(case, note, drug, words) for note in near):
            return PASSED
        if what == "停用" and any(self._plans_end(case, note, drug) for note in before):
            return PASSED
        if not case.is_past(limit):
            return not_yet(limit, f"病程中对{what}{drug.name}的说明")
        details = {"drug": drug.name, "change": what, "at": shown(moment), "hours": f"{self.hours:g}"}
        place = nearest(list(case.documents_of(*types)), moment)
        return defect(Hit(place, details=details))

    def _plans_end(self, case: Case, note: Document, drug: DrugOrders) -> bool:
        half = case.reading(note).half
        position = half.find(drug.name)
        if position < 0:
            return False
        sentence = sentence_around(half, Span(position, position + len(drug.name)))
        return re.search(r"疗程|停|至|用满|\d\s?(?:天|日|小时)", sentence) is not None


class ResuscitationDrugs(DocumentCheck, name="resuscitation_drugs"):
    """A resuscitation record tells of drugs for which there is no order.

    Attributes:
        groups: classes of the drugs that are compared.
        hours: how far from the record's event the order may lie.
    """

    groups: tuple[str, ...] = ("血管活性药",)
    hours: float = Field(default=24, gt=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        half = case.reading(document).half
        names = sorted(
            {n for kind in classes_of(self.groups) for n in load_mapping("drug_classes").get(kind, ())},
            key=len,
            reverse=True,
        )
        told = [Span(*m.span()) for m in re.finditer("|".join(map(re.escape, names)), half)]
        given = [s for s in told if assertion_at(document.text, s) is Assertion.PRESENT and _dosed(half, s)]
        if not given:
            return not_applicable("抢救记录没有写需比对的用药")
        ordered = " ".join(
            half_width(f"{o.content or ''}{o.drug.name if o.drug else ''}")
            for o in self._orders(case, document)
        )
        missing = {s.of(half): s for s in given if s.of(half) not in ordered}
        if not missing:
            return PASSED
        return defect(Hit.at(document, *missing.values(), drugs="、".join(missing)))

    def _orders(self, case: Case, document: Document) -> Iterator[Order]:
        moment, reach = document.event_at or document.completed_at, timedelta(hours=self.hours)
        for order in case.record.orders or ():
            given = order.executed_at or order.ordered_at
            if moment is None or given is None or abs(given - moment) <= reach:
                yield order


def _dosed(half: str, span: Span) -> bool:
    near = half[max(0, span.start - 8) : span.end + 16]
    return re.search(r"\d\s?(?:mg|ml|[μu]g|支|[Uu])|静推|静注|静滴|泵入|肌注|静脉|推注", near) is not None


class RestrictedAntimicrobial(Check, name="restricted_antimicrobial"):
    """A special-grade antimicrobial (特殊使用级) without a consultation that agrees to it.

    The grade is that of the order's drug (``antimicrobial_grade``), or by the hospital's list.

    Attributes:
        drugs: the hospital's list.
        grade: the grade that needs a consultation.
    """

    drugs: tuple[str, ...] = ()
    grade: str = "特殊使用级"

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each drug of the grade."""
        given = systemic_drugs(case, ("抗菌药物",))
        if not given:
            return not_applicable("未用抗菌药物")
        if not self.drugs and not any(grade_of(order) for drug in given for order in drug.orders):
            return undetermined("未配置本院抗菌药物分级目录")
        used = [
            d.name for d in given if d.name in self.drugs or any(grade_of(o) == self.grade for o in d.orders)
        ]
        if not used:
            return not_applicable("未用特殊使用级抗菌药物")
        consultations = [case.reading(d).half for d in case.documents_of("会诊记录")]
        notes = [case.reading(d).half for d in case.documents_of(*applies_to)]
        missing = [
            name
            for name in used
            if not any(name in text or "抗菌药" in text for text in consultations)
            and not any(name in text and "会诊" in text for text in notes)
        ]
        return defect(*(Hit(details={"drug": name}) for name in missing)) if missing else PASSED


def grade_of(order: Order) -> str | None:
    """The antimicrobial grade that the source system gives with an order (限制使用级, 特殊使用级)."""
    grade = order.drug.extra.get("antimicrobial_grade") if order.drug else None
    return grade if isinstance(grade, str) else None


class TubeUnrecorded(Check, name="tube_unrecorded"):
    """A tube placed or removed by order, of which no note of that day or the next tells.

    Attributes:
        tubes: for each kind of tube, a pattern for orders and notes alike.
        actions: a pattern for placing or removing, in orders and notes.
    """

    tubes: tuple[str, ...] = Field(min_length=1)
    actions: str

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each order and combine."""
        rulings = (
            self._rule_on_order(case, order, tube, applies_to)
            for order in case.record.orders or ()
            for tube in self.tubes
            if order.category in ("操作", "护理", "其他") and self._matches(order, tube)
        )
        return combine(rulings, none_reason="没有置管、拔管医嘱")

    def _matches(self, order: Order, tube: str) -> bool:
        content = order.content or ""
        return bool(re.search(tube, content) and re.search(self.actions, content)) and not is_cancelled(order)

    def _rule_on_order(self, case: Case, order: Order, tube: str, types: tuple[DocumentType, ...]) -> Ruling:
        executed = order.executed_at
        if executed is None:
            return undetermined("未见执行时间")
        limit = later(executed, timedelta(days=2))
        if not case.is_over and not case.is_past(limit):
            return not_applicable("患者在院，书写时限未到")
        day = day_of(executed)
        notes = [
            d
            for d in case.documents_of(*types)
            if (m := d.event_at or written(d)) and 0 <= (day_of(m) - day).days <= 1
        ]
        if any(re.search(tube, case.reading(note).half) for note in notes):
            return PASSED
        if not notes and case.ended_at is not None and (day_of(case.ended_at) - day).days <= 1:
            return undetermined("操作后不久离院，没有后续病程")
        details = {"order": order.content or "", "executed": shown(executed)}
        return defect(Hit(notes[0].id if notes else None, details=details))
