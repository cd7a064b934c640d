"""One record checked again and again while it is being written."""

from datetime import datetime

from app.qc.case import Case
from app.qc.engine import Checker
from app.qc.result import Report
from app.records.model import MedicalRecord


class Rechecker:
    """Checks successive versions of one record; a rule is judged anew only where it asks for a changed document.

    The reports are those of ``Checker.check``. It keeps the last version, and is for one writer at a time. The checker
    is one without a model: what a model failed to answer would not be asked again.
    """

    def __init__(self, checker: Checker) -> None:
        """Judge by the rules of ``checker``."""
        self._checker = checker
        self._last: Case | None = None

    def check(self, record: MedicalRecord, as_of: datetime | None = None) -> Report:
        """Judge every rule on this version of the record, as of a moment (by default the latest in its data)."""
        case = self._checker.case_of(record, as_of)
        if self._last is not None:
            case.continue_from(self._last)
        self._last = case
        return self._checker.judge(case)
