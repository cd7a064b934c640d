"""Whether drugs, operations and diagnoses of a stay fit each other; by tables that the rules give."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from typing import NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.order_of_events import shown
from app.qc.checks.treatment import DrugOrders, systemic_drugs
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.qc.timeline import is_cancelled
from app.records.model import DocumentType, Order, Procedure
from app.text.investigations import classes_of, drug_class
from app.text.width import half_width


def diagnosis_names(case: Case) -> list[str]:
    """All diagnoses of the stay in half-width form: structured ones, and the lists of documents whole."""
    names = [d.name for d in case.record.diagnoses or () if d.name]
    for document in case.documents:
        reading = case.reading(document)
        names += [s.body.of(document.text) for s in reading.sections if "诊断" in s.name]
    return [half_width(name) for name in names if name.strip()]


def _is_take_home(order: Order) -> bool:
    return bool(order.take_home or order.kind == "出院带药")


def _drug_words(order: Order) -> str:
    return half_width((order.drug.name if order.drug else None) or order.content or "")


class DrugWithoutIndication(Check, name="drug_without_indication"):
    """An important drug, given in the stay, for which neither a diagnosis nor a document shows an indication.

    Attributes:
        indications: drug group or class -> a pattern of diagnoses or words that are an indication.
        long_term_only: whether single orders are left aside (prophylaxis, diagnostics).
    """

    indications: dict[str, str] = Field(default_factory=dict)
    long_term_only: bool = True

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each drug of the table."""
        if not self.indications:
            return undetermined("药物-适应证表未配置")
        given = [(d, words) for g, words in self.indications.items() for d in self._given(case, g)]
        if not given:
            return not_applicable("没有需核对适应证的药物")
        texts = [*diagnosis_names(case), *(case.reading(d).half for d in case.documents)]
        lost = [drug for drug, words in given if not any(re.search(words, text) for text in texts)]
        return defect(*map(self._hit, lost)) if lost else PASSED

    def _given(self, case: Case, group: str) -> list[DrugOrders]:
        return [
            drug
            for drug in systemic_drugs(case, (group,))
            if not self.long_term_only or any(order.kind == "长期" for order in drug.orders)
        ]

    def _hit(self, drug: DrugOrders) -> Hit:
        begun = drug.begun_at
        return Hit(details={"drug": drug.name, "begun": shown(begun) if begun else ""})


class TakeHomeUnfit(Check, name="take_home_unfit"):
    """A take-home drug without a discharge diagnosis that it is for, or a needed one that is missing.

    Attributes:
        indications: drug group or class -> a pattern of the discharge record or its diagnoses.
        needed: pattern of a discharge record -> the group of which a take-home drug is needed.
        not_taken: a pattern of words that explain why none is taken.
    """

    indications: dict[str, str] = Field(default_factory=dict)
    needed: dict[str, str] = Field(default_factory=dict)
    not_taken: str = "出血|禁忌|过敏|停用|暂停|不用|拒绝|自备|家中"

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the take-home drugs against the discharge record."""
        if not self.indications and not self.needed:
            return undetermined("对应表未配置")
        if case.documents_of("死亡记录") or case.record.encounter.disposition in ("死亡", "医嘱转院"):
            return not_applicable("死亡或转院")
        documents = case.documents_of(*applies_to)
        if not documents:
            return not_applicable("没有出院记录")
        orders = [o for o in case.record.orders or () if _is_take_home(o) and not is_cancelled(o)]
        document = documents[-1]
        half = case.reading(document).half
        texts = [half, *(half_width(d.name) for d in case.record.diagnoses or () if d.name)]
        problems = [*self._unfit(orders, texts), *self._missing(orders, half)]
        if problems:
            return defect(*(Hit(document.id, "出院医嘱", details={"problem": p}) for p in problems))
        return PASSED if orders else not_applicable("没有出院带药")

    def _unfit(self, orders: Sequence[Order], texts: Iterable[str]) -> Iterator[str]:
        known = list(texts)
        for group, words in self.indications.items():
            for order in orders:
                drug = drug_class(_drug_words(order))
                if drug and drug[1] in classes_of((group,)) and not any(re.search(words, t) for t in known):
                    yield f"出院带药{drug[0]}没有对应的出院诊断"

    def _missing(self, orders: Sequence[Order], half: str) -> Iterator[str]:
        if not orders:
            return
        taken = {drug[1] for order in orders if (drug := drug_class(_drug_words(order)))}
        for words, group in self.needed.items():
            found = re.search(words, half)
            classes = classes_of((group,))
            written = any(c in classes for c in map(_class_in, re.split(r"[\n;。,]", half)))
            if found and not taken & classes and not written and not re.search(self.not_taken, half):
                yield f"“{found.group()}”后没有带{group}，也没有说明"


def _class_in(line: str) -> str | None:
    drug = drug_class(line)
    return drug[1] if drug else None


class InfectionUntreated(Check, name="infection_untreated"):
    """A bacterial infection among the discharge diagnoses, no anti-infective order, and no note why.

    Attributes:
        infections: a pattern for the diagnoses.
        explained: a pattern for words that explain it, or tell of a treatment, in any document.
        groups: the drugs that are a treatment.
    """

    infections: str
    explained: str
    groups: tuple[str, ...] = ("抗菌药物", "抗结核药", "抗真菌药", "抗病毒药")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        names = [half_width(d.name) for d in case.record.diagnoses or () if d.stage == "出院" and d.name]
        infected = [name for name in names if re.search(self.infections, name)]
        if not infected:
            return not_applicable("没有细菌性感染的诊断")
        classes = classes_of(self.groups)
        for order in case.record.orders or ():
            drug = drug_class(_drug_words(order))
            if drug and drug[1] in classes and not is_cancelled(order):
                return PASSED
        if any(re.search(self.explained, case.reading(d).half) for d in case.documents):
            return PASSED
        return defect(Hit(details={"diagnosis": infected[0]}))


class OperationWithoutDiagnosis(Check, name="operation_without_diagnosis"):
    """An operation whose disease is nowhere among the diagnoses of the stay.

    Attributes:
        targets: pattern of an operation -> pattern of the diagnoses that it treats; others are not judged.
    """

    targets: dict[str, str] = Field(min_length=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation of the table."""
        judged = [
            (procedure, diseases)
            for procedure in case.record.procedures or ()
            for operation, diseases in self.targets.items()
            if procedure.kind in ("手术", "介入") and re.search(operation, half_width(procedure.name or ""))
        ]
        if not judged:
            return not_applicable("没有需核对诊断的手术")
        names = diagnosis_names(case)
        if not names:
            return undetermined("没有诊断可比对")
        lost = [p for p, diseases in judged if not any(re.search(diseases, name) for name in names)]
        return defect(*map(self._hit, lost)) if lost else PASSED

    def _hit(self, procedure: Procedure) -> Hit:
        at = shown(procedure.started_at) if procedure.started_at else ""
        return Hit(details={"operation": procedure.name or "手术", "at": at})


