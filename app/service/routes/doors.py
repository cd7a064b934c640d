"""Signing in and out, in the browser."""

import json
import secrets
from collections.abc import Mapping
from functools import cache
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader
from starlette.responses import Response

from app.errors import UserError
from app.privacy.oidc import Pending
from app.resources import ROOT
from app.service.authentication import (
    CHANGE_COOKIE,
    FORM_COOKIE,
    OIDC_COOKIE,
    SESSION_COOKIE,
    Door,
    account_name,
    csrf_token,
    has_csrf,
    parts_of,
    set_cookie,
)
from app.service.problems import TooOften

router = APIRouter(include_in_schema=False)

HOME = "/ui/"
_FORM_SECONDS = 3600
_STALE = "页面停留过久，请重新提交。"
_WRONG = "账号或口令不对，请重新输入。"
_PAGE_HEADERS = {"Cache-Control": "no-store", "X-Frame-Options": "SAMEORIGIN"}

Text = Annotated[str, Form()]


@router.get("/")
def home() -> RedirectResponse:
    """The workplace."""
    return RedirectResponse(HOME, 303)


@router.get("/login")
def login_page(request: Request, next: str = HOME) -> Response:  # noqa: A002  # as in the URL
    """The form; whoever is signed in already goes on."""
    if account_name(request):
        return RedirectResponse(_within(next), 303)
    return _login_form(request, next, None, 200)


@router.post("/login")
def login(
    request: Request,
    name: Text = "",
    password: Text = "",
    next: Text = HOME,  # noqa: A002
    csrf: Text = "",
) -> Response:
    """Sign in; with a one-time password, choose another first."""
    if not has_csrf(request, csrf):
        return _login_form(request, next, _STALE, 403)
    address = request.client.host if request.client else ""
    try:
        found = _door(request).sign_in(name.strip(), password, address)
    except TooOften as error:
        return _login_form(request, next, str(error), 429)
    if found is None:
        return _login_form(request, next, _WRONG, 401)
    if found.must_change_password:
        response = RedirectResponse("/password", 303)
        _door(request).remember(CHANGE_COOKIE, found.account.name, response, is_https=_is_https(request))
        return response
    response = RedirectResponse(_within(next), 303)
    _door(request).open_session(found.account.name, response, is_https=_is_https(request))
    return response


@router.get("/login/oidc")
def begin_oidc(request: Request, next: str = HOME) -> Response:  # noqa: A002
    """Go to the hospital's identity provider."""
    try:
        pending = _door(request).provider(_callback(request)).begin()
    except UserError as error:
        return _login_form(request, next, str(error), 503)
    response = RedirectResponse(pending.url, 303)
    said = json.dumps([pending.model_dump(), _within(next)])
    _door(request).remember(OIDC_COOKIE, said, response, is_https=_is_https(request))
    return response


@router.get("/login/oidc/callback")
def finish_oidc(request: Request) -> Response:
    """Come back from it, signed in."""
    door = _door(request)
    said = door.remembered(OIDC_COOKIE, request)
    if said is None:
        return _login_form(request, HOME, _STALE, 403)
    pending, target = json.loads(said)
    try:
        identity = door.provider(_callback(request)).finish(
            Pending.model_validate(pending), dict(request.query_params)
        )
        account = door.known_account(identity)
    except UserError as error:
        return _login_form(request, target, str(error), 403)
    response = RedirectResponse(target, 303)
    response.delete_cookie(OIDC_COOKIE)
    door.open_session(account.name, response, is_https=_is_https(request))
    return response


@router.post("/logout")
def logout(request: Request, csrf: Text = "") -> Response:
    """Sign out."""
    if not has_csrf(request, csrf):
        return RedirectResponse(HOME, 303)
    response = RedirectResponse("/login", 303)
    _door(request).end_session(request, response)
    return response


@router.get("/password")
def password_page(request: Request) -> Response:
    """The form to choose a new password."""
    name = _door(request).who_changes(request)
    return _password_form(request, name, None, 200) if name else RedirectResponse("/login", 303)


@router.post("/password")
def change_password(
    request: Request, old: Text = "", new: Text = "", again: Text = "", csrf: Text = ""
) -> Response:
    """Choose a new password; every other session of the account ends."""
    name = _door(request).who_changes(request)
    if name is None:
        return RedirectResponse("/login", 303)
    if not has_csrf(request, csrf):
        return _password_form(request, name, _STALE, 403)
    if new != again:
        return _password_form(request, name, "两次输入的新口令不同，请重新输入。", 422)
    parts = parts_of(request)
    try:
        parts.accounts.change_password(name, old, new)
    except UserError as error:
        return _password_form(request, name, str(error), 422)
    parts.log.write(name, "change_password", "account", name)
    response = RedirectResponse(HOME, 303)
    _door(request).open_session(name, response, is_https=_is_https(request))
    return response


def _login_form(request: Request, next: str, error: str | None, status: int) -> Response:  # noqa: A002
    has_oidc = parts_of(request).settings.oidc_issuer is not None
    return _form(request, "login.html", {"next": _within(next), "error": error, "oidc": has_oidc}, status)


def _password_form(request: Request, name: str, error: str | None, status: int) -> Response:
    return _form(request, "password.html", {"name": name, "error": error}, status)


def _form(request: Request, template: str, values: Mapping[str, object], status: int) -> Response:
    """A form with a CSRF token; before sign-in the token follows from a cookie that comes with the form."""
    has_secret = request.cookies.get(SESSION_COOKIE) or request.cookies.get(FORM_COOKIE)
    secret = None if has_secret else secrets.token_urlsafe(32)
    if secret:
        request.cookies[FORM_COOKIE] = secret
    page = _templates().get_template(template).render(**values, csrf=csrf_token(request))
    response = HTMLResponse(page, status, headers=_PAGE_HEADERS)
    if secret:
        set_cookie(response, FORM_COOKIE, secret, _FORM_SECONDS, is_https=_is_https(request))
    return response


def _callback(request: Request) -> str:
    return str(request.url_for("finish_oidc"))


def _within(target: str) -> str:
    """Where to go after signing in: a path of this service, nowhere else."""
    parts = urlsplit(target)
    is_own = (
        not parts.scheme
        and not parts.netloc
        and target.startswith("/")
        and not target.startswith(("//", "/\\"))
    )
    return target if is_own else HOME


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"


def _door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


@cache
def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(ROOT / "app" / "ui" / "templates"), autoescape=True)
