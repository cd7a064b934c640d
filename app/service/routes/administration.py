"""Accounts, their tokens, and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.errors import UserError
from app.privacy.audit_log import AuditEntry, AuditFilter
from app.privacy.rights import Account, Action
from app.service.authentication import SignedDesk
from app.service.idempotency import RepeatableRoute
from app.service.routes.records import Cursor, Limit
from app.storage.accounts import TokenInfo
from app.storage.paging import Page

router = APIRouter(prefix="/v1", tags=["管理"], route_class=RepeatableRoute)


class Me(BaseModel):
    """Who the caller is, and what it may do."""

    account: Account
    may: tuple[Action, ...]


class OneTimePassword(BaseModel):
    """An account with the password for its next sign-in, which has to be changed there."""

    account: Account
    password: str


class TokenOrder(BaseModel):
    """A token for another system."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"title": "电子病历系统", "days": 365}]}
    )

    title: str = Field(min_length=1, max_length=128)
    days: int = Field(default=365, ge=1, le=3650)


class OpenedToken(BaseModel):
    """A new token; it is shown this once."""

    token: str


class Verification(BaseModel):
    """Whether the audit log is whole, and if not, the first entry that is not as it was written."""

    is_whole: bool
    number: int | None = None
    why: str = ""


@router.get("/me", summary="我是谁，能做什么")
def me(desk: SignedDesk) -> Me:
    """The caller's account and rights."""
    return Me(account=desk.account, may=tuple(action for action in Action if desk.may(action)))


@router.get("/accounts", summary="全部账号")
def accounts(desk: SignedDesk) -> tuple[Account, ...]:
    """Every account."""
    return desk.accounts()


@router.post("/accounts", summary="新建账号，返回一次性口令", status_code=201)
def new_account(desk: SignedDesk, account: Account) -> OneTimePassword:
    """A new account; its password has to be changed at the first sign-in."""
    password = desk.new_account(account)
    return OneTimePassword(account=_named(desk, account.name), password=password)


@router.put("/accounts/{name}", summary="修改账号：科室、角色及截止时间、停用")
def save_account(desk: SignedDesk, name: str, account: Account) -> Account:
    """A changed account; ``version`` is the one that the caller saw."""
    if account.name != name:
        raise UserError(f"网址中的账号 {name} 与内容中的 {account.name} 不同，请核对。")
    return desk.save_account(account)


@router.post("/accounts/{name}/password", summary="重设口令，返回一次性口令")
def reset_password(desk: SignedDesk, name: str) -> OneTimePassword:
    """A password for one sign-in; the account is signed out everywhere."""
    password = desk.reset_password(name)
    return OneTimePassword(account=_named(desk, name), password=password)


@router.get("/accounts/{name}/tokens", summary="账号的会话和令牌")
def tokens(desk: SignedDesk, name: str) -> tuple[TokenInfo, ...]:
    """The sessions and API tokens of an account."""
    return desk.tokens(name)


@router.post("/accounts/{name}/tokens", summary="发放接口令牌，只显示这一次", status_code=201)
def open_token(desk: SignedDesk, name: str, order: TokenOrder) -> OpenedToken:
    """A token by which another system calls in the name of the account."""
    return OpenedToken(token=desk.open_token(name, order.title, order.days))


@router.delete("/accounts/{name}/tokens/{digest}", summary="收回令牌或会话", status_code=204)
def revoke_token(desk: SignedDesk, name: str, digest: str) -> None:
    """Take a token or session back."""
    desk.revoke_token(name, digest)


@router.get("/audit-log", summary="操作日志：最新的在前")
def audit_log(
    desk: SignedDesk, wanted: Annotated[AuditFilter, Query()], cursor: Cursor = None, limit: Limit = 50
) -> Page[AuditEntry]:
    """What was done, by whom, to what."""
    return desk.audit_log(wanted, cursor, limit)


@router.get("/audit-log/verification", summary="操作日志是否完整")
def verify_audit_log(desk: SignedDesk) -> Verification:
    """Look through the whole chain of seals."""
    broken = desk.verify_audit_log()
    return Verification(
        is_whole=broken is None, number=broken and broken.number, why=broken.why if broken else ""
    )


def _named(desk: SignedDesk, name: str) -> Account:
    return next(account for account in desk.accounts() if account.name == name)
