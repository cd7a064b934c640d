"""Whether the service lives and is ready, and what it counts."""

from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from app.privacy.rights import Action
from app.service.authentication import parts_of, signed_in
from app.service.desk import Desk

router = APIRouter(tags=["运行"])


class Health(BaseModel):
    """How the service is; ``model`` says why there is no language model, empty with one or before it was needed."""

    status: str
    model: str = ""


@router.get("/healthz", summary="进程是否在运行")
def live() -> Health:
    """Answers as long as the process runs."""
    return Health(status="ok")


@router.get("/readyz", summary="数据库和规则是否可用")
def ready(request: Request) -> Health:
    """Reads the database; without a language model the service is still ready."""
    parts = parts_of(request)
    parts.accounts.count()
    return Health(status="ok", model=parts.model.reason)


@router.get("/metrics", summary="Prometheus 指标（仅本机，或有查看日志权限的令牌）")
def metrics(request: Request) -> Response:
    """The counters; they say nothing about records."""
    if not _is_local(request):
        Desk(parts_of(request), signed_in(request).account).require(Action.READ_AUDIT_LOG)
    return Response(parts_of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _is_local(request: Request) -> bool:
    host = request.client.host if request.client else ""
    try:
        return ip_address(host).is_loopback and "x-forwarded-for" not in request.headers
    except ValueError:
        return host == "testclient"
