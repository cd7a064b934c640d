"""Checking records, and hints while a note is being written."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from app.hints.hint import Hint, HintRequest, Hints
from app.records.model import MedicalRecord
from app.service.authentication import SignedDesk
from app.service.examples import HINT_EXAMPLES, RECORD_EXAMPLES
from app.service.idempotency import RepeatableRoute
from app.service.views import ReportView

router = APIRouter(prefix="/v1", tags=["质控与提示"], route_class=RepeatableRoute)

UseModel = Annotated[bool, Query(description="是否请语言模型判断程序判断不了的规则；慢")]


class Dismissal(BaseModel):
    """A hint that shall not return, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"rule": "N-107", "quote": "", "reason": "患者昏迷，家属不清楚诱因"}]
        },
    )

    rule: str = Field(min_length=1, max_length=20)
    quote: str = Field(default="", max_length=2000)
    reason: str = Field(min_length=1, max_length=500)
    record_id: str | None = Field(default=None, max_length=128)


@router.post("/check", summary="检查一份病历（不保存）")
def check(
    desk: SignedDesk,
    record: Annotated[MedicalRecord, Body(openapi_examples=RECORD_EXAMPLES)],
    use_model: UseModel = False,
) -> ReportView:
    """The result of a record that the caller sends along."""
    return ReportView.of(desk.check(record, use_model=use_model))


@router.post("/hints", summary="书写提示：程序能判断的，立即返回")
def hints(desk: SignedDesk, request: Annotated[HintRequest, Body(openapi_examples=HINT_EXAMPLES)]) -> Hints:
    """What is amiss in a note being written."""
    return desk.hints(request)


def _asked(
    desk: SignedDesk, request: Annotated[HintRequest, Body(openapi_examples=HINT_EXAMPLES)]
) -> tuple[Hints, Iterator[Hint]]:
    """Asked before the stream begins, so that a refusal still has its status."""
    return desk.hints(request), desk.model_hints(request)


@router.post(
    "/hints/stream",
    summary="书写提示：先给程序能判断的，再逐条给语言模型发现的（SSE）",
    response_class=EventSourceResponse,
)
def hints_stream(
    asked: Annotated[tuple[Hints, Iterator[Hint]], Depends(_asked)],
) -> Iterator[ServerSentEvent]:
    """Events ``hints`` (once), ``hint`` (each of the model's), ``end``."""
    first, later = asked
    yield ServerSentEvent(event="hints", data=first.model_dump(mode="json"))
    for hint in later:
        yield ServerSentEvent(event="hint", data=hint.model_dump(mode="json"))
    yield ServerSentEvent(event="end", data={"state": first.state})


@router.post("/hints/dismissals", summary="忽略一条提示（需写明理由）", status_code=201)
def dismiss(desk: SignedDesk, dismissal: Dismissal) -> dict[str, Any]:
    """The hint does not return: in that stay, or for the caller where none is named."""
    desk.dismiss(dismissal.rule, dismissal.quote, dismissal.reason, dismissal.record_id)
    return {"rule": dismissal.rule}
