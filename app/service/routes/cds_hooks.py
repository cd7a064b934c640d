"""CDS Hooks 2.0: discovery, cards, feedback."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from app.errors import NotFound
from app.service.authentication import SignedDesk
from app.service.cds_hooks import (
    SERVICES,
    Cards,
    Discovery,
    Feedback,
    HookRequest,
    cards_for,
    take_feedback,
)
from app.service.examples import HOOK_EXAMPLES

router = APIRouter(prefix="/cds-services", tags=["CDS Hooks"])


@router.get("", summary="发现：有哪些服务", response_model_exclude_none=True)
def discovery() -> Discovery:
    """The services; public, as the standard has it."""
    return Discovery(services=tuple(SERVICES.values()))


@router.post("/{service_id}", summary="调用一个服务，得到卡片", response_model_exclude_none=True)
def call(
    desk: SignedDesk, service_id: str, request: Annotated[HookRequest, Body(openapi_examples=HOOK_EXAMPLES)]
) -> Cards:
    """The cards for what the user is doing."""
    if service_id not in SERVICES:
        raise NotFound(f"没有 CDS 服务 {service_id}，请先查看 /cds-services。")
    return cards_for(desk, SERVICES[service_id], request)


@router.post("/{service_id}/feedback", summary="对卡片的反馈：采纳或忽略")
def feedback(desk: SignedDesk, service_id: str, given: Feedback) -> Response:
    """What became of the cards: overridden ones do not return."""
    if service_id not in SERVICES:
        raise NotFound(f"没有 CDS 服务 {service_id}，请先查看 /cds-services。")
    take_feedback(desk, given)
    return Response(status_code=200)
