"""What a document consists of, and which source items its narrative tells."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from app.drafting import compose
from app.drafting.conflicts import conflicts
from app.drafting.draft import DraftSentence
from app.drafting.sources import SourceItem, Stay, day_of
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


class DocumentPlan(NamedTuple):
    """The sections of a document type, in the order of the form."""

    document_type: DocumentType
    sections: tuple[SectionPlan, ...]


DISCHARGE_RECORD = DocumentPlan(
    "出院记录",
    (
        SectionPlan("入院日期", (compose.admission_date,)),
        SectionPlan("出院日期", (compose.discharge_date,)),
        SectionPlan("住院天数", (compose.length_of_stay,)),
        SectionPlan("入院情况", (compose.condition_at_admission,)),
        SectionPlan("入院诊断", (compose.diagnoses_at_admission,)),
        SectionPlan(
            "诊疗经过", (compose.examinations, compose.operations, compose.drug_treatment), has_narrative=True
        ),
        SectionPlan("出院诊断", (compose.diagnoses_at_discharge,)),
        SectionPlan("出院情况", (compose.condition_at_discharge,)),
        SectionPlan("出院医嘱", (compose.discharge_orders,)),
        SectionPlan("待核实", (conflicts,), is_optional=True),
    ),
)
"""病历书写基本规范 第二十二条（二十）names the contents; 住院天数 and 待核实 are additions."""


def plan_for(record: MedicalRecord) -> DocumentPlan:
    """The plan of the document that ends this stay.

    Raises:
        UserError: there is nothing to draft from, or the stay ended in death.
    """
    encounter = record.encounter
    if encounter.disposition == "死亡" or encounter.died_at:
        raise UserError(
            f"病历 {record.record_id} 的患者已死亡，应写死亡记录而不是出院记录，本版本暂不能起草。"
        )
    if not any(document.text.strip() for document in record.documents or ()):
        raise UserError(f"病历 {record.record_id} 中没有文书，无从起草出院记录，请先补全病历。")
    return DISCHARGE_RECORD


def narrated(stay: Stay) -> tuple[SourceItem, ...]:
    """The sentences of the course worth retelling, in time order: about one a day and a dozen more."""
    admitted, discharged = stay.record.encounter.admitted_at, stay.record.encounter.discharged_at
    days = (discharged - admitted).days if admitted and discharged else 0
    limit = min(_FEWEST_ITEMS + max(days, 0), _MOST_ITEMS)
    tellable = [(at, item) for at, item in enumerate(stay.course) if item.is_tellable]
    chosen = sorted(tellable, key=lambda pair: (-pair[1].weight, pair[0]))[:limit]
    return tuple(item for _, item in sorted(chosen, key=lambda pair: pair[0]))


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