class DrugsClash(Check, name="drugs_clash"):
    """Two long-term orders of the same drug in the same way at once, or two drugs of the hospital's table.

    Attributes:
        incompatible: pairs of patterns for the contents of orders.
        hours: how long two orders of one drug must run side by side, more than.
        except_classes: classes that are commonly split into several orders.
    """

    incompatible: tuple[tuple[str, str], ...] = ()
    hours: float = Field(default=24, gt=0)
    except_classes: tuple[str, ...] = ("胰岛素", "血制品与营养药")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the pairs of long-term drug orders."""
        orders = [
            self._read(o)
            for o in case.record.orders or ()
            if o.category == "药品" and o.kind == "长期" and not _is_take_home(o) and not is_cancelled(o)
        ]
        if not orders:
            return not_applicable("没有长期药品医嘱")
        hits = [hit for pair in combinations(orders, 2) if (hit := self._clash(case, *pair))]
        return defect(*hits) if hits else PASSED

    def _read(self, order: Order) -> "_Prescribed":
        words, drug = half_width(order.content or ""), order.drug
        known = drug_class(_drug_words(order)) if drug and drug.frequency and drug.route else None
        same_as = (*known, drug.route, drug.frequency, drug.name) if known and drug else None
        is_split = known is not None and known[1] in self.except_classes
        first = frozenset(n for n, (a, _) in enumerate(self.incompatible) if re.search(a, words))
        second = frozenset(n for n, (_, b) in enumerate(self.incompatible) if re.search(b, words))
        return _Prescribed(order, None if is_split else same_as, first, second)

    def _clash(self, case: Case, one: "_Prescribed", other: "_Prescribed") -> Hit | None:
        is_same = one.drug is not None and one.drug == other.drug
        is_incompatible = bool(one.first & other.second or one.second & other.first)
        together = _overlap(case, one.order, other.order) if is_same or is_incompatible else None
        if together is None:
            return None
        if is_same and together > timedelta(hours=self.hours):
            problem = "同一药物重复"
        elif is_incompatible:
            problem = "属配伍禁忌"
        else:
            return None
        orders = (one.order, other.order)
        named = zip(("one", "other"), (o.content or _drug_words(o) for o in orders), strict=True)
        return Hit(details={**dict(named), "problem": problem})


class _Prescribed(NamedTuple):
    """An order; ``first`` and ``second`` are the incompatible pairs of which it is the one or the other."""

    order: Order
    drug: tuple[str | None, ...] | None
    first: frozenset[int]
    second: frozenset[int]


def _overlap(case: Case, one: Order, other: Order) -> timedelta | None:
    """How long two orders ran side by side; ``None`` when they did not, or it cannot be told."""
    end = case.ended_at or case.as_of
    stops: list[datetime | None] = [o.stopped_at or end for o in (one, other)]
    if one.ordered_at is None or other.ordered_at is None or stops[0] is None or stops[1] is None:
        return None
    together = min(stops[0], stops[1]) - max(one.ordered_at, other.ordered_at)
    return together if together > timedelta(0) else None
