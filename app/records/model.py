"""The record format ``bingli/record/1``: one inpatient stay.

Times are aware; one without offset is read as China Standard Time. Offsets are code points, end exclusive.
Unknown fields are kept in ``extra`` of the object they stand in.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

RECORD_FORMAT: Literal["bingli/record/1"] = "bingli/record/1"
CHINA_TIME = timezone(timedelta(hours=8), "Asia/Shanghai")

CoverageKind = Literal[
    "documents", "orders", "lab_results", "exam_reports", "procedures",
    "consents", "vitals", "diagnoses", "front_page", "signatures",
]  # fmt: skip

DocumentType = Literal[
    "门(急)诊病历", "入院记录", "再次或多次入院记录", "24小时内入出院记录", "24小时内入院死亡记录",
    "首次病程记录", "日常病程记录", "上级医师查房记录", "疑难病例讨论记录", "交接班记录", "转科记录",
    "阶段小结", "抢救记录", "有创诊疗操作记录", "会诊记录", "术前小结", "术前讨论记录", "麻醉术前访视记录",
    "麻醉记录", "麻醉术后访视记录", "手术记录", "手术安全核查记录", "手术清点记录", "术后首次病程记录",
    "出院记录", "死亡记录", "死亡病例讨论记录", "病危(重)通知书", "手术知情同意书", "麻醉知情同意书",
    "输血治疗知情同意书", "特殊检查(治疗)同意书", "授权委托书", "输血记录", "护理记录", "病案首页", "其他",
]  # fmt: skip
DOCUMENT_TYPES: tuple[DocumentType, ...] = get_args(DocumentType)
CONSENT_TYPES: frozenset[DocumentType] = frozenset(
    {"手术知情同意书", "麻醉知情同意书", "输血治疗知情同意书", "特殊检查(治疗)同意书", "授权委托书"}
)
_BRACKETS = str.maketrans("（）", "()")
_BY_WRITTEN_NAME = {name: name for name in DOCUMENT_TYPES}


def document_type(written: str) -> DocumentType:
    """The known type of a written type name; brackets of either width, anything unknown is 其他."""
    return _BY_WRITTEN_NAME.get(written.strip().translate(_BRACKETS), "其他")  # type: ignore[call-overload,no-any-return]


def _read_time(value: object) -> object:
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"“{value}”不是有效的 ISO 8601 时间") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=CHINA_TIME)


def _read_date(value: object) -> object:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"“{value}”不是有效的日期") from None


Moment = Annotated[datetime, BeforeValidator(_read_time)]
Day = Annotated[date, BeforeValidator(_read_date)]


class Span(NamedTuple):
    """A stretch of one text, in code points, end exclusive."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The words the span stands for."""
        return text[self.start : self.end]

    def shifted(self, by: int) -> "Span":
        """The same stretch in a text that has ``by`` more characters before it."""
        return Span(self.start + by, self.end + by)

    def contains(self, other: "Span") -> bool:
        """Whether ``other`` lies wholly inside."""
        return self.start <= other.start and other.end <= self.end


class Part(BaseModel):
    """Base of every object of a record; folds unknown fields into ``extra``."""

    model_config = ConfigDict(frozen=True, ignored_types=(cached_property,))

    extra: dict[str, Any] = Field(default_factory=dict)

    _known: ClassVar[frozenset[str]]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._known = frozenset(
            name for field, info in cls.model_fields.items() for name in (field, info.alias) if name
        )

    def __copy__(self) -> Self:
        """A copy without what was worked out from the fields: they may differ in it (``model_copy``)."""
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied

    @model_validator(mode="before")
    @classmethod
    def _keep_unknown(cls, data: object, info: ValidationInfo) -> object:
        if not isinstance(data, dict) or cls._known.issuperset(data):
            return data
        unknown = {name: value for name, value in data.items() if name not in cls._known}
        if isinstance(info.context, dict):
            info.context.setdefault("unknown_fields", set()).update(
                f"{cls.__name__}.{name}" for name in unknown
            )
        kept = {name: value for name, value in data.items() if name in cls._known}
        kept["extra"] = {**(data.get("extra") or {}), **unknown}
        return kept


class Evidence(BaseModel):
    """A verbatim quote: ``quote == text[start:end]`` of the document, always."""

    model_config = ConfigDict(frozen=True)

    document_id: str
    start: int
    end: int
    quote: str


