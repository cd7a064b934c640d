"""The rule that no record can be judged by alone: discussions copied from patient to patient (L-504)."""

import json
from pathlib import Path

from app.batch.store import RESULTS, Entry, Store
from app.batch.worker import OUTCOME_LETTERS, comparable, digest
from app.qc.copying_index import CopyingIndex, CopyMatch
from app.qc.engine import Checker
from app.qc.indicators import Indicator
from app.qc.result import Report, Result
from app.qc.ruling import defect, not_applicable

CODE = "L-504"
_INDEX = "copying.sqlite"
_NOT_COPIED = not_applicable("没有与同科同病种其他患者雷同的拟诊讨论")


def add_copies(store: Store, checker: Checker, indicators: tuple[Indicator, ...], folder: Path) -> None:
    """Compare the patients of a batch, and put what was copied into their results.

    Each record shows the closest of its matches. Doing it again changes nothing.
    """
    if CODE not in checker.rules:
        return
    closest = _closest_matches(store, folder)
    letter = f"substr(outcomes, {list(checker.rules).index(CODE) + 1}, 1) = ?"
    found_before = {e.place for e in store.entries(letter, (OUTCOME_LETTERS["defect"],))}
    copied = {e.place for record_id in closest for e in store.entries("record_id = ?", (record_id,))}
    affected = found_before | copied
    if not affected:
        return

    def amended(place: str, line: bytes) -> bytes:
        if place not in affected:
            return line
        entry = next(store.entries("place = ?", (place,)))
        report = _copied(store, entry, line, closest.get(entry.record_id), checker)
        checked = digest(report, indicators)
        store.update(place, checked)
        return checked.result.encode()

    store.rewrite(RESULTS, amended)


def _copied(store: Store, entry: Entry, line: bytes, match: CopyMatch | None, checker: Checker) -> Report:
    """The report of an entry with its match, or without the one it had."""
    record = comparable(store.first_course(entry.place))
    result = Result.model_validate_json(line)
    report = Report(record, result, json.loads(entry.reasons), entry.judged_share, {})
    return checker.amended(report, CODE, defect(match.hit(record)) if match else _NOT_COPIED)


def _closest_matches(store: Store, folder: Path) -> dict[str, CopyMatch]:
    """The closest match of every record that has one, by record id."""
    closest: dict[str, CopyMatch] = {}
    path = folder / _INDEX
    _remove(path)
    try:
        with CopyingIndex(path) as index:
            for first_course in store.first_courses():
                for match in index.add(comparable(first_course)):
                    for seen in (match, match.mirrored()):
                        known = closest.get(seen.place.record_id)
                        if known is None or known.likeness < seen.likeness:
                            closest[seen.place.record_id] = seen
    finally:
        _remove(path)
    return closest


def _remove(path: Path) -> None:
    for companion in ("", "-wal", "-shm"):
        path.with_name(path.name + companion).unlink(missing_ok=True)
