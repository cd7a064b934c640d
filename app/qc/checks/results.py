"""Laboratory values against the notes: quoted ones, critical ones, markedly abnormal ones."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.correspondence import (
    is_of_stay,
    notes_from,
    report_name,
    sentence_around,
    tells_report,
    written,
)
from app.qc.checks.order_of_events import shown
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import day_of, later
from app.records.model import Document, DocumentType, ExamReport, LabResult, Span
from app.text.assertion import Assertion, assertion_at
from app.text.investigations import Value, find_item, item_names, plain_unit, values_of
from app.text.patterns import regex
from app.text.width import half_width

_NUMBER = regex(r"[<>≤≥]?\s?(\d+(?:\.\d+)?)")
_ELSEWHERE = regex(
    "外院|院外|当地|社区|入院前|既往|年前|月前|天前|日前|门诊|急诊|指血|末梢|床旁|快速|POCT|术中"
)
_NO_RESULT = regex(
    "目标|维持|控制|低于|高于|大于|小于|超过|不足|达到?|若|如果|一旦|至少|以上|以下|正常值|参考|计算|预计|估计|补|输"
)
_CLAUSE_ENDS = regex("[,。;\n]")
_HANDLED = regex("补|输|纠正|复查|复测|处理|处置|予|给予|停|抢救|会诊|通知|透析|止血|急诊|手术")
_CRITICAL = regex("危急|危机值|危象|急报|电话(?:报告|通知|告知)")
_OTHER_SPECIMEN = regex("尿|粪|便|痰|脑脊|胸水|腹水|引流|分泌")
_FINGERSTICK = ("葡萄糖", "血糖")


def number_of(result: LabResult) -> float | None:
    """The value of a result as a number; ``None`` when it has none or is masked."""
    return _number_in(result.value or "")


@lru_cache(maxsize=4096)
def _number_in(value: str) -> float | None:
    match = _NUMBER.fullmatch(half_width(value).strip())
    return float(match[1]) if match else None


def _key(result: LabResult) -> str | None:
    """The item of a blood result under the first of its names; ``None`` for other specimens."""
    if not result.item or _OTHER_SPECIMEN.search(f"{result.specimen or ''}{result.panel or ''}"):
        return None
    return result.item


class QuotedValueDiffers(Check, name="quoted_value_differs"):
    """A note quotes for a laboratory item a value that no report of that item shows.

    Judged only where the item was reported on the day of the note or the day before, so that the note must mean
    one of these reports; goals, limits, fingerstick values and values from elsewhere are none.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each note."""
        results = self._by_item(case)
        if not results:
            return undetermined("没有可比对的检验数值")
        by_day: defaultdict[date, dict[str, LabResult]] = defaultdict(dict)
        for item, reported in results.items():
            for result in reported:
                if result.reported_at is not None:
                    by_day[day_of(result.reported_at)][item] = result
        hits: list[Hit] = []
        compared = False
        for document in case.documents_of(*applies_to):
            for item, recent in self._recent(document, by_day):
                for value in self._quoted(case, document, item, recent):
                    same = _shows(value, results[item])
                    if (same and compared) or _is_no_result(case.reading(document).half, value.span):
                        continue
                    compared = True
                    if not same:
                        hits.append(self._hit(document, item, value, recent))
        if hits:
            return defect(*hits)
        return PASSED if compared else undetermined("病程没有引用可比对的检验数值")

    def _by_item(self, case: Case) -> dict[str, list[LabResult]]:
        found: defaultdict[str, list[LabResult]] = defaultdict(list)
        for result in case.record.lab_results or ():
            item = _key(result)
            if item and not any(name in item for name in _FINGERSTICK) and number_of(result) is not None:
                found[item].append(result)
        return found

    def _recent(
        self, document: Document, by_day: dict[date, dict[str, LabResult]]
    ) -> Iterator[tuple[str, LabResult]]:
        """The items reported on the day of a note or the day before, up to the note, with their last result."""
        moment = written(document)
        if moment is None:
            return
        today = day_of(moment)
        days = (by_day.get(day_of(later(moment, -timedelta(days=1))), {}), by_day.get(today, {}))
        for item, result in {**days[0], **days[1]}.items():
            if result.reported_at and result.reported_at <= moment:
                yield item, result
            elif item in days[0]:
                yield item, days[0][item]

    def _quoted(self, case: Case, document: Document, item: str, recent: LabResult) -> Iterator[Value]:
        half = case.reading(document).half
        unit = plain_unit(recent.unit)
        for value in values_of(half, item):
            if value.unit and unit and plain_unit(value.unit).startswith(unit):
                yield value

    def _hit(self, document: Document, item: str, value: Value, result: LabResult) -> Hit:
        reported = f"{result.value}{result.unit or ''}"
        when = shown(result.reported_at) if result.reported_at else ""
        details = {"item": item, "value": f"{value.value:g}", "reported": reported, "at": when}
        return Hit.at(document, value.span, **{**details, "document": document.title or document.kind})


def _is_no_result(half: str, span: Span) -> bool:
    """Whether a value is a goal, a limit or from elsewhere."""
    before = _CLAUSE_ENDS.split(half[max(0, span.start - 20) : span.start])[-1]
    after = _CLAUSE_ENDS.split(half[span.end : span.end + 20])[0]
    return bool(_NO_RESULT.search(before + after) or _ELSEWHERE.search(sentence_around(half, span)))


def _shows(value: Value, results: Iterable[LabResult]) -> bool:
    """Whether one of the results, rounded as the note rounds, is the value."""
    decimals = len(f"{value.value!r}".partition(".")[2].rstrip("0"))
    tolerance = 0.51 * pow(10.0, -decimals)
    numbers = (number_of(result) for result in results)
    return any(n is not None and abs(round(n, decimals) - value.value) <= tolerance for n in numbers)


class Limits(BaseModel):
    """What counts as markedly abnormal for one item: below, or above."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str
    below: float | None = None
    above: float | None = None

    def covers(self, result: LabResult) -> bool:
        """Whether a result lies outside."""
        if result.item is None or self.item not in item_names(result.item):
            return False
        number = number_of(result)
        if number is None:
            return False
        return (self.below is not None and number < self.below) or (
            self.above is not None and number > self.above
        )


