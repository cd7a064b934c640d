"""Facts of the discharge record."""

from app.qc.facts.detectors.base import Detection, detector, is_empty
from app.records.model import Span
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section

_FOLLOW_UP = regex(
    r"复诊|随访|随诊|复查|就诊|就医|来院|返院|门诊|注意|避免|休息|饮食|锻炼|戒烟|戒酒|如有|若有"
)


@detector
def follow_up_given(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the discharge orders name a follow-up or a precaution."""
    if section is None or is_empty(reading, section):
        return None
    match = _FOLLOW_UP.search(reading.half, section.body.start, section.body.end)
    return Detection(True, (Span(*match.span()),)) if match else Detection(False, (section.body,))
