"""What a disease or a treatment makes the notes and data tell: one check, the diseases in ``rules/specialty/``."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.treatment import systemic_drugs
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import is_cancelled, later
from app.records.model import (
    CoverageKind,
    Disposition,
    Document,
    DocumentType,
    ExamReport,
    LabResult,
    Order,
    Procedure,
    Span,
)
from app.text.assertion import Assertion, assertion_at, subject_at
from app.text.diagnoses import find_diagnoses
from app.text.investigations import classes_of
from app.text.lexicons import load_mapping
from app.text.patterns import regex
from app.text.width import half_width

_DOUBTED = regex(r"\?|待查|待排|可能|疑似|疑诊|拟诊|不除外|不能排除|除外|个人史|病史|史$")
_LISTED_IN = ("出院诊断", "死亡诊断", "修正诊断", "入院诊断", "初步诊断")
_ON_ADMISSION_TYPES: tuple[DocumentType, ...] = (
    "门(急)诊病历", "入院记录", "再次或多次入院记录", "首次病程记录",
)  # fmt: skip
_AT_ADMISSION = ("门诊", "初步", "入院")

Moment = Literal["admission", "procedure", "drug"]
Deadline = Literal["admission", "procedure", "drug", "end", "document"]


class NamedDiagnosis(NamedTuple):
    """One confirmed diagnosis of the stay."""

    name: str
    icd10: str
    is_main: bool


class Diagnoses(NamedTuple):
    """The confirmed diagnoses at the end of the stay (or so far), and those made on admission."""

    last: tuple[NamedDiagnosis, ...]
    on_admission: tuple[NamedDiagnosis, ...]
    are_given: bool


def confirmed_diagnoses(case: Case) -> Diagnoses:
    """The diagnoses without doubt: from the data, else from the lists that the documents hold."""
    given = [d for d in case.record.diagnoses or () if d.name and d.stage != "病理"]
    if not given:
        return _listed_diagnoses(case)
    stages = {d.stage for d in given}
    final = next((s for s in ("出院", "死亡", "修正") if s in stages), None)
    last = [d for d in given if d.stage == final] if final and case.is_over else given
    early = [
        d for d in given if d.stage in _AT_ADMISSION or (d.stage == final and d.admission_condition == "1")
    ]
    return Diagnoses(
        tuple(_named(d.name or "", d.icd10, d.rank == 1) for d in last if not _is_doubted(d.name or "")),
        tuple(_named(d.name or "", d.icd10, d.rank == 1) for d in early if not _is_doubted(d.name or "")),
        are_given=True,
    )


def _named(name: str, icd10: str | None, is_main: bool) -> NamedDiagnosis:
    return NamedDiagnosis(half_width(name).strip(), (icd10 or "").upper(), is_main)


def _is_doubted(name: str) -> bool:
    return _DOUBTED.search(half_width(name)) is not None


def _listed_diagnoses(case: Case) -> Diagnoses:
    lists: dict[str, list[NamedDiagnosis]] = {}
    for document in case.documents:
        reading = case.reading(document)
        for heading in _LISTED_IN:
            section = reading.section(heading)
            if section is None:
                continue
            for number, found in enumerate(find_diagnoses(document.text, section.body)):
                if not _is_doubted(found.name):
                    lists.setdefault(heading, []).append(_named(found.name, None, number == 0))
    last = next((lists[heading] for heading in _LISTED_IN if heading in lists), [])
    early = next((lists[heading] for heading in reversed(_LISTED_IN[3:]) if heading in lists), [])
    return Diagnoses(tuple(last), tuple(early), are_given=bool(lists))


class Trigger(BaseModel):
    """What makes a rule apply; all that is given must hold.

    Patterns are searched in half-width text.

    Attributes:
        diagnoses: a pattern for the name of a confirmed diagnosis,
        icd10: or one matched from the beginning of its code;
        not_diagnoses: a pattern that this name must not match.
        main_only: whether it must be the first of its list.
        on_admission: whether it must have been made on admission.
        procedures: a pattern for the name of a procedure.
        anaesthesia: a pattern for its anaesthesia.
        level: its level (四级).
        elective: whether emergency procedures do not count.
        operations: the fewest operations of the stay.
        drugs: drug groups or classes given in the stay.
        orders: a pattern for the content of an order that stands.
        results: a pattern for panel, item, value and flag of a laboratory result.
        reports: a pattern for modality, site and impression of an examination report of the stay.
        text: a pattern that a course document asserts of the patient.
        age_below: the patient is younger, in years.
        age_from: the patient is at least this old, in years.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    diagnoses: str | None = None
    icd10: str | None = None
    not_diagnoses: str | None = None
    main_only: bool = False
    on_admission: bool = False
    procedures: str | None = None
    anaesthesia: str | None = None
    level: str | None = None
    elective: bool = False
    operations: int = Field(default=0, ge=0)
    drugs: tuple[str, ...] = ()
    orders: str | None = None
    results: str | None = None
    reports: str | None = None
    text: str | None = None
    age_below: float | None = None
    age_from: float | None = None