class ResultNotRecorded(Check, name="result_not_recorded"):
    """A critical or markedly abnormal result that no note after its report tells.

    A note tells a laboratory result by its value, by naming the item as critical, or by treating it; an
    examination as in ``report_not_discussed``. Results from before admission are not the chart's.

    Attributes:
        flags: flags of laboratory results that are judged.
        limits: further laboratory results that are judged (the hospital's list).
        critical_reports: whether examinations marked critical are judged.
        impression: a pattern; examinations whose impression states it are judged.
        except_modalities: modalities left to other rules.
        any_time: whether notes from before the report count as well (a known, stable finding).
        limit_hours: hours after the report within which it must be told, inclusive; by default up to the end.
        note_hours: hours after a report up to which a note is awaited in hospital.
        none_reason: why there is nothing to judge.
    """

    flags: tuple[str, ...] = ()
    limits: tuple[Limits, ...] = ()
    critical_reports: bool = False
    impression: str | None = None
    except_modalities: tuple[str, ...] = ()
    any_time: bool = False
    limit_hours: float | None = Field(default=None, gt=0)
    note_hours: float = Field(default=24, gt=0)
    none_reason: str = "没有危急值"

    @cached_property
    def _impression(self) -> re.Pattern[str]:
        return regex(self.impression or r"(?!)")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each result and combine."""
        labs = [r for r in case.record.lab_results or () if self._is_judged(case, r)]
        reports = [r for r in case.record.exam_reports or () if self._is_judged_report(case, r)]
        rulings = [
            *(self._rule_on(case, applies_to, r.reported_at, _lab_name(r), lab=r) for r in labs),
            *(self._rule_on(case, applies_to, r.reported_at, report_name(r), report=r) for r in reports),
        ]
        return combine(rulings, none_reason=self.none_reason)

    def _is_judged(self, case: Case, result: LabResult) -> bool:
        admitted, taken = case.record.encounter.admitted_at, result.reported_at or result.sampled_at
        if admitted and taken and taken < admitted:
            return False
        return result.flag in self.flags or any(limits.covers(result) for limits in self.limits)

    def _is_judged_report(self, case: Case, report: ExamReport) -> bool:
        if not is_of_stay(case, report) or report.modality in self.except_modalities:
            return False
        if self.critical_reports and report.critical:
            return True
        text = report.impression or ""
        matches = self._impression.finditer(half_width(text))
        return any(assertion_at(text, Span(*match.span())) is Assertion.PRESENT for match in matches)

    def _rule_on(
        self,
        case: Case,
        types: tuple[DocumentType, ...],
        reported: datetime | None,
        name: str,
        *,
        lab: LabResult | None = None,
        report: ExamReport | None = None,
    ) -> Ruling:
        if reported is None:
            return undetermined(f"{name}没有报告时间")
        ended = case.ended_at
        if ended is not None and reported > ended:
            return not_applicable("离院后才报告")
        notes = notes_from(case, types, reported)
        told = [note for note in self._sources(case, types, notes) if self._tells(case, note, lab, report)]
        limit = later(reported, timedelta(hours=self.limit_hours or self.note_hours))
        if told and (self.limit_hours is None or any((w := written(n)) and w <= limit for n in told)):
            return PASSED
        if not case.is_past(limit):
            return not_yet(limit, f"病程中对{name}的记录")
        if not notes and ended is not None and ended <= limit:
            return undetermined("报告后不久离院，没有后续病程")
        problem = "此后的病程没有写该结果及处置"
        if told:
            problem = f"超过{self.limit_hours:g}小时才记录"
        details = {"result": name, "reported": shown(reported), "problem": problem}
        return defect(Hit(notes[0].id if notes else None, details=details))

    def _sources(
        self, case: Case, types: tuple[DocumentType, ...], notes: list[Document]
    ) -> tuple[Document, ...] | list[Document]:
        return case.documents_of(*types) if self.any_time else notes

    def _tells(self, case: Case, note: Document, lab: LabResult | None, report: ExamReport | None) -> bool:
        if report is not None:
            return tells_report(case, note, report, list(case.record.exam_reports or ()))
        return lab is not None and tells_result(case, note, lab)


def _lab_name(result: LabResult) -> str:
    return f"{result.item or '检验'}{result.value or ''}{result.unit or ''}"


def tells_result(case: Case, note: Document, result: LabResult) -> bool:
    """Whether a note tells a laboratory result: its value near its name, or its name with what was done."""
    half = case.reading(note).half
    written_value = half_width(result.value or "").strip()
    for span in find_item(half, result.item or ""):
        near = half[span.end : span.end + 24]
        if written_value and re.search(rf"(?<![\d.]){re.escape(written_value)}(?!\d)", near):
            return True
        sentence = sentence_around(half, span)
        if _CRITICAL.search(sentence) or _HANDLED.search(sentence):
            return True
    number = number_of(result)
    return number is not None and any(
        abs(v.value - number) < 1e-9 for v in values_of(half, result.item or "")
    )
