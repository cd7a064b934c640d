"""Numbers with units, and vital signs."""

from typing import Literal, NamedTuple

from app.records.model import Span

VitalName = Literal["temperature", "pulse", "respiration", "systolic", "diastolic", "spo2", "heart_rate"]


class Quantity(NamedTuple):
    """A number with its unit; ``value`` is ``None`` when masked."""

    span: Span
    value: float | None
    unit: str
    masked: bool


class VitalSign(NamedTuple):
    """One vital sign; ``value`` is ``None`` when masked or left blank."""

    name: VitalName
    span: Span
    value: float | None
    masked: bool


def find_quantities(text: str) -> tuple[Quantity, ...]:
    """The quantities of ``text`` in order."""
    return ()


def find_vital_signs(text: str) -> tuple[VitalSign, ...]:
    """The vital signs of ``text`` in order."""
    return ()
