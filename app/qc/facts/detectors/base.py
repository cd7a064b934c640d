"""The shape of a detector, and the register of all of them."""

from collections.abc import Callable
from typing import NamedTuple

from app.records.model import Span
from app.text.reading import Reading
from app.text.sections import Section, is_blank


class Detection(NamedTuple):
    """What a detector found, where, and in words what it is about (fills ``{detail}`` of a message)."""

    value: bool
    spans: tuple[Span, ...] = ()
    detail: str = ""


Detector = Callable[[Reading, Section | None], Detection | None]
DETECTORS: dict[str, Detector] = {}


def detector(function: Detector) -> Detector:
    """Register a detector under its function name."""
    DETECTORS[function.__name__] = function
    return function


def is_empty(reading: Reading, section: Section | None) -> bool:
    """Whether a section is absent or holds nothing but a placeholder."""
    return section is None or is_blank(section.body.of(reading.document.text))
