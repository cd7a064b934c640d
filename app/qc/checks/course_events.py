"""Whether the course notes follow up what happened: treatments, fever, a second operation, a hard case."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.correspondence import notes_from, written
from app.qc.checks.new_diagnosis import final_diagnoses
from app.qc.checks.order_of_events import shown
from app.qc.checks.treatment import DrugOrders, systemic_drugs
from app.qc.facts.detectors.course import note_says_nothing
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import day_of, later
from app.records.model import Document, DocumentType, Procedure, Span
from app.text.assertion import Assertion, assertion_at
from app.text.patterns import regex
from app.text.width import half_width

_OPERATION_KINDS = ("手术",)


def operations(case: Case) -> list[Procedure]:
    """The operations that have a time, in order."""
    found = [p for p in case.record.procedures or () if p.kind in _OPERATION_KINDS and p.started_at]
    return sorted(found, key=lambda p: p.started_at)  # type: ignore[arg-type,return-value]


class AssessmentMissing(Check, name="assessment_missing"):
    """An assessment without a result: an item of the note's own form left blank, or one that the hospital asks for.

    Attributes:
        blank: a pattern for an item that is there without a result.
        stated: a pattern for an item with one.
        required: what the hospital asks for -> a pattern for its result; by default nothing.
    """

    blank: str
    stated: str
    required: dict[str, str] = Field(default_factory=dict)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge all documents of the types together."""
        documents = case.documents_of(*applies_to)
        if not documents:
            return not_applicable(f"没有{'、'.join(applies_to)}")
        texts = {d.id: case.reading(d).half for d in documents}
        hits = [
            Hit.at(d, Span(*m.span("item")), assessments=m["item"])
            for d in documents
            for m in re.finditer(self.blank, texts[d.id])
        ]
        missing = [
            name
            for name, pattern in self.required.items()
            if not any(re.search(pattern, text) for text in texts.values())
        ]
        if missing:
            hits.append(Hit(documents[0].id, details={"assessments": "、".join(missing)}))
        if hits:
            return defect(*hits)
        if self.required or any(re.search(self.stated, text) for text in texts.values()):
            return PASSED
        return not_applicable("医院未启用入院评估")


