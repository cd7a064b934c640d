"""Facts of the discharge record."""

import re

from app.qc.facts.detectors.base import Detection, detector
from app.records.model import Span
from app.text.reading import Reading
from app.text.sections import Section

_FOLLOW_UP = re.compile(r"复诊|随访|复查|门诊[^。;]{0,6}(?:就诊|换药|拆线)|及时就[医诊]|注意|避免|不适.{0,4}就[医诊]")


@detector
def follow_up_given(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the discharge orders name a follow-up or a precaution; silence is left to reading."""
    if section is None:
        return None
    match = _FOLLOW_UP.search(reading.half, section.body.start, section.body.end)
    return Detection(True, (Span(*match.span()),)) if match else None
