"""The application: routes, workplace, and the life of its parts."""

import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from urllib.parse import quote

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.service.authentication import PARTS_KEY, Door, account_name
from app.service.limits import BodyLimit, Rate
from app.service.parts import Parts, open_parts
from app.service.problems import install
from app.service.routes import (
    administration,
    audits,
    cds_hooks,
    checking,
    doors,
    drafts,
    findings,
    health,
    knowledge,
    records,
)
from app.settings import Settings

_ROUTERS = (health, checking, records, findings, audits, drafts, knowledge, administration, cds_hooks, doors)
_MINUTE = 60.0
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
_ABOUT = """病历质控、书写提示、整改流程和出院记录起草。

除 /healthz、/readyz 和 /cds-services 外都需要令牌（Authorization: Bearer …）或登录后的会话。
错误一律为 application/problem+json，detail 是一句中文。写操作可带 Idempotency-Key，重发不会做两遍。
"""


def create_app(settings: Settings, *, use_model: bool = True, with_workplace: bool = True) -> FastAPI:
    """The service of these settings; its parts open when it starts and close when it ends.

    Args:
        settings: where the data are, and the limits.
        use_model: whether a language model is opened, when first needed.
        with_workplace: whether the web pages are mounted at ``/ui``.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            parts = await run_in_threadpool(stack.enter_context, open_parts(settings, use_model=use_model))
            parts.batches.recover()
            app.state.parts, app.state.door = parts, Door(parts)
            threading.Thread(target=parts.model.get, name="open-model", daemon=True).start()
            yield

    app = FastAPI(
        title="bingli 病历",
        description=_ABOUT,
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.rate = Rate(settings.requests_per_minute, _MINUTE)
    install(app)
    for module in _ROUTERS:
        app.include_router(module.router)
    if with_workplace:
        from app.ui.workplace import mount_workplace

        mount_workplace(app)
    app.add_middleware(BodyLimit, settings.largest_body_mib, settings.largest_upload_mib)
    app.add_middleware(_Frame, app)
    return app


class _Frame:
    """What surrounds every request: the parts in its scope, its count and time, the door before the workplace."""

    def __init__(self, inner: ASGIApp, app: FastAPI) -> None:
        self._inner = inner
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                scope[PARTS_KEY] = self._app.state.parts
            await self._inner(scope, receive, send)
            return
        parts: Parts = self._app.state.parts
        scope[PARTS_KEY] = parts
        status = 500
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        if await _is_before_door(scope):
            query = scope["query_string"].decode("latin-1")
            target = quote(f"{scope['path']}?{query}" if query else scope["path"])
            await RedirectResponse(f"/login?next={target}", 303)(scope, receive, noted)
            return
        try:
            await self._inner(scope, receive, noted)
        finally:
            route = _route_of(scope)
            parts.metrics.requests.labels(scope["method"], route, str(status)).inc()
            parts.metrics.seconds.labels(route).observe(time.perf_counter() - began)
            parts.metrics.has_model.set(parts.model.is_open)


async def _is_before_door(scope: Scope) -> bool:
    """Whether somebody who is not signed in asks for a page of the workplace."""
    path: str = scope["path"]
    if scope["method"] != "GET" or not (path == "/ui" or path.startswith("/ui/")):
        return False
    request = Request(scope)
    if "text/html" not in request.headers.get("accept", ""):
        return False
    return await run_in_threadpool(account_name, request) is None


def _route_of(scope: Scope) -> str:
    """The template of the path, so that no id becomes a label."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else "/ui" if scope["path"].startswith("/ui") else "other"
