"""The example stays: every planted defect is found, and nothing above a hint beside them."""

from collections.abc import Iterator

import pytest
import yaml

from app.assembly import open_checker
from app.qc.engine import Checker
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


@pytest.mark.parametrize("stay", STAYS, ids=lambda path: path.stem)
def test_no_prefix_of_a_document_makes_a_rule_fail(checker, stay):
    record = read_source(stay).record
    for share in (0.1, 0.37, 0.62, 0.9):
        cut = [d.model_copy(update={"text": d.text[: int(len(d.text) * share)]}) for d in record.documents]
        report = checker.check(record.model_copy(update={"documents": tuple(cut)}))
        assert "error" not in report.result.outcomes.values(), report.reasons
