"""Decisions are counted by rule and record, and given on as labels."""

import pytest

from app.review.feedback import LABEL_FORMAT, feedback, labels
from app.review.loop import ReviewLoop
from app.review.transitions import Step
from app.storage.dismissals import DismissalStore
from app.storage.fixes import FixStore
from app.storage.records import RecordStore
from app.storage.states import Stage
from tests.support.findings import finding, report_of, simple_record


def decided(database, step: Step, *record_ids: str, rule: str = "N-001") -> None:
    """One finding of ``rule`` in each record, decided about."""
    loop = ReviewLoop(database)
    for record_id in record_ids:
        record = simple_record(record_id)
        RecordStore(database).save(record, Stage.FINAL, "u1")
        name = f"{rule}{record_id}"
        loop.take_in(report_of([finding(rule, finding_id=name)], record), Stage.FINAL)
        loop.decide(name, "q", 1, step, "理由")


@pytest.mark.parametrize(
    ("accepted", "refused", "is_flagged"),
    [(0, 3, False), (0, 4, True), (1, 5, False), (1, 7, True), (4, 4, False), (5, 0, False)],
)
def test_a_rule_is_flagged_when_its_whole_interval_lies_above_one_half(
    database, accepted, refused, is_flagged
):
    decided(database, Step.STAND, *(f"A{n}" for n in range(accepted)))
    decided(database, Step.FALSE_ALARM, *(f"B{n}" for n in range(refused)))
    found = feedback(database)[0]
    assert (found.accepted, found.refused, found.is_mostly_refused) == (accepted, refused, is_flagged)
    assert found.refused_share == refused / (accepted + refused)
    assert found.interval.low <= found.refused_share <= found.interval.high


def test_the_most_refused_rule_comes_first_and_dismissals_do_not_enter_the_share(database):
    decided(database, Step.STAND, "A1", "A2", rule="F-001")
    decided(database, Step.FALSE_ALARM, "B1", "B2", rule="N-001")
    DismissalStore(database).add("L-001", "胸痛", "不适用", "u1")
    found = feedback(database)
    assert [each.rule for each in found] == ["N-001", "L-001", "F-001"]
    assert (found[1].refused_share, found[1].dismissed, found[1].is_mostly_refused) == (None, 1, False)


def test_what_writers_mended_is_counted_beside_what_they_dismissed(database):
    decided(database, Step.STAND, "A1", rule="F-001")
    FixStore(database).add("F-001", "", "u1", "A1")
    FixStore(database).add("L-001", "胸痛", "u1")
    found = {each.rule: each for each in feedback(database)}
    assert {code: (each.fixed, each.dismissed) for code, each in found.items()} == {
        "F-001": (1, 0),
        "L-001": (1, 0),
    }
    assert found["F-001"].refused_share == 0


def test_nothing_decided_nothing_said(database):
    assert feedback(database) == ()
    assert list(labels(database)) == []


def test_every_decision_is_a_label(database):
    decided(database, Step.STAND, "A1")
    decided(database, Step.FALSE_ALARM, "B1")
    found = list(labels(database))
    assert [(label["record_id"], label["rule"], label["is_defect"]) for label in found] == [
        ("A1", "N-001", True),
        ("B1", "N-001", False),
    ]
    assert found[0]["format"] == LABEL_FORMAT
    assert found[0]["evidence"] == [{"document_id": "D1", "start": 0, "end": 2, "quote": "主诉"}]
