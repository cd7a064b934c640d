"""Who sends a request: an API token in the header, or the session cookie of a browser.

Tokens are random and kept as hashes. A request that changes something by cookie must carry the CSRF token, which
follows from the session and which no other site can read.
"""

import base64
import hmac
import time
from datetime import timedelta
from typing import Annotated, NamedTuple

from fastapi import Depends, Request
from starlette.responses import Response

from app.errors import Denied
from app.privacy.keys import kept_key
from app.privacy.oidc import Identity, OidcClient, account_of
from app.privacy.rights import Account
from app.service.desk import Desk
from app.service.limits import Rate
from app.service.parts import Parts
from app.service.problems import SignInNeeded, TooOften
from app.storage.accounts import SignIn, TokenKind

SESSION_COOKIE = "bingli_session"
FORM_COOKIE = "bingli_form"
CHANGE_COOKIE = "bingli_change"
OIDC_COOKIE = "bingli_oidc"
CSRF_HEADER = "X-CSRF-Token"
PARTS_KEY = "bingli.parts"
"""Where a request's scope holds the parts; mounted applications see it too."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_REMEMBERED_SECONDS = 600
_ATTEMPTS, _ATTEMPTS_SECONDS = 5, 300.0
_ADDRESS_ATTEMPTS = 30
_SIGN_IN = "请先登录，或在请求头 Authorization 中给出有效的令牌。"


class Caller(NamedTuple):
    """Who calls, and by what."""

    account: Account
    token: str
    by_cookie: bool


def parts_of(request: Request) -> Parts:
    """The open parts of the service that got the request."""
    parts: Parts = request.scope[PARTS_KEY]
    return parts


def caller_of(request: Request) -> Caller | None:
    """Who sent the request, with the rights of this moment; ``None`` where that cannot be told."""
    accounts = parts_of(request).accounts
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        account = accounts.by_token(token.strip(), TokenKind.API)
        return Caller(account, token, by_cookie=False) if account else None
    session = request.cookies.get(SESSION_COOKIE)
    known = accounts.by_token(session, TokenKind.SESSION) if session else None
    return Caller(known, session, by_cookie=True) if known and session else None


def account_name(request: Request) -> str | None:
    """The name of who is signed in in the browser; ``None`` when signed out, run out or disabled."""
    caller = caller_of(request)
    return caller.account.name if caller else None


def csrf_token(request: Request) -> str:
    """What a form or script of this session sends along; before sign-in it follows from the form's cookie."""
    secret = request.cookies.get(SESSION_COOKIE) or request.cookies.get(FORM_COOKIE) or ""
    return hmac.digest(secret.encode(), b"bingli csrf", "sha256").hex() if secret else ""


def has_csrf(request: Request, given: str | None) -> bool:
    """Whether what a form sent along is this session's."""
    wanted = csrf_token(request)
    return bool(wanted) and hmac.compare_digest(wanted.encode(), (given or "").encode())


def signed_in(request: Request) -> Caller:
    """The caller; counts the request.

    Raises:
        SignInNeeded: nobody is signed in.
        Denied: a change by cookie without its CSRF token.
        TooOften: more requests than the setting allows.
    """
    caller = caller_of(request)
    if caller is None:
        raise SignInNeeded(_SIGN_IN)
    is_change = request.method not in _SAFE_METHODS
    if caller.by_cookie and is_change and not has_csrf(request, request.headers.get(CSRF_HEADER)):
        raise Denied(f"请求缺少 {CSRF_HEADER}，请刷新页面后重试。")
    rate: Rate = request.app.state.rate
    wait = rate.wait_seconds(caller.account.name)
    if wait > 0:
        raise TooOften("请求过于频繁，请稍后再试。", wait)
    rate.count(caller.account.name)
    return caller


async def desk(request: Request, caller: Annotated[Caller, Depends(signed_in)]) -> Desk:
    """The desk of the caller."""
    return Desk(parts_of(request), caller.account)


SignedDesk = Annotated[Desk, Depends(desk)]


