"""How long before admission an acute illness began, as 主诉 and 现病史 tell it."""

from collections.abc import Iterator

from app.qc.facts.detectors.base import CHIEF_COMPLAINT, PRESENT_ILLNESS, Detection, detector, filled, span_of
from app.records.model import Span
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section
from app.text.times import Duration, find_durations

_CLOCK = regex(
    r"(?<!\d)(?:[01]?\d|2[0-4])\s?(?::\s?[0-5]\d|[时点](?!间|滴))|最后(?:看起来)?正常|\d+(?:\.\d+)?\s*h(?![A-Za-z])"
)
_MASKED_HOUR = regex(r"\*\s*(?:余)?\s*(?:个)?(?:小时|分钟|时|点|:)|:\s*\*")
_VAGUE = regex(r"今[晨早天日]|昨[晚夜天日]|晨起|清晨|凌晨|半天|当[日天晚]|醒后")
_HOUR_UNITS = ("小时", "分钟")
_WEEK_DAYS = 7.0
_THROMBOLYSIS_DAYS = 4.5 / 24
_LATE_WINDOW_DAYS = (6 / 24, 1.0)


def _durations(reading: Reading, *names: str) -> Iterator[tuple[Duration, Span]]:
    for section in filled(reading, *names):
        for each in find_durations(section.body.of(reading.half)):
            yield each, each.span.shifted(section.body.start)


def _onset(reading: Reading) -> tuple[Duration, Span] | None:
    """The shortest time of 主诉: of a long illness, when it became acute; ``None`` where a time is masked."""
    told = list(_durations(reading, CHIEF_COMPLAINT))
    if not told or any(each.masked or each.maximum_days is None for each, _ in told):
        return None
    return min(told, key=lambda pair: pair[0].maximum_days or 0.0)


@detector
def onset_hour_told(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the hour of onset, or of last being well, can be reckoned; ``None`` where only days are given."""
    if section is None:
        return None
    clock = _CLOCK.search(reading.half, *section.body)
    if clock:
        return Detection(True, (span_of(clock),))
    for each, span in _durations(reading, PRESENT_ILLNESS, CHIEF_COMPLAINT):
        if each.unit in _HOUR_UNITS and not each.masked:
            return Detection(True, (span,))
    vague = _VAGUE.search(reading.half, *section.body)
    if vague is None or _MASKED_HOUR.search(reading.half):
        return None
    return Detection(False, (span_of(vague),))


@detector
def onset_over_a_week(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the illness began more than a week before."""
    onset = _onset(reading)
    return Detection((onset[0].minimum_days or 0.0) > _WEEK_DAYS, (onset[1],)) if onset else None


@detector
def onset_within_a_day(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the illness began no more than 24 hours before."""
    onset = _onset(reading)
    return Detection((onset[0].maximum_days or 0.0) <= 1.0, (onset[1],)) if onset else None


@detector
def onset_in_reperfusion_window(reading: Reading, section: Section | None) -> Detection | None:
    """Whether it began up to 4.5 hours, or 6 to 24 hours, before."""
    onset = _onset(reading)
    if onset is None or onset[0].maximum_days is None:
        return None
    days, (early, late) = onset[0].maximum_days, _LATE_WINDOW_DAYS
    return Detection(days <= _THROMBOLYSIS_DAYS or early <= days <= late, (onset[1],))
