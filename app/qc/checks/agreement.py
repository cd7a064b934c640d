"""Whether documents, orders and data say the same of the same thing."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Evidence, Order, Procedure, Span
from app.text.assertion import Assertion, find_mentions
from app.text.laterality import find_sides
from app.text.lexicons import load_mapping

_OPPOSITE = {"左": "右", "右": "左"}


class LateralityContradicted(Check, name="laterality_contradicted"):
    """A document puts an operation on the side opposite to the one recorded for it.

    Only a side written directly at the operation's own site counts, so that a lesion of the brain and the
    weakness of the other side do not contradict each other.
    """

    kinds: tuple[str, ...] = ("手术", "介入", "有创操作")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each sided procedure and combine."""
        concerned = [
            p for p in case.record.procedures or () if p.kind in self.kinds and p.laterality in _OPPOSITE
        ]
        rulings = (self._rule_on_procedure(case, procedure, applies_to) for procedure in concerned)
        return combine(rulings, none_reason="没有分左右的手术、操作")

    def _rule_on_procedure(self, case: Case, procedure: Procedure, types: tuple[DocumentType, ...]) -> Ruling:
        site = procedure.site or ""
        if not site:
            return undetermined("未提供手术部位")
        sided = [
            (document, side.span, side.side)
            for document in case.documents_for(procedure, *types)
            for side in find_sides(document.text)
            if side.site
            and (side.site in site or site in side.site or document.text.startswith(site, side.span.end))
        ]
        wrong = [(d, span) for d, span, side in sided if side == _OPPOSITE[procedure.laterality or ""]]
        if not wrong:
            return PASSED if sided else not_applicable("文书中没有写该部位的侧别")
        right = next(((d, span) for d, span, side in sided if side == procedure.laterality), None)
        return defect(*(self._hit(procedure, d, span, right) for d, span in wrong))

    def _hit(
        self, procedure: Procedure, document: Document, span: Span, right: tuple[Document, Span] | None
    ) -> Hit:
        evidence = [_widened(document, span, procedure.site or "")]
        if right is not None:
            evidence.append(_widened(*right, procedure.site or ""))
        details = {
            "procedure": procedure.name or "手术",
            "side": procedure.laterality,
            "document": document.title or document.kind,
        }
        return Hit(document.id, None, tuple(evidence), details)


def _widened(document: Document, span: Span, site: str) -> Evidence:
    end = document.text.find(site, span.end, span.end + len(site) + 4)
    return document.evidence(Span(span.start, end + len(site) if end >= 0 else span.end))


class AllergenOrdered(Check, name="allergen_ordered"):
    """A drug ordered although the record names it, or its class, as an allergen.

    Attributes:
        classes: the lexicon that maps a drug class to its members.
    """

    classes: str = Field(default="allergy_classes")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each drug order."""
        allergens = list(self._allergens(case, applies_to))
        if not allergens:
            return not_applicable("没有记录药物过敏")
        hits = [hit for order in case.record.orders or () if (hit := self._hit(order, allergens))]
        return defect(*hits) if hits else PASSED

    def _allergens(self, case: Case, types: tuple[DocumentType, ...]) -> Iterator["_Allergen"]:
        members = {name: (name, *names) for name, names in load_mapping(self.classes).items()}
        terms = tuple(dict.fromkeys(term for names in members.values() for term in names))
        for allergy in case.record.allergies or ():
            substance = allergy.substance or ""
            for mention in find_mentions(substance, terms):
                yield _Allergen(mention.term, _related(mention.term, members), None)
        for document in case.record.documents_of(*types):
            for mention in find_mentions(document.text, terms):
                after = document.text[mention.span.end : mention.span.end + 6]
                if (
                    mention.assertion is Assertion.PRESENT
                    and mention.subject == "patient"
                    and "过敏" in after
                ):
                    end = mention.span.end + after.index("过敏") + 2
                    yield _Allergen(
                        mention.term,
                        _related(mention.term, members),
                        document.evidence(Span(mention.span.start, end)),
                    )

    def _hit(self, order: Order, allergens: list["_Allergen"]) -> Hit | None:
        written = (order.drug.name if order.drug else None) or order.content or ""
        if order.category != "药品" or not written or "皮试" in (order.content or ""):
            return None
        for allergen in allergens:
            if any(name in written for name in allergen.related):
                evidence = (allergen.evidence,) if allergen.evidence else ()
                document_id = allergen.evidence.document_id if allergen.evidence else None
                details = {"allergen": allergen.term, "drug": written, "order": order.id or ""}
                return Hit(document_id, None, evidence, details)
        return None


class _Allergen(NamedTuple):
    term: str
    related: frozenset[str]
    evidence: Evidence | None


def _related(term: str, members: dict[str, tuple[str, ...]]) -> frozenset[str]:
    related: defaultdict[str, set[str]] = defaultdict(set)
    for names in members.values():
        if term in names:
            related[term].update(names)
    return frozenset(related[term] | {term})
