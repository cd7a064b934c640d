"""Batch audits: upload, progress, reports."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, File, UploadFile
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from app.service.authentication import SignedDesk
from app.service.batches import RESULT_FILES
from app.service.desk import Desk
from app.service.idempotency import RepeatableRoute
from app.service.pages import SHUT_IN
from app.service.views import AuditView
from app.storage.jobs import AuditJob, JobState

router = APIRouter(prefix="/v1/audits", tags=["批量质控"], route_class=RepeatableRoute)

_LOOK_SECONDS = 0.5
_GOES_ON = (JobState.WAITING, JobState.RUNNING)


@router.post("", summary="上传一批病历（.json、.jsonl 或 .zip）并在后台审核", status_code=202)
def start_audit(desk: SignedDesk, file: Annotated[UploadFile, File(description="病历文件")]) -> AuditView:
    """Start an audit; ask for its progress by its id."""
    return desk.start_audit(file.filename or "上传", file.file.read())


@router.get("", summary="批量质控任务")
def audits(desk: SignedDesk) -> tuple[AuditJob, ...]:
    """The latest audits, the newest first."""
    return desk.audits()


@router.get("/{audit_id}", summary="一个任务：进度、文件、汇总")
def audit(desk: SignedDesk, audit_id: str) -> AuditView:
    """One audit."""
    return desk.audit_job(audit_id)


@router.post("/{audit_id}/resume", summary="继续中断的任务", status_code=202)
def resume_audit(desk: SignedDesk, audit_id: str) -> AuditView:
    """Take up an audit that was stopped."""
    return desk.resume_audit(audit_id)


def _known(desk: SignedDesk, audit_id: str) -> tuple[Desk, AuditView]:
    """Asked before the stream begins, so that a refusal still has its status."""
    return desk, desk.audit_job(audit_id)


@router.get("/{audit_id}/events", summary="进度（SSE）", response_class=EventSourceResponse)
async def audit_events(
    known: Annotated[tuple[Desk, AuditView], Depends(_known)],
) -> AsyncIterator[ServerSentEvent]:
    """Events ``progress`` until the audit has ended, then ``end``."""
    desk, now = known
    said: AuditView | None = None
    while now.state in _GOES_ON:
        if now != said:
            said = now
            yield ServerSentEvent(event="progress", data=now.model_dump(mode="json", exclude={"summary"}))
        await asyncio.sleep(_LOOK_SECONDS)
        now = await run_in_threadpool(desk.audit_job, now.id)
    yield ServerSentEvent(event="end", data=now.model_dump(mode="json"))


@router.get("/{audit_id}/files/{name:path}", summary="下载报告或结果", response_class=FileResponse)
def audit_file(desk: SignedDesk, audit_id: str, name: str) -> FileResponse:
    """A file that the audit made; pages of the report are report/NAME.html."""
    path = desk.audit_file(audit_id, name)
    if path.suffix == ".html":
        return FileResponse(path, media_type="text/html; charset=utf-8", headers=SHUT_IN)
    return FileResponse(path, media_type=RESULT_FILES[name], filename=path.name)
