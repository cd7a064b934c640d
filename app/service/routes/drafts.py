"""Drafts: made sentence by sentence, reviewed sentence by sentence, exported."""

import logging
import queue
import threading
from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from app.drafting.assemble import Placed
from app.errors import UserError
from app.records.model import DocumentType
from app.service.authentication import SignedDesk
from app.service.desk import Desk, ReviewState
from app.service.idempotency import RepeatableRoute
from app.service.routes.records import RecordId
from app.storage.drafts import StoredDraft

router = APIRouter(prefix="/v1", tags=["起草"], route_class=RepeatableRoute)

logger = logging.getLogger(__name__)

_Told = queue.SimpleQueue[Placed | StoredDraft | UserError]

ExportFormat = Literal["docx", "pdf", "html", "md", "json", "fhir.json"]
_MEDIA_TYPES: dict[ExportFormat, str] = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
    "fhir.json": "application/fhir+json",
}


class DraftOrder(BaseModel):
    """What to draft; by default the document that ends the stay, with the language model if there is one."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"document_type": "出院记录", "use_model": False}]}
    )

    document_type: DocumentType | None = None
    use_model: bool = True


class SentenceReview(BaseModel):
    """What a physician decides about a sentence; ``version`` is the one that they saw."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"version": 1, "section": "出院诊断", "number": 0, "state": "accepted"}]
        },
    )

    version: int = Field(ge=1)
    section: str = Field(min_length=1, max_length=64)
    number: int = Field(default=0, ge=-1, description="这一项中的第几句，从 0 数起")
    state: ReviewState
    text: str = Field(default="", max_length=5000)
    reason: str = Field(default="", max_length=500)


class SeenVersion(BaseModel):
    """The version that the caller saw."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 1}]})

    version: int = Field(ge=1)


@router.post("/records/{record_id}/drafts", summary="起草文书（出院记录等）", status_code=201)
def draft(desk: SignedDesk, record_id: RecordId, order: DraftOrder) -> StoredDraft:
    """Draft and keep a document of a kept record."""
    return desk.draft(record_id, order.document_type, use_model=order.use_model)


def _begun(desk: SignedDesk, record_id: RecordId, order: DraftOrder) -> _Told:
    """Begun before the stream, so that a refusal still has its status; who hangs up still gets the draft kept."""
    desk.require_draft(record_id)
    told: _Told = queue.SimpleQueue()
    threading.Thread(target=_draft, args=(desk, record_id, order, told), daemon=True).start()
    return told


@router.post(
    "/records/{record_id}/drafts/stream", summary="起草，逐句返回（SSE）", response_class=EventSourceResponse
)
def draft_stream(told: Annotated[_Told, Depends(_begun)]) -> Iterator[ServerSentEvent]:
    """Events ``sentence`` as each stands, then ``draft``; or ``problem``."""
    while isinstance(said := told.get(), Placed):
        sentence = said.sentence.model_dump(mode="json")
        yield ServerSentEvent(event="sentence", data={"section": said.section, "sentence": sentence})
    if isinstance(said, StoredDraft):
        yield ServerSentEvent(event="draft", data=said.model_dump(mode="json"))
    else:
        yield ServerSentEvent(event="problem", data={"detail": str(said)})


@router.get("/records/{record_id}/drafts", summary="这份病历的草稿")
def drafts(desk: SignedDesk, record_id: RecordId) -> tuple[StoredDraft, ...]:
    """The drafts of a record, the newest first."""
    return desk.drafts(record_id)


@router.get("/drafts/{draft_id}", summary="一份草稿")
def stored_draft(desk: SignedDesk, draft_id: str) -> StoredDraft:
    """One draft."""
    return desk.stored_draft(draft_id)


@router.post("/drafts/{draft_id}/sentences", summary="接受、修改、弃用或手写一句")
def review_sentence(desk: SignedDesk, draft_id: str, review: SentenceReview) -> StoredDraft:
    """Decide about a sentence; of two at once the second is told."""
    return desk.review_sentence(
        draft_id, review.version, review.section, review.number, review.state, review.text, review.reason
    )


@router.post("/drafts/{draft_id}/acceptance", summary="接受其余全部句子")
def accept_rest(desk: SignedDesk, draft_id: str, seen: SeenVersion) -> StoredDraft:
    """Take over every sentence that nobody has decided about."""
    return desk.accept_rest(draft_id, seen.version)


@router.get("/drafts/{draft_id}/export", summary="导出草稿", response_class=Response)
def export_draft(
    desk: SignedDesk,
    draft_id: str,
    format: Annotated[ExportFormat, Query(description="文件格式")] = "docx",  # noqa: A002
) -> Response:
    """The draft as a file, labelled as generated."""
    content = desk.export_draft(draft_id, format)
    headers = {"Content-Disposition": f'attachment; filename="draft-{draft_id}.{format}"'}
    return Response(content, media_type=_MEDIA_TYPES[format], headers=headers)


def _draft(desk: Desk, record_id: str, order: DraftOrder, told: _Told) -> None:
    try:
        told.put(desk.draft(record_id, order.document_type, told.put, use_model=order.use_model))
    except UserError as error:
        told.put(error)
    except Exception as error:
        logger.error("drafting failed: %s", type(error).__name__)
        told.put(UserError("起草时程序出错，请重试；仍不行请报告给管理员。"))
