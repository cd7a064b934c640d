"""The database: SQLite in the data folder, or PostgreSQL by URL; the same tables, the same behaviour."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from app.errors import Conflict, UserError
from app.settings import Settings
from app.storage.private_file import make_private

DATABASE_FILE = "bingli.sqlite"
MIGRATIONS = Path(__file__).with_name("migrations")
_SCHEMES = ("sqlite", "postgresql+psycopg")
_LOCK_TIMEOUT_SECONDS = 30
_CONNECT_TIMEOUT_SECONDS = 5
_CONNECTIONS = 10
_MIGRATION_LOCK = 0x62696E67


class Database:
    """One database, safe for many threads.

    Raises:
        UserError: the URL is none, or of an engine that bingli does not know.
    """

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        self._engine = _engine(self._url)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of one machine."""
        return self._url.get_backend_name() == "sqlite"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction that writes: committed at the end, rolled back on an error.

        SQLite takes its write lock at the beginning, so that what was read still holds when it is written.

        Raises:
            Conflict: somebody else stored the same thing at the same moment.
            UserError: the database cannot be reached, or is locked for too long.
        """
        with self._reported(), self._sessions.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads; it waits for no writer.

        Raises:
            UserError: the database cannot be reached.
        """
        with self._reported(), self._sessions() as session:
            session.connection(execution_options={"bingli_reads": True})
            yield session

    def migrate(self) -> None:
        """Bring the tables up to this version of the program; of several processes one does it.

        Raises:
            UserError: the tables are of a later version, or the database cannot be reached.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        try:
            with self._reported(), self._engine.begin() as connection:
                self._lock_migrations(connection)
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError as error:
            raise UserError(f"数据库 {self} 的结构比本程序新（{error}），请升级 bingli 后再打开。") from error

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __str__(self) -> str:
        return self._url.render_as_string(hide_password=True)

    def _lock_migrations(self, connection: Connection) -> None:
        if not self.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise Conflict("同一内容刚被他人保存，请刷新后再操作。") from error
        except (ProgrammingError, DataError):
            raise
        except (DatabaseError, NoConnectionError) as error:
            raise UserError(
                f"无法使用数据库 {self}（{_cause(error)}），请检查地址、权限和磁盘空间。"
            ) from error


def open_database(settings: Settings) -> Database:
    """The database of the settings, its tables up to date.

    Raises:
        UserError: it cannot be opened, or is of a later version.
    """
    database = Database(settings.database_url or _file_url(settings.data_dir))
    try:
        database.migrate()
    except UserError:
        database.close()
        raise
    return database


def _file_url(folder: Path) -> str:
    path = folder / DATABASE_FILE
    try:
        make_private(path)
    except OSError as error:
        raise UserError(f"无法打开数据库 {path}（{error.strerror}），请检查该文件夹的权限。") from error
    return URL.create("sqlite", database=str(path)).render_as_string()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UserError(
            "设置 database_url 不是数据库地址，请写成 postgresql+psycopg://用户:口令@主机/库名。"
        ) from None
    if parsed.drivername not in _SCHEMES:
        raise UserError(
            f"设置 database_url 的类型 {parsed.drivername} 不支持，请用 postgresql+psycopg://… 或 sqlite:///文件。"
        )
    return parsed


def _engine(url: URL) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = (
        {"timeout": _LOCK_TIMEOUT_SECONDS, "isolation_level": None}
        if is_sqlite
        else {"connect_timeout": _CONNECT_TIMEOUT_SECONDS, "options": "-c timezone=utc"}
    )
    try:
        engine = create_engine(
            url,
            connect_args=arguments,
            pool_size=_CONNECTIONS,
            max_overflow=_CONNECTIONS,
            pool_pre_ping=not is_sqlite,
            hide_parameters=True,
        )
    except (ImportError, NoSuchModuleError) as error:
        raise UserError('使用 PostgreSQL 需要驱动，请运行 pip install "bingli[postgresql]"。') from error
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("bingli_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _cause(error: DatabaseError | NoConnectionError) -> str:
    said = str(getattr(error, "orig", None) or "").strip()
    return said.splitlines()[0] if said else type(error).__name__
