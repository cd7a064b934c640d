"""Durations, hospital days and dates as Chinese notes write them."""

from datetime import datetime
from typing import Literal, NamedTuple

from app.records.model import Span

Precision = Literal["year", "month", "day", "minute"]


class Duration(NamedTuple):
    """How long something has lasted or how long ago it was; days are fractions below one day."""

    span: Span
    minimum_days: float | None
    maximum_days: float | None
    unit: str
    masked: bool
    is_ago: bool


class HospitalDay(NamedTuple):
    """A counted day (入院第3天); ``day`` is ``None`` when masked."""

    span: Span
    day: int | None
    masked: bool
    anchor: str | None


class DateMention(NamedTuple):
    """A date in a text; ``value`` is aware (UTC+8), ``None`` if masked, impossible or without a year."""

    span: Span
    value: datetime | None
    precision: Precision
    masked: bool


def find_durations(text: str) -> tuple[Duration, ...]:
    """The durations of ``text`` in order."""
    return ()


def find_hospital_days(text: str) -> tuple[HospitalDay, ...]:
    """The counted days of ``text`` in order."""
    return ()


def find_dates(text: str, default_year: int | None = None) -> tuple[DateMention, ...]:
    """The dates of ``text`` in order."""
    return ()
