"""Antimicrobials: cultures before treatment, and the time of prophylaxis before an incision."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.order_of_events import shown
from app.qc.checks.treatment import DrugOrders, grade_of, systemic_drugs
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.qc.timeline import is_cancelled, later
from app.records.model import DocumentType, Order, Procedure
from app.text.lexicons import load_mapping

_PATHOGEN = (
    "培养", "药敏", "涂片", "病原", "鉴定", "核酸", "抗原", "G试验", "GM试验", "测序", "抗酸", "隐球菌", "真菌D", "支原体", "病毒",
)  # fmt: skip
_PROPHYLAXIS = ("术前", "切皮", "预防", "手术室", "带入", "麻醉诱导")
_EXPLAINED = ("无痰", "未能留取", "无法留取", "无法获取", "无标本", "未能获取", "不能留取", "预防")


class CultureBeforeTreatment(Check, name="culture_before_treatment"):
    """Treatment with a graded antimicrobial for which no specimen was sent before the first dose.

    The grade is that of the order's drug (``antimicrobial_grade``), or by the hospital's list.

    Attributes:
        drugs: the hospital's restricted and special-grade drugs.
        grades: the grades that are judged.
    """

    drugs: tuple[str, ...] = ()
    grades: tuple[str, ...] = ("限制使用级", "特殊使用级")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each listed drug and combine."""
        given = systemic_drugs(case, ("抗菌药物",))
        if not given:
            return not_applicable("未用抗菌药物")
        if not self.drugs and not any(grade_of(order) for drug in given for order in drug.orders):
            return undetermined("未配置本院抗菌药物分级目录")
        listed = [
            d for d in given if d.name in self.drugs or any(grade_of(o) in self.grades for o in d.orders)
        ]
        return combine(
            (self._rule_on(case, d, applies_to) for d in listed), none_reason="未用限制级、特殊使用级抗菌药物"
        )

    def _rule_on(self, case: Case, drug: DrugOrders, types: tuple[DocumentType, ...]) -> Ruling:
        if all(_is_prophylactic(order) for order in drug.orders):
            return not_applicable("预防用药")
        first = min((t for o in drug.orders if (t := o.executed_at or o.ordered_at)), default=None)
        if first is None:
            return undetermined(f"{drug.name}医嘱没有时间")
        if any(sent <= first for sent in self._sent(case)):
            return PASSED
        notes = (case.reading(d).half for d in case.documents_of(*types))
        if any(word in note for note in notes for word in _EXPLAINED):
            return not_applicable("病程已说明未送检的原因或为预防用药")
        return defect(Hit(details={"drug": drug.name, "first": shown(first)}))

    def _sent(self, case: Case) -> Iterator[datetime]:
        for order in case.record.orders or ():
            sent = order.executed_at or order.ordered_at
            is_sent = order.category in ("检验", "检查") and not is_cancelled(order)
            if sent and is_sent and any(word in (order.content or "") for word in _PATHOGEN):
                yield sent
        for result in case.record.lab_results or ():
            if result.sampled_at and any(
                word in f"{result.panel or ''}{result.item or ''}" for word in _PATHOGEN
            ):
                yield result.sampled_at


def _is_prophylactic(order: Order) -> bool:
    return any(word in (order.content or "") for word in _PROPHYLAXIS)


class ProphylaxisTiming(Check, name="prophylaxis_timing"):
    """A prophylactic dose that was not given within the hours before the incision, or without a time.

    Attributes:
        groups: drug groups of which a single order on the day before or of the operation is prophylaxis.
        earliest_hours: how long before the incision it may be given.
        latest_hours: how long before the incision it must be given.
        slow: drugs or classes that are given earlier.
        slow_earliest_hours: how long before the incision these may be given.
        slow_latest_hours: how long before the incision these must be given.
        kinds: kinds of procedure that are judged.
    """

    groups: tuple[str, ...] = ("抗菌药物",)
    earliest_hours: float = Field(default=1, gt=0)
    latest_hours: float = Field(default=0.5, ge=0)
    slow: tuple[str, ...] = ()
    slow_earliest_hours: float = Field(default=2, gt=0)
    slow_latest_hours: float = Field(default=1, ge=0)
    kinds: tuple[str, ...] = ("手术",)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation and combine."""
        drugs = systemic_drugs(case, self.groups)
        concerned = [p for p in case.record.procedures or () if p.kind in self.kinds]
        return combine((self._rule_on(p, drugs) for p in concerned), none_reason="没有手术")

    def _rule_on(self, procedure: Procedure, drugs: list[DrugOrders]) -> Ruling:
        cut = procedure.started_at
        if cut is None:
            return undetermined("未提供手术开始时间")
        if "剖宫产" in (procedure.name or ""):
            return not_applicable("剖宫产可在断脐后给药")
        doses = [(d.name, o) for d in drugs for o in d.orders if o.kind == "临时" and _is_prophylactic(o)]
        near = [
            (name, o)
            for name, o in doses
            if o.ordered_at
            and later(cut, -timedelta(hours=48)) <= o.ordered_at <= later(cut, timedelta(hours=1))
        ]
        if not near:
            return not_applicable("没有术前预防用药医嘱")
        return combine(
            (self._rule_on_dose(procedure, cut, name, order) for name, order in near), none_reason=""
        )

    def _rule_on_dose(self, procedure: Procedure, cut: datetime, name: str, order: Order) -> Ruling:
        if order.executed_at is None:
            return undetermined(f"{name}没有执行时间")
        is_slow = any(
            name == kind or name in load_mapping("drug_classes").get(kind, ()) for kind in self.slow
        )
        earliest, latest = (
            (self.slow_earliest_hours, self.slow_latest_hours)
            if is_slow
            else (self.earliest_hours, self.latest_hours)
        )
        before = cut - order.executed_at
        if timedelta(hours=latest) <= before <= timedelta(hours=earliest):
            return PASSED
        details = {
            "drug": name,
            "given": shown(order.executed_at),
            "cut": shown(cut),
            "procedure": procedure.name or "手术",
            "window": f"{latest:g}—{earliest:g}小时",
        }
        return defect(Hit(details=details))
