"""A real PostgreSQL under several writers at once: nothing is lost, nothing doubled, the second is told."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import Conflict, UserError
from app.privacy.audit_log import AuditLog
from app.privacy.keys import audit_key
from app.review.feedback import feedback
from app.review.loop import ReviewLoop
from app.review.recall import RecallDesk
from app.review.transitions import Step
from app.settings import Settings
from app.storage.database import Database, open_database
from app.storage.findings import FindingFilter, FindingStore
from app.storage.idempotency import IdempotencyStore
from app.storage.records import RecordStore
from app.storage.states import Stage, State
from tests.support.findings import finding, report_of, simple_record
from tests.support.postgresql import cluster, drop_database, new_database, programs

pytestmark = pytest.mark.server
WRITERS = 8


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a private cluster."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with cluster() as url:
        yield url


@pytest.fixture
def url(server) -> Iterator[str]:
    made = new_database(server)
    yield made
    drop_database(made)


@pytest.fixture
def database(url, tmp_path) -> Iterator[Database]:
    with open_database(Settings(database_url=url, data_dir=tmp_path)) as opened:
        yield opened


def at_once(do: Callable[[int], object]) -> list[object]:
    """What each of several threads got that began together: a result, or the error it was told."""
    together = threading.Barrier(WRITERS)

    def one(number: int) -> object:
        together.wait()
        try:
            return do(number)
        except UserError as error:
            return error

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(WRITERS)))


def test_several_services_that_start_at_once_migrate_once(url, tmp_path):
    def start(number: int) -> str:
        with open_database(Settings(database_url=url, data_dir=tmp_path)) as database:
            return str(database.is_sqlite)

    assert at_once(start) == ["False"] * WRITERS


def test_of_several_who_change_a_finding_at_once_one_is_first_and_the_others_are_told(database):
    RecordStore(database).save(simple_record(), Stage.RUNNING, "u1")
    loop = ReviewLoop(database)
    (name,) = loop.take_in(report_of([finding()]), Stage.RUNNING).raised
    got = at_once(lambda number: loop.decide(name, f"q{number}", 1, Step.FALSE_ALARM, "误报"))
    assert sum(isinstance(each, Conflict) for each in got) == WRITERS - 1
    work = loop.finding(name)
    assert (work.state, len(work.history)) == (State.FALSE_ALARM, 2)


def test_of_several_who_save_a_version_at_once_one_is_first(database):
    store = RecordStore(database)
    store.save(simple_record(), Stage.RUNNING, "u1")
    got = at_once(
        lambda n: store.save(simple_record(patient={"name": f"{n}"}), Stage.RUNNING, "u", version=1)
    )
    assert sum(isinstance(each, Conflict) for each in got) == WRITERS - 1
    assert store.summary("R1").version == 2


def test_of_several_who_save_a_new_record_at_once_nobody_breaks_it(database):
    store = RecordStore(database)
    got = at_once(lambda _: store.save(simple_record(), Stage.RUNNING, "u"))
    assert all(isinstance(each, Conflict) or each.version == 1 for each in got)
    assert store.get("R1") == simple_record()


def test_reports_taken_in_at_once_raise_a_finding_once(database):
    RecordStore(database).save(simple_record(), Stage.RUNNING, "u1")
    loop = ReviewLoop(database)
    got = at_once(lambda _: loop.take_in(report_of([finding()]), Stage.RUNNING))
    assert [len(each.raised) for each in got if not isinstance(each, Exception)].count(1) == 1


def test_a_log_written_by_many_at_once_is_whole(database, tmp_path):
    key = audit_key(Settings(data_dir=tmp_path))
    log = AuditLog(database, key)
    at_once(
        lambda number: [log.write(f"u{number}", "read_record", "record", f"R{turn}") for turn in range(5)]
    )
    assert log.verify() is None
    assert log.count() == WRITERS * 5


def test_a_key_claimed_by_many_at_once_is_given_to_one(database):
    store = IdempotencyStore(database)
    got = at_once(lambda _: store.begin("u1", "k", b"POST"))
    assert got.count(None) == 1
    assert sum(isinstance(each, Conflict) for each in got) == WRITERS - 1


def test_the_whole_loop_runs_on_postgresql(database):
    records, loop, desk = RecordStore(database), ReviewLoop(database), RecallDesk(database)
    filed = simple_record(archived_at="2026-05-20T10:00:00+08:00")
    records.save(filed, Stage.FINAL, "u1")
    (name,) = loop.take_in(report_of([finding()], filed), Stage.FINAL).raised
    loop.assign(name, "q1", 1)
    loop.appeal(name, "u1", 2, "现病史已写明", "D1")
    loop.decide(name, "q1", 3, Step.REJECT, "未写明")
    request = desk.request("R1", "u1", "按驳回意见补写")
    desk.decide(request.id, "q1", 1, is_approved=True)
    mended = simple_record(archived_at="2026-05-21T10:00:00+08:00", diagnoses=[{"name": "心绞痛"}])
    records.save(mended, Stage.FINAL, "u1", version=1)

    class Mended:
        def limited_to(self, codes):
            return self

        def check(self, record):
            return report_of([], record)

    work = loop.correct(name, "u1", 4, Mended())
    assert (work.state, work.is_present) == (State.CLOSED, False)
    assert [step.after for step in work.history][-3:] == [State.REJECTED, State.CORRECTED, State.CLOSED]
    assert feedback(database)[0].accepted == 1
    assert loop.overdue(work.updated_at).items == ()
    assert [each.id for each in FindingStore(database).page(FindingFilter(stage=Stage.FINAL)).items] == [name]


def test_a_server_that_went_away_is_told(server):
    lost = new_database(server)
    with Database(lost) as database:
        database.migrate()
        drop_database(lost)
        with pytest.raises(UserError, match="无法使用数据库"):
            RecordStore(database).summary("R1")
