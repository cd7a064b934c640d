"""Whether a markedly abnormal result that the stay shows is dealt with: in the course notes, among the diagnoses."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.correspondence import notes_from, sentence_around, written
from app.qc.checks.order_of_events import shown
from app.qc.checks.results import Limits, number_of, tells_result
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import Document, DocumentType, LabResult, Span
from app.text.investigations import Value, find_item, item_names, plain_unit, values_of
from app.text.patterns import regex
from app.text.width import half_width

_ELSEWHERE = regex("外院|院外|当地|社区|入院前|既往|年前|月前|天前|日前|门诊|急诊|曾|病史|术中")
_NO_RESULT = regex(
    "目标|维持|控制|低于|高于|大于|小于|超过|不足|若|如果|一旦|至少|以上|以下|参考|预计|→|升至|降至"
)
_DEALT = regex(
    "考虑|分析|原因|由于|因(?!此)|所致|引起|有关|相关|提示|待查|排除|鉴别|警惕|补充?|输|停|予|给|用药|加用|改用|调整|纠正"
    "|复查|复测|监测|会诊|急诊|处理|处置|抢救|治疗方案|口服|静[滴推脉注]|肌注|泵|透析|止血|手术|通知|限制|溶血|标本"
    "|好转|缓解|恢复|无需|暂不"
)
_CLAUSE_ENDS = regex("[,。;\n]")
_STOCK = regex("继续(?:目前|当前|原|现)?(?:治疗|观察|用药)(?:方案)?|给氧|予以观察|密切监测病情")
_OTHER_SPECIMEN = regex("尿|粪|便|痰|脑脊|胸水|腹水|引流|分泌")


def is_of_blood(result: LabResult) -> bool:
    """Whether nothing says that the specimen is another than blood."""
    return not _OTHER_SPECIMEN.search(f"{result.specimen or ''}{result.panel or ''}{result.item or ''}")


def in_stay(case: Case, result: LabResult) -> bool:
    """Whether a result was reported between admission and the end of the stay, or has no time."""
    reported, admitted, ended = result.reported_at, case.record.encounter.admitted_at, case.ended_at
    if reported is None:
        return True
    return not (admitted and reported < admitted) and not (ended and reported > ended)


def lab_name(result: LabResult) -> str:
    """A laboratory value as a user reads it."""
    return f"{result.item or '检验'}{result.value or ''}{result.unit or ''}"


def _dealt_with(half: str, span: Span) -> bool:
    """Whether the sentence of a result, or what follows it, says why, what was done, or what came of it."""
    start = max(half.rfind(mark, 0, span.start) for mark in "。;\n") + 1
    return _DEALT.search(_STOCK.sub("", half[start:])) is not None


class Stated(Limits):
    """Limits of a value as a note states it; ``unit`` is a pattern for the unit after it (Hb 11.2 g/dL is no 11 g/L)."""

    unit: str

    def covers_stated(self, value: Value) -> bool:
        """Whether a stated value has the unit and lies outside."""
        stated = LabResult(item=self.item, value=f"{value.value:g}")
        return re.match(self.unit, plain_unit(value.unit)) is not None and self.covers(stated)


class AbnormalUnhandled(Check, name="abnormal_unhandled"):
    """A critical result that the course leaves out, or a markedly abnormal one stated without a word about it.

    A result is dealt with where a note names its item with a cause, a measure or what came of it. A value stated
    in a note counts only when nothing else in the note, nor a later note, says more of that item.

    Attributes:
        flags: flags of laboratory results that a note must deal with.
        limits: values that are markedly abnormal where a note states them.
        remedies: item -> a pattern for what is done about it without naming the item.
        also_in: further types where a result may be dealt with.
        note_hours: hours after a report up to which a note is awaited in hospital.
    """

    flags: tuple[str, ...] = ("危急",)
    limits: tuple[Stated, ...] = ()
    remedies: dict[str, str] = Field(default_factory=dict)
    also_in: tuple[DocumentType, ...] = ()
    note_hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each critical result, then each value that a note states."""
        critical = [r for r in case.record.lab_results or () if r.flag in self.flags and in_stay(case, r)]
        rulings = [self._rule_on_result(case, result, (*applies_to, *self.also_in)) for result in critical]
        for document in case.documents_of(*applies_to):
            rulings += self._rule_on_note(case, document, (*applies_to, *self.also_in))
        return combine(rulings, none_reason="没有重要异常结果")

    def _rule_on_result(self, case: Case, result: LabResult, types: tuple[DocumentType, ...]) -> Ruling:
        name = lab_name(result)
        if result.reported_at is None:
            return undetermined(f"{name}没有报告时间")
        notes = notes_from(case, types, result.reported_at)
        if any(self._deals(case, note, result) for note in notes):
            return PASSED
        limit = later(result.reported_at, timedelta(hours=self.note_hours))
        if not case.is_past(limit):
            return not_yet(limit, f"病程中对{name}的分析与处理")
        if not notes:
            return undetermined("报告后没有病程记录")
        told = [note for note in notes if tells_result(case, note, result)]
        problem = "只写了结果，没有原因分析、处理或效果" if told else "病程没有分析与处理"
        details = {"result": name, "problem": problem, "when": f"{shown(result.reported_at)}报告的"}
        note = (told or notes)[0]
        spans = list(find_item(case.reading(note).half, result.item or ""))[:1] if told else []
        return defect(Hit.at(note, *spans, **details))

    def _deals(self, case: Case, note: Document, result: LabResult) -> bool:
        half = case.reading(note).half
        if any(_dealt_with(half, span) for span in find_item(half, result.item or "")):
            return True
        names = item_names(result.item or "")
        return any(item in names and re.search(words, half) for item, words in self.remedies.items())

    def _rule_on_note(
        self, case: Case, document: Document, types: tuple[DocumentType, ...]
    ) -> Iterator[Ruling]:
        half = case.reading(document).half
        for limits in self.limits:
            for value in values_of(half, limits.item):
                if not limits.covers_stated(value) or not _is_result(half, value.span):
                    continue
                if self._said_more(case, document, value.span, limits.item, types):
                    yield PASSED
                else:
                    details = {"result": value.span.of(document.text), "when": "所写"}
                    problem = "没有原因分析、处理或效果"
                    yield defect(Hit.at(document, value.span, problem=problem, **details))

    def _said_more(
        self, case: Case, document: Document, span: Span, item: str, types: tuple[DocumentType, ...]
    ) -> bool:
        half = case.reading(document).half
        if _dealt_with(half, span):
            return True
        moment = written(document)
        following = notes_from(case, types, moment) if moment else []
        places = [(half, s) for s in find_item(half, item) if s.end != span.end and not span.contains(s)]
        places += [
            (case.reading(n).half, s)
            for n in following
            if n is not document
            for s in find_item(case.reading(n).half, item)
        ]
        return any(_dealt_with(text, place) for text, place in places)


