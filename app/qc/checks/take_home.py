"""The drugs taken home: the discharge record against the orders."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import Document, Order, Span
from app.text.assertion import find_mentions
from app.text.dosing import Dose, as_dose, dose_in, drug_core, find_drug, names_of_drug, times_a_day
from app.text.lexicons import load_mapping
from app.text.patterns import regex
from app.text.reading import Reading

_SECTIONS = ("出院带药", "出院医嘱")
_ITEM_END = regex(r"[;；。\n]|(?<=\s)\d{1,2}[.、](?!\d)")
_NOT_TAKEN = regex(r"(?:停用?|不再(?:服用?|使用)?|禁用?|勿|避免|暂停|忌|改[自由]|过敏)[^,。;；]{0,8}$")
_MASKED = regex(r"\*")


class _Taken(NamedTuple):
    """One drug as the discharge record writes it."""

    span: Span
    dose: Dose | None
    times: float | None
    masked: bool


class TakeHomeDisagrees(DocumentCheck, name="take_home_disagrees"):
    """The drugs to take home differ from the take-home orders: missing, not ordered, other dose, other frequency.

    Doses are compared in mg, or in the same unit; a dose or frequency that either side leaves out is not.
    """

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one discharge record."""
        reading = case.reading(document)
        sections = [s for s in reading.sections if s.name in _SECTIONS and s.body.start < s.body.end]
        orders = [o for o in case.record.orders or () if o.take_home or o.kind == "出院带药"]
        if not orders and all(order.take_home is None for order in case.record.orders or ()):
            return undetermined("未提供出院带药医嘱")
        bodies = [section.body for section in sections]
        unordered = list(self._unordered(reading, bodies, orders))
        if not orders and not unordered:
            return not_applicable("没有出院带药")
        if not bodies:
            return undetermined("出院记录没有出院医嘱或出院带药段")
        hits = [hit for order in orders if (hit := self._compare(reading, bodies, order))]
        return defect(*hits, *unordered) if hits or unordered else PASSED

    def _compare(self, reading: Reading, bodies: Sequence[Span], order: Order) -> Hit | None:
        name = (order.drug.name if order.drug else None) or (order.content or "").split(" ")[0]
        if not name:
            return None
        taken = _taken(reading, bodies, name)
        if taken is None:
            return self._hit(reading, bodies[0], name, f"没有写带药医嘱中的{name}", heading=True)
        if taken.masked:
            return None
        dose = as_dose(order.drug.dose, order.drug.unit or "") if order.drug and order.drug.dose else None
        times = times_a_day((order.drug.frequency if order.drug else None) or order.content or "")
        if (
            dose
            and taken.dose
            and dose.unit == taken.dose.unit
            and abs(dose.amount - taken.dose.amount) > 1e-9
        ):
            return self._hit(
                reading, taken.span, name, f"{name}的剂量与带药医嘱“{order.content or name}”不同"
            )
        if times and taken.times and abs(times - taken.times) > 0.01:
            return self._hit(
                reading, taken.span, name, f"{name}的频次与带药医嘱“{order.content or name}”不同"
            )
        return None

    def _unordered(self, reading: Reading, bodies: Sequence[Span], orders: Sequence[Order]) -> Iterator[Hit]:
        """Drugs written with dose and frequency that no take-home order holds."""
        ordered = {
            core for o in orders for core in names_of_drug((o.drug.name if o.drug else "") or o.content or "")
        }
        whole = "".join((o.drug.name if o.drug else "") or o.content or "" for o in orders)
        for body in bodies:
            for mention in find_mentions(reading.half, _drug_terms(), body):
                core = drug_core(mention.term)
                known = core in whole or any(core in other or other in core for other in ordered)
                if known or not names_of_drug(core).isdisjoint(ordered):
                    continue
                if _NOT_TAKEN.search(
                    reading.half[max(body.start, mention.span.start - 12) : mention.span.start]
                ):
                    continue
                taken = _item(reading, mention.span, body)
                if taken.dose and taken.times:
                    yield self._hit(reading, taken.span, mention.term, f"{mention.term}没有出院带药医嘱")

    def _hit(self, reading: Reading, span: Span, name: str, what: str, *, heading: bool = False) -> Hit:
        place = _heading_of(reading, span) if heading else span
        return Hit.at(reading.document, place, section="出院医嘱", drug=name, difference=what)


def _heading_of(reading: Reading, body: Span) -> Span:
    return next((s.heading for s in reading.sections if s.body == body), body)


@cache
def _drug_terms() -> tuple[str, ...]:
    classes = load_mapping("drug_classes")
    return tuple(dict.fromkeys(drug for drugs in classes.values() for drug in drugs if len(drug) >= 3))


def _taken(reading: Reading, bodies: Sequence[Span], name: str) -> _Taken | None:
    for body in bodies:
        start = body.start
        while (span := find_drug(reading.half, name, Span(start, body.end))) is not None:
            before = reading.half[max(body.start, span.start - 12) : span.start]
            if not _NOT_TAKEN.search(before):
                return _item(reading, span, body)
            start = span.end
    return None


def _item(reading: Reading, drug: Span, body: Span) -> _Taken:
    """The item of the list that names the drug, up to the next drug's number or a stop."""
    stop = _ITEM_END.search(reading.half, drug.end, body.end)
    end = stop.start() if stop else body.end
    comma = reading.half.find(",", drug.end, end)
    while 0 <= comma < end:
        if any(m for m in find_mentions(reading.half, _drug_terms(), Span(comma, end))):
            end = comma
            break
        comma = reading.half.find(",", comma + 1, end)
    words = reading.half[drug.start : end]
    told = reading.half[drug.end : end]
    times = times_a_day(told)
    return _Taken(Span(drug.start, end), dose_in(told), times, bool(_MASKED.search(words)))
