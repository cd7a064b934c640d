"""An audit from input to reports."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from app.assembly import open_checker
from app.batch.copying import compare_patients
from app.batch.pool import checked
from app.batch.report import write_reports
from app.batch.sources import Source, sources_of
from app.batch.statistics import Statistics
from app.batch.store import Store
from app.qc.rule import Rule
from app.settings import Settings

OnProgress = Callable[[int], None]
"""Told after each record how many more bytes of the input are dealt with."""


def audit(
    given: str,
    folder: Path,
    settings: Settings,
    *,
    use_model: bool,
    workers: int | None,
    resume: bool,
    on_progress: OnProgress,
) -> Statistics:
    """Check every record of ``given``, and write results and reports into ``folder``.

    A run that was stopped, at whatever point, is taken up with ``resume``.

    Raises:
        UserError: nothing is there to read, the folder cannot be used, or rules or model are not there.
    """
    sources = sources_of(given)
    with open_checker(settings, use_model=False) as checker:
        statistics = Statistics(checker.rules, checker.profile)
        marks = fingerprint(given, settings, checker.rules, use_model=use_model)
        with Store(folder, marks, resume=resume) as store:
            todo = _not_done(sources, store, on_progress)
            for source, answer in checked(todo, settings, use_model=use_model, workers=workers):
                store.add(source, answer)
                on_progress(source.size)
            store.put_in_order()
            compare_patients(store, checker, statistics.indicators, folder)
            statistics.count(store)
            write_reports(folder, store, statistics, settings)
            store.mark_finished()
    return statistics


def fingerprint(
    given: str, settings: Settings, rules: Mapping[str, Rule], *, use_model: bool
) -> dict[str, str]:
    """What must be the same for the results of two runs to belong together, by its Chinese name."""
    whole = "\n".join(rule.model_dump_json() for rule in rules.values())
    return {
        "输入": str(Path(given).resolve()),
        "评分方案": settings.profile,
        "规则": hashlib.sha256(whole.encode()).hexdigest(),
        "语言模型": f"{settings.model} {settings.model_name or ''}".strip() if use_model else "无",
    }


def _not_done(sources: Iterable[Source], store: Store, on_progress: OnProgress) -> Iterator[Source]:
    for source in sources:
        if store.is_done(source):
            on_progress(source.size)
        else:
            yield source
