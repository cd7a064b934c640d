"""Records are kept version by version, found by what lists ask, and seen by those who may."""

from datetime import UTC, datetime, timedelta

import pytest

from app.errors import Conflict, NotFound, UserError
from app.privacy.rights import Bounds
from app.records.model import MedicalRecord
from app.review.recall import RecallDesk
from app.storage.records import RecordFilter, RecordStore
from app.storage.states import Stage


def record(record_id: str = "R1", **changes: object) -> MedicalRecord:
    stay = {"department": "心内科", "ward": "一病区", "admitted_at": "2026-05-06T10:20:00+08:00"}
    author = {"id": "U17", "name": "王医师"}
    document = {"id": "D1", "type": "入院记录", "text": "主诉：胸痛3天。\x00", "author": author}
    given = {
        "record_id": record_id,
        "patient": {"name": "赵某"},
        "encounter": stay,
        "documents": [document],
        "diagnoses": [{"stage": "初步", "rank": 1, "name": "胸痛待查"}, {"stage": "出院", "name": "心绞痛"}],
    }
    return MedicalRecord.model_validate(given | changes)


@pytest.fixture
def store(database) -> RecordStore:
    return RecordStore(database)


def test_what_is_saved_is_what_is_got(store):
    store.save(record(), Stage.RUNNING, "u1")
    assert store.get("R1") == record()


def test_half_characters_and_unknown_fields_survive(store):
    odd = record(documents=[{"id": "D1", "type": "其他", "text": "\ud800x"}], vendor_field={"a": [1]})
    store.save(odd, Stage.RUNNING, "u1")
    assert store.get("R1") == odd


def test_every_version_stays_readable(store):
    store.save(record(), Stage.RUNNING, "u1")
    later = record(patient={"name": "赵某某"})
    assert store.save(later, Stage.RUNNING, "u2", version=1).version == 2
    assert (store.get("R1"), store.get("R1", 1)) == (later, record())
    with pytest.raises(NotFound):
        store.get("R1", 3)


def test_the_same_content_makes_no_version(store):
    first = store.save(record(), Stage.RUNNING, "u1")
    assert store.save(record(), Stage.RUNNING, "u2") == first


def test_another_stage_is_kept_without_a_new_version(store):
    store.save(record(), Stage.RUNNING, "u1")
    summary = store.save(record(), Stage.FINAL, "u1")
    assert (summary.stage, summary.version) == (Stage.FINAL, 1)


def test_the_second_of_two_writers_is_told(store):
    store.save(record(), Stage.RUNNING, "u1")
    store.save(record(patient={"name": "甲"}), Stage.RUNNING, "u1", version=1)
    with pytest.raises(Conflict):
        store.save(record(patient={"name": "乙"}), Stage.RUNNING, "u2", version=1)
    assert store.get("R1").patient.name == "甲"


def test_a_filed_record_is_not_changed_until_it_is_opened(store, database):
    filed = record(archived_at="2026-05-20T10:00:00+08:00")
    assert store.save(filed, Stage.FINAL, "u1").is_locked
    changed = record(archived_at="2026-05-20T10:00:00+08:00", patient={"name": "改"})
    with pytest.raises(Conflict):
        store.save(changed, Stage.FINAL, "u1")
    recalls = RecallDesk(database)
    asked = recalls.request("R1", "u1", "漏写一行")
    recalls.decide(asked.id, "u2", asked.version, is_approved=True)
    assert store.save(changed, Stage.FINAL, "u1").is_locked


@pytest.mark.parametrize("record_id", ["x" * 129, "a\x00b"])
def test_an_id_that_no_engine_could_keep_is_refused(store, record_id):
    with pytest.raises(UserError):
        store.save(record(record_id), Stage.RUNNING, "u1")


def test_long_and_odd_words_of_the_list_are_cut_not_refused(store):
    summary = store.save(record(patient={"name": "长" * 99 + "\x00"}), Stage.RUNNING, "u1")
    assert summary.patient_name == "长" * 64


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RecordFilter(), ["R3", "R2", "R1"]),
        (RecordFilter(department="骨科"), ["R2"]),
        (RecordFilter(person="id:U17"), ["R3", "R1"]),
        (RecordFilter(stage=Stage.FINAL), ["R3"]),
        (RecordFilter(text="心绞"), ["R3", "R2", "R1"]),
        (RecordFilter(text="钱"), ["R2"]),
        (RecordFilter(text="r3"), ["R3"]),
        (RecordFilter(text="100%"), []),
        (RecordFilter(text="_"), []),
        (RecordFilter(updated_since=datetime.now(UTC) + timedelta(days=1)), []),
    ],
)
def test_records_are_found_by_what_a_list_asks(store, wanted, found):
    store.save(record("R1"), Stage.RUNNING, "u1")
    other = {"id": "D1", "type": "入院记录", "text": "", "author": {"id": "U2", "name": "李"}}
    stay = {"department": "骨科"}
    store.save(record("R2", encounter=stay, patient={"name": "钱某"}, documents=[other]), Stage.RUNNING, "u1")
    store.save(record("R3"), Stage.FINAL, "u1")
    assert [summary.record_id for summary in store.page(wanted).items] == found


def test_pages_follow_one_another_without_gap_or_double(store):
    for number in range(7):
        store.save(record(f"R{number}"), Stage.RUNNING, "u1")
    seen, cursor = [], None
    while True:
        page = store.page(RecordFilter(), cursor, limit=3)
        seen += [summary.record_id for summary in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"R{number}" for number in reversed(range(7))]


@pytest.mark.parametrize("cursor", ["x", "1", "9999999999999999999999|R1", "|"])
def test_a_made_up_cursor_is_told(store, cursor):
    if cursor == "1":
        assert store.page(RecordFilter(), cursor).items == ()
        return
    with pytest.raises(UserError):
        store.page(RecordFilter(), cursor)


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_an_impossible_page_size_is_told(store, limit):
    with pytest.raises(UserError):
        store.page(RecordFilter(), limit=limit)


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        (None, []),
        (Bounds(), []),
        (Bounds(is_unlimited=True), ["R2", "R1"]),
        (Bounds(department="骨科"), ["R2"]),
        (Bounds(person="id:U17"), ["R1"]),
        (Bounds(person="id:U99"), []),
        (Bounds(named="name:李四", named_department="骨科"), ["R2"]),
        (Bounds(named="name:李四", named_department="心内科"), []),
        (Bounds(deidentified=True), ["R2"]),
        (Bounds(department="骨科", person="id:U17"), ["R2", "R1"]),
    ],
)
def test_a_reader_sees_what_the_bounds_admit(store, limits, found):
    store.save(record("R1"), Stage.RUNNING, "u1")
    unnumbered = {"id": "D1", "type": "入院记录", "text": "", "author": {"name": "李四"}}
    other = record("R2", encounter={"department": "骨科"}, documents=[unnumbered])
    store.save(other, Stage.RUNNING, "u1", is_deidentified=True)
    assert [summary.record_id for summary in store.page(RecordFilter(), bounds=limits).items] == found


def test_the_scope_names_everybody_a_record_belongs_to(store):
    store.save(record(), Stage.RUNNING, "u1")
    scope = store.scope("R1")
    assert (scope.department, scope.people, scope.is_deidentified) == ("心内科", {"id:U17"}, False)


@pytest.mark.parametrize("ask", ["get", "summary", "scope"])
def test_an_unknown_record_is_told(store, ask):
    with pytest.raises(NotFound):
        getattr(store, ask)("R9")
