"""An audit from input to reports."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from app.assembly import open_checker
from app.batch.pool import checked
from app.batch.sources import sources_of
from app.batch.statistics import Statistics
from app.batch.store import Store
from app.batch.worker import Problem
from app.qc.rule import Rule
from app.resources import RULES
from app.settings import Settings


class Progress(NamedTuple):
    """How far a run has come; ``read_bytes`` of the input are dealt with."""

    records: int
    problems: int
    read_bytes: int


class Outcome(NamedTuple):
    """What a run left behind."""

    folder: Path
    statistics: Statistics
    notes: tuple[str, ...]


def audit(
    given: str,
    folder: Path,
    settings: Settings,
    *,
    use_model: bool,
    workers: int,
    resume: bool,
    on_progress: Callable[[Progress], None],
) -> Outcome:
    """Check every record of ``given`` and write results and reports into ``folder``.

    A run stopped at any point (also by an exception of ``on_progress``) can be taken up with ``resume``.

    Raises:
        UserError: nothing is there to read, the folder cannot be used, or the rules cannot be loaded.
    """
    from app.batch.report import write_reports

    sources = sources_of(given)
    with open_checker(settings, use_model=False) as checker:
        rules = checker.rules
        profile = checker.profile
    marks = fingerprint(given, settings, rules, use_model=use_model)
    with Store(folder, marks, resume=resume) as store:
        _check_all(store, given, settings, use_model=use_model, workers=workers, on_progress=on_progress)
        store.finish()
        statistics = Statistics.of(store, rules, profile)
        notes = write_reports(folder, store, statistics, settings)
    return Outcome(folder, statistics, notes)
