"""管理: accounts with their roles, and the audit log."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import gradio as gr
from pydantic import ValidationError

from app.drafting.draft import STATE_NAMES
from app.errors import UserError
from app.privacy.audit_log import AuditFilter
from app.privacy.rights import ACTION_TITLES, ROLE_TITLES, Account, Action, Grant, Role
from app.records.model import CHINA_TIME
from app.review.transitions import STEP_TITLES
from app.service.desk import Desk
from app.storage.states import STAGE_TITLES, STATE_TITLES
from app.ui.page import Opening, Page
from app.ui.panel import Fields, drawn, on_act, panel

_AT_ONCE = 30
_DONE: Mapping[str, str] = {
    **{action.value: title for action, title in ACTION_TITLES.items()},
    **{step.value: f"缺陷：{title}" for step, title in STEP_TITLES.items()},
    "read_finding": "查看缺陷",
    "export_draft": "导出草稿",
    "export_labels": "导出裁定结果",
    "start_audit": "开始批量质控",
    "resume_audit": "继续批量质控",
    "read_audit": "查看批量质控结果",
    "save_account": "保存账号",
    "open_token": "发放令牌",
    "revoke_token": "收回令牌",
    "deidentify": "去标识",
    "sign_in": "登录",
    "sign_in_failed": "登录失败",
    "sign_out": "退出",
    "change_password": "更换口令",
    "denied": "越权被拒",
}
"""What the entries of the log tell of, in words."""
_WORDS: Mapping[str, str] = {
    **_DONE,
    **{
        code.value: title
        for titles in (STATE_TITLES, STAGE_TITLES, ROLE_TITLES)
        for code, title in titles.items()
    },
    **{str(state): title for state, title in STATE_NAMES.items()},
    "report": "检查结果",
}
_CODE = re.compile("[a-z_]+")
_ASKED = ("actor", "object_id", "cursor")


class Editing(NamedTuple):
    """The account in the form; ``name`` is empty for a new one, ``grants`` give the last day of a role."""

    name: str = ""
    display_name: str = ""
    department: str | None = None
    grants: Mapping[Role, str | None] = {}
    is_disabled: bool = False
    version: int = 0


def build() -> Opening:
    """Everything in one region; what is asked of the log is kept between events."""
    asked = gr.State({})
    region = panel("bl-administration")
    on_act(region, act, [region, asked], [asked])
    return Opening(fill, [region, asked])


def fill(desk: Desk, query: Fields) -> list[object]:
    """Accounts and log."""
    return [_drawn(desk, {}), {}]


def act(desk: Desk, said: Fields, asked: Fields) -> list[object]:
    """Show the form, save it, turn the pages of the log, or verify it."""
    match said["act"]:
        case "new":
            return [_drawn(desk, asked, editing=Editing()), asked]
        case "edit":
            account = next(account for account in desk.accounts() if account.name == said["name"])
            return [_drawn(desk, asked, editing=_editing(account)), asked]
        case "save":
            told, secret = _save(desk, said)
            return [_drawn(desk, asked, said=told, secret=secret), asked]
        case "verify":
            broken = desk.verify_audit_log()
            verified = "" if broken is None else f"第 {broken.number} 条起不可信：{broken.why}"
            return [_drawn(desk, asked, verified=verified), asked]
        case "page":
            asked = {**asked, "cursor": said["cursor"]}
        case "log":
            asked = {name: said.get(name, "").strip() for name in _ASKED}
    return [_drawn(desk, asked), asked]


def _save(desk: Desk, said: Fields) -> tuple[str, str]:
    account = _account(said)
    if not account.version:
        return f"账号 {account.name} 已建立，一次性口令只显示这一次：", desk.new_account(account)
    desk.save_account(account)
    if said.get("reset") == "yes":
        return f"账号 {account.name} 已保存，新的一次性口令只显示这一次：", desk.reset_password(account.name)
    return f"账号 {account.name} 已保存。", ""


def _account(said: Fields) -> Account:
    grants = tuple(
        Grant(role=role, until=_end_of(said.get(f"until_{role}", "")))
        for role in Role
        if said.get(f"role_{role}") == "yes"
    )
    try:
        return Account(
            name=said["name"].strip(),
            display_name=said["display_name"].strip(),
            department=said.get("department", "").strip() or None,
            grants=grants,
            is_disabled=said.get("is_disabled") == "yes",
            version=int(said["version"]),
        )
    except ValidationError as error:
        raise UserError("工号只能用字母、数字和 . _ @ -，姓名不能为空，请更正后再保存。") from error


def _end_of(written: str) -> datetime | None:
    """The end of the day that the form names, so that a role still holds on it."""
    if not written:
        return None
    try:
        last = date.fromisoformat(written)
    except ValueError:
        raise UserError(f"到期日“{written}”不是日期，请重选。") from None
    return datetime.combine(last + timedelta(days=1), time(), CHINA_TIME)


def last_day(until: datetime) -> str:
    """The last day on which a role that ends at ``until`` holds."""
    return f"{until.astimezone(CHINA_TIME) - timedelta(microseconds=1):%Y-%m-%d}"


def _editing(account: Account) -> Editing:
    grants = {grant.role: last_day(grant.until) if grant.until else None for grant in account.grants}
    return Editing(
        account.name, account.display_name, account.department, grants, account.is_disabled, account.version
    )


def _drawn(
    desk: Desk,
    asked: Fields,
    *,
    editing: Editing | None = None,
    said: str = "",
    secret: str = "",
    verified: str | None = None,
) -> str:
    may_read = desk.may(Action.READ_AUDIT_LOG)
    wanted = AuditFilter(actor=asked.get("actor") or None, object_id=asked.get("object_id") or None)
    return drawn(
        "administration.html",
        accounts=desk.accounts() if desk.may(Action.MANAGE_ACCOUNTS) else None,
        roles=ROLE_TITLES,
        now=datetime.now(UTC),
        last_day=last_day,
        editing=editing,
        said=said,
        secret=secret,
        log=desk.audit_log(wanted, cursor=asked.get("cursor") or None, limit=_AT_ONCE) if may_read else None,
        asked=dict.fromkeys(_ASKED, "") | dict(asked),
        verified=verified,
        action=lambda code: _DONE.get(code, code),
        words=lambda detail: _CODE.sub(lambda code: _WORDS.get(code[0], code[0]), detail),
    )


PAGE = Page(
    "administration",
    "管理",
    "账号、角色与到期日；操作日志。",
    (Action.MANAGE_ACCOUNTS, Action.READ_AUDIT_LOG),
    build,
)
