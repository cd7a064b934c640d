"""Allergies: those recorded against the drugs ordered, and one document against another."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Evidence, Order
from app.text.allergies import Allergen, allergens_named, find_allergens, find_allergy_denials
from app.text.patterns import regex
from app.text.width import half_width

_JUSTIFIED = regex(
    r"脱敏|皮试(?:结果)?[:为呈]?\s*(?:阴性|\(-\))|利大于弊|权衡利弊|排除过敏|非过敏|无过敏反应"
)
_SKIN_TEST = regex("皮试|皮肤试验|过敏试验")
_POSITIVE = regex(r"阳性|\(\+\)|\+")
_REACTION = regex("过敏|皮疹|风团|荨麻疹|瘙痒|喉头水肿|药疹")
_NO_ALLERGY = regex(r"无|否认|-|—|/|0|1|未发现|没有")


class _Known(NamedTuple):
    """One drug that the patient is known not to tolerate, and the place that says so."""

    term: str
    related: frozenset[str]
    evidence: tuple[Evidence, ...]
    document: Document | None
    source: str


def allergens_of(case: Case, document: Document) -> tuple[Allergen, ...]:
    """The allergies that one document affirms."""
    return case.reading(document).remembered(find_allergens)


def _known_allergens(case: Case, documents: Iterable[Document]) -> Iterator[_Known]:
    for document in documents:
        for allergen in allergens_of(case, document):
            yield _in_text(document, allergen)
    for allergy in case.record.allergies or ():
        for allergen in allergens_named(allergy.substance or ""):
            yield _Known(allergen.term, allergen.related, (), None, "过敏资料")


def _in_text(document: Document, allergen: Allergen) -> _Known:
    place = (document.evidence(allergen.span),)
    return _Known(allergen.term, allergen.related, place, document, document.title or document.kind)


def _drug(order: Order) -> str:
    return half_width((order.drug.name if order.drug else None) or order.content or "")


def _holds(written: str, names: Iterable[str]) -> bool:
    return any(name in written for name in names)


class AllergenOrdered(Check, name="allergen_ordered"):
    """A drug is ordered although the record names it, or its family, as an allergen.

    Skin tests are no use of the drug; a note of desensitisation, of a negative skin test or of a weighed decision
    on that family excuses the order.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each drug order."""
        documents = sorted(case.documents_of(*applies_to), key=lambda d: applies_to.index(d.kind))
        known = list(_known_allergens(case, documents))
        if not known:
            if not documents and case.record.allergies is None:
                return undetermined("没有写明过敏史的文书或过敏资料")
            return not_applicable("没有记录药物过敏")
        ordered = [o for o in case.record.orders or () if o.category == "药品" or o.drug]
        hits = [
            hit
            for order in ordered
            if not _SKIN_TEST.search(order.content or "") and (hit := self._hit(case, order, known))
        ]
        return defect(*_first_of_each_drug(hits)) if hits else PASSED

    def _hit(self, case: Case, order: Order, known: list[_Known]) -> Hit | None:
        written = _drug(order)
        for allergen in known:
            if _holds(written, allergen.related) and not _is_justified(case, allergen):
                document_id = allergen.document.id if allergen.document else None
                details = {
                    "allergen": allergen.term,
                    "drug": written,
                    "order": order.id or "",
                    "source": allergen.source,
                }
                return Hit(document_id, None, allergen.evidence, details)
        return None


def _first_of_each_drug(hits: Iterable[Hit]) -> Iterator[Hit]:
    seen: set[object] = set()
    for hit in hits:
        if hit.details["drug"] not in seen:
            seen.add(hit.details["drug"])
            yield hit


def _is_justified(case: Case, allergen: _Known) -> bool:
    for document in case.documents:
        for match in _JUSTIFIED.finditer(case.reading(document).half):
            around = case.reading(document).half[max(0, match.start() - 40) : match.end() + 40]
            if _holds(around, allergen.related):
                return True
    return False


class _Test(NamedTuple):
    at: datetime | None
    related: frozenset[str]
    term: str
    evidence: tuple[Evidence, ...]
    document_id: str | None
    source: str


_TEST_RESULT = regex(
    r"皮试(?:液)?(?:结果)?\s*[:为呈示]?\s*(?P<positive>阳性|\(\+{1,4}\)|\+{1,4}(?!\d))|皮试(?:结果)?\s*[:为呈示]?\s*(?:阴性|\(-\))"
)


class PositiveSkinTestIgnored(Check, name="positive_skin_test_ignored"):
    """A drug is given after its skin test was positive."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each positive skin test against the orders that follow it or are still running."""
        positive = list(_positive_tests(case, applies_to))
        if not positive:
            if not _was_tested(case):
                return not_applicable("没有皮试")
            return PASSED if _has_result(case, applies_to) else undetermined("没有皮试结果")
        hits = [
            hit for test in positive for order in case.record.orders or () if (hit := _given(test, order))
        ]
        return defect(*hits) if hits else PASSED


def _was_tested(case: Case) -> bool:
    return any(_SKIN_TEST.search(order.content or "") for order in case.record.orders or ())


