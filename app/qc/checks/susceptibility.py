"""Antimicrobials that go on although the susceptibility test found resistance."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.correspondence import notes_from
from app.qc.checks.order_of_events import shown
from app.qc.checks.treatment import DrugOrders, systemic_drugs
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import DocumentType
from app.text.investigations import drug_class
from app.text.patterns import regex
from app.text.width import half_width

_RESISTANT = regex(r"^\s*(?:R|耐药)\b|耐药|\(R\)")
_TESTED = regex(r"^\s*[RSI]\s*$|耐药|敏感|中介|\([RSI]\)")
_IN_REPORT = regex(r"(?P<drug>[\u4e00-\u9fff/]{2,14}?)\s*[:(]?\s*(?P<result>耐药|敏感|中介|\bR\b|\bS\b)")
_CULTURE = regex("培养|药敏|细菌|病原")
_SPOKEN_OF = regex("药敏|耐药|敏感|培养|细菌|菌株|降阶梯")


class _Tested(NamedTuple):
    drug: str
    is_resistant: bool
    reported_at: datetime | None


class ResistantDrugContinued(Check, name="resistant_drug_continued"):
    """A drug goes on for longer than allowed after resistance was reported, and no later note speaks of it.

    Attributes:
        hours: how long it may go on.
    """

    hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each resistant drug and combine."""
        tested = list(_tested(case))
        if not tested:
            delivered = {"lab_results", "exam_reports"} & case.record.delivered
            return not_applicable("没有药敏结果") if delivered else undetermined("未提供药敏结果")
        given = {drug.name: drug for drug in systemic_drugs(case, ("抗菌药物",))}
        resistant = [each for each in tested if each.is_resistant and each.drug in given]
        if not resistant:
            return PASSED
        rulings = (self._rule_on(case, each, given[each.drug], applies_to) for each in resistant)
        return combine(rulings, none_reason="")

    def _rule_on(
        self, case: Case, tested: _Tested, drug: DrugOrders, types: tuple[DocumentType, ...]
    ) -> Ruling:
        reported = tested.reported_at
        if reported is None:
            return undetermined("未提供药敏报告时间")
        limit = later(reported, timedelta(hours=self.hours))
        standing = [o for o in drug.orders if o.kind == "长期"]
        ends = [o.stopped_at or case.ended_at for o in standing]
        if standing and None in ends and not case.is_past(limit):
            return not_yet(limit, f"药敏示{tested.drug}耐药后的调整")
        goes_on = any((end or case.as_of or limit) > limit for end in ends)
        if not goes_on:
            return PASSED
        notes = notes_from(case, types, reported)
        if any(_SPOKEN_OF.search(case.reading(note).half) for note in notes):
            return PASSED
        if not notes:
            return undetermined("药敏报告以后没有病程文书")
        return defect(Hit(notes[0].id, details={"drug": tested.drug, "reported": shown(reported)}))


def _tested(case: Case) -> Iterator[_Tested]:
    for result in case.record.lab_results or ():
        words = f"{half_width(result.value or '')} {half_width(result.flag or '')}".strip()
        known = drug_class(result.item or "") if _TESTED.search(words) else None
        if known:
            yield _Tested(known[0], _RESISTANT.search(words) is not None, result.reported_at)
    for report in case.record.exam_reports or ():
        said = half_width(f"{report.finding or ''} {report.impression or ''}")
        if report.modality != "细菌培养" and not _CULTURE.search(f"{report.site or ''}{said}"):
            continue
        for match in _IN_REPORT.finditer(said):
            known = drug_class(match["drug"])
            if known:
                yield _Tested(known[0], match["result"] in ("耐药", "R"), report.reported_at)
