"""The rule that no record can be judged by alone: discussions copied from patient to patient (L-504)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from app.batch.store import RESULTS, Store
from app.batch.worker import OUTCOME_LETTERS, comparable, digest
from app.qc.copying_index import CopyingIndex, Discussion, with_peers
from app.qc.engine import Checker
from app.qc.indicators import Indicator
from app.qc.result import Report, Result
from app.qc.rule import Rule
from app.qc.ruling import Outcome
from app.records.model import MedicalRecord

CODE = "L-504"
_INDEX = "copying.sqlite"


def compare_patients(store: Store, checker: Checker, indicators: tuple[Indicator, ...], folder: Path) -> None:
    """Judge the copying between the patients of a batch, and put it into their results.

    Doing it again changes nothing.
    """
    rule = checker.rules.get(CODE)
    if rule is None:
        return
    number = list(checker.rules).index(CODE)

    def judged(place: str, line: bytes) -> bytes:
        entry = next(store.entries("place = ?", (place,)))
        if entry.first_course is None:
            return line
        record = comparable(entry.first_course)
        part = _compared(checker, rule, record, index.peers(record))
        letter = OUTCOME_LETTERS[part.result.outcomes[CODE]]
        if letter == entry.outcomes[number] != OUTCOME_LETTERS["defect"]:
            return line
        whole = Report(record, Result.model_validate_json(line), json.loads(entry.reasons), 0.0, {})
        checked = digest(checker.updated(whole, part), indicators)
        store.update(place, checked)
        return checked.result.encode()

    with _index(folder / _INDEX) as index:
        for first_course in store.first_courses():
            index.add(comparable(first_course))
        store.rewrite(RESULTS, judged)


def _compared(
    checker: Checker, rule: Rule, record: MedicalRecord, peers: tuple[Discussion, ...] | None
) -> Report:
    """The rule on one record: passed where there are others to compare with and none says the same."""
    part = checker.check_rule(rule, with_peers(record, peers or ()))
    if peers is None or peers:
        return part
    outcomes: dict[str, Outcome] = {CODE: "pass"}
    return replace(part, result=part.result.model_copy(update={"outcomes": outcomes}), reasons={})


@contextmanager
def _index(path: Path) -> Iterator[CopyingIndex]:
    """An index on disk that is gone afterwards; a stop before its end leaves one that is not used again."""
    _remove(path)
    try:
        with CopyingIndex(path) as index:
            yield index
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    for companion in ("", "-wal", "-shm"):
        path.with_name(path.name + companion).unlink(missing_ok=True)
