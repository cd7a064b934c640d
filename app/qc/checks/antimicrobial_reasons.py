"""Why antimicrobials were given, and for how long."""

import re
from datetime import timedelta
from functools import cached_property

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.correspondence import nearest, written
from app.qc.checks.order_of_events import shown
from app.qc.checks.treatment import DrugOrders, systemic_drugs
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import DocumentType
from app.text.patterns import regex

_PROPHYLAXIS = regex("术前|切皮|预防|手术室|带入|麻醉诱导|术中|首剂后")


class AntimicrobialUnfounded(Check, name="antimicrobial_unfounded"):
    """Treatment with an antimicrobial, and no note about its beginning tells what shows an infection.

    Single orders, and orders begun within a day of an operation, may be prophylaxis and are not judged.

    Attributes:
        grounds: a pattern of what shows an infection, or says that the drug is given to prevent one.
        hours: how far from the first dose a note may be written.
    """

    grounds: str
    hours: float = Field(default=24, gt=0)

    @cached_property
    def _grounds(self) -> re.Pattern[str]:
        return regex(self.grounds)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each drug and combine."""
        drugs = systemic_drugs(case, ("抗菌药物",))
        rulings = (self._rule_on(case, drug, applies_to) for drug in drugs)
        return combine(rulings, none_reason="未用抗菌药物")

    def _rule_on(self, case: Case, drug: DrugOrders, types: tuple[DocumentType, ...]) -> Ruling:
        begun = drug.begun_at
        if begun is None:
            return undetermined(f"{drug.name}医嘱没有时间")
        standing = [o for o in drug.orders if o.kind == "长期"]
        if not standing or any(_PROPHYLAXIS.search(o.content or "") for o in drug.orders):
            return not_applicable("预防用药或单次用药")
        day = timedelta(days=1)
        cuts = [p.started_at for p in case.record.procedures or () if p.started_at]
        if any(abs(cut - begun) <= day for cut in cuts):
            return not_applicable("手术、操作前后一天内起用，可能为预防用药")
        reach = timedelta(hours=self.hours)
        first, last = later(begun, -reach), later(begun, reach)
        near = [d for d in case.documents_of(*types) if (w := written(d)) and first <= w <= last]
        if any(self._grounds.search(case.reading(d).half) for d in near):
            return PASSED
        if not case.is_past(last):
            return not_yet(last, f"病程中使用{drug.name}的感染依据")
        if not near:
            return undetermined("起用前后没有病程类文书")
        return defect(Hit(nearest(near, begun), details={"drug": drug.name, "begun": shown(begun)}))
