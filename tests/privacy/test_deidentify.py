"""Nobody is left in a de-identified record, and everything a rule compares still fits together."""

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assembly import open_checker
from app.privacy.deidentify import Deidentifier, shifted_date
from app.privacy.recognisers import Kind, recognise
from app.records.model import MedicalRecord
from app.records.readers import read_record
from app.records.readers.json_record import parse_record
from app.settings import Settings

KEY = b"k" * 32
AROUND = date(2026, 5, 12)
EXAMPLES = (
    "01-普外科-胆囊结石.json",
    "02-神经内科-脑梗死.json",
    "03-消化内科-上消化道出血.json",
    "04-骨科-股骨颈骨折.json",
)


@pytest.fixture(params=EXAMPLES)
def stay(request, examples) -> MedicalRecord:
    return read_record(examples / request.param)


def as_text(record: MedicalRecord) -> str:
    return json.dumps(record.model_dump(mode="json"), ensure_ascii=False)


def people_of(record: MedicalRecord) -> Iterator[str | None]:
    yield from (record.patient.name, record.patient.id, record.patient.id_number, record.record_id)
    for document in record.documents or ():
        yield document.author.name if document.author else None
        yield document.author.id if document.author else None
        yield from (signature.name for signature in document.signatures or ())
        yield from (participant.name for participant in document.participants or ())
    for procedure in record.procedures or ():
        yield from (procedure.surgeon, procedure.anesthetist, *(procedure.assistants or ()))
        yield from (implant.barcode for implant in procedure.implants or ())
    yield from (order.ordered_by for order in record.orders or ())
    front = record.front_page.model_dump() if record.front_page else {}
    yield from (
        front.get(name) for name in ("contact_name", "coder", "medical_record_number", "medical_institution")
    )


def test_no_name_and_no_number_of_an_example_is_left(stay):
    whole = as_text(Deidentifier(KEY).record(stay).record)
    left = {
        person
        for person in people_of(stay)
        if person and len(person) > 1 and person != "-" and person in whole
    }
    assert left == set()
    assert "观澜" not in whole
    assert "桐溪" not in whole


def test_what_is_left_of_an_example_is_not_recognised_again(stay):
    record = Deidentifier(KEY).record(stay).record
    for document in record.documents or ():
        for identifier in recognise(document.text):
            written = identifier.span.of(document.text)
            assert identifier.kind is Kind.DATE or written.startswith(("某", "DEID")), written


def test_the_rules_find_the_same_in_an_example_as_before(stay, tmp_path):
    with open_checker(Settings(data_dir=tmp_path), use_model=False) as checker:
        before = checker.check(stay).result
        after = checker.check(Deidentifier(KEY).record(stay).record).result
    assert [finding.rule for finding in after.findings] == [finding.rule for finding in before.findings]
    assert after.score == before.score


def test_the_same_key_gives_the_same_record_another_key_another(stay):
    first, again = (Deidentifier(KEY).record(stay).record for _ in range(2))
    assert first == again
    assert Deidentifier(b"x" * 32).record(stay).record.record_id != first.record_id


def test_intervals_and_weekdays_stay(stay):
    record = Deidentifier(KEY).record(stay).record
    shift = record.encounter.admitted_at - stay.encounter.admitted_at
    assert shift % timedelta(weeks=1) == timedelta(0)
    assert shift < timedelta(0)
    moved = [
        d.written_at - o.written_at
        for d, o in zip(record.documents, stay.documents, strict=True)
        if o.written_at
    ]
    assert set(moved) == {shift}
    assert record.patient.birth_date - stay.patient.birth_date == shift


def test_every_stay_of_a_patient_moves_alike():
    first, second = (person(record_id=name) for name in "ab")
    one, other = (Deidentifier(KEY).record(record).record for record in (first, second))
    assert one.encounter.admitted_at == other.encounter.admitted_at
    assert one.patient.id == other.patient.id
    assert one.record_id != other.record_id


