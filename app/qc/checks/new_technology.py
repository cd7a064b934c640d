"""New and restricted technologies."""

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import DocumentType
from app.text.patterns import regex

_APPROVED = regex("伦理|审批|批准|备案|授权|批件|技术委员会")


class NewTechnologyUnapproved(Check, name="new_technology_unapproved"):
    """A new or restricted technology without a consent of the rule's types, or without a word of its approval.

    A technology is new by the source system's mark on the procedure (``new_technology``), or by the list.

    Attributes:
        technologies: the hospital's list.
    """

    technologies: tuple[str, ...] = ()

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each listed procedure."""
        procedures = case.record.procedures or ()
        if not procedures:
            return not_applicable("没有手术与操作")
        if not self.technologies and not any("new_technology" in p.extra for p in procedures):
            return undetermined("未配置本院新技术、限制类技术清单")
        used = [
            p
            for p in procedures
            if p.extra.get("new_technology") is True or any(t in (p.name or "") for t in self.technologies)
        ]
        if not used:
            return not_applicable("没有清单内的新技术")
        approved = any(_APPROVED.search(case.reading(d).half) for d in case.documents)
        hits = []
        for procedure in used:
            lacking = [] if case.documents_for(procedure, *applies_to) else ["没有相应的知情同意书"]
            lacking += [] if approved else ["没有伦理或审批记录"]
            if lacking:
                hits.append(Hit(details={"procedure": procedure.name or "", "problem": "，".join(lacking)}))
        return defect(*hits) if hits else PASSED
