"""Kept records, their reports, and recalls of filed ones."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from app.errors import UserError
from app.records.model import MedicalRecord
from app.review.recall import Recall
from app.service.authentication import SignedDesk
from app.service.examples import RECORD_EXAMPLES
from app.service.idempotency import RepeatableRoute
from app.service.routes.checking import UseModel
from app.service.views import RecordItem, ReportView
from app.storage.paging import Page
from app.storage.records import RecordFilter
from app.storage.states import Stage

router = APIRouter(prefix="/v1", tags=["病历"], route_class=RepeatableRoute)

RecordId = Annotated[str, Path(description="病案编号", max_length=128)]
Cursor = Annotated[str | None, Query(description="上一页给出的 next_cursor")]
Limit = Annotated[int, Query(ge=1, le=200, description="每页条数")]


class Reason(BaseModel):
    """Why something is asked for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "补正出院带药的剂量"}]}
    )

    reason: str = Field(min_length=1, max_length=2000)


class RecallDecision(BaseModel):
    """Whether a filed record is opened again."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"version": 1, "is_approved": True}]}
    )

    version: int = Field(ge=1)
    is_approved: bool
    answer: str = Field(default="", max_length=2000)


@router.put("/records/{record_id}", summary="保存病历：检查它，缺陷转为待办")
def save_record(
    desk: SignedDesk,
    record_id: RecordId,
    record: Annotated[MedicalRecord, Body(openapi_examples=RECORD_EXAMPLES)],
    stage: Annotated[Stage, Query(description="running 运行病历，final 终末病历")] = Stage.RUNNING,
    version: Annotated[int | None, Query(ge=0, description="从哪一版改起；不写则覆盖")] = None,
) -> RecordItem:
    """Keep a record as a new version; saving what is there already changes nothing."""
    if record.record_id != record_id:
        raise UserError(f"网址中的编号 {record_id} 与病历中的 {record.record_id} 不同，请核对。")
    return desk.save_record(record, stage, version=version)


@router.get("/records", summary="病历列表：最近改过的在前")
def records(
    desk: SignedDesk, wanted: Annotated[RecordFilter, Query()], cursor: Cursor = None, limit: Limit = 50
) -> Page[RecordItem]:
    """The records that the caller may read."""
    return desk.records(wanted, cursor, limit)


@router.get("/records/{record_id}", summary="一份病历", response_model_by_alias=True)
def record(
    desk: SignedDesk, record_id: RecordId, version: Annotated[int | None, Query(ge=1)] = None
) -> MedicalRecord:
    """A kept record, as it is or as it was in a version."""
    return desk.record(record_id, version)


@router.get("/records/{record_id}/report", summary="最近一次检查的结果")
def report(desk: SignedDesk, record_id: RecordId) -> ReportView:
    """The last report of a kept record."""
    return ReportView.of(desk.report(record_id))


@router.post("/records/{record_id}/check", summary="再检查一次，并更新待办")
def recheck(desk: SignedDesk, record_id: RecordId, use_model: UseModel = False) -> ReportView:
    """Judge a kept record again."""
    return ReportView.of(desk.recheck(record_id, use_model=use_model))


@router.post(
    "/records/{record_id}/deidentified", summary="另存一份去标识的病历，供评测人员使用", status_code=201
)
def save_deidentified(desk: SignedDesk, record_id: RecordId) -> RecordItem:
    """A copy that names nobody, under a number of its own."""
    return desk.save_deidentified(record_id)


@router.post("/records/{record_id}/recalls", summary="申请召回已归档的病历", status_code=201)
def request_recall(desk: SignedDesk, record_id: RecordId, reason: Reason) -> Recall:
    """Ask that a filed record be opened again."""
    return desk.request_recall(record_id, reason.reason)


@router.get("/records/{record_id}/recalls", summary="这份病历的召回申请")
def recalls_of(desk: SignedDesk, record_id: RecordId) -> tuple[Recall, ...]:
    """The requests about a record, the newest first."""
    return desk.recalls_of(record_id)


@router.get("/recalls", summary="等待批准的召回申请")
def recalls(desk: SignedDesk) -> tuple[Recall, ...]:
    """The requests that wait for a decision."""
    return desk.recalls()


@router.post("/recalls/{recall_id}/decision", summary="批准或不批准召回")
def decide_recall(desk: SignedDesk, recall_id: str, decision: RecallDecision) -> Recall:
    """Open a filed record again, or not."""
    return desk.decide_recall(
        recall_id, decision.version, is_approved=decision.is_approved, answer=decision.answer
    )
