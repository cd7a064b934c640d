"""What a hint is, and what is asked for when one writes."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.qc.rule import Severity
from app.records.model import Author, DocumentType, Evidence, MedicalRecord, Moment, document_type

DRAFT_ID = "正在书写"
"""The id of a note that has none yet."""

LONGEST_NOTE = 50_000


class HintRequest(BaseModel):
    """A note being written, with what is known of its stay.

    Attributes:
        text: the whole note so far.
        type: its document type; anything unknown is 其他.
        cursor: where the writer is, a code point offset into ``text``; ``None`` where that is not known.
        document_id: the note's id in ``record``, if it stands there already; it is then replaced by ``text``.
        record: the stay; without it only the note itself is judged.
        record_id: the stay by its number among the stored records, instead of ``record``.
        is_finished: whether the writer asks for everything that the note lacks.
        known: ``state`` of the last answer; where nothing changed since, the answer says only so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(max_length=LONGEST_NOTE)
    type: DocumentType
    cursor: int | None = Field(default=None, ge=0)
    document_id: str = Field(default=DRAFT_ID, min_length=1, max_length=200)
    title: str | None = Field(default=None, max_length=200)
    written_at: Moment | None = None
    author: Author | None = None
    record: MedicalRecord | None = None
    record_id: str | None = Field(default=None, max_length=200)
    is_finished: bool = False
    known: str | None = Field(default=None, max_length=100)

    @field_validator("type", mode="before")
    @classmethod
    def _known_type(cls, value: object) -> object:
        return document_type(value) if isinstance(value, str) else value


class Hint(BaseModel):
    """One hint: what, where, why, how to mend it.

    Attributes:
        id: the same for the same rule and words of the same note, wherever they move.
        start: code point offsets into the note, end exclusive; both ``None`` where a whole part is missing.
        quote: ``text[start:end]``; empty where there is no place.
        elsewhere: the other places that show it, in this note or others of the stay.
        what: what is amiss.
        why: the basis: document, clause, level.
        how: how to mend it.
        due_at: the moment up to which the hint can be followed in time, for reminders.
        minutes_left: whole minutes until ``due_at``; negative when it has passed.
        confidence: 0–1; 1 for code.
        ai_label: the label of what a model decided.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    rule: str
    title: str
    severity: Severity
    confidence: float
    document_type: DocumentType
    section: str | None
    start: int | None
    end: int | None
    quote: str
    elsewhere: tuple[Evidence, ...] = ()
    what: str
    why: str
    how: str
    due_at: datetime | None = None
    minutes_left: int | None = None
    engine: Literal["rule", "llm"] = "rule"
    ai_label: dict[str, Any] | None = None


class DueBy(BaseModel):
    """A document that the stay asks for next; ``minutes_left`` is negative once the moment has passed."""

    model_config = ConfigDict(frozen=True)

    what: str
    rule: str
    due_at: datetime
    minutes_left: int


class Hints(BaseModel):
    """The answer to a request.

    Attributes:
        hints: the most important ones, best first.
        more: how many others there are.
        due: what the stay asks for next, the most urgent first.
        state: stands for what was judged; send it back as ``known``.
        is_unchanged: whether nothing changed since ``known``; then ``hints`` and ``due`` are empty.
    """

    model_config = ConfigDict(frozen=True)

    hints: tuple[Hint, ...] = ()
    more: int = 0
    due: tuple[DueBy, ...] = ()
    state: str
    is_unchanged: bool = False
