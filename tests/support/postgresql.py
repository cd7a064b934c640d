"""A private PostgreSQL cluster on a free port of this machine, gone when the tests are over."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

_USER = "bingli"
_FOLDERS = ("/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin")
_STEWARDS = ("postgres", "nobody")


def programs() -> tuple[str, str] | None:
    """Where ``initdb`` and ``pg_ctl`` are; ``None`` where PostgreSQL is not installed."""
    places = os.pathsep.join([*_FOLDERS, os.environ.get("PATH", "")])
    initdb, pg_ctl = (shutil.which(name, path=places) for name in ("initdb", "pg_ctl"))
    return (initdb, pg_ctl) if initdb and pg_ctl else None


@contextmanager
def cluster() -> Iterator[str]:
    """Start a cluster; gives the URL of its first database, in ``postgresql+psycopg`` form."""
    found = programs()
    assert found, "PostgreSQL is not installed"
    initdb, pg_ctl = found
    with tempfile.TemporaryDirectory(prefix="bingli-pg-", ignore_cleanup_errors=True) as folder:
        data = f"{folder}/data"
        _hand_over(folder)
        _as_steward(initdb, "-D", data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        port = _free_port()
        options = (
            f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        )
        _as_steward(pg_ctl, "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{_USER}@127.0.0.1:{port}/postgres"
        finally:
            _as_steward(pg_ctl, "-D", data, "-w", "-m", "immediate", "stop")


def new_database(url: str) -> str:
    """An empty database in the cluster; gives its URL."""
    import psycopg

    name = f"test_{uuid4().hex}"
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return url.rpartition("/")[0] + f"/{name}"


def drop_database(url: str) -> None:
    """Remove a database that ``new_database`` made."""
    import psycopg

    place, _, name = url.rpartition("/")
    with psycopg.connect(_plain(f"{place}/postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql", 1)


def _steward() -> list[str]:
    """The prefix that runs a command as somebody else: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    user = _steward_entry()
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _steward_entry() -> pwd.struct_passwd:
    for name in _STEWARDS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("no user to run PostgreSQL as")


def _hand_over(folder: str) -> None:
    if os.geteuid() == 0:
        os.chown(folder, _steward_entry().pw_uid, _steward_entry().pw_gid)


def _as_steward(*command: str) -> None:
    subprocess.run([*_steward(), *command], check=True, stdout=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
