"""One record of a batch: read, checked, and put into what the reports need. Runs in every worker process."""

import gc
import json
import logging
import multiprocessing
import os
import signal
import threading
import zlib
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, NamedTuple

from app.assembly import open_checker
from app.batch.sources import Source
from app.errors import UserError
from app.qc.engine import Checker
from app.qc.indicators import Indicator, Standing, load_indicators
from app.qc.result import Report
from app.qc.rule import SEVERITIES
from app.qc.ruling import Outcome
from app.records.model import MedicalRecord
from app.records.readers import read_source
from app.records.readers.json_record import parse_record
from app.records.readers.text_file import decode
from app.resources import RULES
from app.settings import Settings

logger = logging.getLogger(__name__)

NO_DEPARTMENT = "（未注明科室）"
STILL_IN_HOSPITAL = "在院"

OUTCOME_LETTERS: dict[Outcome, str] = {
    "pass": "p",
    "defect": "d",
    "not_applicable": "n",
    "undetermined": "u",
    "error": "e",
}
STANDING_LETTERS: dict[Standing, str] = {
    "numerator": "n",
    "denominator_only": "d",
    "undetermined": "u",
    "outside": "-",
}

ProblemKind = Literal["unreadable", "duplicate", "failed"]


class Checked(NamedTuple):
    """A record's result and its digest for the reports.

    Attributes:
        result: the result as one line of JSON.
        month: of discharge, ``2026-05``; 在院 while the stay lasts.
        severities: how many findings of each severity, in the order of ``SEVERITIES``.
        outcomes: one letter a rule, in the order of the rules.
        standings: one letter an indicator, in the order of the indicators.
        reasons: why rules did not judge, as JSON.
        first_course: what comparing patients needs of the record, as compressed JSON; ``None`` without a
            first course note.
    """

    result: str
    record_id: str
    department: str
    month: str
    is_discharged: bool
    score: float | None
    grade: str | None
    judged_share: float
    assessed_points: float
    total_points: float
    deciding_vetoes: str
    severities: tuple[int, ...]
    outcomes: str
    standings: str
    reasons: str
    is_generated: bool
    first_course: bytes | None


class Problem(NamedTuple):
    """A record without a result, and why, in Chinese."""

    kind: ProblemKind
    reason: str
    record_id: str | None = None
    department: str = NO_DEPARTMENT
    month: str = STILL_IN_HOSPITAL


class Worker:
    """Checks the sources of one batch."""

    def __init__(self, checker: Checker) -> None:
        """Check with the rules of ``checker``."""
        self._checker = checker
        self._indicators = load_indicators(RULES / "indicators.yaml")

    def check(self, source: Source) -> Checked | Problem:
        """The result, or why there is none; never raises for what stands in the source."""
        try:
            record = read(source)
        except UserError as error:
            return Problem("unreadable", str(error))
        try:
            return digest(self._checker.check(record), self._indicators)
        except Exception as error:
            # One record that the program cannot digest must not stop ten thousand others.
            logger.exception("checking %s failed", source.place)
            reason = f"{source.place} 检查时程序出错（{type(error).__name__}），请连同版本号报告给维护者。"
            return Problem("failed", reason, record.record_id)


def read(source: Source) -> MedicalRecord:
    """The record of a source.

    Raises:
        UserError: it is none; says where and why.
    """
    if source.problem:
        raise UserError(source.problem)
    if source.content is None:
        return read_source(source.path).record
    text = decode(source.content, Path(source.place))
    if not text.strip():
        raise UserError(f"{source.place} 是空文件，请检查导出是否完整。")
    return parse_record(_json(text, source.place), source.place)[0]


def digest(report: Report, indicators: tuple[Indicator, ...]) -> Checked:
    """What a batch keeps of a report."""
    record, result = report.record, report.result
    stay = record.encounter
    ended_at = stay.died_at or stay.discharged_at
    is_discharged = ended_at is not None or stay.disposition is not None
    counts = Counter(finding.severity for finding in result.findings)
    standings = (i.standing(result.outcomes, result.grade, is_discharged=is_discharged) for i in indicators)
    return Checked(
        result=result.model_dump_json(),
        record_id=record.record_id,
        department=stay.department or NO_DEPARTMENT,
        month=f"{ended_at:%Y-%m}" if ended_at else STILL_IN_HOSPITAL,
        is_discharged=is_discharged,
        score=result.score,
        grade=result.grade,
        judged_share=report.judged_share,
        assessed_points=report.assessed_points,
        total_points=report.total_points,
        deciding_vetoes="、".join(report.deciding_vetoes),
        severities=tuple(counts[severity] for severity in SEVERITIES),
        outcomes="".join(OUTCOME_LETTERS[outcome] for outcome in result.outcomes.values()),
        standings="".join(STANDING_LETTERS[standing] for standing in standings),
        reasons=json.dumps(dict(report.reasons), ensure_ascii=False),
        is_generated=result.label is not None,
        first_course=_first_course(record),
    )


def comparable(first_course: bytes) -> MedicalRecord:
    """The record of a ``first_course``."""
    return MedicalRecord.model_validate_json(zlib.decompress(first_course))


def _first_course(record: MedicalRecord) -> bytes | None:
    notes = record.documents_of("首次病程记录")
    if not notes:
        return None
    slim = MedicalRecord(
        record_id=record.record_id,
        patient=record.patient,
        encounter=record.encounter,
        documents=notes,
        diagnoses=record.diagnoses,
    )
    return zlib.compress(slim.model_dump_json(by_alias=True, exclude_none=True).encode())


def _json(text: str, place: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{place} 不是有效的 JSON（第 {error.lineno} 行第 {error.colno} 列），请检查文件是否完整。"
        ) from error
    except RecursionError as error:
        raise UserError(f"{place} 的 JSON 嵌套过深，不是病历。") from error
    except ValueError as error:
        raise UserError(f"{place} 的 JSON 中有过大的整数，不是病历。") from error


_worker: Worker
_open = ExitStack()


def start_process(settings: Settings, use_model: bool) -> None:
    """Make a spawned process ready: rules loaded once; it leaves Ctrl-C to its parent and ends with it."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(_open.enter_context(open_checker(settings, use_model=use_model)))
    gc.freeze()  # rules and words live as long as the process; the collector need not go over them again


def check_in_process(source: Source) -> Checked | Problem:
    """Check one source in a process that was made ready."""
    return _worker.check(source)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
