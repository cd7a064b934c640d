"""Orders, reports and bedside charts: is what they must say there."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import TypeVar

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.order_of_events import shown
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.qc.timeline import Period, day_of, later, midnight_after
from app.records.model import CHINA_TIME, Document, DocumentType, ExamReport, LabResult, Order, Span
from app.text.assertion import Assertion, find_mentions
from app.text.lexicons import load_mapping
from app.text.patterns import regex
from app.text.times import find_dates
from app.text.width import half_width

_T = TypeVar("_T")
_SHOWN_ITEMS = 3
_DOSE_UNIT = r"(?:mg|μg|ug|mcg|kg|g|ml|l|mmol|meq|[kKmM]?i?u|axaiu|万?单位|万u|片|粒|袋|支|丸|滴|贴|喷|揿|吸|枚|包|瓶|板)"
_DOSE = regex(
    rf"\d\s*(?:万|亿)?\s*{_DOSE_UNIT}(?![A-Za-z])|[一二两半]\s*(?:片|粒|袋|支|丸|包)", re.IGNORECASE
)
_ROUTE = regex(
    r"口服|服用|po|静[脉滴推注]|静点|ivgtt|iv|vd|皮下|sc|ih|皮内|肌[肉注]|im|吸入|雾化|外[用涂敷]|含[服化漱]|舌下|嚼服|冲服|温服|顿服"
    r"|滴[眼耳鼻]|点眼|喷[鼻喉]|贴[敷于]|灌肠|直肠|肛|阴道|鼻饲|胃管|膀胱|鞘内|腹腔|泵[入注]|微泵|注射|涂",
    re.IGNORECASE,
)
_FREQUENCY = regex(
    r"每\s*(?:日|天|晚|早|晨|周|隔|\d|[一二三四六八十])|一?[日天]\s*[\d一二两三四]\s*次|隔日|q[dnod\d]|[btq]id|st(?![A-Za-z])|prn|必要时|睡前|持续"
    r"|\d\s*次\s*/\s*[日天周]|立即|once|[早晚晨]各?\s*[\d一二两半]",
    re.IGNORECASE,
)
_ADDED = regex(r"加入|加至|溶于|溶入|稀释|[+＋]|配|in\b", re.IGNORECASE)
_SEPARATORS = regex(r"[;；\n]")
_SKIN_TEST = "皮试"
_CANCELLED = ("取消", "作废", "已取消", "已作废", "撤销")
_STOPPED = ("停止", "已停", "已停止")


def _listed(items: Sequence[str]) -> str:
    more = f"等{len(items)}条" if len(items) > _SHOWN_ITEMS else ""
    return "、".join(f"“{item}”" for item in items[:_SHOWN_ITEMS]) + more


def _name(order: Order) -> str:
    return order.content or (order.drug.name if order.drug else None) or order.id or "医嘱"


def _status(order: Order) -> str | None:
    status = order.extra.get("status")
    return status if isinstance(status, str) else None


def _standing(case: Case) -> list[Order]:
    """The orders that were not cancelled, by their status or their words."""
    return [
        o
        for o in case.record.orders or ()
        if _status(o) not in _CANCELLED and not (o.content or "").startswith(_CANCELLED)
    ]


class _OrderCheck(Check):
    """A check that judges all orders at once and names those at fault in one hit."""

    def _defect(self, orders: Iterable[Order], **details: object) -> Ruling:
        names = [_name(order) for order in orders]
        return defect(Hit(details={"orders": _listed(names), "count": len(names), **details}))


def _is_midnight(moment: datetime) -> bool:
    """Whether the clock in China shows 00:00, as where a source keeps only dates."""
    return midnight_after(moment, -1) == moment


class OrderTimeMissing(_OrderCheck, name="order_time_missing"):
    """An order without the time at which it was given, or a stopped one without the time of stopping.

    Where no order has a time, or all have midnight, the source does not tell times.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        orders = case.record.orders or ()
        if not orders:
            return not_applicable("没有医嘱")
        given = [o.ordered_at for o in orders if o.ordered_at]
        if not given:
            return undetermined("来源系统没有提供下达时间")
        untimed = [o for o in orders if o.ordered_at is None]
        unstopped = [o for o in orders if _status(o) in _STOPPED and o.stopped_at is None]
        if untimed:
            return self._defect(untimed, missing="下达时间")
        if unstopped:
            return self._defect(unstopped, missing="停止时间")
        if all(_is_midnight(moment) for moment in given):
            return undetermined("下达时间都是00:00，来源系统可能只存日期")
        return PASSED


