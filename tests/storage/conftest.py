"""Every storage test runs twice: on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator

import pytest

from app.storage.database import Database
from tests.support.databases import emptied
from tests.support.postgresql import cluster, drop_database, new_database, programs

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.server)]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a private cluster."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with cluster() as url:
        yield url


@pytest.fixture(params=ENGINES)
def empty_url(request, tmp_path) -> Iterator[str]:
    """The URL of a database of either engine without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/bingli.sqlite"
        return
    url = new_database(request.getfixturevalue("postgresql"))
    yield url
    drop_database(url)


@pytest.fixture(scope="session", params=ENGINES)
def shared_database(request, tmp_path_factory) -> Iterator[Database]:
    """A database of either engine, its tables made, that tests share."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('shared')}/bingli.sqlite"
    else:
        url = new_database(request.getfixturevalue("postgresql"))
    with Database(url) as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def database(shared_database) -> Iterator[Database]:
    """A database of either engine with empty tables."""
    yield shared_database
    emptied(shared_database)