class Expected(BaseModel):
    """One thing that must be told or done; any of the ways that are given will do.

    Attributes:
        name: as a user reads it.
        text: a pattern for the title and text of the documents.
        results: a pattern for panel and item of a laboratory result.
        reports: a pattern for modality, site and impression of an examination report.
        orders: a pattern for the content of an order that stands, take-home drugs included.
        drugs: drug groups or classes, ordered or named in the documents.
        vitals: fields of the vital signs.
        only_with: a pattern for orders and names of procedures, without which it is not expected.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    name: str
    text: str | None = None
    results: str | None = None
    reports: str | None = None
    orders: str | None = None
    drugs: tuple[str, ...] = ()
    vitals: tuple[str, ...] = ()
    only_with: str | None = None

    @cached_property
    def told_by(self) -> re.Pattern[str] | None:
        """The words of the documents that tell it."""
        names = (
            name
            for kind in sorted(classes_of(self.drugs))
            for name in (kind.removesuffix("类"), *load_mapping("drug_classes").get(kind, ()))
        )
        ways = [*([self.text] if self.text else []), *map(re.escape, names)]
        return regex("|".join(ways)) if ways else None

    @cached_property
    def data(self) -> tuple[CoverageKind, ...]:
        """The kinds of data other than documents that may show it."""
        ways: tuple[tuple[CoverageKind, object], ...] = (
            ("lab_results", self.results),
            ("exam_reports", self.reports),
            ("orders", self.orders or self.drugs),
            ("vitals", self.vitals),
        )
        return tuple(kind for kind, way in ways if way)


class _Occasion(NamedTuple):
    """What made the rule apply, and when."""

    what: str
    procedure: Procedure | None
    drug_at: datetime | None


class _Window(NamedTuple):
    since: datetime | None
    until: datetime | None

    def holds(self, moment: datetime | None) -> bool:
        if moment is None:
            return True
        return (self.since is None or moment >= self.since) and (self.until is None or moment <= self.until)


_ALWAYS = _Window(None, None)


class ExpectedUntold(Check, name="expected_untold"):
    """Something that a disease, procedure or drug calls for is neither in the documents nor in the data.

    A thing that data not delivered may show is unknown, not missing.

    Attributes:
        triggers: what makes the rule apply; one is enough.
        expected: what must be told.
        tolerated: how many of these may be missing.
        unless: a pattern in any document that makes the rule inapplicable (contraindicated, refused, explained).
        titles: a pattern for the titles of the documents that are read.
        unjudged_without: types of documents of which one must be there to find something missing.
        judge_absence: whether the rule is undetermined (not: inapplicable) without a document to read.
        since: from when on documents and data count.
        by: up to when they count, ``hours`` added; ``document`` as soon as one is there, without a limit.
        hours: hours after ``by``.
        not_after: dispositions for which the rule does not apply.
    """

    triggers: tuple[Trigger, ...] = Field(min_length=1)
    expected: tuple[Expected, ...] = Field(min_length=1)
    tolerated: int = Field(default=0, ge=0)
    unless: str | None = None
    titles: str | None = None
    unjudged_without: tuple[DocumentType, ...] = ()
    judge_absence: bool = False
    since: Moment | None = None
    by: Deadline = "end"
    hours: float = 0
    not_after: tuple[Disposition, ...] = ()

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        occasions = [_occasion(case, trigger) for trigger in self.triggers]
        occasion = next((o for o in occasions if isinstance(o, _Occasion)), None)
        if occasion is None:
            reasons = [o for o in occasions if isinstance(o, str) and o]
            return undetermined(reasons[0]) if reasons else not_applicable("不属于所查的病种、操作或用药")
        if case.record.encounter.disposition in self.not_after:
            return not_applicable(f"离院方式为{case.record.encounter.disposition}")
        return self._rule_on_occasion(case, occasion, applies_to)

    def _rule_on_occasion(self, case: Case, occasion: _Occasion, types: tuple[DocumentType, ...]) -> Ruling:
        until, names = self._moment(case, occasion, self.by), "、".join(e.name for e in self.expected)
        if self.by not in ("end", "document"):
            if until is None:
                return undetermined("没有判定所需的入院、操作或用药时间")
            until = later(until, timedelta(hours=self.hours))
            if case.ended_at is not None and case.ended_at < until:
                return not_applicable("在时限之前已离院")
            if not case.is_past(until):
                return not_yet(until, names)
        elif self.by == "end" and not case.is_over:
            return not_applicable("患者在院")
        window = _Window(self._moment(case, occasion, self.since) if self.since else None, until)
        documents = self._documents(case, types, window)
        if not documents:
            reason = f"没有{'、'.join(types[:3])}等可判的文书"
            return undetermined(reason) if self.judge_absence else not_applicable(reason)
        if self._is_excused(case):
            return not_applicable("文书已说明原因")
        return self._rule_on_documents(case, occasion, documents, window)

    def _rule_on_documents(
        self, case: Case, occasion: _Occasion, documents: list[Document], window: _Window
    ) -> Ruling:
        missing: list[str] = []
        unknown: list[str] = []
        for item in self.expected:
            if item.only_with and not _is_ordered(case, item.only_with, _ALWAYS):
                continue
            if _is_told(case, item, documents) or _is_in_data(case, item, window):
                continue
            is_known = set(item.data) <= case.record.delivered
            (missing if is_known else unknown).append(item.name)
        if len(missing) + len(unknown) <= self.tolerated:
            return PASSED
        if len(missing) <= self.tolerated:
            return undetermined(f"未提供可能写有{'、'.join(unknown)}的数据")
        if self.unjudged_without and not case.documents_of(*self.unjudged_without):
            return undetermined(f"没有{'、'.join(self.unjudged_without)}")
        details = {"trigger": occasion.what, "missing": "、".join(missing)}
        place = _place(case, documents, occasion.what)
        if place is None:
            return defect(Hit(documents[0].id, details=details))
        return defect(Hit.at(place[0], place[1], **details))

    def _moment(self, case: Case, occasion: _Occasion, moment: Deadline) -> datetime | None:
        if moment == "admission":
            return case.record.encounter.admitted_at
        if moment == "procedure":
            return occasion.procedure.started_at if occasion.procedure else None
        return occasion.drug_at if moment == "drug" else None

    def _documents(self, case: Case, types: tuple[DocumentType, ...], window: _Window) -> list[Document]:
        return [
            d
            for d in case.documents_of(*types)
            if (self._tells_of_admission(d) or window.holds(d.event_at or d.completed_at))
            and (self.titles is None or _pattern(self.titles).search(_heading(d)))
        ]

    def _tells_of_admission(self, document: Document) -> bool:
        """Whether it tells of the admission whenever it was written; lateness is another rule's."""
        return self.since is None and document.kind in _ON_ADMISSION_TYPES

    def _is_excused(self, case: Case) -> bool:
        if self.unless is None:
            return False
        pattern = _pattern(self.unless)
        return any(pattern.search(case.reading(d).half) for d in case.documents)


