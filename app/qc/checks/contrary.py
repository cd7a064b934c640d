"""Statements that exclude one another: a discharge state and the last note, a diagnosis and a sign, a total and its
items, a dose and its order of magnitude.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import Case, course_moment
from app.qc.checks.agreement import ADMISSION_SECTIONS, listed_diagnoses
from app.qc.checks.base import Check, DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Order, Span
from app.text.assertion import Assertion, assertion_at
from app.text.dosing import Dose, as_dose, dose_in, drug_core
from app.text.lexicons import load_tree
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.width import half_width

_FEVER = 38.0


class Opposites(BaseModel):
    """Two regular expressions over half-width text that must not both be true."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    said: str
    excluded: str

    def patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """Both, compiled; ``re`` keeps them."""
        return regex(self.said), regex(self.excluded)


def _affirmed(reading: Reading, pattern: re.Pattern[str], within: Span) -> Span | None:
    """The first place where the pattern matches something that the text affirms."""
    for match in pattern.finditer(reading.half, *within):
        span = Span(*match.span())
        if assertion_at(reading.document.text, span) is Assertion.PRESENT:
            return span
    return None


class DischargeStateContradicted(Check, name="discharge_state_contradicted"):
    """The state at discharge says the opposite of the last course note, or of the temperature chart.

    Attributes:
        opposites: what the discharge state says, and what the last note must then not affirm.
        within_hours: the last note counts only if it is no older than that at discharge.
    """

    opposites: tuple[Opposites, ...] = Field(min_length=1)
    within_hours: float = Field(default=72, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the discharge record against the last note before discharge."""
        documents = case.documents_of(*applies_to)
        if not documents:
            return not_applicable(f"没有{'、'.join(applies_to)}")
        reading = case.reading(documents[0])
        state = reading.section("出院情况")
        if state is None or state.body.start == state.body.end:
            return undetermined("出院记录没有写出院情况")
        last = _last_note(case)
        if last is None:
            return undetermined("没有末次病程")
        ended = case.ended_at
        if ended and ended - course_moment(last) > timedelta(hours=self.within_hours):
            return not_applicable(f"末次病程与出院相隔超过{self.within_hours:g}小时")
        hits = [
            *self._against_note(reading, state.body, case.reading(last)),
            *_fever(case, reading, state.body),
        ]
        return defect(*hits) if hits else PASSED

    def _against_note(self, reading: Reading, state: Span, last: Reading) -> Iterator[Hit]:
        for opposites in self.opposites:
            said, excluded = opposites.patterns()
            mine = said.search(reading.half, *state)
            theirs = _affirmed(last, excluded, Span(0, len(last.half))) if mine else None
            if mine and theirs:
                places = (reading.document.evidence(Span(*mine.span())), last.document.evidence(theirs))
                name = last.document.title or last.document.kind
                details = {"said": mine.group(), "source": name, "otherwise": places[1].quote}
                yield Hit(reading.document.id, "出院情况", places, details)


def _last_note(case: Case) -> Document | None:
    ended = case.ended_at
    notes = [
        d
        for d in case.course_documents
        if d.kind in ("日常病程记录", "上级医师查房记录", "术后首次病程记录")
        and (ended is None or course_moment(d) <= ended)
    ]
    return notes[-1] if notes else None


def _fever(case: Case, reading: Reading, state: Span) -> Iterator[Hit]:
    """No fever said, and 38 ℃ or more on the chart within the last 24 hours."""
    said = regex("无发热|体温(?:已)?正常|未再发热").search(reading.half, *state)
    ended = case.ended_at
    if not said or not ended:
        return
    fevers = [v for v in case.record.vitals or () if v.at and v.temperature and v.temperature >= _FEVER]
    recent = [v for v in fevers if v.at and timedelta(0) <= ended - v.at <= timedelta(hours=24)]
    if recent:
        place = reading.document.evidence(Span(*said.span()))
        chart = f"{recent[-1].at:%m-%d %H:%M}体温{recent[-1].temperature:g}℃"
        details = {"said": said.group(), "source": "体温单", "otherwise": chart}
        yield Hit(reading.document.id, "出院情况", (place,), details)


class SignsExcludeDiagnosis(DocumentCheck, name="signs_exclude_diagnosis"):
    """A diagnosis and a sign of the same document exclude one another.

    Attributes:
        opposites: the diagnosis, and the sign that excludes it.
        not_with: a diagnosis that matches this (恢复期, 后遗症, 阵发性) is not judged.
        sections: where the signs stand; the whole text where none of them is there.
    """

    opposites: tuple[Opposites, ...] = Field(min_length=1)
    not_with: str
    sections: tuple[str, ...] = ("专科检查", "体格检查", "病例特点")

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        reading = case.reading(document)
        diagnoses = listed_diagnoses(case, document, ADMISSION_SECTIONS)
        bodies = [s.body for s in reading.sections if s.name in self.sections]
        if not diagnoses:
            return not_applicable("没有列出诊断")
        if not bodies:
            return undetermined("没有体格检查")
        excused = regex(self.not_with)
        hits = []
        for named in diagnoses:
            if excused.search(half_width(named.name)):
                continue
            for opposites in self.opposites:
                said, excluded = opposites.patterns()
                place = said.search(half_width(named.name)) and _first(reading, excluded, bodies)
                if place:
                    evidence = (*named.evidence, document.evidence(place))
                    details = {"diagnosis": named.name, "sign": evidence[-1].quote}
                    hits.append(Hit(document.id, "体格检查", evidence, details))
        return defect(*hits) if hits else PASSED


def _first(reading: Reading, pattern: re.Pattern[str], bodies: Sequence[Span]) -> Span | None:
    return next((span for body in bodies if (span := _affirmed(reading, pattern, body))), None)


class _Scale(NamedTuple):
    name: str
    least: float
    greatest: float


_GCS_ITEMS = regex(
    r"E\s*(?P<e>[1-4])\s*[+,、]?\s*V\s*(?P<v>[1-5])\s*[+,、]?\s*M\s*(?P<m>[1-6])\s*(?:=|,?(?:共|总分|合计|计))\s*(?P<total>\d{1,2})"
    r"|(?P<total2>\d{1,2})\s*分?\s*\(\s*E\s*(?P<e2>[1-4])\s*[+,、]?\s*V\s*(?P<v2>[1-5])\s*[+,、]?\s*M\s*(?P<m2>[1-6])\s*\)"
)
_ITEM = regex(r"[^、,;+]*?[^\d.、,;+≥>≤<](?P<points>\d{1,2})\s*分?")
_ITEMS_AFTER = regex(
    r"(?:评分|量表|总分)*(?:法)?\s*[:为得]?\s*(?P<total>\d{1,3})\s*分?\s*\((?P<items>[^()\n]{4,160})\)"
)
_ITEMS_BEFORE = regex(
    r"(?:评分)?(?:\([^()\n]{0,12}\))?\s*[:：]\s*(?P<items>[^。\n]{4,200}?)[,，;；]?\s*(?:合计|总分|共计|共)\s*[:为]?\s*(?P<total>\d{1,3})\s*分"
)
_TOTAL_ONLY = regex(r"(?:评分|量表)?\s*[:为得]?\s*(?P<total>\d{1,3})\s*分")


class ScoreSumWrong(DocumentCheck, name="score_sum_wrong"):
    """The total of a scale is not the sum of the items written with it, or lies outside the scale.

    Items are judged only where every one of them carries its points.
    """

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge every scale that the document names."""
        reading = case.reading(document)
        found = list(_scored(reading.half))
        hits = [
            Hit.at(
                document, score.span, scale=score.scale.name, total=f"{score.total:g}", problem=score.problem
            )
            for score in found
            if score.problem
        ]
        if hits:
            return defect(*hits)
        return PASSED if found else not_applicable("没有写明分项的评分")


class _Score(NamedTuple):
    scale: _Scale
    span: Span
    total: float
    problem: str


@cache
def _scales() -> tuple[re.Pattern[str], Mapping[str, _Scale]]:
    scales = {
        form: _Scale(name, float(entry["least"]), float(entry["greatest"]))
        for name, entry in load_tree("score_scales").items()
        for form in entry["forms"]
    }
    forms = "|".join(re.escape(form) for form in sorted(scales, key=len, reverse=True))
    return regex(rf"(?:{forms})(?![A-Za-z])(?:昏迷)?\s*"), scales


def _scored(half: str) -> Iterator[_Score]:
    pattern, scales = _scales()
    for name in pattern.finditer(half):
        if re.match("[A-Za-z]", half[max(0, name.start() - 1) : name.start()]):
            continue
        scale = scales[name.group().strip().removesuffix("昏迷").strip()]
        score = _gcs(half, name, scale) if scale.name == "GCS" else _sum(half, name, scale)
        if score:
            yield score


def _gcs(half: str, name: re.Match[str], scale: _Scale) -> _Score | None:
    items = _GCS_ITEMS.search(half, name.end(), name.end() + 40)
    if items:
        marks = [float(items[each] or items[f"{each}2"]) for each in "evm"]
        total = float(items["total"] or items["total2"])
        span = Span(name.start(), items.end())
        return _Score(scale, span, total, _problem(scale, total, marks))
    return _bare(half, name, scale)


def _sum(half: str, name: re.Match[str], scale: _Scale) -> _Score | None:
    for pattern in (_ITEMS_AFTER, _ITEMS_BEFORE):
        match = pattern.match(half, name.end())
        marks = _points(match["items"]) if match else []
        if match and len(marks) >= 2:
            total = float(match["total"])
            return _Score(scale, Span(name.start(), match.end()), total, _problem(scale, total, marks))
    return _bare(half, name, scale)


def _bare(half: str, name: re.Match[str], scale: _Scale) -> _Score | None:
    match = _TOTAL_ONLY.match(half, name.end())
    if match is None:
        return None
    total = float(match["total"])
    return _Score(scale, Span(name.start(), match.end()), total, _problem(scale, total, []))


def _points(items: str) -> list[float]:
    """The points of every item; empty when one of them has none."""
    parts = [part.strip() for part in re.split(r"[、,;+]", items) if part.strip()]
    matches = [_ITEM.fullmatch(part) for part in parts]
    return [float(match["points"]) for match in matches if match] if all(matches) else []


def _problem(scale: _Scale, total: float, marks: Sequence[float]) -> str:
    if not scale.least <= total <= scale.greatest:
        return f"超出量表范围（{scale.least:g}～{scale.greatest:g}分）"
    if marks and abs(sum(marks) - total) > 1e-9:
        return f"各分项之和为{sum(marks):g}分"
    return ""


class DoseImplausible(Check, name="dose_implausible"):
    """An ordered single dose is many times the greatest usual one: most often a wrong unit.

    Attributes:
        limits: the lexicon of doses.
        times: how many times the listed dose counts as implausible.
    """

    limits: str = "dose_limits"
    times: float = Field(default=5, gt=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each drug order whose drug is listed."""
        orders = [o for o in case.record.orders or () if o.drug or o.category == "药品"]
        rulings = (self._judge(order) for order in orders)
        return combine(rulings, none_reason="没有表内药品的医嘱")

    def _judge(self, order: Order) -> Ruling:
        name = (order.drug.name if order.drug else None) or order.content or ""
        limit = self._limit(drug_core(name.split(" ")[0]))
        if limit is None:
            return not_applicable("药品不在剂量表内")
        dose = (
            as_dose(order.drug.dose, order.drug.unit or "")
            if order.drug and order.drug.dose is not None
            else dose_in(order.content or "")
        )
        if dose is None or dose.unit != limit.unit:
            return not_applicable("剂量单位不能与剂量表比较")
        if dose.amount <= self.times * limit.amount:
            return PASSED
        unit = "mg" if limit.unit == "mg" else limit.unit
        written = order.content or f"{name} {dose.amount:g}{unit}"
        details = {
            "order": written,
            "limit": f"{limit.amount:g}{unit}",
            "times": f"{dose.amount / limit.amount:.0f}",
        }
        return defect(Hit(None, None, (), details))

    def _limit(self, core: str) -> Dose | None:
        for unit, limits in load_tree(self.limits).items():
            if core in limits:
                return Dose(float(limits[core]), unit)
        return None
