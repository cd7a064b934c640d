"""A model server for tests: speaks the OpenAI protocol on loopback and misbehaves on demand.

    with ModelServer(Reply('{"v":"T"}')) as server:
        settings = Settings(model=server.url)
        ...
    assert server.requests[0]["max_tokens"] == 20

A script is one reply for every request, a list of replies (the last one repeats), or a function of the
request's JSON body.
"""

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Token:
    """A token of a reply with its probability and what else could have stood there (text → probability)."""

    text: str
    probability: float = 1.0
    others: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """One answer of the server.

    Attributes:
        text: what the model says; cut into ``tokens`` if those are given, else one token a character.
        tokens: the tokens that make up ``text``; they replace it.
        status: HTTP status; an error carries ``error`` in its body.
        finish_reason: ``length`` for an answer that was cut at max_tokens.
        body: sent as it is instead of a chat completion.
        cut: the connection closes in the middle of the body.
        hangs: no answer before the server is closed.
        has_logprobs: whether log-probabilities come along.
    """

    text: str = ""
    tokens: Sequence[Token] = ()
    status: int = 200
    error: str = "scripted error"
    finish_reason: str = "stop"
    body: str | None = None
    cut: bool = False
    hangs: bool = False
    has_logprobs: bool = True


Script = Reply | Sequence[Reply] | Callable[[dict[str, Any]], Reply]


class ModelServer:
    """The server; runs while its context is open. ``requests`` holds the bodies it was sent, in order."""

    def __init__(
        self,
        script: Script = Reply(),
        *,
        models: Sequence[str] = ("double",),
        api_key: str | None = None,
        owner: str = "double",
        adapters: Sequence[str] = (),
    ):
        self.requests: list[dict[str, Any]] = []
        self.models = list(models)
        self.api_key = api_key
        self.owner = owner
        self.adapters = list(adapters)
        self._script = script
        self._lock = threading.Lock()
        self._closing = threading.Event()
        handler = type("Handler", (_Handler,), {"double": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply_to(self, request: dict[str, Any]) -> Reply:
        with self._lock:
            self.requests.append(request)
            if callable(self._script):
                return self._script(request)
            if isinstance(self._script, Reply):
                return self._script
            return self._script[min(len(self.requests), len(self._script)) - 1]

    def wait_until_closed(self) -> None:
        self._closing.wait()


class _Handler(BaseHTTPRequestHandler):
    double: ModelServer

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        if not self._is_authorised():
            return
        body = self._adapter_files() if self.path == "/lora-adapters" else self._models()
        self._send(200, json.dumps(body))

    def _adapter_files(self) -> list[dict[str, Any]]:
        """As llama.cpp lists the files it has loaded."""
        return [{"id": i, "path": name, "scale": 0.0} for i, name in enumerate(self.double.adapters)]

    def _models(self) -> dict[str, Any]:
        """As vLLM lists models, and behind them the adapters of the first."""
        owner = {"owned_by": self.double.owner}
        models = [{"id": name, "parent": None, **owner} for name in self.double.models]
        adapted = [{"id": name, "parent": self.double.models[0], **owner} for name in self.double.adapters]
        return {"object": "list", "data": models + adapted}

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._is_authorised():
            return
        reply = self.double.reply_to(request)
        if reply.hangs:
            self.double.wait_until_closed()
            return
        if reply.status != 200:
            self._send(reply.status, json.dumps({"error": {"message": reply.error, "type": "scripted"}}))
            return
        self._send(200, json.dumps(_completion(reply)) if reply.body is None else reply.body, cut=reply.cut)

    def _is_authorised(self) -> bool:
        if self.double.api_key in (None, self.headers.get("Authorization", "").removeprefix("Bearer ")):
            return True
        self._send(401, json.dumps({"error": {"message": "wrong key", "type": "authentication"}}))
        return False

    def _send(self, status: int, body: str, *, cut: bool = False) -> None:
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw[: len(raw) // 2] if cut else raw)
        self.close_connection = True


def _completion(reply: Reply) -> dict[str, Any]:
    tokens = reply.tokens or [Token(character) for character in reply.text]
    text = "".join(token.text for token in tokens)
    logprobs = {"content": [_logprob(token) for token in tokens]} if reply.has_logprobs else None
    return {
        "id": "double",
        "object": "chat.completion",
        "created": 0,
        "model": "double",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": reply.finish_reason,
                "logprobs": logprobs,
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": len(tokens), "total_tokens": 7 + len(tokens)},
    }


def _logprob(token: Token) -> dict[str, Any]:
    chances = {token.text: token.probability} | dict(token.others)
    top = sorted(chances.items(), key=lambda item: -item[1])
    return _entry(token.text, token.probability) | {"top_logprobs": [_entry(*chance) for chance in top]}


def _entry(text: str, probability: float) -> dict[str, Any]:
    return {"token": text, "bytes": list(text.encode()), "logprob": math.log(probability)}
