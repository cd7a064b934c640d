"""Deliveries: the blood lost, and what is told of the newborn."""

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import combinations
from typing import Literal, NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.specialty import confirmed_diagnoses
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Span
from app.text.patterns import regex
from app.text.width import half_width

_DELIVERY = regex(r"分娩|顺产|平产|剖宫产|剖腹产|产钳|胎头吸引|接生|助产|单活胎|活婴|活产")
_NO_DELIVERY = regex(r"史|瘢痕|疤痕|先兆|未临产|产后\d|产褥|引产术?后|流产")
_EARLIER = regex(r"既往|前次|上次|曾|史|第[一二三]胎")
_CAESAREAN = regex("剖宫产|剖腹产")
_SEVERAL = regex("双胎|三胎|多胎|双胞胎|死胎|死产")
_LOSS = regex(
    r"(?:产后|产时|术中|分娩时?|总|累计|共)?(?:出血|失血)(?:总?量)?\s*(?:约|共|:|为|达|估计)*\s*(?P<amount>\d{2,5})\s*(?:ml|毫升)",
    re.IGNORECASE,
)
_SEX = regex(r"(?:新生儿|婴儿)[^。;\n]{0,12}性别\s*[:为]?\s*(?P<a>男|女)|(?P<b>男|女)(?:性)?(?:活)?婴")
_WEIGHT = regex(
    r"(?:新生儿|[男女]活?婴|婴儿|出生)[^。\n]{0,24}?体?重\s*[:为约]?\s*(?P<grams>\d{4})\s*(?:g|克)",
    re.IGNORECASE,
)
_WEIGHT_KEYS = ("newborn_birth_weight", "birth_weight")


def gave_birth(case: Case) -> tuple[str, bool] | None:
    """What shows that the patient gave birth in this stay, and whether by caesarean; ``None`` without."""
    names = [half_width(p.name or "") for p in case.record.procedures or ()]
    names += [d.name for d in case.remembered(confirmed_diagnoses).last]
    found = next((n for n in names if _DELIVERY.search(n) and not _NO_DELIVERY.search(n)), None)
    return (found, any(_CAESAREAN.search(n) and not _NO_DELIVERY.search(n) for n in names)) if found else None


def _is_earlier(half: str, match: re.Match[str]) -> bool:
    """Whether the sentence up to a match speaks of an earlier delivery."""
    start = max(half.rfind(mark, 0, match.start()) for mark in "。;\n") + 1
    return _EARLIER.search(half, start, match.start()) is not None


class PostpartumHaemorrhageUntold(Check, name="postpartum_haemorrhage_untold"):
    """Blood lost at a delivery reaches the limit, and no document names a haemorrhage and what was done.

    Attributes:
        vaginal_from: millilitres from which a vaginal delivery's loss is a haemorrhage.
        caesarean_from: the same for a caesarean.
        told: a pattern for the diagnosis.
        handled: a pattern for cause and treatment.
    """

    vaginal_from: int = Field(default=500, gt=0)
    caesarean_from: int = Field(default=1000, gt=0)
    told: str
    handled: str

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        return regex(self.told), regex(self.handled)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the delivery of the stay."""
        birth = gave_birth(case)
        if birth is None:
            return not_applicable("不是分娩住院")
        limit = self.caesarean_from if birth[1] else self.vaginal_from
        losses = [
            (int(m["amount"]), d, Span(*m.span()))
            for d in case.documents_of(*applies_to)
            for m in _LOSS.finditer(case.reading(d).half)
            if not _is_earlier(case.reading(d).half, m)
        ]
        if not losses:
            return undetermined("文书没有写分娩的出血量")
        amount, document, place = max(losses, key=lambda loss: loss[0])
        if amount < limit:
            return not_applicable("出血量未达产后出血标准")
        told, handled = self._patterns
        texts = [case.reading(d).half for d in case.documents]
        lacking = [
            what
            for what, pattern in (("产后出血的诊断", told), ("原因和处理", handled))
            if not any(pattern.search(text) for text in texts)
        ]
        if not lacking:
            return PASSED
        return defect(Hit.at(document, place, amount=amount, limit=limit, missing="、".join(lacking)))


class _Told(NamedTuple):
    what: Literal["性别", "出生体重"]
    value: str
    source: str
    document: Document | None
    span: Span | None


class NewbornContradicted(Check, name="newborn_contradicted"):
    """Two places give the newborn another sex or birth weight. Twins and stillbirths are not judged."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Compare the documents and the front page of a delivery."""
        if gave_birth(case) is None:
            return not_applicable("不是分娩住院")
        documents = case.documents_of(*applies_to)
        if any(_SEVERAL.search(case.reading(d).half) for d in documents):
            return not_applicable("多胎或死胎")
        told = [*_on_page(case), *(t for d in documents for t in _told_in(case, d))]
        if len({t.source for t in told}) < 2:
            return undetermined("新生儿的性别、体重没有两处可比")
        for one, other in combinations(told, 2):
            if one.what == other.what and one.value != other.value:
                return defect(_hit(one, other))
        return PASSED


def _hit(one: _Told, other: _Told) -> Hit:
    evidence = tuple(t.document.evidence(t.span) for t in (one, other) if t.document and t.span)
    details = {
        "what": one.what, "value": one.value, "source": one.source, "other": other.source, "other_value": other.value,
    }  # fmt: skip
    place = other.document or one.document
    return Hit(place.id if place else None, None, evidence, details)


def _on_page(case: Case) -> Iterator[_Told]:
    page = case.record.front_page
    items = (page.model_extra or {}) if page else {}
    for key in _WEIGHT_KEYS:
        number = re.fullmatch(r"(\d{3,4})(?:\.0+)?\s*(?:g|克)?", str(items.get(key) or "").strip())
        if number:
            yield _Told("出生体重", number[1], "病案首页", None, None)


def _told_in(case: Case, document: Document) -> Iterator[_Told]:
    half, source = case.reading(document).half, document.title or document.kind
    for match in _SEX.finditer(half):
        if not _is_earlier(half, match):
            yield _Told("性别", match["a"] or match["b"], source, document, Span(*match.span()))
    for match in _WEIGHT.finditer(half):
        if not _is_earlier(half, match):
            yield _Told("出生体重", match["grams"], source, document, Span(*match.span()))
