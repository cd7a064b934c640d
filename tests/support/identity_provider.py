"""An identity provider on this machine that signs what it is told to."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from joserfc import jwk, jwt

KEY = jwk.RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})


class Provider:
    """A provider that signs what it is told to; ``asked`` is the last authorization request."""

    def __init__(self) -> None:
        self.changes: dict[str, object] = {}
        self.described: dict[str, object] = {}
        self.key = KEY
        self.algorithm = "RS256"
        self.asked: dict[str, str] = {}
        self.posted: dict[str, str] = {}
        self.status = 200
        self.raw: bytes | None = None
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def visit(self, url: str) -> dict[str, str]:
        """What the browser brings back after the person agreed."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return {"code": "c0de", "state": self.asked["state"]}

    def answer(self, path: str) -> object:
        if path == "/.well-known/openid-configuration":
            endpoints = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            described = {name: f"{self.issuer}/{end}" for name, end in endpoints.items()}
            return {"issuer": self.issuer, **described, **self.described}
        if path == "/keys":
            return {"keys": [KEY.as_dict(private=False)]}
        return {"access_token": "a", "token_type": "Bearer", "id_token": self.token()}

    def token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": "bingli", "sub": "42", "iat": now, "exp": now + 60, "nonce": self.asked["nonce"],
            "preferred_username": "U17", "name": "王医师", "department": "心内科", "bingli_roles": ["医师", "qc", "admin"],
        }  # fmt: skip
        told = {name: value for name, value in (claims | self.changes).items() if value is not None}
        if self.algorithm == "none":
            return ".".join([*(_base64(json.dumps(part)) for part in ({"alg": "none"}, told)), ""])
        key = jwk.OctKey.import_key(b"k" * 32) if self.algorithm == "HS256" else self.key
        return jwt.encode({"alg": self.algorithm, "kid": "k1"}, told, key, algorithms=[self.algorithm])

    def verifier_fits(self) -> bool:
        digest = hashlib.sha256(self.posted["code_verifier"].encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.asked["code_challenge"]

    def _handler(provider) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send(provider.answer(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.posted = {name: values[0] for name, values in parse_qs(body).items()}
                provider.posted["authorization"] = self.headers.get("Authorization", "")
                self.send(provider.answer(self.path), provider.status)

            def send(self, content: object, status: int = 200) -> None:
                raw = provider.raw if provider.raw is not None else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *arguments) -> None:
                """Say nothing."""

        return Handler


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
