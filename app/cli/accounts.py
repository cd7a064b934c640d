"""``bingli accounts``: who may sign in, and as what."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import Format, say
from app.errors import UserError

if TYPE_CHECKING:
    from app.privacy.audit_log import AuditLog
    from app.privacy.rights import Account, Grant
    from app.storage.accounts import AccountStore

accounts_app = typer.Typer(
    no_args_is_help=True, help="账号和权限。例：bingli accounts add U17 --display-name 王医师 --role 医师"
)

Name = Annotated[
    str, typer.Argument(help="账号，与病历中书写者的工号一致", metavar="NAME", show_default=False)
]
Roles = Annotated[
    list[str],
    typer.Option("--role", help="医师、科室主任、质控人员、评测人员或管理员，可重复", show_default=False),
]
Until = Annotated[
    datetime | None, typer.Option(help="这些角色的截止时间（当天起失效）；缺省长期", show_default=False)
]


@accounts_app.command()
def add(
    name: Name,
    display_name: Annotated[str, typer.Option("--display-name", help="姓名", show_default=False)],
    role: Roles,
    department: Annotated[str | None, typer.Option(help="科室", show_default=False)] = None,
    until: Until = None,
) -> None:
    """新建账号，打印一次性口令；首次登录时须改。

    例：bingli accounts add U17 --display-name 王医师 --department 心内科 --role 医师
    """
    from pydantic import ValidationError

    from app.privacy.passwords import one_time_password
    from app.privacy.rights import Account

    try:
        account = Account(
            name=name, display_name=display_name, department=department, grants=_grants(role, until)
        )
    except ValidationError as error:
        raise UserError(
            f"账号 {name} 不可用，请用 64 个以内的字母、数字、点、横线，姓名 1 到 64 个字。"
        ) from error
    password = one_time_password()
    with _opened() as (store, log):
        store.save(account, password=password, must_change=True)
        _note(log, "account_add", name, _said(account))
    say(f"一次性口令：{password}")


@accounts_app.command("list")
def list_accounts(
    output: Annotated[Format, typer.Option("--format", help="输出格式；json 每个账号一行")] = Format.TEXT,
) -> None:
    """列出账号和角色。

    例：bingli accounts list
    """
    with _opened() as (store, _):
        for account in store.all():
            said = f"{account.name}  {account.display_name}  {account.department or '—'}  {_said(account)}"
            say(
                json.dumps(account.model_dump(mode="json"), ensure_ascii=False)
                if output is Format.JSON
                else said
            )


@accounts_app.command()
def disable(name: Name) -> None:
    """停用账号；其登录和令牌立即失效。

    例：bingli accounts disable U17
    """
    with _opened() as (store, log):
        store.save(store.get(name).model_copy(update={"is_disabled": True}))
        _note(log, "account_disable", name)


@accounts_app.command()
def enable(name: Name) -> None:
    """重新启用账号。

    例：bingli accounts enable U17
    """
    with _opened() as (store, log):
        store.save(store.get(name).model_copy(update={"is_disabled": False}))
        _note(log, "account_enable", name)


@accounts_app.command()
def roles(name: Name, role: Roles, until: Until = None) -> None:
    """改为这些角色。

    例：bingli accounts roles U17 --role 医师 --role 质控人员 --until 2027-01-01
    """
    with _opened() as (store, log):
        account = store.save(store.get(name).model_copy(update={"grants": _grants(role, until)}))
        _note(log, "account_roles", name, _said(account))


@accounts_app.command()
def password(name: Name) -> None:
    """换成新的一次性口令并打印；其登录和令牌立即失效。

    例：bingli accounts password U17
    """
    from app.privacy.passwords import one_time_password

    new = one_time_password()
    with _opened() as (store, log):
        store.save(store.get(name), password=new, must_change=True)
        _note(log, "account_password", name)
    say(f"一次性口令：{new}")


@accounts_app.command()
def token(
    name: Name,
    title: Annotated[str, typer.Option(help="用途，如对接的系统", show_default=False)],
    days: Annotated[int, typer.Option(min=1, max=3650, help="有效天数")] = 365,
) -> None:
    """新建接口令牌并打印；只显示这一次。

    例：bingli accounts token emr --title 电子病历系统
    """
    from app.storage.accounts import TokenKind

    with _opened() as (store, log):
        made = store.open_token(name, TokenKind.API, timedelta(days=days), title)
        _note(log, "token_add", name, title)
    say(made)


@contextmanager
def _opened() -> "Iterator[tuple[AccountStore, AuditLog]]":
    from app.privacy.audit_log import AuditLog
    from app.privacy.keys import audit_key
    from app.settings import load_settings
    from app.storage.accounts import AccountStore
    from app.storage.database import open_database

    settings = load_settings()
    with open_database(settings) as database:
        yield AccountStore(database), AuditLog(database, audit_key(settings))


def _note(log: "AuditLog", action: str, name: str, detail: str = "") -> None:
    log.write(f"local:{getpass.getuser()}", action, "account", name, detail)


def _grants(written: list[str], until: datetime | None) -> "tuple[Grant, ...]":
    from app.privacy.rights import ROLE_TITLES, Grant

    by_title = {title: role for role, title in ROLE_TITLES.items()} | {
        role.value: role for role in ROLE_TITLES
    }
    unknown = [each for each in written if each not in by_title]
    if unknown:
        raise UserError(f"没有角色“{unknown[0]}”；可用的有：{'、'.join(ROLE_TITLES.values())}。")
    return tuple(Grant(role=by_title[each], until=until) for each in dict.fromkeys(written))


def _said(account: "Account") -> str:
    from app.privacy.rights import ROLE_TITLES
    from app.records.model import CHINA_TIME

    held = [
        ROLE_TITLES[grant.role]
        + (f"（至 {grant.until.astimezone(CHINA_TIME):%Y-%m-%d}）" if grant.until else "")
        for grant in account.grants
    ]
    return "、".join(held) + ("，已停用" if account.is_disabled else "")
