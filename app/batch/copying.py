"""The rule that no record can be judged by alone: discussions copied from patient to patient (L-504)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.batch.store import RESULTS, Entry, Store
from app.batch.worker import OUTCOME_LETTERS, comparable, digest
from app.qc.copying_index import CopyingIndex, CopyMatch
from app.qc.engine import Checker
from app.qc.indicators import Indicator
from app.qc.result import Report, Result
from app.qc.ruling import defect
from app.records.model import MedicalRecord

CODE = "L-504"
_INDEX = "copying.sqlite"


def add_copies(store: Store, checker: Checker, indicators: tuple[Indicator, ...], folder: Path) -> None:
    """Compare the patients of the batch, and put what was copied into their results.

    Each record shows the closest of its matches. Doing it again changes nothing.
    """
    if CODE not in checker.rules:
        return
    closest = _closest_matches(store, folder)
    number = list(checker.rules).index(CODE)
    affected = {
        entry.place: entry
        for entry in store.entries()
        if entry.record_id in closest or entry.outcomes[number] == OUTCOME_LETTERS["defect"]
    }
    if not affected:
        return
    first_courses = (pair for pair in store.first_courses() if pair[0] in affected)
    amended = {
        place: _amended(comparable(first_course), affected[place], store, checker, closest)
        for place, first_course in first_courses
    }
    for place, report in amended.items():
        kept = digest(report, indicators)
        store.update(place, kept._replace())


def _closest_matches(store: Store, folder: Path) -> dict[str, CopyMatch]:
    return {}