def person(**changes) -> MedicalRecord:
    given_values = {
        "record_id": "R1",
        "patient": {"id": "P1", "name": "甄大川", "id_number": "11010519491231002X", "mobile": "13800001234"},
        "encounter": {"admitted_at": "2026-01-03T08:00:00+08:00", "department": "骨科"},
        "documents": [
            {
                "id": "R1-D1",
                "type": "入院记录",
                "text": "姓名：甄大川\n陪同者甄小舟。家属：甄小舟，电话13800001234。",
            }
        ],
        "front_page": {
            "name": "甄大川",
            "phone": "13800001234",
            "birthplace": "观澜市",
            "current_address": "-",
            "xm": "甄大川",
        },
        "diagnoses": [{"name": "高血压", "stage": "出院"}],
    }
    return parse_record(given_values | changes, "test")[0]


def test_fields_of_unknown_meaning_are_left_out_and_told():
    done = Deidentifier(KEY).record(person(vendor={"who": "甄大川"}))
    assert set(done.left_out) == {"patient.mobile", "front_page.xm", "vendor"}
    assert "甄" not in as_text(done.record)
    assert "13800001234" not in as_text(done.record)


def test_one_person_has_one_pseudonym_in_fields_and_texts():
    record = Deidentifier(KEY).record(person()).record
    assert record.documents[0].text.startswith(f"姓名：{record.patient.name}\n")
    assert len(set(re.findall("陪同者(某.)。家属：(某.)", record.documents[0].text)[0])) == 1
    assert record.front_page.model_dump()["name"] == record.patient.name


def test_a_reference_that_holds_the_number_of_the_record_does_not_keep_it():
    record = person(record_id="ZY2026-1", documents=[{"id": "ZY2026-1-D1", "type": "其他", "text": ""}])
    assert Deidentifier(KEY).record(record).record.documents[0].id.startswith("DEID")


def test_what_says_nothing_stays_and_what_names_a_thing_stays():
    record = Deidentifier(KEY).record(person()).record
    front = record.front_page.model_dump()
    assert (front["current_address"], front["birthplace"], front["phone"]) == ("-", "〔略〕", "〔略〕")
    assert record.diagnoses[0].name == "高血压"


def test_a_record_without_anything_is_no_trouble():
    done = Deidentifier(KEY).record(MedicalRecord(record_id="R"))
    assert done.counts == {}
    assert done.record.record_id != "R"


@pytest.mark.parametrize(
    ("written", "moved"),
    [
        ("2026-05-12", "2026-05-05"),
        ("2026-05-12 15:06", "2026-05-05 15:06"),
        ("2026年5月6日", "2026年4月29日"),
        ("2026年05月06日08时", "2026年04月29日08时"),
        ("2026/5/6", "2026/4/29"),
        ("5月6日", "4月29日"),
        ("1月3日", "12月27日"),
        ("05-06 10:20", "04-29 10:20"),
        ("20260506", "20260429"),
        ("2019年3月", "2019年3月"),
        ("2019年3月份", "2019年3月份"),
        ("2026年1月1日", "2025年12月25日"),
        ("２０２６-０５-１２", "2026-05-05"),
        ("3月7日", "2月28日"),  # 2026 is no leap year
        ("2026年2月30日", "2026年2月30日"),  # no day of the calendar
        ("13月45日", "13月45日"),
    ],
)
def test_a_date_moves_in_the_form_it_is_written_in(written, moved):
    assert shifted_date(written, timedelta(weeks=-1), AROUND) == moved


def test_a_note_on_its_own_keeps_everything_but_people():
    replaced = Deidentifier(KEY).text("患者张三丰，男，63岁。张三丰诉腹痛3天。血压120/80mmHg。")
    assert replaced.text == "患者某甲，男，63岁。某甲诉腹痛3天。血压120/80mmHg。"
    assert [identifier.kind for identifier in replaced.identifiers] == [Kind.NAME, Kind.NAME]


@given(st.text(alphabet="姓名：甄大川张三，男63岁。签主任医师2026年5月-/ 1380观市路号𬌗a@.\n", max_size=80))
def test_what_lies_between_the_identifiers_stays_as_it_is(text):
    replaced = Deidentifier(KEY).text(text)
    end, rest = 0, []
    for identifier in replaced.identifiers:
        rest.append(text[end : identifier.span.start])
        end = identifier.span.end
    rest.append(text[end:])
    place = 0
    for part in rest:
        place = replaced.text.index(part, place) + len(part)
    assert replaced.text.endswith(rest[-1])