class OrderUnsigned(_OrderCheck, name="order_unsigned"):
    """An order without the physician who gave it, or by somebody without the right to prescribe."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        orders = case.record.orders or ()
        if not orders:
            return not_applicable("没有医嘱")
        unlicensed = [o for o in orders if o.extra.get("ordered_by_licensed") is False]
        if unlicensed:
            return self._defect(unlicensed, problem="下达者没有处方资质")
        unsigned = [o for o in orders if not o.ordered_by]
        if len(unsigned) == len(orders):
            return undetermined("来源系统没有提供下达医师")
        return self._defect(unsigned, problem="没有下达医师签名") if unsigned else PASSED


class OrderCombined(_OrderCheck, name="order_combined"):
    """One order that holds several: two drugs each with a dose, or two instructions.

    Drugs mixed into one infusion and panels of tests are one.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        orders = case.record.orders or ()
        if not orders:
            return not_applicable("没有医嘱")
        combined = [o for o in orders if self._is_combined(o)]
        return self._defect(combined) if combined else PASSED

    def _is_combined(self, order: Order) -> bool:
        content = half_width(order.content or "")
        parts = [part.strip() for part in _SEPARATORS.split(content) if part.strip()]
        if order.category == "药品":
            if _ADDED.search(content):
                return False
            return (
                sum(bool(_DOSE.search(p) and (_FREQUENCY.search(p) or _ROUTE.search(p))) for p in parts) > 1
            )
        return order.category in ("护理", "操作") and len(parts) > 1 and all(len(part) > 2 for part in parts)


class CancellationUnmarked(_OrderCheck, name="cancellation_unmarked"):
    """A cancelled order that does not say so, or not by whom and when.

    The source tells cancellations by ``status``, ``cancelled_by`` and ``cancelled_at`` of the order.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        orders = case.record.orders or ()
        if not orders:
            return not_applicable("没有医嘱")
        if not any(_status(o) or "cancelled_at" in o.extra for o in orders):
            return undetermined("来源系统没有提供取消信息")
        cancelled = [o for o in orders if _status(o) in _CANCELLED or "cancelled_at" in o.extra]
        if not cancelled:
            return not_applicable("没有取消的医嘱")
        unmarked = [o for o in cancelled if not (o.extra.get("cancelled_by") and o.extra.get("cancelled_at"))]
        return self._defect(unmarked) if unmarked else PASSED


class StandingAfterDischarge(_OrderCheck, name="standing_after_discharge"):
    """A standing order that runs on after the end of the stay."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if not case.is_over:
            return not_applicable("患者在院")
        ended = case.ended_at
        if ended is None:
            return undetermined("未提供出院时间")
        standing = [o for o in _standing(case) if o.kind == "长期" and not o.take_home]
        if not standing:
            return not_applicable("没有长期医嘱")
        if all(o.stopped_at is None for o in standing):
            return undetermined("来源系统没有提供停止时间")
        running = [o for o in standing if o.stopped_at is None or o.stopped_at > ended]
        return self._defect(running, ended=shown(ended)) if running else PASSED