@cache
def _pattern(words: str) -> re.Pattern[str]:
    return regex(words)


def _occasion(case: Case, trigger: Trigger) -> _Occasion | str | None:
    """What holds of a trigger; ``None`` when it does not, and a reason when that cannot be told."""
    is_of_age = _is_of_age(case, trigger)
    if is_of_age is None:
        return "未提供年龄"
    if not is_of_age or not _is_in_orders_and_results(case, trigger):
        return None
    what, procedure, drug_at = "", None, None
    if trigger.diagnoses or trigger.icd10:
        diagnosis = _diagnosis(case, trigger)
        if not isinstance(diagnosis, NamedDiagnosis):
            return diagnosis
        what = diagnosis.name
    if trigger.procedures or trigger.anaesthesia or trigger.level or trigger.operations:
        procedure = next(_procedures(case, trigger), None)
        if procedure is None:
            return None
        what = procedure.name or what
    if trigger.drugs:
        given = systemic_drugs(case, trigger.drugs)
        if not given:
            return None
        drug_at = min((d.begun_at for d in given if d.begun_at), default=None)
        what = what or given[0].name
    if trigger.text:
        said = _asserted(case, trigger.text)
        if said is None:
            return None
        what = said if trigger.operations else what or said
    return _Occasion(what or "本次住院", procedure, drug_at)


