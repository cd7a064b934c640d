"""Whatever is altered, removed, put in or moved in the audit log is found."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app.errors import UserError
from app.privacy.audit_log import AuditFilter, AuditLog
from app.privacy.keys import audit_key, kept_key
from app.storage.database import Database
from app.storage.tables import AuditEntryRow, AuditHeadRow
from tests.support.databases import emptied

KEY = b"k" * 32
N = 6


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with Database(f"sqlite:///{tmp_path_factory.mktemp('log')}/bingli.sqlite") as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def database(shared):
    yield shared
    emptied(shared)


def filled(database: Database, n: int = N) -> AuditLog:
    emptied(database)
    log = AuditLog(database, KEY)
    for number in range(n):
        log.write(f"u{number % 2}", "read_record", "record", f"R{number}", "查看")
    return log


def test_an_empty_log_is_whole(database):
    assert AuditLog(database, KEY).verify() is None


def test_what_was_written_is_whole_and_listed_newest_first(database):
    log = filled(database)
    assert log.verify() is None
    assert log.count() == N
    page = log.page(AuditFilter(), limit=4)
    assert [entry.object_id for entry in page.items] == ["R5", "R4", "R3", "R2"]
    assert [entry.number for entry in log.page(AuditFilter(), page.next_cursor).items] == [2, 1]
    assert [entry.number for entry, _ in log.entries()] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"actor": "u0"}, [5, 3, 1]),
        ({"object_id": "R3"}, [4]),
        ({"action": "read_record", "object_kind": "record"}, [6, 5, 4, 3, 2, 1]),
        ({"actor": "nobody"}, []),
    ],
)
def test_entries_are_found(database, wanted, numbers):
    assert [entry.number for entry in filled(database).page(AuditFilter(**wanted)).items] == numbers


def test_entries_are_found_by_time(database):
    log = filled(database)
    third = log.page(AuditFilter(object_id="R2")).items[0].at
    assert [entry.number for entry in log.page(AuditFilter(before=third)).items] == [2, 1]
    assert [entry.number for entry in log.page(AuditFilter(since=third)).items] == [6, 5, 4, 3]


def test_long_and_odd_words_are_cut_and_still_whole(database):
    log = AuditLog(database, KEY)
    log.write("u" * 99, "a" * 99, "k\x00", "\ud800" * 200, "x" * 999)
    assert log.verify() is None


def alter(column: str):
    def do(session, number: int) -> None:
        row = session.get_one(AuditEntryRow, number)
        value = getattr(row, column)
        changed = (
            value + timedelta(microseconds=1)
            if column == "at"
            else value[:-1] + b"x"
            if column == "seal"
            else f"{value}x"
        )
        setattr(row, column, changed)

    return do


def remove(session, number: int) -> None:
    session.execute(delete(AuditEntryRow).where(AuditEntryRow.number == number))


def remove_and_close_the_gap(session, number: int) -> None:
    remove(session, number)
    for row in session.scalars(
        select(AuditEntryRow).where(AuditEntryRow.number > number).order_by("number")
    ).all():
        row.number -= 1
        session.flush()
    session.get_one(AuditHeadRow, 1).entries -= 1


def put_in(session, number: int) -> None:
    rows = session.scalars(select(AuditEntryRow).where(AuditEntryRow.number > number)).all()
    for row in sorted(rows, key=lambda row: -row.number):
        row.number += 1
        session.flush()
    copied = session.get_one(AuditEntryRow, number)
    values = {column.key: getattr(copied, column.key) for column in AuditEntryRow.__table__.columns}
    session.add(AuditEntryRow(**(values | {"number": number + 1})))


def cut_off(session, number: int) -> None:
    session.execute(delete(AuditEntryRow).where(AuditEntryRow.number >= number))


def cut_off_and_correct_the_end(session, number: int) -> None:
    cut_off(session, number)
    session.get_one(AuditHeadRow, 1).entries = number - 1


def swap(session, number: int) -> None:
    first, second = session.get_one(AuditEntryRow, number), session.get_one(AuditEntryRow, number % N + 1)
    columns = ("at", "actor", "action", "object_kind", "object_id", "detail", "seal")
    for column in columns:
        one, other = getattr(first, column), getattr(second, column)
        setattr(first, column, other)
        setattr(second, column, one)


def drop_the_end(session, number: int) -> None:
    session.execute(delete(AuditHeadRow))


TAMPERINGS = [
    *(alter(c) for c in ("at", "actor", "action", "object_kind", "object_id", "detail", "seal")),
    remove, remove_and_close_the_gap, put_in, cut_off, cut_off_and_correct_the_end, swap, drop_the_end,
]  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tampering=st.sampled_from(TAMPERINGS), number=st.integers(1, N))
def test_every_tampering_is_found_at_or_before_its_place(database, tampering, number):
    log = filled(database)
    with database.session() as session:
        tampering(session, number)
    broken = log.verify()
    assert broken is not None
    assert broken.number <= number + 1 or tampering in (swap, drop_the_end)


def test_another_key_seals_nothing_of_ours(database):
    filled(database)
    assert AuditLog(database, b"x" * 32).verify() is not None


def test_a_key_is_made_once_and_readable_by_its_owner_only(settings):
    key = audit_key(settings)
    assert len(key) == 32
    assert audit_key(settings) == key
    assert (settings.data_dir / "audit.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "00", "不是密钥", "zz" * 32])
def test_a_damaged_key_is_told(tmp_path, content):
    (tmp_path / "a.key").write_text(content)
    with pytest.raises(UserError):
        kept_key(tmp_path / "a.key")


def test_a_key_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError):
        kept_key(tmp_path / "file" / "a.key")
