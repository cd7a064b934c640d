"""How quick a million findings are to filter (``python -m eval.bench_storage [--postgresql URL]``).

Findings are written in bulk, spread over departments, rules, authors and states as a year of a large hospital would
have them; then every question that a page of the workplace asks is timed, with another value each time.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Insert, String, cast, insert, select, text

from app.privacy.rights import EVERYTHING, Bounds
from app.storage.database import Database
from app.storage.findings import FindingFilter, FindingStore
from app.storage.states import Stage, State, Verdict
from app.storage.tables import FindingRow, RecordPersonRow, RecordRow

FINDINGS = 1_000_000
FINDINGS_A_RECORD = 20
SLOWEST_PAGE_MILLISECONDS = 200.0

_BATCH = 5_000
_ROUNDS = 20
_DEPARTMENTS = tuple(f"科室{number:02d}" for number in range(40))
_AUTHORS = tuple(f"id:U{number:04d}" for number in range(1500))
_RULES = tuple(f"N-{number:03d}" for number in range(400))
_RULE_WEIGHTS = tuple(1 / (rank + 1) for rank in range(len(_RULES)))
_SEVERITIES, _SEVERITY_WEIGHTS = ("veto", "major", "minor", "hint"), (1, 15, 70, 14)
_STATES = tuple(State)
_STATE_WEIGHTS = (10, 8, 2, 2, 1, 1, 73, 3)
_NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Timing(NamedTuple):
    """How long one question took, in milliseconds: the fastest, the median and the slowest of all rounds."""

    question: str
    fastest: float
    median: float
    slowest: float


class Bench(NamedTuple):
    """What was measured on one engine."""

    engine: str
    findings: int
    writing_seconds: float
    pages: tuple[Timing, ...]
    counts: tuple[Timing, ...]


def bench(database: Database, engine: str, findings: int = FINDINGS) -> Bench:
    """Fill an empty database and ask it everything; ``findings`` is a multiple of ``FINDINGS_A_RECORD``."""
    draw = random.Random(6)  # noqa: S311  # a measurement, not a secret
    began = time.perf_counter()
    _fill(database, findings, draw)
    writing = time.perf_counter() - began
    store = FindingStore(database)
    pages = tuple(_timed(name, ask) for name, ask in _pages(store, findings, draw).items())
    counts = tuple(_timed(name, ask) for name, ask in _counts(store, draw).items())
    return Bench(engine, findings, writing, pages, counts)


def _pages(store: FindingStore, findings: int, draw: random.Random) -> dict[str, Callable[[], object]]:
    def page(limits: Bounds = EVERYTHING, cursor: str | None = None, **wanted: object) -> object:
        return store.page(FindingFilter.model_validate(wanted), cursor, 50, limits)

    def some(values: Sequence[str]) -> str:
        return draw.choice(values)

    open_states = (State.UNASSIGNED, State.ASSIGNED)
    return {
        "最新": page,
        "翻到中间": lambda: page(cursor=str(draw.randrange(findings))),
        "规则": lambda: page(rule=some(_RULES)),
        "严重程度+状态": lambda: page(severity="veto", states=(draw.choice(_STATES),)),
        "科室+未办": lambda: page(department=some(_DEPARTMENTS), states=open_states),
        "书写者": lambda: page(author=some(_AUTHORS)),
        "责任人": lambda: page(assignee=some(_AUTHORS)),
        "阶段+状态": lambda: page(stage=Stage.FINAL, states=(State.APPEALED,)),
        "时间段": lambda: page(created_since=(day := _NOW - timedelta(days=draw.randrange(360))),
                            created_before=day + timedelta(days=3)),
        "规则+科室+未办": lambda: page(rule=some(_RULES), department=some(_DEPARTMENTS), states=open_states),
        "四项都选": lambda: page(rule=some(_RULES), department=some(_DEPARTMENTS), severity="major", stage=Stage.RUNNING),
        "逾期": lambda: page(due_before=_NOW, states=open_states),
        "病历": lambda: page(record_id=f"R{draw.randrange(findings // FINDINGS_A_RECORD)}"),
        "医师本人": lambda: page(_physician(some(_AUTHORS))),
        "医师本人+未办": lambda: page(_physician(some(_AUTHORS)), states=open_states),
        "科主任本科": lambda: page(Bounds(department=some(_DEPARTMENTS))),
    }  # fmt: skip


def _counts(store: FindingStore, draw: random.Random) -> dict[str, Callable[[], object]]:
    return {
        "各状态条数：全院": lambda: store.counts(FindingFilter()),
        "各状态条数：一科": lambda: store.counts(FindingFilter(department=draw.choice(_DEPARTMENTS))),
        "各状态条数：医师本人": lambda: store.counts(FindingFilter(), _physician(draw.choice(_AUTHORS))),
        "各规则的裁定": store.verdicts,
    }


def _physician(person: str) -> Bounds:
    return Bounds(person=person, named="name:王医师", named_department=_DEPARTMENTS[0])


def _timed(question: str, ask: Callable[[], object]) -> Timing:
    ask()
    took = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    return Timing(question, min(took), sorted(took)[_ROUNDS // 2], max(took))


def _fill(database: Database, findings: int, draw: random.Random) -> None:
    records = findings // FINDINGS_A_RECORD
    homes = [draw.choice(_DEPARTMENTS) for _ in range(records)]
    writers = [draw.choice(_AUTHORS) for _ in range(records)]
    _insert(database, RecordRow, (_record(number, homes[number]) for number in range(records)))
    people = ({"record_id": f"R{number}", "person": writers[number]} for number in range(records))
    _insert(database, RecordPersonRow, people)
    _insert(database, FindingRow, (_finding(number, homes, writers, draw) for number in range(records)))
    for copy in range(1, FINDINGS_A_RECORD):
        with database.session() as session:
            session.execute(_copied(copy))
    with database.session() as session:
        session.execute(text("ANALYZE"))


def _copied(copy: int) -> Insert:
    """The statement that gives every record one more finding; the rows of a record follow one another."""
    row = FindingRow.__table__.c
    fresh = (row.number + copy).label("number")
    name = cast(row.number + copy, String)
    columns = [column for column in row if column.key not in ("number", "id", "content_id")]
    chosen = select(fresh, name, name, *columns).where(row.number % FINDINGS_A_RECORD == 0)
    return insert(FindingRow).from_select(
        ["number", "id", "content_id", *(column.key for column in columns)], chosen
    )


def _insert(database: Database, table: type[Any], rows: Iterator[dict[str, Any]]) -> None:
    while batch := list(islice(rows, _BATCH)):
        with database.session() as session:
            session.execute(insert(table), batch)


def _record(number: int, department: str) -> dict[str, Any]:
    return {
        "record_id": f"R{number}", "version": 1, "stage": Stage.RUNNING, "department": department, "is_locked": False,
        "is_deidentified": False, "digest": "", "saved_by": "bench", "created_at": _NOW, "updated_at": _NOW,
    }  # fmt: skip


def _finding(
    number: int, homes: Sequence[str], writers: Sequence[str], draw: random.Random
) -> dict[str, Any]:
    rule = draw.choices(_RULES, _RULE_WEIGHTS)[0]
    severity = draw.choices(_SEVERITIES, _SEVERITY_WEIGHTS)[0]
    state = draw.choices(_STATES, _STATE_WEIGHTS)[0]
    is_assigned = state not in (State.UNASSIGNED, State.CLOSED)
    at = _NOW - timedelta(seconds=600 * (len(homes) - number))
    return {
        "number": (place := number * FINDINGS_A_RECORD), "id": str(place), "content_id": str(place), "record_id": f"R{number}", "version": 1, "rule": rule,
        "severity": severity, "category": "content", "engine": "rule", "department": homes[number],
        "author": writers[number], "author_name": "王医师", "stage": draw.choice((Stage.RUNNING, Stage.FINAL)), "state": state,
        "is_present": True, "verdict": draw.choice(tuple(Verdict)) if state is State.FALSE_ALARM else None,
        "assignee": writers[number] if is_assigned else None, "due_at": at + timedelta(days=3) if is_assigned else None,
        "created_at": at, "updated_at": at, "content": _content(rule, severity),
    }  # fmt: skip


def _content(rule: str, severity: str) -> dict[str, Any]:
    return {
        "id": "0", "rule": rule, "title": "主诉缺少持续时间", "category": "content", "severity": severity, "points": 1.0,
        "document_id": "D1", "section": "主诉", "evidence": [{"document_id": "D1", "start": 0, "end": 2, "quote": "胸痛"}],
        "message": "主诉未写明持续时间。", "suggestion": "补写持续时间。", "basis": [], "engine": "rule", "confidence": 1.0,
    }  # fmt: skip


def as_lines(measured: Bench) -> Iterator[str]:
    """The measurement in words."""
    yield f"{measured.engine}：{measured.findings} 条缺陷，写入 {measured.writing_seconds:.0f} 秒。"
    yield "一页 50 条（毫秒，最快 / 中位数 / 最慢）："
    yield from map(_line, measured.pages)
    yield "统计（毫秒，最快 / 中位数 / 最慢）："
    yield from map(_line, measured.counts)


def _line(timing: Timing) -> str:
    return f"  {timing.question}　{timing.fastest:.1f} / {timing.median:.1f} / {timing.slowest:.1f}"


def main() -> int:
    """Measure, print, and fail when a page took too long."""
    parser = argparse.ArgumentParser(description="一百万条缺陷的筛选有多快")
    parser.add_argument("--findings", type=int, default=FINDINGS, help="缺陷条数")
    parser.add_argument("--postgresql", help="另测一个空的 PostgreSQL 数据库（postgresql+psycopg://…）")
    wanted = parser.parse_args()
    slow = []
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": f"sqlite:///{Path(folder)}/bench.sqlite"}
        urls |= {"PostgreSQL": wanted.postgresql} if wanted.postgresql else {}
        for engine, url in urls.items():
            with Database(url) as database:
                database.migrate()
                measured = bench(database, engine, wanted.findings)
            sys.stdout.writelines(f"{line}\n" for line in as_lines(measured))
            slow += [timing for timing in measured.pages if timing.median > SLOWEST_PAGE_MILLISECONDS]
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