def _has_result(case: Case, types: tuple[DocumentType, ...]) -> bool:
    texts = [case.reading(d).half for d in case.documents_of(*types)]
    texts += [half_width(order.content or "") for order in case.record.orders or ()]
    results = [r for r in case.record.lab_results or () if _SKIN_TEST.search(r.item or "") and r.value]
    return bool(results) or any(_TEST_RESULT.search(text) for text in texts)


def _positive_tests(case: Case, types: tuple[DocumentType, ...]) -> Iterator[_Test]:
    for document in case.documents_of(*types):
        for allergen in allergens_of(case, document):
            said = allergen.span.of(case.reading(document).half)
            if "皮试" in said:
                at = document.event_at or document.completed_at
                place = (document.evidence(allergen.span),)
                name = document.title or document.kind
                yield _Test(at, allergen.related, allergen.term, place, document.id, name)
    for result in case.record.lab_results or ():
        if _SKIN_TEST.search(result.item or "") and _POSITIVE.search(half_width(result.value or "")):
            yield from _tests(result.item or "", result.reported_at or result.sampled_at, "检验结果")
    for order in case.record.orders or ():
        match = _TEST_RESULT.search(half_width(order.content or ""))
        if match and match["positive"]:
            yield from _tests(order.content or "", order.executed_at or order.ordered_at, "医嘱")


def _tests(words: str, at: datetime | None, source: str) -> Iterator[_Test]:
    for allergen in allergens_named(words):
        yield _Test(at, allergen.related, allergen.term, (), None, source)


def _given(test: _Test, order: Order) -> Hit | None:
    written = _drug(order)
    if (order.category != "药品" and not order.drug) or _SKIN_TEST.search(order.content or ""):
        return None
    if test.at is None or not _holds(written, test.related):
        return None
    started = order.executed_at or order.ordered_at
    still_running = order.kind == "长期" and (order.stopped_at is None or order.stopped_at > test.at)
    if started is None or (started < test.at and not still_running):
        return None
    details = {"drug": written, "allergen": test.term, "source": test.source, "order": order.id or ""}
    return Hit(test.document_id, None, test.evidence, details)


class AllergiesContradict(Check, name="allergies_contradict"):
    """One place names a drug allergy, another denies any.

    An allergy first seen during the stay does not contradict what was written before it.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Compare every denial with the allergens that were known when it was written."""
        documents = case.documents_of(*applies_to)
        known = list(_known_allergens(case, documents))
        page = case.record.front_page
        written = half_width((page.drug_allergy if page else None) or "").strip()
        known += [_Known(a.term, a.related, (), None, "病案首页") for a in allergens_named(written)]
        denials = [(d, denial.span) for d in documents for denial in find_allergy_denials(case.reading(d))]
        page_denies = bool(written) and _NO_ALLERGY.fullmatch(written) is not None
        places = (
            {d.id for d, _ in denials} | {a.source for a in known} | ({"病案首页"} if page_denies else set())
        )
        if len(places) < 2:
            return not_applicable("过敏史只有一处写明" if places else "没有写过敏史")
        if not known:
            return PASSED
        hits = [
            self._hit(d, span, seen) for d, span in denials if (seen := self._contradicting(case, d, known))
        ]
        if page_denies:
            hits.extend(self._against_page(written, known))
        return defect(*hits) if hits else PASSED

    def _contradicting(self, case: Case, denying: Document, known: list[_Known]) -> _Known | None:
        at = denying.completed_at
        for allergen in known:
            other = allergen.document
            if other is denying:
                continue
            later = other is not None and at and other.completed_at and other.completed_at > at
            if later and other is not None and _is_new(case, allergen):
                continue
            if other is None and _arose_in_stay(case, allergen):
                continue
            return allergen
        return None

    def _hit(self, document: Document, denial: object, allergen: _Known) -> Hit:
        evidence = (document.evidence(denial), *allergen.evidence)  # type: ignore[arg-type]
        details = {
            "document": document.title or document.kind,
            "denial": evidence[0].quote,
            "other": allergen.source,
            "allergen": allergen.term,
        }
        return Hit(document.id, "过敏史", evidence, details)

    def _against_page(self, written: str, known: list[_Known]) -> Iterator[Hit]:
        elsewhere = next((a for a in known if a.document), known[0])
        details = {
            "document": "病案首页",
            "denial": written,
            "other": elsewhere.source,
            "allergen": elsewhere.term,
        }
        document_id = elsewhere.document.id if elsewhere.document else None
        yield Hit(document_id, None, elsewhere.evidence, details)


def _is_new(case: Case, allergen: _Known) -> bool:
    """Whether the note tells of an event of this stay rather than of a history."""
    document = allergen.document
    if document is None or document.kind in (
        "入院记录",
        "再次或多次入院记录",
        "首次病程记录",
        "门(急)诊病历",
    ):
        return False
    place = allergen.evidence[0]
    sections = case.reading(document).sections
    in_history = any(
        section.name in ("过敏史", "既往史", "病史") and section.body.start <= place.start < section.body.end
        for section in sections
    )
    return not in_history


def _arose_in_stay(case: Case, allergen: _Known) -> bool:
    """Whether a course note tells of a reaction to it, so that the structured entry may be younger."""
    return any(
        allergen.term in case.reading(document).half[max(0, match.start() - 30) : match.end()]
        for document in case.course_documents
        if document.kind != "首次病程记录"
        for match in _REACTION.finditer(case.reading(document).half)
    )