class Patient(Part):
    """The patient as the source system gives them."""

    id: str | None = None
    name: str | None = None
    sex: Literal["男", "女", "未知"] | None = None
    birth_date: Day | None = None
    age: str | None = None
    id_number: str | None = None


class Condition(Part):
    """An interval in which the patient was 病危 or 病重; ``end`` is ``None`` while it lasts."""

    level: Literal["病危", "病重"]
    start: Moment | None = Field(default=None, alias="from")
    end: Moment | None = Field(default=None, alias="to")


class Transfer(Part):
    """A move between departments."""

    from_department: str | None = None
    to_department: str | None = None
    at: Moment | None = None


Disposition = Literal["医嘱离院", "医嘱转院", "转社区", "非医嘱离院", "死亡", "其他"]


class Encounter(Part):
    """The stay itself; ``disposition`` is ``None`` while the patient is still in."""

    department: str | None = None
    ward: str | None = None
    bed: str | None = None
    admitted_at: Moment | None = None
    discharged_at: Moment | None = None
    died_at: Moment | None = None
    disposition: Disposition | None = None
    conditions: tuple[Condition, ...] | None = None
    transfers: tuple[Transfer, ...] | None = None
    readmission: bool | None = None


class Author(Part):
    """Who wrote a document."""

    id: str | None = None
    name: str | None = None
    title: str | None = None
    licensed: bool | None = None


class Signature(Part):
    """One signature under a document."""

    name: str | None = None
    role: str | None = None
    title: str | None = None
    signed_at: Moment | None = None


class Participant(Part):
    """Someone who took part in what the document records."""

    name: str | None = None
    title: str | None = None
    role: str | None = None


class Document(Part):
    """One document (文书); all evidence offsets point into ``text``."""

    id: str
    type: str
    title: str | None = None
    text: str
    written_at: Moment | None = None
    event_at: Moment | None = None
    author: Author | None = None
    signatures: tuple[Signature, ...] | None = None
    participants: tuple[Participant, ...] | None = None
    refers_to: tuple[str, ...] | None = None
    ai_label: dict[str, Any] | None = None

    @cached_property
    def kind(self) -> DocumentType:
        """The type as rules see it; an unknown type is 其他."""
        return document_type(self.type)

    @cached_property
    def completed_at(self) -> datetime | None:
        """When the author finished it; else the earliest signature of the 记录者."""
        if self.written_at:
            return self.written_at
        signed = [s.signed_at for s in self.signatures or () if s.role == "记录者" and s.signed_at]
        return min(signed, default=None)

    def evidence(self, span: Span) -> Evidence:
        """The verbatim evidence at ``span``."""
        return Evidence(document_id=self.id, start=span.start, end=span.end, quote=span.of(self.text))


class Diagnosis(Part):
    """One coded or named diagnosis."""

    id: str | None = None
    stage: str | None = None
    rank: int | None = None
    name: str | None = None
    icd10: str | None = None
    admission_condition: str | None = None


class Drug(Part):
    """What a drug order orders."""

    name: str | None = None
    dose: float | None = None
    unit: str | None = None
    route: str | None = None
    frequency: str | None = None


class Order(Part):
    """One order (医嘱)."""

    id: str | None = None
    kind: str | None = None
    category: str | None = None
    content: str | None = None
    drug: Drug | None = None
    ordered_at: Moment | None = None
    stopped_at: Moment | None = None
    ordered_by: str | None = None
    executed_at: Moment | None = None
    take_home: bool | None = None


class LabResult(Part):
    """One laboratory value; ``value`` stays text as reported."""

    id: str | None = None
    panel: str | None = None
    item: str | None = None
    value: str | None = None
    unit: str | None = None
    reference: str | None = None
    flag: str | None = None
    specimen: str | None = None
    sampled_at: Moment | None = None
    reported_at: Moment | None = None
    order_id: str | None = None

    @field_validator("value", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) else value


class ExamReport(Part):
    """One examination report."""

    id: str | None = None
    modality: str | None = None
    site: str | None = None
    finding: str | None = None
    impression: str | None = None
    performed_at: Moment | None = None
    reported_at: Moment | None = None
    critical: bool | None = None
    order_id: str | None = None


class Implant(Part):
    """One implanted device."""

    name: str | None = None
    barcode: str | None = None