class Triggered(NamedTuple):
    """Whether one of several triggers holds; ``words`` name what made it so, or why it is unknown."""

    value: bool | None
    words: str


def triggered(case: Case, triggers: Iterable[Trigger]) -> Triggered:
    """Whether one of the triggers holds; unknown where none does and one cannot be told."""
    found = [_occasion(case, trigger) for trigger in triggers]
    held = next((each for each in found if isinstance(each, _Occasion)), None)
    if held:
        return Triggered(True, held.what)
    unknown = next((each for each in found if isinstance(each, str)), None)
    return Triggered(None, unknown) if unknown else Triggered(False, "")


def _is_of_age(case: Case, trigger: Trigger) -> bool | None:
    if trigger.age_below is None and trigger.age_from is None:
        return True
    age = case.age_years
    if age is None:
        return None
    is_below = trigger.age_below is None or age < trigger.age_below
    return is_below and (trigger.age_from is None or age >= trigger.age_from)


def _is_in_orders_and_results(case: Case, trigger: Trigger) -> bool:
    if trigger.orders and not _is_ordered(case, trigger.orders, _ALWAYS):
        return False
    wanted = ((trigger.results, _result_words(case)), (trigger.reports, _report_words(case)))
    return all(words is None or any(_pattern(words).search(each) for each in said) for words, said in wanted)


def _diagnosis(case: Case, trigger: Trigger) -> NamedDiagnosis | str | None:
    found = case.remembered(confirmed_diagnoses)
    if not found.are_given:
        return "没有诊断"
    for each in found.on_admission if trigger.on_admission else found.last:
        is_named = trigger.diagnoses and _pattern(trigger.diagnoses).search(each.name)
        is_coded = trigger.icd10 and _pattern(trigger.icd10).match(each.icd10)
        is_other = trigger.not_diagnoses and _pattern(trigger.not_diagnoses).search(each.name)
        if (is_named or is_coded) and not is_other and (each.is_main or not trigger.main_only):
            return each
    return None