def _is_result(half: str, span: Span) -> bool:
    """Whether a value is one of this stay, not a goal, a limit, or from elsewhere."""
    before = _CLAUSE_ENDS.split(half[max(0, span.start - 20) : span.start])[-1]
    after = _CLAUSE_ENDS.split(half[span.end : span.end + 20])[0]
    return not _NO_RESULT.search(before + after) and not _ELSEWHERE.search(sentence_around(half, span))


class Implied(BaseModel):
    """A diagnosis that a laboratory value stands for.

    Attributes:
        item: the laboratory item.
        below: values under it count.
        above: values over it count.
        sex: only for this sex.
        diagnosis: the diagnosis as the user reads it.
        covered: a pattern for diagnoses that say or contain it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str
    below: float | None = None
    above: float | None = None
    sex: str | None = None
    diagnosis: str
    covered: str

    @cached_property
    def limits(self) -> Limits:
        """The values that count."""
        return Limits(item=self.item, below=self.below, above=self.above)


class AbnormalWithoutDiagnosis(Check, name="abnormal_without_diagnosis"):
    """Values that reach a diagnosis, repeatedly or critically, and no list of diagnoses names it.

    A single slight deviation, one that the last result no longer shows, and one explained by a listed disease
    are none.

    Attributes:
        implied: the diagnoses and the values they follow from.
        explained: a pattern in any document that says why it is not listed.
    """

    implied: tuple[Implied, ...] = Field(min_length=1)
    explained: str = "(?!)"

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each diagnosis that the values stand for."""
        names = _listed_names(case, applies_to)
        if not names:
            return undetermined("没有列出诊断")
        results = [r for r in case.record.lab_results or () if is_of_blood(r) and in_stay(case, r)]
        rulings = (self._rule_on(case, each, results, names, applies_to) for each in self.implied)
        return combine(rulings, none_reason="没有达到诊断阈值的检验")

    def _rule_on(
        self,
        case: Case,
        implied: Implied,
        results: Iterable[LabResult],
        names: Sequence[str],
        types: tuple[DocumentType, ...],
    ) -> Ruling:
        if implied.sex and implied.sex != case.record.patient.sex:
            return not_applicable("性别不符")
        same = sorted(
            (r for r in results if r.reported_at and implied.item in item_names(r.item or "")),
            key=lambda r: r.reported_at,  # type: ignore[arg-type,return-value]
        )
        abnormal = [r for r in same if implied.limits.covers(r)]
        critical = [r for r in abnormal if r.flag == "危急"]
        lasting = len(abnormal) >= 2 and same[-1] is abnormal[-1]
        if not critical and not lasting:
            return not_applicable("没有达到诊断阈值的检验")
        if any(re.search(implied.covered, half_width(name)) for name in names):
            return PASSED
        if any(re.search(self.explained, case.reading(d).half) for d in case.documents):
            return PASSED
        if not case.is_over:
            return not_applicable("患者在院，诊断尚可补充")
        shown_result = (critical or abnormal)[-1]
        details = {
            "result": lab_name(shown_result),
            "reported": shown(shown_result.reported_at) if shown_result.reported_at else "",
            "diagnosis": implied.diagnosis,
        }
        return defect(_at_diagnoses(case, types, details))


