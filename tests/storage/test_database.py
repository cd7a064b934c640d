"""The database opens, migrates once, keeps transactions whole, and says in a sentence what is wrong."""

import stat
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.errors import Conflict, UserError
from app.settings import Settings
from app.storage.columns import PackedJson, UtcMoment, column_text
from app.storage.database import Database, open_database
from app.storage.tables import RuleSwitchRow, Table


def test_the_migrations_make_the_tables_that_the_program_knows(empty_url):
    with Database(empty_url) as database:
        database.migrate()
        with database.session() as session:
            context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
            assert compare_metadata(context, Table.metadata) == []


def test_migrating_twice_changes_nothing(empty_url):
    with Database(empty_url) as database:
        database.migrate()
        add_switch(database)
        database.migrate()
        assert count(database) == 1


def test_tables_of_a_later_version_are_refused(empty_url):
    with Database(empty_url) as database:
        database.migrate()
        with database.session() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(UserError, match="比本程序新"):
            database.migrate()


def test_an_error_rolls_everything_back(database):
    with pytest.raises(Conflict), database.session() as session:
        session.add_all([switch(code="N-002"), switch(changed_by=None)])
    assert count(database) == 0


def test_a_reader_does_not_wait_for_a_writer(database):
    with database.session() as writing:
        writing.add(switch())
        writing.flush()
        assert count(database) == 0
    assert count(database) == 1


def test_two_writers_come_one_after_the_other(database):
    add_switch(database)
    with database.session() as session:
        row = session.get_one(RuleSwitchRow, "N-001", with_for_update=True)
        row.version += 1
    with database.session() as session:
        assert session.get_one(RuleSwitchRow, "N-001").version == 2


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 5, 6, 10, 20, 30, 123456, tzinfo=timezone(timedelta(hours=8))),
        datetime(1961, 3, 2, tzinfo=UTC),
        datetime(2999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-11))),
    ],
)
def test_a_moment_comes_back_as_the_same_moment_in_utc(database, moment):
    with database.session() as session:
        session.add(switch(changed_at=moment))
    with database.reading() as session:
        kept = session.get_one(RuleSwitchRow, "N-001").changed_at
    assert (kept, kept.tzinfo) == (moment, UTC)


def test_a_moment_without_a_zone_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="aware"):
        UtcMoment().process_bind_param(datetime(2026, 5, 6), None)  # noqa: DTZ001


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_packed_json_comes_back(value):
    column = PackedJson()
    assert column.process_result_value(column.process_bind_param(value, None), None) == value


@given(st.text(alphabet=st.characters(codec=None)), st.integers(1, 20))
def test_column_text_can_be_kept_by_every_engine(raw, limit):
    kept = column_text(raw, limit)
    assert kept is not None
    assert len(kept) <= limit
    assert "\x00" not in kept
    kept.encode("utf-8")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nothing", "不是数据库地址"),
        ("mysql://a:b@c/d", "不支持"),
        ("postgresql://a:b@c/d", "不支持"),
        ("postgresql+psycopg://somebody:geheim@127.0.0.1:1/none", "无法使用数据库"),
        ("sqlite:////proc/none/bingli.sqlite", "无法使用数据库"),
    ],
)
def test_a_database_that_cannot_be_opened_is_told_in_a_sentence(url, said):
    with pytest.raises(UserError, match=said) as caught:
        open_database(Settings(database_url=url))
    assert "geheim" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "bingli.sqlite").write_text("不是数据库" * 100)
    with pytest.raises(UserError, match="无法使用数据库"):
        open_database(Settings(data_dir=tmp_path))


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="无法打开数据库"):
        open_database(Settings(data_dir=tmp_path / "file" / "data"))


def test_the_embedded_database_is_readable_by_its_owner_only(settings):
    with open_database(settings) as database, database.session() as session:
        session.add(switch())
        session.flush()
        files = list(settings.data_dir.glob("bingli.sqlite*"))
        assert len(files) > 1
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1


def switch(**changes) -> RuleSwitchRow:
    given_values = {"code": "N-001", "is_enabled": True, "version": 1, "changed_by": "q"}
    return RuleSwitchRow(**({"changed_at": datetime.now(UTC)} | given_values | changes))


def add_switch(database: Database) -> None:
    with database.session() as session:
        session.add(switch())


def count(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(text("SELECT count(*) FROM rule_switches"))