class ExecutionMissing(_OrderCheck, name="execution_missing"):
    """A temporary order that was carried out, and does not say when or by whom."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        orders = [o for o in _standing(case) if o.kind == "临时"]
        if not orders:
            return not_applicable("没有临时医嘱")
        if not any(o.executed_at for o in orders):
            return undetermined("来源系统没有提供执行时间")
        reported = {r.order_id for r in case.record.lab_results or () if r.order_id}
        reported |= {r.order_id for r in case.record.exam_reports or () if r.order_id}
        untimed = [o for o in orders if o.executed_at is None and self._was_done(o, reported)]
        if untimed:
            return self._defect(untimed, missing="执行时间")
        names_are_given = any(o.extra.get("executed_by") for o in orders)
        unsigned = [o for o in orders if names_are_given and o.executed_at and not o.extra.get("executed_by")]
        return self._defect(unsigned, missing="执行者签名") if unsigned else PASSED

    def _was_done(self, order: Order, reported: set[str]) -> bool:
        return order.id in reported or _status(order) in ("已执行", "执行", "完成", "已完成")


class DrugOrderIncomplete(_OrderCheck, name="drug_order_incomplete"):
    """A drug order without dose, unit, route or frequency; a single dose needs no frequency."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        orders = [o for o in _standing(case) if o.category == "药品" and _SKIN_TEST not in (o.content or "")]
        if not orders:
            return not_applicable("没有药品医嘱")
        missing = [(order, self._missing(order)) for order in orders]
        incomplete = [(order, lacking) for order, lacking in missing if lacking]
        if incomplete:
            lacking = dict.fromkeys(name for _, names in incomplete for name in names)
            return self._defect([order for order, _ in incomplete], missing="、".join(lacking))
        unreadable = [order for order, lacking in missing if lacking is None]
        return (
            undetermined(f"药品医嘱{_listed([_name(o) for o in unreadable])}无法解析")
            if unreadable
            else PASSED
        )

    def _missing(self, order: Order) -> list[str] | None:
        """What an order lacks; ``None`` when it is bare text that says nothing of the kind."""
        drug, content = order.drug, half_width(order.content or "")
        dosed = _DOSE.search(content) is not None
        found = {
            "剂量": (drug is not None and drug.dose is not None) or dosed,
            "单位": (drug is not None and bool(drug.unit)) or dosed,
            "给药途径": (drug is not None and bool(drug.route)) or _ROUTE.search(content) is not None,
            "频次": order.kind == "临时"
            or (drug is not None and bool(drug.frequency))
            or _FREQUENCY.search(content) is not None,
        }
        if drug is None and not dosed and not found["给药途径"] and not _FREQUENCY.search(content):
            return None
        return [name for name, there in found.items() if not there]


