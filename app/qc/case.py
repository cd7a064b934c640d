"""A record under examination: the record with everything that rules compute from it, computed once."""

from collections.abc import Callable, Hashable, Iterator
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from app.qc.ruling import Ruling
from app.qc.timeline import Consultation, Timeline
from app.records.model import Document, DocumentType, MedicalRecord, Procedure
from app.terms.table import TermsTable
from app.text.identity import age_at_admission
from app.text.quantities import VitalSign
from app.text.reading import Reading

if TYPE_CHECKING:
    from app.qc.facts.answer import Answer

COURSE_TYPES: tuple[DocumentType, ...] = (
    "首次病程记录", "日常病程记录", "上级医师查房记录", "交接班记录", "转科记录", "阶段小结",
    "抢救记录", "有创诊疗操作记录", "术前小结", "术后首次病程记录",
)  # fmt: skip
"""病程类文书 (rule catalogue 1.2)."""


_T = TypeVar("_T")

StayEvent = Literal["admission", "discharge", "death"]
STAY_EVENT_TITLES: dict[StayEvent, str] = {"admission": "入院", "discharge": "出院", "death": "死亡"}


class Case:
    """One record, its readings, and the moment at which it is judged."""

    def __init__(
        self, record: MedicalRecord, as_of: datetime | None = None, terms: TermsTable | None = None
    ) -> None:
        """Judge ``record`` as of a moment (by default the latest its data show) by the hospital's code tables."""
        self.record = record
        self.terms = terms
        self._given_as_of = as_of
        self._made: dict[Hashable, Any] = {}
        self._answers: dict[tuple[str, Hashable], Any] = {}

    @cached_property
    def _readings(self) -> dict[str, Reading]:
        return {document.id: Reading(document) for document in self.record.documents or ()}

    @property
    def documents(self) -> tuple[Document, ...]:
        """All documents, in record order."""
        return self.record.documents or ()

    def documents_of(self, *kinds: DocumentType) -> tuple[Document, ...]:
        """The documents of the given types, in record order."""
        return self.record.documents_of(*kinds)

    def asks_for(self, *kinds: DocumentType) -> None:
        """Say of which types somebody reads documents from ``record`` itself; ``LiveCase`` wants to know."""

    def ruling_once(
        self, check: Hashable, judge: Callable[[], Ruling], document: Document | None = None
    ) -> Ruling:
        """The ruling of a rule or check on the stay or on one of its documents; asked for once a version."""
        return judge()

    def answer_once(
        self, name: str, find: Callable[[], "Answer"], document: Document | None = None
    ) -> "Answer":
        """The answer of a fact on the stay or on one of its documents, found once."""
        return self._once(self._answers, case_key(document, name), find)  # type: ignore[no-any-return]

    def replace_answer(self, name: str, answer: "Answer", document: Document | None = None) -> None:
        """Put a better answer in the place of one that was found."""
        self._answers[case_key(document, name)] = answer

    def remembered(self, compute: Callable[["Case"], _T]) -> _T:
        """What ``compute`` makes of this case, made once; ``compute`` must be a module's own function."""
        return self._once(self._made, compute, lambda: compute(self))  # type: ignore[no-any-return]

    def _once(self, made: dict[Any, Any], key: Hashable, make: Callable[[], Any]) -> Any:  # noqa: ANN401
        if key not in made:
            made[key] = make()
        return made[key]

    def reading(self, document: Document) -> Reading:
        """The text of a document, read once."""
        return self._readings[document.id]

    def vital_signs(self, document: Document) -> tuple[VitalSign, ...]:
        """The vital signs written in a document."""
        return self.reading(document).vital_signs

    @property
    def is_over(self) -> bool:
        """Whether the stay has ended by discharge or death."""
        return self.ended_at is not None or self.record.encounter.disposition is not None

    @cached_property
    def ended_at(self) -> datetime | None:
        """When the stay ended: death, else discharge."""
        return self.record.encounter.died_at or self.record.encounter.discharged_at

    @cached_property
    def as_of(self) -> datetime | None:
        """The moment of judgement (评估时刻); ``None`` when the record shows no time at all."""
        return self._given_as_of or max(self._moments(), default=None)

    @property
    def as_of_is_given(self) -> bool:
        """Whether the moment of judgement was given, not taken from the data."""
        return self._given_as_of is not None

    def _moments(self) -> Iterator[datetime]:
        record, stay = self.record, self.record.encounter
        yield from (m for m in (stay.admitted_at, stay.discharged_at, stay.died_at, record.archived_at) if m)
        for document in record.documents or ():
            yield from (m for m in (document.written_at, document.event_at) if m)
        yield from (o.ordered_at for o in record.orders or () if o.ordered_at)
        yield from (r.reported_at for r in record.lab_results or () if r.reported_at)
        yield from (r.reported_at for r in record.exam_reports or () if r.reported_at)
        yield from (p.ended_at for p in record.procedures or () if p.ended_at)
        yield from (v.at for v in record.vitals or () if v.at)

    @cached_property
    def timeline(self) -> Timeline:
        """What happened when, and how ill the patient was."""
        return Timeline(self.record, self.ended_at, self.as_of)

    @cached_property
    def age_years(self) -> float | None:
        """The age at admission in years: from the birth date, else as written; ``None`` when not given."""
        return age_at_admission(self.record)

    def moment_of(self, event: StayEvent) -> datetime | None:
        """When an event of the stay happened; ``None`` when it did not, or is not given."""
        stay = self.record.encounter
        return {"admission": stay.admitted_at, "discharge": stay.discharged_at, "death": stay.died_at}[event]

    def is_past(self, moment: datetime) -> bool:
        """Whether a deadline has passed: always once the stay is over, else by the moment of judgement."""
        return self.is_over or (self.as_of is not None and self.as_of > moment)

    @property
    def consultations(self) -> tuple[Consultation, ...]:
        """The consultations of the timeline."""
        self.asks_for("会诊记录")
        return self.timeline.consultations

    @property
    def course_documents(self) -> tuple[Document, ...]:
        """The dated 病程类 documents in time order."""
        return self.remembered(_course_documents)

    def documents_for(self, procedure: Procedure, *kinds: DocumentType) -> tuple[Document, ...]:
        """The documents of the types that belong to one procedure.

        A document that refers to procedures belongs to those; any other to the procedure nearest in time.
        """
        return tuple(d for d in self.documents_of(*kinds) if self._belongs_to(d, procedure))

    def _belongs_to(self, document: Document, procedure: Procedure) -> bool:
        procedures = self.record.procedures or ()
        referred = {p.id for p in procedures} & set(document.refers_to or ())
        if referred:
            return procedure.id in referred
        if len(procedures) == 1:
            return True
        return procedure is self._nearest_procedure(document)

    def _nearest_procedure(self, document: Document) -> Procedure | None:
        moment = document.event_at or document.completed_at
        timed = [(p.started_at, p) for p in self.record.procedures or () if p.started_at]
        if moment is None or not timed:
            return None
        return min(timed, key=lambda pair: abs(moment - pair[0]))[1]


def course_moment(document: Document) -> datetime:
    """The moment a course document stands for: what it records, else when it was written.

    Raises:
        ValueError: the document has neither.
    """
    moment = document.event_at or document.completed_at
    if moment is None:
        raise ValueError(f"document {document.id} has no time")
    return moment


def _course_documents(case: Case) -> tuple[Document, ...]:
    dated = [d for d in case.documents_of(*COURSE_TYPES) if d.completed_at or d.event_at]
    return tuple(sorted(dated, key=course_moment))


def case_key(document: Document | None, what: Hashable) -> tuple[str, Hashable]:
    """Names something about a document, or about the whole stay."""
    return ("" if document is None else document.id, what)
