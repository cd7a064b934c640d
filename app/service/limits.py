"""How much and how often: the size of bodies, the rate of requests, the attempts to sign in."""

import contextlib
import threading
import time
from collections import OrderedDict, deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.service.problems import problem_response

_MIB = 1 << 20
_KEYS_KEPT = 10_000
_UPLOADS = ("/v1/audits", "/ui/gradio_api/upload")


class TooLarge(Exception):  # noqa: N818  # as the status is called
    """A body grew beyond the limit while it was read."""


class BodyLimit:
    """Answers 413 to a body that is too large, by its announced length or while it comes."""

    def __init__(self, app: ASGIApp, largest_mib: int, largest_upload_mib: int) -> None:
        self._app = app
        self._largest = largest_mib
        self._largest_upload = largest_upload_mib

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most_mib = self._largest_upload if scope["path"] in _UPLOADS else self._largest
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > most_mib * _MIB:
            await self._refuse(scope, receive, send, most_mib)
            return
        received = 0
        has_begun = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most_mib * _MIB:
                raise TooLarge
            return message

        async def unless_too_large(message: Message) -> None:
            # What reads the body may answer a failure to read it in its own way.
            nonlocal has_begun
            if has_begun or received <= most_mib * _MIB:
                has_begun = True
                await send(message)

        with contextlib.suppress(TooLarge):
            await self._app(scope, counted, unless_too_large)
        if not has_begun and received > most_mib * _MIB:
            await self._refuse(scope, receive, send, most_mib)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, most_mib: int) -> None:
        response = problem_response(413, f"请求超过 {most_mib} MiB，请分批提交。", scope["path"])
        response.headers["Connection"] = "close"
        await response(scope, receive, send)


class Rate:
    """At most so many events a key in a stretch of time; safe for several threads."""

    def __init__(self, most: int, seconds: float) -> None:
        """Allow ``most`` events in any ``seconds``."""
        self._most = most
        self._seconds = seconds
        self._events: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_seconds(self, key: str) -> float:
        """How long until another event is allowed; 0 where it is now. Counts nothing."""
        with self._lock:
            events = self._recent(key)
            return events[0] + self._seconds - time.monotonic() if len(events) >= self._most else 0.0

    def count(self, key: str) -> None:
        """Count an event."""
        with self._lock:
            self._recent(key).append(time.monotonic())

    def forget(self, key: str) -> None:
        """Begin anew with a key."""
        with self._lock:
            self._events.pop(key, None)

    def _recent(self, key: str) -> deque[float]:
        events = self._events.setdefault(key, deque())
        self._events.move_to_end(key)
        while len(self._events) > _KEYS_KEPT:
            self._events.popitem(last=False)
        oldest = time.monotonic() - self._seconds
        while events and events[0] <= oldest:
            events.popleft()
        return events
