"""``bingli serve``: the service and the web workplace."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Model, NoModel, Profile
from app.cli.output import say, warn
from app.errors import UserError

if TYPE_CHECKING:
    import socket

    from app.settings import Settings

_FIRST_ACCOUNT = "admin"
_GRACE_SECONDS = 10
_KEPT_OPEN_SECONDS = 75
"""Longer than writers pause: a connection closed just as the next request goes out loses it."""


def serve(
    host: Annotated[str, typer.Option("--host", help="监听的地址；缺省只在本机")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="端口；0 为任一空闲端口")] = 8080,
    profile: Profile = None,
    model: Model = None,
    no_model: NoModel = False,
) -> None:
    """启动服务和网页工作台；首次启动建立管理员账号，并显示一次性口令。

    例：bingli serve --port 8080

    例：bingli serve --host 0.0.0.0 --model http://10.0.0.8:8000/v1
    """
    import uvicorn

    from app.settings import load_settings

    settings = load_settings(profile=profile, model=model)
    listening = _listening(host, port)
    _prepare_accounts(settings, host)
    from app.service.application import create_app

    config = uvicorn.Config(
        create_app(settings, use_model=not no_model),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=_KEPT_OPEN_SECONDS,
    )
    name, number = listening.getsockname()[:2]
    address = f"http://{f'[{name}]' if ':' in name else name}:{number}/"

    class Server(uvicorn.Server):
        """Says where it listens once it does."""

        async def startup(self, sockets: "list[socket.socket] | None" = None) -> None:
            await super().startup(sockets)
            if self.started:
                say(f"服务已启动：{address}（按 Ctrl+C 停止）")

    Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> "socket.socket":
    """A socket bound to the address.

    Raises:
        UserError: the address or the port cannot be had.
    """
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise UserError(
            f"不能监听 {host}:{port}（{error.strerror or error}），请换一个 --port 或 --host。"
        ) from error
    return bound


def _prepare_accounts(settings: "Settings", host: str) -> None:
    """The first administrator, where there is no account yet.

    Raises:
        UserError: other machines would reach a service that has no accounts.
    """
    from app.privacy.passwords import one_time_password
    from app.privacy.rights import Account, Grant, Role
    from app.storage.accounts import AccountStore
    from app.storage.database import open_database

    with open_database(settings) as database:
        accounts = AccountStore(database)
        if accounts.count():
            return
        if not _is_loopback(host):
            raise UserError(
                f"还没有账号，不能让别的机器访问（--host {host}）；请先在本机运行一次 bingli serve，或 bingli accounts add。"
            )
        password = one_time_password()
        first = Account(name=_FIRST_ACCOUNT, display_name="管理员", grants=(Grant(role=Role.ADMINISTRATOR),))
        accounts.save(first, password=password, must_change=True)
        warn(f"已建立管理员账号 {_FIRST_ACCOUNT}，一次性口令（只显示这一次）：{password}")


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
