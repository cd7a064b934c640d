"""Signing in through an identity provider: a real one on this machine, honest or not."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwk, jwt

from app.errors import Conflict, Denied, UserError
from app.privacy.oidc import Identity, OidcClient, account_of
from app.privacy.rights import Account, Grant, Role
from app.settings import Settings
from app.storage.accounts import AccountStore
from app.storage.database import Database

REDIRECT = "http://127.0.0.1:8000/oidc/callback"
KEY = jwk.RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
OTHER_KEY = jwk.RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})


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


@pytest.fixture
def provider():
    opened = Provider()
    yield opened
    opened.close()


@pytest.fixture
def client(provider) -> OidcClient:
    return OidcClient(Settings(oidc_issuer=provider.issuer), REDIRECT)


def test_somebody_signs_in(provider, client):
    pending = client.begin()
    answer = provider.visit(pending.url)
    identity = client.finish(pending, answer)
    assert identity[1:] == ("U17", "王医师", "心内科", (Role.PHYSICIAN, Role.QC))
    assert provider.asked["redirect_uri"] == provider.posted["redirect_uri"] == REDIRECT
    assert (provider.asked["code_challenge_method"], provider.asked["response_type"]) == ("S256", "code")
    assert provider.verifier_fits()
    assert provider.posted["code"] == "c0de"


def test_a_secret_is_sent_as_basic_authentication(provider):
    client = OidcClient(Settings(oidc_issuer=provider.issuer, oidc_client_secret="geheim"), REDIRECT)
    pending = client.begin()
    client.finish(pending, provider.visit(pending.url))
    assert provider.posted["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://another.example"},
        {"aud": "another"},
        {"aud": ["bingli", "another"]},
        {"aud": ["bingli", "another"], "azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"nbf": 99999999999},
    ],
)
def test_a_token_that_is_not_for_us_now_is_refused(provider, client, changes):
    provider.changes = changes
    pending = client.begin()
    with pytest.raises(Denied):
        client.finish(pending, provider.visit(pending.url))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256"])
def test_a_token_that_the_provider_did_not_sign_is_refused(provider, client, algorithm):
    provider.algorithm, provider.key = algorithm, OTHER_KEY
    pending = client.begin()
    with pytest.raises(Denied):
        client.finish(pending, provider.visit(pending.url))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"code": "c0de"},
        {"code": "c0de", "state": "x"},
        {"code": "c0de", "state": "状"},
        {"error": "access_denied"},
    ],
)
def test_an_answer_to_no_question_of_ours_is_refused(client, answer):
    pending = client.begin()
    with pytest.raises(Denied):
        client.finish(pending, answer)


def test_a_refusal_of_the_provider_is_told(provider, client):
    pending = client.begin()
    state = provider.visit(pending.url)["state"]
    with pytest.raises(Denied):
        client.finish(pending, {"error": "access_denied", "state": state})
    provider.status = 400
    with pytest.raises(Denied, match="400"):
        client.finish(pending, {"code": "old", "state": state})


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"{}", b"null"])
def test_a_provider_that_talks_nonsense_is_told(provider, client, raw):
    provider.raw = raw
    with pytest.raises(UserError):
        client.begin()


@pytest.mark.parametrize(
    "described", [{"issuer": "https://another.example"}, {"token_endpoint": "http://another.example/t"}]
)
def test_a_provider_that_describes_itself_oddly_is_refused(provider, client, described):
    provider.described = described
    with pytest.raises(UserError):
        client.begin()


@pytest.mark.parametrize("issuer", [None, "http://idp.example", "ftp://127.0.0.1", "idp"])
def test_only_https_or_this_machine_is_an_issuer(issuer):
    with pytest.raises(UserError):
        OidcClient(Settings(oidc_issuer=issuer), REDIRECT)


def test_a_provider_that_is_not_there_is_told():
    with pytest.raises(UserError, match="无法连接"):
        OidcClient(Settings(oidc_issuer="http://127.0.0.1:1"), REDIRECT).begin()


WANG = Identity("s1", "U17", "王医师", "心内科", (Role.PHYSICIAN,))


@pytest.fixture
def store(tmp_path):
    with Database(f"sqlite:///{tmp_path}/bingli.sqlite") as database:
        database.migrate()
        yield AccountStore(database)


def test_the_first_sign_in_makes_the_account_and_later_ones_take_the_roles_over(store):
    first = account_of(WANG, store)
    assert (first.name, first.department, first.grants) == ("U17", "心内科", (Grant(role=Role.PHYSICIAN),))
    assert account_of(WANG, store).version == first.version
    later = account_of(WANG._replace(roles=(Role.QC,), department=None), store)
    assert (later.grants, later.department) == ((Grant(role=Role.QC),), "心内科")


def test_whoever_has_no_role_or_is_disabled_stays_out(store):
    with pytest.raises(Denied):
        account_of(WANG._replace(roles=()), store)
    account = account_of(WANG, store)
    store.save(account.model_copy(update={"is_disabled": True}))
    with pytest.raises(Denied):
        account_of(WANG, store)


def test_a_local_account_is_not_taken_over(store):
    store.save(Account(name="U17", display_name="别人"))
    with pytest.raises(Conflict):
        account_of(WANG, store)


def test_a_name_that_is_none_for_an_account_is_told(store):
    with pytest.raises(UserError):
        account_of(WANG._replace(name="王 医师"), store)
