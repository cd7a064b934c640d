"""The shape of a detector that reads the whole stay, and of a selection of its documents."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from app.qc.case import Case
from app.records.model import Document, Evidence


class StayDetection(NamedTuple):
    """What a detector found in the stay, where, and in words what is missing or contradictory."""

    value: bool
    evidence: tuple[Evidence, ...] = ()
    detail: str = ""


StayDetector = Callable[[Case], StayDetection | None]
STAY_DETECTORS: dict[str, StayDetector] = {}

Selection = Callable[[Case, tuple[Document, ...]], Iterable[Document]]
SELECTIONS: dict[str, Selection] = {}


def stay_detector(function: StayDetector) -> StayDetector:
    """Register a detector under its function name."""
    STAY_DETECTORS[function.__name__] = function
    return function


def selection(function: Selection) -> Selection:
    """Register a selection of documents under its function name."""
    SELECTIONS[function.__name__] = function
    return function