class Door:
    """Sign-in: counts failures, opens and ends sessions, and writes both into the audit log."""

    def __init__(self, parts: Parts) -> None:
        """Work with the accounts of ``parts``."""
        self._parts = parts
        self._by_name = Rate(_ATTEMPTS, _ATTEMPTS_SECONDS)
        self._by_address = Rate(_ADDRESS_ATTEMPTS, _ATTEMPTS_SECONDS)
        self._providers: dict[str, OidcClient] = {}
        self._key = kept_key(parts.settings.data_dir / "service.key")

    def sign_in(self, name: str, password: str, address: str) -> SignIn | None:
        """The account of name and password; ``None`` without saying which is wrong.

        Raises:
            TooOften: too many failures for this name or from this address.
        """
        wait = max(self._by_name.wait_seconds(name), self._by_address.wait_seconds(address))
        if wait > 0:
            raise TooOften(f"登录失败次数过多，请 {max(1, round(wait / 60))} 分钟后再试。", wait)
        found = self._parts.accounts.sign_in(name, password)
        if found is None:
            self._by_name.count(name)
            self._by_address.count(address)
            self._parts.log.write(name, "sign_in_failed", "account", name, address)
        else:
            self._by_name.forget(name)
        return found

    def open_session(self, name: str, response: Response, *, is_https: bool) -> None:
        """Sign an account in: set its cookie on ``response``."""
        lifetime = timedelta(hours=self._parts.settings.session_hours)
        token = self._parts.accounts.open_token(name, TokenKind.SESSION, lifetime, "浏览器")
        seconds = round(lifetime.total_seconds())
        set_cookie(response, SESSION_COOKIE, token, seconds, is_https=is_https)
        response.delete_cookie(CHANGE_COOKIE)
        self._parts.log.write(name, "sign_in", "account", name)

    def end_session(self, request: Request, response: Response) -> None:
        """Sign out."""
        caller = caller_of(request)
        if caller and caller.by_cookie:
            self._parts.accounts.close_token(caller.token)
            self._parts.log.write(caller.account.name, "sign_out", "account", caller.account.name)
        response.delete_cookie(SESSION_COOKIE)

    def remember(self, cookie: str, said: str, response: Response, *, is_https: bool) -> None:
        """Let the browser hold something for some minutes that it cannot change."""
        ends = int(time.time()) + _REMEMBERED_SECONDS
        content = base64.urlsafe_b64encode(f"{cookie}|{ends}|{said}".encode()).decode()
        value = f"{content}.{self._seal(content)}"
        set_cookie(response, cookie, value, _REMEMBERED_SECONDS, is_https=is_https)

    def remembered(self, cookie: str, request: Request) -> str | None:
        """What the browser held, unless it was changed or is too old."""
        content, _, seal = request.cookies.get(cookie, "").rpartition(".")
        if not content or not hmac.compare_digest(seal.encode(), self._seal(content).encode()):
            return None
        name, ends, said = base64.urlsafe_b64decode(content).decode().split("|", 2)
        return said if name == cookie and int(ends) > time.time() else None

    def who_changes(self, request: Request) -> str | None:
        """Who may choose a new password now: who just proved itself, or is signed in."""
        return self.remembered(CHANGE_COOKIE, request) or account_name(request)

    def provider(self, redirect_uri: str) -> OidcClient:
        """The hospital's identity provider, which sends browsers back to ``redirect_uri``.

        Raises:
            UserError: the settings name none.
        """
        if redirect_uri not in self._providers:
            self._providers[redirect_uri] = OidcClient(self._parts.settings, redirect_uri)
        return self._providers[redirect_uri]

    def known_account(self, identity: Identity) -> Account:
        """The account of somebody whom the identity provider vouches for.

        Raises:
            Denied, Conflict: as ``app.privacy.oidc.account_of``.
        """
        return account_of(identity, self._parts.accounts)

    def _seal(self, content: str) -> str:
        return hmac.digest(self._key, content.encode(), "sha256").hex()


def set_cookie(response: Response, name: str, value: str, seconds: int, *, is_https: bool) -> None:
    """A cookie that no script reads and that other sites do not send along with changes."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=is_https
    )
