"""The draft format ``bingli/draft/1``: sentences, what each one rests on, and what was left out."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.records.model import DocumentType, Evidence, Moment

DRAFT_FORMAT: Literal["bingli/draft/1"] = "bingli/draft/1"
NOT_GIVEN = "未给出"

Verdict = Literal["supported", "not_supported", "not_addressed", "unverified"]
VERDICT_NAMES: dict[Verdict, str] = {
    "supported": "支持",
    "not_supported": "不支持",
    "not_addressed": "未提及",
    "unverified": "未核验",
}

State = Literal["generated", "accepted", "edited", "rejected", "written"]
STATE_NAMES: dict[State, str] = {
    "generated": "生成", "accepted": "接受", "edited": "修改", "rejected": "弃用", "written": "手写",
}  # fmt: skip


class ResourceCitation(BaseModel):
    """A place in the structured data: ``lab_results/L1``, or ``encounter/admitted_at`` for a single field."""

    model_config = ConfigDict(frozen=True)

    resource: str


Citation = Evidence | ResourceCitation


class ReviewStep(BaseModel):
    """What a physician decided about a sentence.

    Attributes:
        state: the state that the sentence is in since.
        by: who decided, a name or staff number.
        at: aware time.
        before: the text that an edit replaced, else ``None``.
        reason: why it was rejected, where a reason was given.
    """

    model_config = ConfigDict(frozen=True)

    state: State
    by: str = Field(min_length=1)
    at: Moment
    before: str | None = Field(default=None, exclude_if=lambda text: text is None)
    reason: str | None = Field(default=None, exclude_if=lambda text: text is None)


class DraftSentence(BaseModel):
    """One sentence of a draft; without a source its verdict is never ``supported``.

    Attributes:
        review: what physicians decided about it, oldest first; absent from the file while nobody has.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    citations: tuple[Citation, ...] = ()
    verdict: Verdict
    checks: tuple[str, ...] = ()
    review: tuple[ReviewStep, ...] = Field(default=(), exclude_if=lambda steps: not steps)

    @property
    def state(self) -> State:
        """What the last decision made of it."""
        return self.review[-1].state if self.review else "generated"


class DraftSection(BaseModel):
    """One section, in the order of the form."""

    model_config = ConfigDict(frozen=True)

    name: str
    sentences: tuple[DraftSentence, ...] = ()


class Omission(BaseModel):
    """A salient fact of the record that the draft does not mention."""

    model_config = ConfigDict(frozen=True)

    what: str
    source: Citation


class Draft(BaseModel):
    """A whole draft.

    Attributes:
        model: identity of the model that wrote, ``None`` where code did all of it.
        prompt_version: ``name/version`` of every prompt used, joined by commas; ``None`` without a model.
        status: ``accepted`` once a physician has decided about every sentence.
        label: GB 45438-2025 metadata and notice; what is accepted stays labelled.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["bingli/draft/1"] = DRAFT_FORMAT
    record_id: str
    document_type: DocumentType = "出院记录"
    status: Literal["draft", "accepted"] = "draft"
    sections: tuple[DraftSection, ...]
    missing: tuple[Omission, ...] = ()
    label: dict[str, Any]
    model: str | None = None
    prompt_version: str | None = None
    created_at: datetime

    def section(self, name: str) -> DraftSection | None:
        """The section of that name."""
        return next((section for section in self.sections if section.name == name), None)
