"""Detectors: what code can say of a section without asking a model.

A detector returns a ``Detection``, or ``None`` where only reading can decide.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from app.records.model import Span
from app.text.assertion import find_mentions
from app.text.lexicons import load_terms
from app.text.reading import Reading
from app.text.sections import Section


class Detection(NamedTuple):
    """What a detector found, and where."""

    value: bool
    spans: tuple[Span, ...] = ()


Detector = Callable[[Reading, Section | None], Detection | None]
DETECTORS: dict[str, Detector] = {}


def detector(function: Detector) -> Detector:
    """Register a detector under its function name."""
    DETECTORS[function.__name__] = function
    return function


@detector
def general_condition_recorded(reading: Reading, section: Section | None) -> Detection | None:
    """Whether 精神、睡眠、食欲、大小便、体重 are written, by at least one of them."""
    if section is None:
        return Detection(False)
    found = find_mentions(reading.document.text, load_terms("general_condition"), section.body)
    return Detection(bool(found), tuple(mention.span for mention in found[:1]) or (section.heading,))


_FOLLOW_UP = re.compile(r"复诊|随访|复查|门诊[^。；]{0,6}(?:就诊|换药|拆线)|及时就[医诊]|注意|避免|不适.{0,4}就[医诊]")


@detector
def follow_up_given(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the discharge orders name a follow-up or a precaution; silence is left to reading."""
    if section is None:
        return None
    match = _FOLLOW_UP.search(reading.half, section.body.start, section.body.end)
    return Detection(True, (Span(*match.span()),)) if match else None
