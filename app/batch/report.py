"""The reports of a batch: ``summary.json``, ``report.html`` with its pages, ``report.xlsx``."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.batch import tables
from app.batch.excel import LARGEST_SHEET, write_workbook
from app.batch.html import first_rows, render_page
from app.batch.sources import Source, reread
from app.batch.statistics import Part, Statistics
from app.batch.store import Entry, Store
from app.batch.worker import OUTCOME_LETTERS, STANDING_LETTERS, read
from app.errors import UserError
from app.labelling import html, xlsx
from app.labelling.label import new_label
from app.labelling.labeller import Labeller
from app.qc.indicators import IndicatorValue, Standing
from app.qc.render.html import render_html
from app.qc.result import Report, Result
from app.settings import Settings

SUMMARY_FORMAT = "bingli/summary/1"
SUMMARY = "summary.json"
PAGES = "report"
_WORST = 50
_LISTED = 500
_COMMONEST = 30
_DETAILS = 200_000

_SHOWN_FINDINGS = 200
_BACK = "../report.html"
_WORST_FIRST = "score IS NULL, score, sequence"

_STANDING_TITLES: Mapping[Standing, str] = {
    "denominator_only": "在分母而不在分子的病历",
    "numerator": "在分子的病历",
    "undetermined": "无法判定的病历",
}


def write_reports(folder: Path, store: Store, statistics: Statistics, settings: Settings) -> None:
    """Write every report; where a model decided a finding, all of them are labelled as generated.

    Raises:
        UserError: a file cannot be written.
    """
    labeller = Labeller.of(settings) if statistics.is_generated else None
    try:
        _write_summary(folder / SUMMARY, statistics, labeller)
        _write_pages(folder, store, statistics, labeller)
        _write_workbook(folder / "report.xlsx", store, statistics, labeller)
    except OSError as error:
        raise UserError(
            f"报告无法写入 {folder}（{error.strerror}），请腾出磁盘空间后加 --resume 接着做。"
        ) from error


def summary(statistics: Statistics) -> dict[str, Any]:
    """The counts as JSON; shares are rounded to four digits."""
    whole = statistics.whole()
    return {
        "format": SUMMARY_FORMAT,
        "profile": statistics.profile.name,
        "records": whole.records,
        "problems": {kind: statistics.problems[kind] for kind in tables.PROBLEM_TITLES},
        **_part(whole),
        "vetoes": dict(whole.vetoes.most_common()),
        "rules": [
            {
                "code": count.rule.code,
                "title": count.rule.title,
                "category": count.rule.category,
                "severity": count.rule.severity,
                **count.outcomes,
                "defect_share": _share(count.share),
            }
            for count in statistics.rule_counts(whole)
        ],
        "departments": [
            {"department": name, "records": part.records, **_part(part)}
            | {"indicators": {v.indicator.code: _share(v.share) for v in statistics.indicator_values(part)}}
            for name, part in statistics.departments().items()
        ],
        "indicators": [_indicator(value) for value in statistics.indicator_values(whole)],
        "quality_index": [
            {
                "department": row.department,
                "month": row.month,
                "records": row.records,
                "index": _share(row.value),
                "judged_share": _share(row.judged_share),
                **{code: _share(tally.share) for code, tally in row.dimensions.items()},
            }
            for row in statistics.quality()
        ],
        "label": None,
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "grades": dict(part.grades),
        "mean_score": _share(part.mean_score),
        "lowest_score": part.lowest,
        "judged_share": _share(part.mean_judged_share),
    }


def _indicator(value: IndicatorValue) -> dict[str, Any]:
    interval, possible = value.interval, value.possible
    return {
        "code": value.indicator.code,
        "title": value.indicator.title,
        "numerator": value.numerator,
        "denominator": value.denominator,
        "share": _share(value.share),
        "interval": [_share(interval.low), _share(interval.high)] if interval else None,
        "undetermined": value.undetermined,
        "possible": [_share(possible.low), _share(possible.high)] if possible else None,
        "lower_is_better": value.indicator.lower_is_better,
        "missing_rules": list(value.missing_rules),
        "reason": value.reason_without_value or None,
        "note": value.indicator.note or None,
    }


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _write_summary(path: Path, statistics: Statistics, labeller: Labeller | None) -> None:
    content = summary(statistics)
    if labeller:
        content = labeller.labelled({name: value for name, value in content.items() if name != "label"})
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", "utf-8")


def _write_workbook(path: Path, store: Store, statistics: Statistics, labeller: Labeller | None) -> None:
    whole = statistics.whole()
    sheets = [
        tables.overview(statistics),
        tables.records(store.entries()),
        tables.findings(store),
        tables.rules(statistics, whole, only_defects=False),
        tables.departments(statistics),
        tables.indicators(statistics, whole),
        tables.quality(statistics),
        tables.problems(store.failures()),
    ]
    limits = {"缺陷明细": _DETAILS}
    write_workbook(path, [(table, limits.get(table.title, LARGEST_SHEET)) for table in sheets])
    if labeller:
        data = path.read_bytes()
        path.write_bytes(xlsx.write(data, new_label(labeller.producer, labeller.key, data), labeller.key))


class _Pages:
    """Writes the pages of one report."""

    def __init__(self, folder: Path, labeller: Labeller | None) -> None:
        self._folder = folder
        self._labeller = labeller

    def write(self, name: str, page: str) -> None:
        data = page.encode(errors="replace")
        if self._labeller:
            label = new_label(self._labeller.producer, self._labeller.key, data)
            data = html.write(data, label, self._labeller.key)
        (self._folder / name).write_bytes(data)


def _write_pages(folder: Path, store: Store, statistics: Statistics, labeller: Labeller | None) -> None:
    shutil.rmtree(folder / PAGES, ignore_errors=True)
    (folder / PAGES).mkdir()
    pages = _Pages(folder, labeller)
    linked = _write_records(pages, store)
    _write_departments(pages, store, statistics, linked)
    _write_rules(pages, store, statistics, linked)
    _write_indicators(pages, store, statistics, linked)
    whole = statistics.whole()
    worst = store.entries(order=_WORST_FIRST)
    shown = [
        tables.overview(statistics),
        tables.grades(statistics),
        tables.vetoes(statistics),
        tables.departments(statistics),
        first_rows(tables.rules(statistics, whole, only_defects=True), _COMMONEST),
        tables.indicators(statistics, whole),
        tables.quality(statistics),
        first_rows(tables.records(worst, linked, "得分最低的病历"), _WORST),
        first_rows(tables.problems(store.failures()), _LISTED),
    ]
    pages.write("report.html", render_page("病历质控报告", shown))


def _write_records(pages: _Pages, store: Store) -> dict[str, str]:
    """Pages of the worst records, with their defects marked in the text; gives place → page."""
    linked = {}
    for number, entry in enumerate(list(store.entries(order=_WORST_FIRST, limit=_WORST)), 1):
        report = _reread(store, entry)
        if report is not None:
            linked[entry.place] = tables.record_page(number)
            pages.write(linked[entry.place], render_html(report))
    return linked


def _reread(store: Store, entry: Entry) -> Report | None:
    """The report of an entry with its record; ``None`` when the source has changed or gone since."""
    path = Path(entry.path)
    content = None if path.is_dir() else reread(path, entry.byte, entry.size, entry.digest)
    if content is None and not path.is_dir():
        return None
    source = Source(entry.place, path, entry.byte, content, entry.digest, entry.size)
    try:
        record = read(source)
    except UserError:
        return None
    result = Result.model_validate_json(store.result(entry))
    vetoes = tuple(filter(None, entry.deciding_vetoes.split("、")))
    return Report(
        record,
        result,
        json.loads(entry.reasons),
        entry.judged_share,
        {},
        vetoes,
        entry.assessed_points,
        entry.total_points,
    )


def _write_departments(
    pages: _Pages, store: Store, statistics: Statistics, linked: Mapping[str, str]
) -> None:
    for number, (name, part) in enumerate(statistics.departments().items(), 1):
        worst = store.entries("department = ?", (name,), _WORST_FIRST)
        shown = [
            tables.rules(statistics, part, only_defects=True)._replace(title="缺陷"),
            tables.indicators(statistics, part),
            first_rows(tables.records(worst, linked, "病历（得分低的在前）"), _LISTED),
        ]
        title = f"{name}（{part.records} 份）"
        pages.write(tables.department_page(number), render_page(title, shown, back=_BACK))


def _write_rules(pages: _Pages, store: Store, statistics: Statistics, linked: Mapping[str, str]) -> None:
    numbers = {rule.code: number for number, rule in enumerate(statistics.rules, 1)}
    letter = OUTCOME_LETTERS["defect"]
    for count in statistics.commonest(statistics.whole()):
        rule = count.rule
        where = f"substr(outcomes, {numbers[rule.code]}, 1) = ?"
        entries = store.entries(where, (letter,), _WORST_FIRST)
        shown = first_rows(tables.findings_of(rule, store, entries, linked), _SHOWN_FINDINGS)
        lines = [f"有缺陷的病历 {count.defects} 份，可判定的 {count.judged} 份。", f"建议：{rule.suggestion}"]
        page = render_page(f"{rule.code} {rule.title}", [shown], lines=lines, back=_BACK)
        pages.write(tables.rule_page(rule.code), page)


def _write_indicators(pages: _Pages, store: Store, statistics: Statistics, linked: Mapping[str, str]) -> None:
    for number, indicator in enumerate(statistics.indicators, 1):
        if indicator.not_computable:
            continue
        shown = []
        for standing, title in _STANDING_TITLES.items():
            where, letters = f"substr(standings, {number}, 1) = ?", (STANDING_LETTERS[standing],)
            entries = store.entries(where, letters, _WORST_FIRST)
            shown.append(first_rows(tables.records(entries, linked, title), _LISTED))
        lines = [f"分子：{indicator.numerator}", f"分母：{indicator.denominator}", indicator.note]
        title = f"{indicator.code} {indicator.title}"
        page = render_page(title, shown, lines=[line for line in lines if line], back=_BACK)
        pages.write(tables.indicator_page(indicator.code), page)