class Procedure(Part):
    """One operation, invasive or interventional procedure."""

    id: str | None = None
    kind: str | None = None
    name: str | None = None
    site: str | None = None
    laterality: Literal["左", "右", "双侧"] | None = None
    emergency: bool | None = None
    level: str | None = None
    started_at: Moment | None = None
    ended_at: Moment | None = None
    surgeon: str | None = None
    assistants: tuple[str, ...] | None = None
    anesthesia: str | None = None
    anesthetist: str | None = None
    implants: tuple[Implant, ...] | None = None
    blood_units: float | None = None
    code: str | None = None


class Vitals(Part):
    """One set of vital signs: ℃, per minute, mmHg, %."""

    at: Moment | None = None
    temperature: float | None = None
    pulse: float | None = None
    respiration: float | None = None
    systolic: float | None = None
    diastolic: float | None = None
    spo2: float | None = None


class Allergy(Part):
    """One recorded allergy."""

    substance: str | None = None
    reaction: str | None = None
    source: str | None = None


class FrontPage(BaseModel):
    """The front page (病案首页): any WS 445 item in snake_case; those that bingli reads are named.

    A number or time that the page gives in other words (“-”, “7天”, a masked one) stays as written.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    discharge_diagnosis_main: str | None = None
    operation_main: str | None = None
    length_of_stay: float | str | None = Field(default=None, union_mode="left_to_right")
    blood_type: str | None = None
    rh: str | None = None
    drug_allergy: str | None = None
    completed_at: Moment | str | None = Field(default=None, union_mode="left_to_right")
    total_cost: float | str | None = Field(default=None, union_mode="left_to_right")

    @field_validator(
        "discharge_diagnosis_main",
        "operation_main",
        "blood_type",
        "rh",
        "drug_allergy",
        "completed_at",
        mode="before",
    )
    @classmethod
    def _code_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) else value


class MedicalRecord(Part):
    """One inpatient stay (住院病案)."""

    format: Literal["bingli/record/1"] = RECORD_FORMAT
    record_id: str = Field(min_length=1)
    coverage: tuple[CoverageKind, ...] | None = None
    patient: Patient = Field(default_factory=Patient)
    encounter: Encounter = Field(default_factory=Encounter)
    documents: tuple[Document, ...] | None = None
    diagnoses: tuple[Diagnosis, ...] | None = None
    orders: tuple[Order, ...] | None = None
    lab_results: tuple[LabResult, ...] | None = None
    exam_reports: tuple[ExamReport, ...] | None = None
    procedures: tuple[Procedure, ...] | None = None
    vitals: tuple[Vitals, ...] | None = None
    allergies: tuple[Allergy, ...] | None = None
    front_page: FrontPage | None = None
    archived_at: Moment | None = None

    @field_validator("patient", "encounter", mode="before")
    @classmethod
    def _null_is_empty(cls, value: object) -> object:
        return {} if value is None else value

    @model_validator(mode="after")
    def _document_ids_are_unique(self) -> "MedicalRecord":
        seen: set[str] = set()
        for document in self.documents or ():
            if document.id in seen:
                raise ValueError(f"文书编号 {document.id} 重复")
            seen.add(document.id)
        return self

    @cached_property
    def delivered(self) -> frozenset[str]:
        """The kinds of data that the source system delivered."""
        if self.coverage is not None:
            return frozenset(self.coverage)
        return frozenset(self._present())

    def _present(self) -> Iterator[str]:
        plain = (
            "documents",
            "orders",
            "lab_results",
            "exam_reports",
            "procedures",
            "vitals",
            "diagnoses",
            "front_page",
        )
        yield from (kind for kind in plain if getattr(self, kind) is not None)
        if any(document.kind in CONSENT_TYPES for document in self.documents or ()):
            yield "consents"
        if any(document.signatures for document in self.documents or ()):
            yield "signatures"

    @cached_property
    def documents_by_id(self) -> dict[str, Document]:
        """The documents by their ids."""
        return {document.id: document for document in self.documents or ()}

    def documents_of(self, *kinds: DocumentType) -> tuple[Document, ...]:
        """The documents of the given types, in record order."""
        if kinds not in self._documents_of:
            found = tuple(document for document in self.documents or () if document.kind in kinds)
            self._documents_of[kinds] = found
        return self._documents_of[kinds]

    @cached_property
    def _documents_of(self) -> dict[tuple[DocumentType, ...], tuple[Document, ...]]:
        return {}
