"""What a document consists of, and which source items its narrative tells."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from app.drafting import compose, death, interim
from app.drafting.conflicts import conflicts
from app.drafting.draft import DraftSentence
from app.drafting.sources import SourceItem, Stay, day_of
from app.drafting.verify import verify
from app.errors import UserError
from app.records.model import DocumentType, MedicalRecord

Compose = Callable[[Stay], Iterator[DraftSentence]]

_FEWEST_ITEMS, _MOST_ITEMS = 12, 72
_WINDOW_ITEMS = 3
_WINDOW_CHARACTERS = 150
"""Source text of one window: about 4 s of reading and one or two sentences of answer on two cores."""


class SectionPlan(NamedTuple):
    """One section: parts that code composes, before the narrative if there is one."""

    name: str
    parts: tuple[Compose, ...]
    has_narrative: bool = False
    is_optional: bool = False


def _to_the_end(record: MedicalRecord) -> datetime | None:
    return None


class DocumentPlan(NamedTuple):
    """The sections of a document type, in the order of the form.

    Attributes:
        until: what happened after this moment is no matter of the document; ``None`` for no limit.
    """

    document_type: DocumentType
    sections: tuple[SectionPlan, ...]
    until: Callable[[MedicalRecord], datetime | None] = _to_the_end


_ADMITTED = SectionPlan("入院日期", (compose.admission_date,))
_DISCHARGED = SectionPlan("出院日期", (compose.discharge_date,))
_DIED = SectionPlan("死亡时间", (death.time_of_death,))
_COMPLAINT = SectionPlan("主诉", (compose.chief_complaint,))
_AT_ADMISSION = SectionPlan("入院情况", (compose.condition_at_admission,))
_HISTORY = SectionPlan("入院情况", (compose.history_at_admission,))
_FIRST_DIAGNOSES = SectionPlan("入院诊断", (compose.diagnoses_at_admission,))
_COURSE = SectionPlan(
    "诊疗经过",
    (compose.examinations, compose.operations, compose.transfers, compose.drug_treatment),
    has_narrative=True,
)
_LAST_DIAGNOSES = SectionPlan("出院诊断", (compose.diagnoses_at_discharge,))
_AT_DISCHARGE = SectionPlan("出院情况", (compose.condition_at_discharge,))
_ORDERS = SectionPlan("出院医嘱", (compose.discharge_orders,))
_CAUSE = SectionPlan("死亡原因", (death.cause_of_death,))
_DEATH_DIAGNOSES = SectionPlan("死亡诊断", (death.diagnoses_at_death,))
_NOW = SectionPlan("目前情况", (compose.condition_at_discharge,))
_PRESENT_DIAGNOSES = SectionPlan("目前诊断", (interim.present_diagnoses,))
_TO_CHECK = SectionPlan("待核实", (conflicts,), is_optional=True)

_PLANS = (
    DocumentPlan(
        "出院记录",
        (
            _ADMITTED, _DISCHARGED, SectionPlan("住院天数", (compose.length_of_stay,)), _AT_ADMISSION,
            _FIRST_DIAGNOSES, _COURSE, _LAST_DIAGNOSES, _AT_DISCHARGE, _ORDERS, _TO_CHECK,
        ),
    ),
    DocumentPlan(
        "24小时内入出院记录",
        (
            _ADMITTED, _DISCHARGED, _COMPLAINT, _HISTORY, _FIRST_DIAGNOSES, _COURSE, _AT_DISCHARGE,
            _LAST_DIAGNOSES, _ORDERS, _TO_CHECK,
        ),
    ),
    DocumentPlan(
        "死亡记录",
        (_ADMITTED, _DIED, _AT_ADMISSION, _FIRST_DIAGNOSES, _COURSE, _CAUSE, _DEATH_DIAGNOSES, _TO_CHECK),
    ),
    DocumentPlan(
        "24小时内入院死亡记录",
        (
            _ADMITTED, _DIED, _COMPLAINT, _HISTORY, _FIRST_DIAGNOSES, _COURSE, _CAUSE, _DEATH_DIAGNOSES,
            _TO_CHECK,
        ),
    ),
    DocumentPlan(
        "阶段小结",
        (
            _ADMITTED, SectionPlan("小结日期", (interim.date_of_summary,)), _COMPLAINT, _HISTORY,
            _FIRST_DIAGNOSES, _COURSE, _NOW, _PRESENT_DIAGNOSES, SectionPlan("诊疗计划", (interim.plans,)),
            _TO_CHECK,
        ),
    ),
    DocumentPlan(
        "转科记录",
        (
            _ADMITTED, SectionPlan("转科日期", (interim.date_of_transfer,)),
            SectionPlan("转出科室", (interim.department_before,)),
            SectionPlan("转入科室", (interim.department_after,)), _COMPLAINT, _HISTORY, _FIRST_DIAGNOSES,
            _COURSE, _NOW, _PRESENT_DIAGNOSES,
            SectionPlan("转科目的及注意事项", (interim.reasons_of_transfer,)), _TO_CHECK,
        ),
        until=interim.moment_of_transfer,
    ),
)  # fmt: skip
"""病历书写基本规范 第二十条, 第二十一条, 第二十二条（六）（七）（二十）（二十一）name the contents.

