"""Findings as work."""

import json
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.records.model import Moment
from app.review.transitions import Step
from app.service.authentication import SignedDesk
from app.service.idempotency import RepeatableRoute
from app.service.routes.records import Cursor, Limit
from app.service.views import Explanation, FindingCard
from app.storage.findings import FindingFilter
from app.storage.paging import Page
from app.storage.states import State

router = APIRouter(prefix="/v1/findings", tags=["缺陷整改"], route_class=RepeatableRoute)


class StepTaken(BaseModel):
    """A step with a finding; ``version`` is the one that the caller saw."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"step": "appeal", "version": 1, "reason": "诱因已写在病程记录", "evidence": "见首次病程"}
            ]
        },
    )

    step: Step
    version: int = Field(ge=1)
    reason: str = Field(default="", max_length=2000)
    evidence: str = Field(default="", max_length=2000)
    assignee: str | None = Field(default=None, max_length=64, description="分派给谁：工号，或本科室的姓名")
    due_at: Moment | None = Field(default=None, description="整改期限，带时区")


@router.get("", summary="缺陷列表：最新的在前")
def findings(
    desk: SignedDesk, wanted: Annotated[FindingFilter, Query()], cursor: Cursor = None, limit: Limit = 50
) -> Page[FindingCard]:
    """The findings that the caller may see."""
    return desk.findings(wanted, cursor, limit)


@router.get("/counts", summary="各状态的缺陷数")
def counts(desk: SignedDesk, wanted: Annotated[FindingFilter, Query()]) -> dict[State, int]:
    """How many findings are in each state."""
    return dict(desk.finding_counts(wanted))


@router.get("/overdue", summary="超过整改期限的缺陷")
def overdue(desk: SignedDesk, cursor: Cursor = None, limit: Limit = 50) -> Page[FindingCard]:
    """Open findings whose time to mend has run out."""
    return desk.overdue(cursor, limit)


@router.get("/labels", summary="已裁定的缺陷，作为校准用的标注（JSONL）", response_class=StreamingResponse)
def finding_labels(desk: SignedDesk) -> StreamingResponse:
    """One labelled finding a line."""
    return StreamingResponse(_lines(desk.finding_labels()), media_type="application/x-ndjson")


@router.get("/{finding_id}", summary="一条缺陷及其经过")
def finding(desk: SignedDesk, finding_id: str) -> FindingCard:
    """One finding with its history."""
    return desk.finding(finding_id)


@router.get("/{finding_id}/explanation", summary="判定经过：事实、答案和逻辑")
def explanation(desk: SignedDesk, finding_id: str) -> Explanation | None:
    """What a content finding rests on; null for one that code decided by itself."""
    return desk.explain(finding_id)


@router.post("/{finding_id}/steps", summary="处理缺陷：分派、整改、申诉、裁定、关闭")
def take_step(desk: SignedDesk, finding_id: str, taken: StepTaken) -> FindingCard:
    """Take a step; of two at once the second is told."""
    return desk.act(
        finding_id,
        taken.step,
        taken.version,
        taken.reason,
        taken.evidence,
        assignee=taken.assignee,
        due_at=taken.due_at,
    )


def _lines(objects: Iterator[dict[str, object]]) -> Iterator[str]:
    return (json.dumps(each, ensure_ascii=False) + "\n" for each in objects)