class RescueDrugUnordered(Check, name="rescue_drug_unordered"):
    """A drug that a resuscitation note says was given, and no order names.

    Attributes:
        drugs: the drugs looked for.
    """

    drugs: tuple[str, ...] = Field(min_length=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each note and combine."""
        ordered = [_name(o) + (o.drug.name or "" if o.drug else "") for o in case.record.orders or ()]
        rulings = (self._rule_on_note(case, d, ordered) for d in case.documents_of(*applies_to))
        return combine(rulings, none_reason="没有抢救记录")

    def _rule_on_note(self, case: Case, document: Document, ordered: list[str]) -> Ruling:
        section = case.reading(document).section("抢救经过")
        within = section.body if section and section.body.start < section.body.end else None
        given = [
            mention
            for mention in find_mentions(document.text, self.drugs, within)
            if mention.assertion is Assertion.PRESENT and mention.subject == "patient"
        ]
        if not given:
            return not_applicable("抢救记录没有写明用药")
        missing = {m.term: m.span for m in given if not any(m.term in content for content in ordered)}
        if not missing:
            return PASSED
        details = {"drugs": "、".join(missing), "document": document.title or document.kind}
        return defect(Hit.at(document, *missing.values(), section="抢救经过", **details))


class ReportIncomplete(Check, name="report_incomplete"):
    """A report without item, result, date or reporter, where the source tells these of other reports."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        labs = [r for r in case.record.lab_results or () if r.value is not None or r.reported_at]
        exams = [r for r in case.record.exam_reports or () if r.impression or r.finding or r.reported_at]
        if not labs and not exams:
            return not_applicable("没有报告")
        problems = [
            *_partly_missing(labs, "检验项目名称", lambda r: r.item, _lab_name),
            *_partly_missing(labs, "检验结果", lambda r: r.value, _lab_name),
            *_partly_missing(labs, "检验报告日期", lambda r: r.reported_at, _lab_name),
            *_partly_missing(labs, "检验报告人", lambda r: r.extra.get("reported_by"), _lab_name),
            *_partly_missing(exams, "检查项目", lambda r: r.modality or r.site, _exam_name),
            *_partly_missing(exams, "检查结果", lambda r: r.impression or r.finding, _exam_name),
            *_partly_missing(exams, "检查报告日期", lambda r: r.reported_at, _exam_name),
            *_partly_missing(exams, "检查报告人", lambda r: r.extra.get("reported_by"), _exam_name),
        ]
        return defect(Hit(details={"missing": "；".join(problems)})) if problems else PASSED


def _partly_missing(
    items: list[_T], what: str, value: Callable[[_T], object], name: Callable[[_T], str]
) -> Iterator[str]:
    without = [item for item in items if value(item) in (None, "")]
    if without and len(without) < len(items):
        yield f"{_listed([name(item) for item in without])}缺{what}"


def _lab_name(result: LabResult) -> str:
    return result.item or result.panel or result.id or "检验"


def _exam_name(report: ExamReport) -> str:
    return f"{report.site or ''}{report.modality or ''}" or report.id or "检查"


class ReportFiledLate(Check, name="report_filed_late"):
    """A report that entered the record more than a number of hours after it was issued.

    The source tells it by ``filed_at`` (ISO 8601) of the report.

    Attributes:
        limit_hours: the limit, inclusive.
    """

    limit_hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        reports = [
            *((_lab_name(r), r.reported_at, r.extra.get("filed_at")) for r in case.record.lab_results or ()),
            *(
                (_exam_name(r), r.reported_at, r.extra.get("filed_at"))
                for r in case.record.exam_reports or ()
            ),
        ]
        known = [(name, at, filed) for name, at, written in reports if at and (filed := read_moment(written))]
        if not known:
            return undetermined("未提供报告归入病历的时间") if reports else not_applicable("没有报告")
        late = [name for name, at, filed in known if filed - at > timedelta(hours=self.limit_hours)]
        return (
            defect(Hit(details={"reports": _listed(late), "limit": f"{self.limit_hours:g}"}))
            if late
            else PASSED
        )


def read_moment(written: object) -> datetime | None:
    """An aware moment out of an unknown field; ``None`` when it is no ISO 8601 time."""
    if not isinstance(written, str):
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=CHINA_TIME)