住院天数 and 待核实 are additions; 职业, which the two 24-hour forms name, is not in the record format.
"""
PLANS: Mapping[DocumentType, DocumentPlan] = {plan.document_type: plan for plan in _PLANS}

_OF_A_DAY: frozenset[DocumentType] = frozenset({"24小时内入出院记录", "24小时内入院死亡记录"})
_OF_THE_DEAD: frozenset[DocumentType] = frozenset({"死亡记录", "24小时内入院死亡记录"})
_OF_THE_DISCHARGED: frozenset[DocumentType] = frozenset({"出院记录", "24小时内入出院记录"})
_A_DAY = timedelta(hours=24)


def plan_for(record: MedicalRecord, document_type: DocumentType | None = None) -> DocumentPlan:
    """The plan of a document.

    Args:
        record: the stay.
        document_type: one of ``PLANS``; by default the document that ends the stay. The form for stays of up to
            24 hours is chosen where no admission record has been written that it would take the place of.

    Raises:
        UserError: there is nothing to draft from, or the stay does not call for this document.
    """
    if not any(document.text.strip() for document in record.documents or ()):
        raise UserError(f"病历 {record.record_id} 中没有文书，无从起草，请先补全病历。")
    chosen = document_type or _closing_type(record)
    if chosen not in PLANS:
        raise UserError(f"不能起草“{chosen}”，可以起草：{'、'.join(PLANS)}。")
    reason = _why_not(record, chosen)
    if reason:
        raise UserError(f"病历 {record.record_id} {reason}，不应写{chosen}。")
    return PLANS[chosen]


def _closing_type(record: MedicalRecord) -> DocumentType:
    hours = _time_in_hospital(record)
    is_short = hours is not None and hours <= _A_DAY
    is_whole_form = is_short and not record.documents_of("入院记录", "再次或多次入院记录")
    if _has_died(record):
        return "24小时内入院死亡记录" if is_whole_form else "死亡记录"
    return "24小时内入出院记录" if is_whole_form else "出院记录"


def _why_not(record: MedicalRecord, chosen: DocumentType) -> str | None:
    if _has_died(record) and chosen in _OF_THE_DISCHARGED:
        return "的患者已死亡"
    if chosen in _OF_THE_DEAD and not _has_died(record):
        return "没有死亡时间，离院方式也不是死亡"
    hours = _time_in_hospital(record)
    if chosen in _OF_A_DAY and hours is not None and hours > _A_DAY:
        return "的住院时间超过24小时"
    return None


def _has_died(record: MedicalRecord) -> bool:
    return record.encounter.disposition == "死亡" or record.encounter.died_at is not None


def _time_in_hospital(record: MedicalRecord) -> timedelta | None:
    """Up to death or discharge; ``None`` where a moment is missing or the order is impossible."""
    admitted, ended = record.encounter.admitted_at, record.encounter.died_at or record.encounter.discharged_at
    return ended - admitted if admitted and ended and ended >= admitted else None


def narrated(stay: Stay) -> tuple[SourceItem, ...]:
    """The sentences of the course worth retelling, in time order: about one a day and a dozen more.

    What a report, an operation or a longer sentence of the same day says as well is told by that.
    """
    days = len({day_of(item.at) for item in stay.course})
    limit = min(_FEWEST_ITEMS + days, _MOST_ITEMS)
    worth_telling = [item for item in stay.course if item.is_tellable]
    data = (*stay.reports, *stay.procedures)
    tellable = [
        (at, item)
        for at, item in enumerate(worth_telling)
        if not any(_repeats(item, other) for other in (*data, *worth_telling))
    ]
    chosen = sorted(tellable, key=lambda pair: (-pair[1].weight, pair[0]))[:limit]
    return tuple(item for _, item in sorted(chosen, key=lambda pair: pair[0]))


def _repeats(item: SourceItem, other: SourceItem) -> bool:
    is_longer = len(other.text) > len(item.text) or other.document_type is None
    if other is item or not is_longer or day_of(item.at) != day_of(other.at):
        return False
    return verify(item.text, [other.dated_text]).verdict == "supported"


def windows(items: Iterable[SourceItem]) -> Iterator[Sequence[SourceItem]]:
    """Items of one day, in portions that a small model reads and retells within seconds."""
    window: list[SourceItem] = []
    for item in items:
        size = sum(len(other.text) for other in window) + len(item.text)
        is_full = len(window) == _WINDOW_ITEMS or size > _WINDOW_CHARACTERS
        if window and (is_full or day_of(window[-1].at) != day_of(item.at)):
            yield tuple(window)
            window = []
        window.append(item)
    if window:
        yield tuple(window)
