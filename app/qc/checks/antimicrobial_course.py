"""How many antimicrobials at once, for how long, and for how long after a clean operation."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import combinations
from typing import NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.front_page import front_page_of
from app.qc.checks.specialty import confirmed_diagnoses
from app.qc.checks.treatment import DrugOrders, systemic_drugs
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import DocumentType, Procedure
from app.text.patterns import regex
from app.text.width import half_width

_SHORTEST_OVERLAP = timedelta(hours=24)
_CLEAN = regex(
    r"(?<![ⅡⅢIVX])(?:Ⅰ|I|1|一)\s*类\s*切口|切口(?:类别|等级|分类|类型)\s*[:为]?\s*(?:Ⅰ|I|1|一)(?![IVⅡⅢ])"
)
_OTHER_INCISION = regex(r"(?:Ⅱ|Ⅲ|II|III|[23二三])\s*类\s*切口")
_CLEAN_CLASSES = ("Ⅰ", "I", "1", "Ⅰ类", "I类", "1类")


class _Given(NamedTuple):
    name: str
    since: datetime
    until: datetime


def _standing(case: Case, drugs: list[DrugOrders]) -> Iterator[_Given]:
    """The standing orders with beginning and end; one that has no end yet goes on to the moment of judgement."""
    for drug in drugs:
        for order in drug.orders:
            begun = order.executed_at or order.ordered_at
            ended = order.stopped_at or case.ended_at or case.as_of
            if order.kind == "长期" and begun and ended and begun < ended:
                yield _Given(drug.name, begun, ended)


class AntimicrobialCourseUnexplained(Check, name="antimicrobial_course_unexplained"):
    """Two antimicrobials together, or more days of them than usual, and no note gives a reason.

    Attributes:
        days: the most days of the stay with antimicrobials, inclusive.
        together: a pattern of the reasons for giving several.
        prolonged: a pattern of the reasons for a long course.
        special: a pattern for diagnoses of infections that call for both.
    """

    days: int = Field(default=14, gt=0)
    together: str
    prolonged: str
    special: str

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        given = list(_standing(case, systemic_drugs(case, ("抗菌药物",))))
        if not given:
            return not_applicable("没有长期使用抗菌药物")
        named = [d.name for d in case.remembered(confirmed_diagnoses).last]
        if any(regex(self.special).search(name) for name in named):
            return not_applicable("特殊感染")
        halves = [case.reading(d).half for d in case.documents_of(*applies_to)]
        if not halves:
            return undetermined("没有病程类文书")
        problems = []
        pair = next(self._pairs(given), None)
        if pair and not any(regex(self.together).search(half) for half in halves):
            problems.append(f"{pair[0]}与{pair[1]}联合使用")
        days = len({(g.since + timedelta(days=n)).date() for g in given for n in range(_days(g))})
        if days > self.days and not any(regex(self.prolonged).search(half) for half in halves):
            problems.append(f"抗菌药物共用{days}天（超过{self.days}天）")
        return defect(Hit(details={"problem": "，".join(problems)})) if problems else PASSED

    def _pairs(self, given: list[_Given]) -> Iterator[tuple[str, str]]:
        for one, other in combinations(given, 2):
            overlap = min(one.until, other.until) - max(one.since, other.since)
            if one.name != other.name and overlap >= _SHORTEST_OVERLAP:
                yield one.name, other.name


def _days(given: _Given) -> int:
    """Calendar days from beginning to end, both counted; a wrong year does not make millions."""
    return min(1000, (given.until.date() - given.since.date()).days + 1)


class ProphylaxisProlonged(Check, name="prophylaxis_prolonged"):
    """Antimicrobials begun for a clean operation go on after it for longer than prophylaxis does, without a reason.

    Attributes:
        hours: how long they may go on after the operation, inclusive.
        long_for: a pattern for operations after which they may go on longer.
        long_hours: how long then.
        explained: a pattern of what the notes must say to explain it.
    """

    hours: float = Field(default=24, gt=0)
    long_for: str
    long_hours: float = Field(default=48, gt=0)
    explained: str

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation with a known class of incision and combine."""
        operations = [p for p in case.record.procedures or () if p.kind == "手术"]
        if not operations:
            return not_applicable("没有手术")
        is_clean = _is_clean(case)
        if is_clean is not True:
            return undetermined("切口类别未知") if is_clean is None else not_applicable("不是Ⅰ类切口手术")
        rulings = (self._rule_on(case, p, applies_to) for p in operations)
        return combine(rulings, none_reason="没有手术")

    def _rule_on(self, case: Case, operation: Procedure, types: tuple[DocumentType, ...]) -> Ruling:
        cut, ended = operation.started_at, operation.ended_at or operation.started_at
        if cut is None or ended is None:
            return undetermined("未提供手术时间")
        hours = self.long_hours if regex(self.long_for).search(operation.name or "") else self.hours
        limit = later(ended, timedelta(hours=hours))
        begun_before = later(cut, -timedelta(hours=24))
        given = list(_standing(case, systemic_drugs(case, ("抗菌药物",))))
        if any(g.since < begun_before < g.until for g in given):
            return not_applicable("术前已在治疗用药")
        about = [g for g in given if begun_before <= g.since <= limit]
        prolonged = next((g for g in about if g.until > limit), None)
        if prolonged is None:
            return PASSED if case.is_past(limit) or not about else not_yet(limit, "停用预防用药")
        if any(regex(self.explained).search(case.reading(d).half) for d in case.documents_of(*types)):
            return not_applicable("病程写有继续用药的理由")
        over = (prolonged.until - ended).total_seconds() / 3600
        details = {
            "procedure": operation.name or "手术",
            "drug": prolonged.name,
            "over": f"{over:.0f}",
            "hours": f"{hours:g}",
        }
        return defect(Hit(details=details))


def _is_clean(case: Case) -> bool | None:
    """Whether every operation had a clean incision (Ⅰ类); ``None`` when nobody says."""
    if case.record.front_page is not None:
        page = case.remembered(front_page_of)
        classes = [half_width(o.incision_class or "") for o in page.operations if o.incision_class]
        if classes:
            return all(each in _CLEAN_CLASSES for each in classes)
    for document in case.documents_of("手术记录", "术前小结", "术后首次病程记录", "出院记录"):
        half = case.reading(document).half
        if _OTHER_INCISION.search(half):
            return False
        if _CLEAN.search(half):
            return True
    return None
