"""What follows a death: its discussion, once more after an autopsy."""

from datetime import datetime, timedelta

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.order_of_events import shown
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import DocumentType
from app.text.patterns import regex

_AUTOPSY = regex("尸检|尸体解剖|尸体剖检")
_WEEK = timedelta(days=7)


class DeathDiscussion(Check, name="death_discussion"):
    """A death that was not discussed within seven days, the boundary included."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        stay = case.record.encounter
        if stay.died_at is None:
            is_dead = stay.disposition == "死亡"
            return undetermined("未提供死亡时间") if is_dead else not_applicable("未死亡")
        limit = later(stay.died_at, _WEEK)
        held = [d.event_at or d.completed_at for d in case.documents_of(*applies_to)]
        if None in held:
            return undetermined("死亡病例讨论没有时间")
        first = min((moment for moment in held if moment), default=None)
        if first is None:
            if case.as_of and case.as_of <= limit:
                return not_yet(limit, "死亡病例讨论记录")
            return defect(Hit(details={"died": shown(stay.died_at), "problem": "没有死亡病例讨论记录"}))
        if first <= limit:
            return PASSED
        document = min(case.documents_of(*applies_to), key=lambda d: d.event_at or d.completed_at or limit)
        return defect(Hit.at(document, died=shown(stay.died_at), problem=f"讨论在{shown(first)}"))


class AutopsyDiscussion(Check, name="autopsy_discussion"):
    """An autopsy was reported, and no discussion followed within seven days, the boundary included."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        stay = case.record.encounter
        if stay.died_at is None and stay.disposition != "死亡":
            return not_applicable("未死亡")
        reports = [
            r
            for r in case.record.exam_reports or ()
            if _AUTOPSY.search(f"{r.modality or ''}{r.site or ''}{r.impression or ''}")
        ]
        if not reports:
            return not_applicable("没有尸检报告")
        reported = [r.reported_at for r in reports if r.reported_at]
        if not reported:
            return undetermined("尸检报告没有报告时间")
        return self._rule_on(case, max(reported), applies_to)

    def _rule_on(self, case: Case, reported: datetime, types: tuple[DocumentType, ...]) -> Ruling:
        limit = later(reported, _WEEK)
        held = [d.event_at or d.completed_at for d in case.documents_of(*types)]
        if any(moment and reported <= moment <= limit for moment in held):
            return PASSED
        if None in held:
            return undetermined("死亡病例讨论没有时间")
        if case.as_of and case.as_of <= limit:
            return not_yet(limit, "尸检后再次讨论记录")
        return defect(Hit(details={"reported": shown(reported)}))
