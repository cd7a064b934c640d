"""Orders for tests without a report, and reports without an order."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.correspondence import is_of_stay, is_order_of, report_name, sentence_around
from app.qc.checks.order_of_events import shown
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.qc.timeline import is_cancelled
from app.records.model import DocumentType, Order, Span
from app.text.investigations import item_names, names_modality
from app.text.patterns import regex
from app.text.width import half_width

_TAIL = regex(r"\(.*?\)|全套|检查|检测|测定|筛查|(?:急|床旁|复查|五项|四项|八项|两项|二项|三项|定量|定性)")
_NOT_DONE = regex(
    "未做|未能|拒绝|拒查|拒做|取消|退检|未行|未查|不配合|暂缓|改期|待回|未回|未出|待报告|待结果"
)
_POINT_OF_CARE = regex(
    "指血糖|指尖|末梢|床旁血糖|快速血糖|血糖监测|血糖谱|床旁|试纸|皮试|血压|心电监护|动态血糖"
)
_MODALITIES = ("CT", "MRI", "X线", "超声", "内镜", "心电图", "病理", "细菌培养")


class Reported(NamedTuple):
    """A report of any kind: what it is called, when it was taken and issued, and the order it names."""

    names: tuple[str, ...]
    taken_at: datetime | None
    reported_at: datetime | None
    order_id: str | None
    modality: str | None


def reports_of(case: Case) -> list[Reported]:
    """The examinations and the laboratory panels of the stay; a panel with one sample is one report."""
    admitted = case.record.encounter.admitted_at
    found = [
        Reported((report_name(r),), r.performed_at, r.reported_at, r.order_id, r.modality)
        for r in case.record.exam_reports or ()
        if is_of_stay(case, r)
    ]
    panels: dict[tuple[str | None, datetime | None, str | None], list[str]] = {}
    for result in case.record.lab_results or ():
        taken = result.sampled_at or result.reported_at
        if admitted is not None and taken is not None and taken < admitted:
            continue
        panels.setdefault((result.panel, taken, result.order_id), []).append(result.item or "")
    for (panel, taken, order_id), items in panels.items():
        names = (panel or items[0], *items)
        found.append(Reported(tuple(n for n in names if n) or ("检验",), taken, None, order_id, None))
    return found


@lru_cache(maxsize=4096)
def _core(name: str) -> str:
    return _TAIL.sub("", half_width(name)).strip("-、,. ")


def may_be_ordered_by(report: Reported, content: str) -> bool:
    """Whether an order's words may have asked for a report: they share a name, generously."""
    ordered = half_width(content)
    if report.modality is not None:
        return names_modality(ordered, report.modality) or _shares(ordered, report.names[0])
    return any(_shares(ordered, name) for name in report.names)


def _shares(ordered: str, name: str) -> bool:
    core, asked = _core(name), _core(re.split(r"[(\s]", ordered)[0])
    if len(core) >= 2 and core in ordered:
        return True
    if len(asked) >= 2 and asked in half_width(name):
        return True
    return any(len(other) >= 2 and other in ordered for other in item_names(name))


class OrderAndReport(Check, name="order_and_report"):
    """A test that was ordered and carried out but never reported, or reported but never ordered.

    Where neither side names the other by id and their names do not meet, nothing can be said.

    Attributes:
        missing: which side is looked for.
        except_modalities: modalities left to rules of their own.
        due_hours: hours after an order is carried out from which its report is awaited.
        just_admitted_hours: hours after admission within which tests may still go back to emergency orders.
    """

    missing: Literal["report", "order"]
    except_modalities: tuple[str, ...] = ()
    due_hours: float = Field(default=48, gt=0)
    just_admitted_hours: float = Field(default=3, ge=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        orders = [o for o in case.record.orders or () if self._is_judged(o)]
        reports = [r for r in reports_of(case) if r.modality not in self.except_modalities]
        return (
            self._reports(case, orders, reports)
            if self.missing == "report"
            else self._orders(case, orders, reports)
        )

    def _is_judged(self, order: Order) -> bool:
        content = order.content or ""
        if order.category not in ("检查", "检验") or is_cancelled(order) or _POINT_OF_CARE.search(content):
            return False
        return not any(names_modality(content, modality) for modality in self.except_modalities)

    def _reports(self, case: Case, orders: list[Order], reports: list[Reported]) -> Ruling:
        end = case.ended_at
        if end is None:
            return not_applicable("患者在院")
        due = [o for o in orders if o.executed_at and end - o.executed_at >= timedelta(hours=self.due_hours)]
        if not due:
            return not_applicable("没有已到时限的检查检验医嘱")
        answered = {report.order_id for report in reports if report.order_id}
        open_orders = [
            o
            for o in due
            if o.id not in answered
            and not any(may_be_ordered_by(r, o.content or "") for r in reports)
            and not any(is_order_of(o, r) for r in case.record.exam_reports or ())
        ]
        if not open_orders:
            return PASSED
        if not answered:
            return undetermined("医嘱与报告没有关联号，名称也无法对齐")
        hits = [
            Hit(details={"order": o.content or "", "executed": shown(o.executed_at)})
            for o in open_orders
            if o.executed_at and not self._is_explained(case, o)
        ]
        return defect(*hits) if hits else PASSED

    def _is_explained(self, case: Case, order: Order) -> bool:
        core = _core(re.split(r"[(（\s]", order.content or "")[0])
        return len(core) >= 2 and any(_explains(case, core))

    def _orders(self, case: Case, orders: list[Order], reports: list[Reported]) -> Ruling:
        admitted = case.record.encounter.admitted_at
        if admitted is None:
            return undetermined("未提供入院时间")
        since = timedelta(hours=self.just_admitted_hours)
        judged = [r for r in reports if r.taken_at and r.taken_at - admitted >= since]
        if not judged:
            return not_applicable("没有住院期间的检查检验报告")
        known = {order.id for order in case.record.orders or () if order.id}
        contents = [
            o.content or ""
            for o in case.record.orders or ()
            if o.category in ("检查", "检验", "操作", "输血", "手术")
        ]
        unordered = [
            r
            for r in judged
            if r.order_id not in known and not any(may_be_ordered_by(r, content) for content in contents)
        ]
        if not unordered:
            return PASSED
        if not any(r.order_id for r in reports) and not orders:
            return undetermined("医嘱与报告没有关联号，名称也无法对齐")
        hits = {
            r.names[0]: Hit(details={"report": r.names[0], "at": shown(r.taken_at)})
            for r in unordered
            if r.taken_at
        }
        return defect(*hits.values())


def _explains(case: Case, core: str) -> Iterator[bool]:
    for document in case.documents:
        half = case.reading(document).half
        position = half.find(core)
        while position >= 0:
            yield _NOT_DONE.search(sentence_around(half, Span(position, position + len(core)))) is not None
            position = half.find(core, position + 1)