def _listed_names(case: Case, types: tuple[DocumentType, ...]) -> list[str]:
    names = [d.name for d in case.record.diagnoses or () if d.name]
    for document in case.documents_of(*types):
        reading = case.reading(document)
        names += [s.body.of(document.text) for s in reading.sections if "诊断" in s.name]
    return [name for name in names if name.strip()]


def _at_diagnoses(case: Case, types: tuple[DocumentType, ...], details: Mapping[str, object]) -> Hit:
    for document in reversed(case.documents_of(*types)):
        section = case.reading(document).section("出院诊断", "入院诊断", "初步诊断")
        if section:
            return Hit.at(document, section.heading, section=section.name, **details)
    return Hit(details=details)


class Remedied(BaseModel):
    """A value that calls for a measure, and the orders or words that are one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str
    below: float | None = None
    above: float | None = None
    remedy: str

    @cached_property
    def limits(self) -> Limits:
        """The values that count."""
        return Limits(item=self.item, below=self.below, above=self.above)


class AbnormalUntreated(Check, name="abnormal_untreated"):
    """A result that calls for a measure, and within the hours no order that could be one and no note that tells it.

    Attributes:
        values: the values and what would be a measure.
        except_flags: flags left to other rules.
        hours: within how many hours, inclusive.
    """

    values: tuple[Remedied, ...] = ()
    except_flags: tuple[str, ...] = ("危急",)
    hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each result and combine."""
        if not self.values:
            return undetermined("未配置阈值")
        rulings = [
            self._rule_on(case, result, value, applies_to)
            for result in case.record.lab_results or ()
            if result.flag not in self.except_flags and is_of_blood(result) and in_stay(case, result)
            for value in self.values
            if value.limits.covers(result)
        ]
        return combine(rulings, none_reason="没有需处理的检查结果")

    def _rule_on(
        self, case: Case, result: LabResult, value: Remedied, types: tuple[DocumentType, ...]
    ) -> Ruling:
        reported = result.reported_at
        if reported is None or number_of(result) is None:
            return undetermined(f"{lab_name(result)}没有报告时间")
        since, limit = later(reported, -timedelta(hours=2)), later(reported, timedelta(hours=self.hours))
        if not case.is_past(limit) or (case.ended_at is not None and case.ended_at <= limit):
            return not_applicable("处理时限未到或已离院")
        for order in case.record.orders or ():
            begun, stopped = order.ordered_at, order.stopped_at
            in_time = (begun and since <= begun <= limit) or (stopped and since <= stopped <= limit)
            if in_time and re.search(value.remedy, half_width(order.content or "")):
                return PASSED
        notes = [n for n in notes_from(case, types, reported) if (w := written(n)) and w <= limit]
        if any(re.search(value.remedy, case.reading(n).half) or tells_result(case, n, result) for n in notes):
            return PASSED
        details = {"result": lab_name(result), "reported": shown(reported), "hours": f"{self.hours:g}"}
        return defect(Hit(notes[0].id if notes else None, details=details))
