"""The example stays: every planted defect is found, and nothing above a hint beside them."""

from collections.abc import Iterator

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.assembly import open_checker
from app.qc.engine import Checker
from app.records.model import MedicalRecord
from app.records.readers import read_source
from app.resources import ROOT
from app.settings import Settings

STAYS = sorted((ROOT / "examples").glob("*.json"))


@pytest.fixture(scope="module")
def checker(tmp_path_factory) -> Iterator[Checker]:
    with open_checker(Settings(data_dir=tmp_path_factory.mktemp("data")), use_model=False) as opened:
        yield opened


def planted(stay) -> set[str]:
    listed = stay.with_suffix(".defects.yaml")
    return (
        {entry["rule"] for entry in yaml.safe_load(listed.read_text("utf-8"))} if listed.exists() else set()
    )


def test_there_are_four():
    assert len(STAYS) == 4


@pytest.mark.parametrize("stay", STAYS, ids=lambda path: path.stem)
def test_planted_defects_and_no_others(checker, stay):
    findings = checker.check(read_source(stay).record).result.findings
    found = {finding.rule for finding in findings}
    above_hint = {finding.rule for finding in findings if finding.severity != "hint"}
    assert planted(stay) - found == set()
    assert above_hint - planted(stay) == set()


@pytest.mark.parametrize("stay", STAYS, ids=lambda path: path.stem)
def test_an_example_reads_without_a_warning(stay):
    assert read_source(stay).warnings == ()


RECORDS = [read_source(stay).record for stay in STAYS]


def no_rule_fails_on(checker: Checker, record: MedicalRecord) -> None:
    report = checker.check(record)
    assert "error" not in report.result.outcomes.values(), report.reasons


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_prefix_of_a_document_makes_a_rule_fail(checker, data):
    record = data.draw(st.sampled_from(RECORDS))
    ends = data.draw(
        st.lists(st.floats(0, 1), min_size=len(record.documents), max_size=len(record.documents))
    )
    cut = (
        document.model_copy(update={"text": document.text[: int(len(document.text) * end)]})
        for document, end in zip(record.documents, ends, strict=True)
    )
    no_rule_fails_on(checker, record.model_copy(update={"documents": tuple(cut)}))


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_prefix_of_a_record_makes_a_rule_fail(checker, data):
    record = data.draw(st.sampled_from(RECORDS))
    number = data.draw(st.integers(0, len(record.documents)))
    if number and data.draw(st.booleans()):
        *whole, last = record.documents[:number]
        end = data.draw(st.integers(0, len(last.text)))
        documents = (*whole, last.model_copy(update={"text": last.text[:end]}))
    else:
        documents = record.documents[:number]
    no_rule_fails_on(checker, record.model_copy(update={"documents": documents}))
