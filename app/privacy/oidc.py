"""Signing in through the hospital's identity provider: OpenID Connect, authorization code with PKCE (RFC 7636)."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwk, jwt
from joserfc.errors import JoseError
from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import Denied, UserError
from app.privacy.rights import ROLE_TITLES, Account, Grant, Role
from app.settings import Settings
from app.storage.accounts import AccountStore

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
_TIMEOUT_SECONDS = 10.0
_CLOCK_SKEW_SECONDS = 60
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Pending(BaseModel):
    """A sign-in under way; the service keeps it in the browser's session until the provider answers.

    Attributes:
        url: where to send the browser.
    """

    model_config = ConfigDict(frozen=True)

    url: str
    state: str
    nonce: str
    verifier: str


class Identity(NamedTuple):
    """Who the provider says it is; ``subject`` is made of issuer and its ``sub``."""

    subject: str
    name: str
    display_name: str
    department: str | None
    roles: tuple[Role, ...]


class _Provider(BaseModel):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class OidcClient:
    """Talks to one provider; nothing is asked of it before the first sign-in."""

    def __init__(self, settings: Settings, redirect_uri: str) -> None:
        """Use the provider of the settings; ``redirect_uri`` is where it sends the browser back to.

        Raises:
            UserError: no issuer is set, or it is not reached by https.
        """
        if settings.oidc_issuer is None:
            raise UserError("没有设置统一身份认证，请设置 BINGLI_OIDC_ISSUER。")
        self._issuer = _safe(settings.oidc_issuer.rstrip("/"))
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._roles_claim = settings.oidc_roles_claim
        self._redirect_uri = redirect_uri

    def begin(self) -> Pending:
        """Start a sign-in.

        Raises:
            UserError: the provider cannot be reached, or gives no sensible description of itself.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {
            "response_type": "code",
            "scope": "openid profile",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        endpoint = self._provider().authorization_endpoint
        joint = "&" if urlsplit(endpoint).query else "?"
        return Pending(
            url=f"{endpoint}{joint}{urlencode(asked)}", state=state, nonce=nonce, verifier=verifier
        )

    def finish(self, pending: Pending, answer: Mapping[str, str]) -> Identity:
        """End a sign-in.

        Args:
            answer: the query parameters that the browser came back with.

        Raises:
            Denied: the provider refused, the answer belongs to no sign-in of ours, or its token does not hold.
            UserError: the provider cannot be reached.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            raise Denied("登录请求已失效，请重新登录。")
        if "code" not in answer:
            raise Denied("统一身份认证没有同意登录，请重新登录或联系管理员。")
        provider = self._provider()
        token = self._exchange(provider, answer["code"], pending.verifier)
        return self._identity(self._claims(provider, token, pending.nonce))

    def _provider(self) -> _Provider:
        described = self._json("GET", f"{self._issuer}/.well-known/openid-configuration")
        try:
            provider = _Provider.model_validate(described)
        except ValidationError as error:
            raise UserError(
                f"统一身份认证 {self._issuer} 的说明不完整，请检查 BINGLI_OIDC_ISSUER。"
            ) from error
        if provider.issuer.rstrip("/") != self._issuer:
            raise UserError(f"统一身份认证自称 {provider.issuer}，与 BINGLI_OIDC_ISSUER 不符，请更正设置。")
        for url in (provider.authorization_endpoint, provider.token_endpoint, provider.jwks_uri):
            _safe(url)
        return provider

    def _exchange(self, provider: _Provider, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "client_id": self._client_id,
            "code_verifier": verifier,
        }
        auth = (self._client_id, self._secret) if self._secret else None
        token = self._json("POST", provider.token_endpoint, data=form, auth=auth).get("id_token")
        if not isinstance(token, str):
            raise Denied("统一身份认证没有给出身份令牌，请重新登录或联系管理员。")
        return token

    def _claims(self, provider: _Provider, token: str, nonce: str) -> dict[str, Any]:
        expected = jwt.JWTClaimsRegistry(
            leeway=_CLOCK_SKEW_SECONDS,
            iss={"essential": True, "value": provider.issuer},
            aud={"essential": True, "value": self._client_id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            keys = jwk.KeySet.import_key_set(self._json("GET", provider.jwks_uri))  # type: ignore[arg-type]
            claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
            expected.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Denied("统一身份认证给出的身份令牌不可信，请重新登录或联系管理员。") from error
        if (
            isinstance(claims["aud"], list)
            and len(claims["aud"]) > 1
            and claims.get("azp") != self._client_id
        ):
            raise Denied("统一身份认证给出的身份令牌不是给本系统的，请重新登录或联系管理员。")
        return claims

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        name = claims.get("preferred_username") or claims["sub"]
        department = claims.get("department")
        return Identity(
            subject=hashlib.sha256(f"{self._issuer}\n{claims['sub']}".encode()).hexdigest(),
            name=str(name),
            display_name=str(claims.get("name") or name)[:64],
            department=str(department)[:64] if department else None,
            roles=_roles(claims.get(self._roles_claim)),
        )

    def _json(self, method: str, url: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401  # httpx's own
        try:
            response = httpx.request(method, url, timeout=_TIMEOUT_SECONDS, **request)
            response.raise_for_status()
            content = response.json()
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise Denied(f"统一身份认证拒绝了请求（状态 {status}），请重新登录或联系管理员。") from error
        except (httpx.HTTPError, ValueError) as error:
            raise UserError(
                f"无法连接统一身份认证 {self._issuer}（{type(error).__name__}），请稍后再试或用本地账号登录。"
            ) from error
        if not isinstance(content, dict):
            raise UserError(f"统一身份认证 {self._issuer} 的回答不是 JSON 对象，请联系管理员。")
        return content


def account_of(identity: Identity, store: AccountStore) -> Account:
    """The account of somebody who came through the provider, made at the first time; its roles are the provider's.

    Raises:
        Denied: the provider gives no role of ours, or the account is disabled.
        Conflict: a local account bears that name; an administrator ties them (``tie_subject``).
        UserError: the name is none for an account.
    """
    if not identity.roles:
        raise Denied("统一身份认证没有给这个账号授予角色，请联系管理员。")
    grants = tuple(Grant(role=role) for role in identity.roles)
    known = store.by_subject(identity.subject)
    if known is not None and known.is_disabled:
        raise Denied("这个账号已停用，请联系管理员。")
    if known is not None:
        changed = known.model_copy(
            update={"grants": grants, "department": identity.department or known.department}
        )
        return known if changed == known else store.save(changed)
    try:
        fresh = Account(
            name=identity.name,
            display_name=identity.display_name,
            department=identity.department,
            grants=grants,
        )
    except ValidationError as error:
        raise UserError("统一身份认证给出的账号名不可用，请联系管理员。") from error
    saved = store.save(fresh)
    store.tie_subject(saved.name, identity.subject)
    return saved


def _roles(claim: object) -> tuple[Role, ...]:
    """The roles in a claim, by their code or their Chinese title; what is no role of ours does not count."""
    given: Sequence[object] = claim if isinstance(claim, list) else [claim]
    by_title = {title: role for role, title in ROLE_TITLES.items()} | {role.value: role for role in Role}
    return tuple(
        dict.fromkeys(by_title[each] for each in given if isinstance(each, str) and each in by_title)
    )


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _safe(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise UserError(f"统一身份认证的网址 {url} 不是 https，请更正设置。")
    return url