def _procedures(case: Case, trigger: Trigger) -> Iterator[Procedure]:
    done = case.record.procedures or ()
    if sum(p.kind == "手术" for p in done) < trigger.operations:
        return
    for procedure in done:
        fits = (
            (
                trigger.procedures is None
                or _pattern(trigger.procedures).search(half_width(procedure.name or ""))
            )
            and (
                trigger.anaesthesia is None
                or _pattern(trigger.anaesthesia).search(half_width(procedure.anesthesia or ""))
            )
            and (trigger.level is None or procedure.level == trigger.level)
            and not (trigger.elective and procedure.emergency is not False)
        )
        if fits:
            yield procedure


def _is_ordered(case: Case, words: str, window: _Window) -> bool:
    pattern = _pattern(words)
    if any(pattern.search(half_width(p.name or "")) for p in case.record.procedures or ()):
        return True
    return any(
        pattern.search(half_width(f"{o.content or ''} {o.drug.name or '' if o.drug else ''}"))
        for o in case.record.orders or ()
        if not is_cancelled(o) and window.holds(o.executed_at or o.ordered_at)
    )


def _result_words(case: Case) -> Iterator[str]:
    for result in case.record.lab_results or ():
        yield half_width(f"{result.panel or ''} {result.item or ''} {result.value or ''} {result.flag or ''}")


def _report_words(case: Case) -> Iterator[str]:
    """What the reports say that were there before the stay ended."""
    for report in case.record.exam_reports or ():
        if (
            case.ended_at is not None
            and report.reported_at is not None
            and report.reported_at > case.ended_at
        ):
            continue
        yield half_width(f"{report.modality or ''} {report.site or ''} {report.impression or ''}")


def _asserted(case: Case, words: str) -> str | None:
    pattern = _pattern(words)
    for document in case.course_documents:
        for match in pattern.finditer(case.reading(document).half):
            span = Span(*match.span())
            is_said = assertion_at(document.text, span) is Assertion.PRESENT
            if is_said and subject_at(document.text, span) == "patient":
                return match.group()
    return None


def _is_told(case: Case, item: Expected, documents: list[Document]) -> bool:
    pattern = item.told_by
    return pattern is not None and any(
        pattern.search(case.reading(d).half) or pattern.search(_heading(d)) for d in documents
    )


def _heading(document: Document) -> str:
    return half_width(f"{document.kind} {document.title or ''}")


def _is_in_data(case: Case, item: Expected, window: _Window) -> bool:
    return (
        (
            item.results is not None
            and any(_is_result(r, item.results, window) for r in case.record.lab_results or ())
        )
        or (
            item.reports is not None
            and any(_is_report(r, item.reports, window) for r in case.record.exam_reports or ())
        )
        or (item.orders is not None and _is_ordered(case, item.orders, window))
        or (bool(item.drugs) and any(_is_drug(o, item, window) for o in case.record.orders or ()))
        or any(
            getattr(vitals, name, None) is not None
            for vitals in case.record.vitals or ()
            if window.holds(vitals.at)
            for name in item.vitals
        )
    )


def _is_result(result: LabResult, words: str, window: _Window) -> bool:
    moment = result.sampled_at or result.reported_at
    return _pattern(words).search(half_width(f"{result.panel or ''} {result.item or ''}")) is not None and (
        window.holds(moment)
    )


def _is_report(report: ExamReport, words: str, window: _Window) -> bool:
    said = half_width(f"{report.modality or ''} {report.site or ''} {report.impression or ''}")
    return _pattern(words).search(said) is not None and window.holds(
        report.performed_at or report.reported_at
    )


def _is_drug(order: Order, item: Expected, window: _Window) -> bool:
    written_name = half_width(f"{order.drug.name or '' if order.drug else ''} {order.content or ''}")
    is_named = item.told_by is not None and item.told_by.search(written_name) is not None
    return is_named and not is_cancelled(order) and window.holds(order.ordered_at or order.executed_at)


def _place(case: Case, documents: list[Document], words: str) -> tuple[Document, Span] | None:
    for document in documents:
        position = case.reading(document).half.find(words)
        if position >= 0:
            return document, Span(position, position + len(words))
    return None