class EffectNotAssessed(Check, name="effect_not_assessed"):
    """A treatment begun, and none of the notes of the next days says a word about the patient's response.

    Judged only where notes were written in these days; any word about symptoms, signs or results will do.

    Attributes:
        groups: the drug groups whose effect is awaited; long-term orders only.
        effect: a pattern for what notes say of an effect.
        hours: the hours after the first order.
    """

    groups: tuple[str, ...] = Field(min_length=1)
    effect: str
    hours: float = Field(default=72, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each drug and combine."""
        if "orders" not in case.record.delivered:
            return undetermined("未提供医嘱")
        drugs = [
            d for d in systemic_drugs(case, self.groups) if any(order.kind == "长期" for order in d.orders)
        ]
        rulings = (self._rule_on(case, drug, applies_to) for drug in drugs)
        return combine(rulings, none_reason="没有需评价效果的重要治疗")

    def _rule_on(self, case: Case, drug: DrugOrders, types: tuple[DocumentType, ...]) -> Ruling:
        begun = drug.begun_at
        if begun is None:
            return undetermined(f"{drug.name}医嘱没有时间")
        limit = later(begun, timedelta(hours=self.hours))
        if case.ended_at is not None and case.ended_at <= limit:
            return not_applicable("72小时内已离院")
        if not case.is_past(limit):
            return not_yet(limit, f"{drug.name}疗效的评价")
        notes = [n for n in notes_from(case, types, begun) if (w := written(n)) and w <= limit]
        if not notes:
            return undetermined("时限内没有病程记录")
        if any(self._effect.search(case.reading(note).half) for note in notes):
            return PASSED
        details = {"drug": drug.name, "begun": shown(begun), "hours": f"{self.hours:g}"}
        return defect(Hit(notes[-1].id, details=details))

    @cached_property
    def _effect(self) -> re.Pattern[str]:
        return regex(self.effect)


class HardCaseUndiscussed(Check, name="hard_case_undiscussed"):
    """A stay that calls for a discussion of the case, and no discussion or its conclusion.

    It calls for one when a note says that an operation was an unplanned second one, or when a diagnosis is still
    open after a long stay.

    Attributes:
        unplanned: a pattern for the words that say so.
        open_diagnosis: a pattern for a first diagnosis that is still open.
        days: days of stay after which an open diagnosis needs a discussion.
        discussed: a pattern for notes that tell of a discussion.
    """

    unplanned: str
    open_diagnosis: str = "待查|待诊|原因不明|性质待定|诊断不明"
    days: int = Field(default=14, gt=0)
    discussed: str = "疑难病例讨论|疑难讨论|全科讨论|科内讨论|全院会诊|多学科|MDT|病例讨论"

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        occasion = self._reoperation(case, applies_to) or self._open_diagnosis(case)
        if occasion is None:
            return not_applicable("没有应讨论的疑难情形")
        documents = case.documents
        if any(d.kind == "疑难病例讨论记录" for d in documents):
            return PASSED
        if any(re.search(self.discussed, case.reading(d).half) for d in documents):
            return PASSED
        return defect(occasion)

    def _reoperation(self, case: Case, types: tuple[DocumentType, ...]) -> Hit | None:
        if len(case.record.procedures or ()) < 2:
            return None
        for document in case.documents_of(*types):
            for match in re.finditer(self.unplanned, case.reading(document).half):
                span = Span(*match.span())
                if assertion_at(document.text, span) is Assertion.PRESENT:
                    return Hit.at(document, span, occasion="非计划再次手术")
        return None

    def _open_diagnosis(self, case: Case) -> Hit | None:
        admitted, ended = case.record.encounter.admitted_at, case.ended_at
        if admitted is None or ended is None or (ended - admitted) <= timedelta(days=self.days):
            return None
        final = final_diagnoses(case)
        if not final or not re.search(self.open_diagnosis, half_width(final[0].name)):
            return None
        document = final[0].document
        occasion = f"住院{(ended - admitted).days}天诊断仍不明确（{final[0].name}）"
        return Hit(document.id if document else None, None, final[0].evidence, {"occasion": occasion})


class PostoperativeFever(Check, name="postoperative_fever"):
    """A high fever after an operation that lasts over the hours, and no note of these days deals with it.

    The fever lasts from one high reading to a later one with a high reading on every day between them.

    Attributes:
        temperature: the lowest temperature that counts, ℃.
        hours: how long it must have lasted, more than.
        words: a pattern for notes that deal with it.
    """

    temperature: float = 38.5
    hours: float = Field(default=48, gt=0)
    words: str

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if "procedures" in case.record.delivered and not operations(case):
            return not_applicable("没有手术")
        first = next((p.started_at for p in operations(case)), None)
        if first is None:
            return undetermined("没有手术时间")
        run = self._fever(case, first)
        if run is None:
            return not_applicable("术后没有持续高热")
        begun, ended = run
        limit = later(ended, timedelta(hours=24))
        notes = [n for n in notes_from(case, applies_to, begun) if (w := written(n)) and w <= limit]
        if any(re.search(self.words, case.reading(note).half) for note in notes):
            return PASSED
        if not notes or not case.is_past(limit):
            return undetermined("发热期间没有病程记录")
        details = {"begun": shown(begun), "ended": shown(ended), "temperature": f"{self.temperature:g}"}
        return defect(Hit(notes[-1].id, details=details))

    def _fever(self, case: Case, after: datetime) -> tuple[datetime, datetime] | None:
        high = sorted(
            v.at
            for v in case.record.vitals or ()
            if v.at and v.at > after and v.temperature is not None and v.temperature >= self.temperature
        )
        for run in _daily_runs(high):
            if run[-1] - run[0] > timedelta(hours=self.hours):
                return run[0], run[-1]
        return None


def _daily_runs(moments: list[datetime]) -> Iterator[list[datetime]]:
    """The stretches of moments without a whole day between two of them."""
    run = moments[:1]
    for before, moment in pairwise(moments):
        days: tuple[date, date] = (day_of(before), day_of(moment))
        if (days[1] - days[0]).days > 1:
            yield run
            run = []
        run.append(moment)
    if run:
        yield run


class SecondOperationUnexplained(Check, name="second_operation_unexplained"):
    """A second operation of one stay, and no note says why or that it was planned.

    Attributes:
        words: a pattern for notes that say so.
        apart_hours: operations that begin closer together than this are one session.
    """

    words: str
    apart_hours: float = Field(default=12, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each further operation and combine."""
        done = operations(case)
        further = [
            (before, after)
            for before, after in pairwise(done)
            if before.started_at
            and after.started_at
            and after.started_at - before.started_at >= timedelta(hours=self.apart_hours)
        ]
        rulings = (self._rule_on(case, *pair, applies_to) for pair in further)
        return combine(rulings, none_reason="没有同次住院再次手术")

    def _rule_on(
        self, case: Case, before: Procedure, after: Procedure, types: tuple[DocumentType, ...]
    ) -> Ruling:
        if before.started_at is None or after.started_at is None:
            return undetermined("没有手术时间")
        limit = later(after.started_at, timedelta(hours=48))
        notes: list[Document] = [
            n for n in notes_from(case, types, before.started_at) if (w := written(n)) and w <= limit
        ]
        early = [n for n in case.documents_of(*types) if n not in notes]
        if any(re.search(self.words, case.reading(note).half) for note in (*notes, *early)):
            return PASSED
        if not notes:
            return undetermined("两次手术之间没有病程或术前文书")
        details = {
            "operation": after.name or "手术",
            "first": before.name or "手术",
            "at": shown(after.started_at),
        }
        return defect(Hit(notes[-1].id, details=details))


class NotesSayNothing(Check, name="notes_say_nothing"):
    """Several notes in a row that hold nothing but stock phrases.

    Attributes:
        in_a_row: from how many on.
    """

    in_a_row: int = Field(default=2, ge=2)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the notes in order of time."""
        notes = sorted(
            (d for d in case.documents_of(*applies_to) if written(d) and d.text.strip()),
            key=lambda d: written(d),  # type: ignore[arg-type,return-value]
        )
        if len(notes) < self.in_a_row:
            return not_applicable(f"{'、'.join(applies_to)}不足{self.in_a_row}份")
        run: list[Document] = []
        longest: list[Document] = []
        for note in notes:
            run = [*run, note] if note_says_nothing(case.reading(note)) else []
            longest = max(longest, run, key=len)
        if len(longest) < self.in_a_row:
            return PASSED
        quotes = tuple(d.evidence(_whole(d)) for d in longest)
        return defect(Hit(longest[0].id, None, quotes, {"count": len(longest)}))


def _whole(document: Document) -> Span:
    text = document.text
    return Span(len(text) - len(text.lstrip()), len(text.rstrip()))


class TellingUnrecorded(Check, name="telling_unrecorded"):
    """An event of which patient or family must be told, and no document of the types tells of telling anyone.

    Attributes:
        told: a pattern for words of telling, asking or consenting.
        operations: whether operations are such events.
        critical: whether being 病危 or 病重 is one.
        against_advice: whether leaving against advice is one.
    """

    told: str
    operations: bool = False
    critical: bool = False
    against_advice: bool = False

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the stay."""
        events = list(self._events(case))
        if not events:
            return not_applicable("没有需告知患方的重要事项")
        documents = [d for d in case.documents_of(*applies_to) if d.text.strip()]
        if not documents:
            return undetermined(f"没有{'、'.join(applies_to[:2])}等文书")
        if not case.is_over:
            return not_applicable("患者在院，病程未完")
        if any(re.search(self.told, case.reading(d).half) for d in documents):
            return PASSED
        return defect(Hit(documents[-1].id, details={"events": "、".join(events)}))

    def _events(self, case: Case) -> Iterator[str]:
        stay = case.record.encounter
        if self.critical and stay.conditions:
            yield stay.conditions[0].level
        if self.operations and operations(case):
            yield operations(case)[0].name or "手术"
        if self.against_advice and stay.disposition == "非医嘱离院":
            yield "非医嘱离院"
