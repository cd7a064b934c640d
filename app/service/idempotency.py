"""Writes that a client may repeat: the header Idempotency-Key makes the second a replay of the first's answer."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from app.errors import UserError
from app.service.authentication import caller_of, parts_of
from app.storage.idempotency import IdempotencyStore, StoredAnswer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_LONGEST_KEY = 128
_WRITES = ("POST", "PUT", "PATCH", "DELETE")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class RepeatableRoute(APIRoute):
    """A route whose writes honour the header; streams are answered anew each time."""

    def get_route_handler(self) -> Handler:
        """The handler, with the replay before it."""
        handle = super().get_route_handler()

        async def repeatable(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if key is None or request.method not in _WRITES:
                return await handle(request)
            return await _once(request, key, handle)

        return repeatable


async def _once(request: Request, key: str, handle: Handler) -> Response:
    if not 1 <= len(key) <= _LONGEST_KEY:
        raise UserError(f"{HEADER} 需要 1 到 {_LONGEST_KEY} 个字符，请更正。")
    caller = await run_in_threadpool(caller_of, request)
    if caller is None:
        return await handle(request)
    store, name = parts_of(request).idempotency, caller.account.name
    what = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + await request.body()
    known = await run_in_threadpool(store.begin, name, key, what)
    if known is not None:
        replay = Response(known.body, known.status, media_type=known.content_type)
        replay.headers[REPLAYED] = "true"
        return replay
    try:
        response = await handle(request)
    except BaseException:
        await run_in_threadpool(store.abandon, name, key)
        raise
    await run_in_threadpool(_keep, store, name, key, response)
    return response


def _keep(store: IdempotencyStore, name: str, key: str, response: Response) -> None:
    body = getattr(response, "body", None)
    if not isinstance(body, bytes) or response.status_code >= 400:
        store.abandon(name, key)
        return
    content_type = response.headers.get("content-type", "application/json")
    store.finish(name, key, StoredAnswer(response.status_code, content_type, body))
