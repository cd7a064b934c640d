"""The draft format ``bingli/draft/1``: sentences, what each one rests on, and what was left out."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.records.model import DocumentType, Evidence

DRAFT_FORMAT: Literal["bingli/draft/1"] = "bingli/draft/1"
NOT_GIVEN = "未给出"

Verdict = Literal["supported", "not_supported", "not_addressed", "unverified"]
VERDICT_NAMES: dict[Verdict, str] = {
    "supported": "支持",
    "not_supported": "不支持",
    "not_addressed": "未提及",
    "unverified": "未核验",
}


class ResourceCitation(BaseModel):
    """A place in the structured data: ``lab_results/L1``, or ``encounter/admitted_at`` for a single field."""

    model_config = ConfigDict(frozen=True)

    resource: str


Citation = Evidence | ResourceCitation


class DraftSentence(BaseModel):
    """One sentence of a draft; without a source its verdict is never ``supported``."""

    model_config = ConfigDict(frozen=True)

    text: str
    citations: tuple[Citation, ...] = ()
    verdict: Verdict
    checks: tuple[str, ...] = ()


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
        label: GB 45438-2025 metadata and notice.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["bingli/draft/1"] = DRAFT_FORMAT
    record_id: str
    document_type: DocumentType = "出院记录"
    status: Literal["draft"] = "draft"
    sections: tuple[DraftSection, ...]
    missing: tuple[Omission, ...] = ()
    label: dict[str, Any]
    model: str | None = None
    prompt_version: str | None = None
    created_at: datetime

    def section(self, name: str) -> DraftSection | None:
        """The section of that name."""
        return next((section for section in self.sections if section.name == name), None)