class RoutineTestsMissing(Check, name="routine_tests_missing"):
    """A stay of some hours without the routine tests that the hospital asks for.

    Attributes:
        tests: name of the test to a pattern for panel and item.
        within_hours: hours after admission up to which they must have been sampled.
        before_days: results of that many days before admission count too.
    """

    tests: dict[str, str] = Field(default_factory=dict)
    within_hours: float = Field(default=48, gt=0)
    before_days: float = Field(default=3, ge=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if not self.tests:
            return not_applicable("医院未启用")
        admitted = case.record.encounter.admitted_at
        if admitted is None:
            return undetermined("未提供入院时间")
        limit = later(admitted, timedelta(hours=self.within_hours))
        if (case.ended_at and case.ended_at < limit) or not case.is_past(limit):
            return not_applicable(f"住院不足{self.within_hours:g}小时")
        earliest, latest = -timedelta(days=self.before_days), timedelta(hours=self.within_hours)
        done = "\n".join(
            f"{r.panel or ''} {r.item or ''}"
            for r in case.record.lab_results or ()
            if (at := r.sampled_at or r.reported_at) and earliest <= at - admitted <= latest
        )
        missing = [name for name, pattern in self.tests.items() if not re.search(pattern, done)]
        details = {"missing": "、".join(missing), "limit": f"{self.within_hours:g}"}
        return defect(Hit(details=details)) if missing else PASSED


class NursingRecordMissing(Check, name="nursing_record_missing"):
    """A period of 病危 or 病重 without a nursing record.

    A record counts by its time, and by every date in its text. Without any nursing record and without vital
    signs, the nursing papers are elsewhere.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each period and combine."""
        if not case.timeline.levels_are_given:
            return undetermined("未提供病情级别")
        records = case.documents_of(*applies_to)
        periods = case.timeline.serious_periods()
        if periods and not records and not case.record.vitals:
            return undetermined("护理文书未导入")
        days = {day for record in records for day in self._days(case, record)}
        return combine((self._rule_on(p, days) for p in periods), none_reason="没有病危（重）")

    def _days(self, case: Case, record: Document) -> Iterator[object]:
        yield from (day_of(at) for at in (record.event_at, record.completed_at) if at)
        yield from (day_of(found.value) for found in find_dates(record.text) if found.value)

    def _rule_on(self, period: Period, days: set[object]) -> Ruling:
        day, last = day_of(period.start), day_of(period.end)
        while day <= last:
            if day in days:
                return PASSED
            day += timedelta(days=1)
        details = {"level": period.level, "since": shown(period.start), "until": shown(period.end)}
        return defect(Hit(details=details))


class VitalsGap(Check, name="vitals_gap"):
    """No vital signs on the day of admission, or for longer than a number of hours.

    Attributes:
        limit_hours: the longest time without a measurement, inclusive.
    """

    limit_hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        admitted, end = case.record.encounter.admitted_at, case.ended_at or case.as_of
        if admitted is None or end is None:
            return undetermined("未提供入院时间")
        measured = sorted(v.at for v in case.record.vitals or () if v.at)
        if not measured:
            return undetermined("体温单没有测量时间")
        if not any(day_of(at) == day_of(admitted) for at in measured):
            return defect(Hit(details={"problem": f"入院当日（{day_of(admitted)}）没有测量"}))
        marks = [*(at for at in measured if at < end), end]
        for since, until in pairwise(marks):
            if until - since > timedelta(hours=self.limit_hours):
                problem = f"{shown(since)}至{shown(until)}没有测量，超过{self.limit_hours:g}小时"
                return defect(Hit(details={"problem": problem}))
        return PASSED


class TakeHomeIncomplete(Check, name="take_home_incomplete"):
    """A discharge record that names a take-home drug without dose, route or frequency.

    A drug's words reach to the next drug of its clause; drugs joined by 、 or 和 share what follows them.

    Attributes:
        sections: names of the sections that hold the drugs.
    """

    sections: tuple[str, ...] = ("出院带药", "出院医嘱")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each document and combine."""
        ordered = (o.drug.name for o in case.record.orders or () if o.drug and o.drug.name)
        named = (*_known_drugs(), *dict.fromkeys(name for name in ordered if len(name) > 1))
        rulings = (self._rule_on_document(case, d, named) for d in case.documents_of(*applies_to))
        return combine(rulings, none_reason=f"没有{'、'.join(applies_to)}")

    def _rule_on_document(self, case: Case, document: Document, named: tuple[str, ...]) -> Ruling:
        reading = case.reading(document)
        found = [s for s in reading.sections if s.name in self.sections]
        if not found:
            return not_applicable("没有出院医嘱，由要素规则判定")
        vague = [Span(*m.span()) for s in found for m in _VAGUE.finditer(reading.half, *s.body)]
        drugs = [drug for s in found for drug in _take_home(reading.half, s.body, named)]
        problems = [(span, lacking) for span, lacking in drugs if lacking]
        if problems:
            lacking = dict.fromkeys(name for _, names in problems for name in names)
            names = [span.of(document.text) for span, _ in problems]
            return self._defect(
                document, [span for span, _ in problems], f"{_listed(names)}缺{'、'.join(lacking)}"
            )
        if vague and not drugs:
            return self._defect(document, vague[:1], "没有写出药名和用法用量")
        if not drugs and any(_LISTED_APART.search(reading.half, *s.body) for s in found):
            return undetermined("带药另附清单")
        return PASSED if drugs else not_applicable("没有出院带药")

    def _defect(self, document: Document, spans: list[Span], problem: str) -> Ruling:
        title = document.title or document.kind
        return defect(Hit.at(document, *spans, section="出院医嘱", document=title, problem=problem))


_VAGUE = regex(
    r"(?:按|遵)(?:医嘱|说明书?)\s*(?:继续)?(?:服药|服用|用药|口服|使用)|(?:继续|坚持|规律)(?:口服|服)药"
)
_LISTED_APART = regex(r"(?:详?见|另附|附)[^。\n]{0,8}(?:清单|处方|带药单|用药单)")
_FORM = (
    r"(?:(?<![线胸平切照拍阅摄位])片|胶囊|颗粒|(?<!睾)丸|口服液|口服溶液|混悬液|糖浆|注射液|注射剂|滴眼液|滴耳液"
    r"|软膏|乳膏|凝胶|喷雾剂|吸入剂|粉雾剂|气雾剂|栓剂|冲剂)"
)
_DRUG_WITH_FORM = regex(rf"[\u4e00-\u9fffA-Za-z0-9α-ω]{{2,16}}?(?<![\d一二两三四半每])(?:{_FORM})")
_TAKING = regex(r"(?:口服|服用|服|使用|吃|带药\s*:?)\s*\Z")
_NOT_TAKEN = regex(r"停|不再|禁|避免|勿|慎|不宜|忌|暂不|无需|不用|不服|过敏")
_CLAUSE = regex(r"[^;。\n]+")
_PHRASE_START = regex(r"[^,、()]*\Z")
_SHARED = regex(r"[、和及与]\s*\Z")
_USE = (("剂量", _DOSE), ("给药途径", _ROUTE), ("频次", _FREQUENCY))


@cache
def _known_drugs() -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in load_mapping("drug_classes").values() for name in names))


def _take_home(half: str, within: Span, named: tuple[str, ...]) -> Iterator[tuple[Span, list[str]]]:
    """The drugs of a section that are to be taken, with what each lacks."""
    for match in _CLAUSE.finditer(half, *within):
        clause = Span(*match.span())
        drugs = list(_drugs_of(half, clause, named))
        for number, drug in enumerate(drugs):
            phrase = _PHRASE_START.search(half, drugs[number - 1].end if number else clause.start, drug.start)
            start = phrase.start() if phrase else drug.start
            if not _NOT_TAKEN.search(half, start, drug.end) and not half.startswith("期间", drug.end):
                said = half[start : _reach(half, clause, drugs, number)]
                yield drug, [name for name, pattern in _USE if not pattern.search(said)]


def _reach(half: str, clause: Span, drugs: list[Span], number: int) -> int:
    """The end of what is said of a drug: the next one of its clause, unless 、 or 和 joins both."""
    for drug, following in pairwise(drugs[number:]):
        if not _SHARED.search(half, drug.end, following.start):
            return following.start
    return clause.end


def _drugs_of(half: str, clause: Span, named: tuple[str, ...]) -> Iterator[Span]:
    known = [m.span for m in find_mentions(half, named, clause) if _is_prescribed(half, clause, m.span)]
    formed = [Span(*m.span()) for m in _DRUG_WITH_FORM.finditer(half, *clause)]
    end = clause.start
    for span in sorted((*known, *formed), key=lambda span: (span.start, -span.end)):
        if span.start >= end:
            yield span
            end = span.end


def _is_prescribed(half: str, clause: Span, drug: Span) -> bool:
    """Whether a bare name stands after a verb of taking, or before a dose."""
    if _TAKING.search(half, clause.start, drug.start):
        return True
    dose = _DOSE.search(half, drug.end, min(clause.end, drug.end + 8))
    return dose is not None
