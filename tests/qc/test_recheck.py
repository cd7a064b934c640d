"""A record checked again after an edit gets the report that a first check would give."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.assembly import open_checker
from app.qc.engine import Checker
from app.qc.recheck import Rechecker
from app.qc.result import Report
from app.records.model import MedicalRecord
from app.records.readers import read_source
from app.resources import ROOT
from app.settings import Settings

STAYS = [
    *sorted((ROOT / "examples").glob("*.json")),
    *sorted((ROOT / "eval" / "data" / "stays").glob("*.json")),
]
RECORDS = [read_source(stay).record for stay in STAYS]


@pytest.fixture(scope="module")
def checker(tmp_path_factory) -> Iterator[Checker]:
    with open_checker(Settings(data_dir=tmp_path_factory.mktemp("data")), use_model=False) as opened:
        yield opened


def told(report: Report) -> tuple[object, ...]:
    return report.result, report.reasons, report.record


def with_text(record: MedicalRecord, number: int, text: str) -> MedicalRecord:
    documents = list(record.documents or ())
    documents[number] = documents[number].model_copy(update={"text": text})
    return record.model_copy(update={"documents": tuple(documents)})


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_edit_is_judged_as_by_a_first_check(checker, data):
    record = data.draw(st.sampled_from(RECORDS))
    again = Rechecker(checker)
    again.check(record)
    for _ in range(2):
        number = data.draw(st.integers(0, len(record.documents) - 1))
        text = record.documents[number].text
        cut = data.draw(st.integers(0, len(text)))
        words = data.draw(
            st.sampled_from(["", "否认青霉素过敏史。", "左侧肢体无力3天。", "\n体温：39.5℃", "XX"])
        )
        record = with_text(record, number, text[:cut] + words)
        assert told(again.check(record)) == told(checker.check(record))


@pytest.mark.parametrize("change", [
    {"patient": {"sex": "女", "age": "8岁"}},
    {"diagnoses": []},
    {"coverage": ["documents", "orders"]},
], ids=lambda change: next(iter(change)))  # fmt: skip
def test_a_change_of_the_data_is_judged_as_by_a_first_check(checker, change):
    again = Rechecker(checker)
    again.check(RECORDS[1])
    changed = MedicalRecord.model_validate({**RECORDS[1].model_dump(by_alias=True), **change})
    assert told(again.check(changed)) == told(checker.check(changed))


def test_a_removed_document_is_forgotten(checker):
    again = Rechecker(checker)
    again.check(RECORDS[3])
    fewer = RECORDS[3].model_copy(update={"documents": RECORDS[3].documents[1:]})
    assert told(again.check(fewer)) == told(checker.check(fewer))


def test_a_reordered_record_is_judged_in_its_order(checker):
    again = Rechecker(checker)
    again.check(RECORDS[2])
    turned = RECORDS[2].model_copy(update={"documents": RECORDS[2].documents[::-1]})
    assert told(again.check(turned)) == told(checker.check(turned))


def test_rules_ask_the_case_for_documents():
    """What is read past the case is not known to it, and a ruling on it would be kept when it changes."""
    folders = [ROOT / "app" / "qc" / name for name in ("checks", "facts", "specialty")]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    past = [
        file.name
        for file in files
        if re.search(r"record\.documents|timeline\.(?:events|cons)", file.read_text())
    ]
    assert files
    assert past == []


@pytest.mark.parametrize("number", range(len(RECORDS)))
def test_each_document_of_a_stay_edited_in_turn(checker, number):
    record = RECORDS[number]
    again = Rechecker(checker)
    again.check(record)
    for place, document in enumerate(record.documents):
        half = len(document.text) // 2
        record = with_text(
            record,
            place,
            document.text[:half] + "\n患者否认药物过敏。左侧胸痛。" + document.text[half + 40 :],
        )
        assert told(again.check(record)) == told(checker.check(record))
