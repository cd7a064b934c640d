"""A database with one record, for the correction loop."""

from collections.abc import Iterator

import pytest

from app.storage.database import Database
from app.storage.records import RecordStore
from app.storage.states import Stage
from tests.support.databases import emptied
from tests.support.findings import simple_record


@pytest.fixture(scope="session")
def shared_database(tmp_path_factory) -> Iterator[Database]:
    """A database whose tables are made once."""
    with Database(f"sqlite:///{tmp_path_factory.mktemp('review')}/bingli.sqlite") as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def database(shared_database) -> Iterator[Database]:
    """A database with the record R1 in it."""
    RecordStore(shared_database).save(simple_record(), Stage.RUNNING, "u1")
    yield shared_database
    emptied(shared_database)
