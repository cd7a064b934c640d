"""How the stay ended, and who agreed to the discharge."""

from datetime import timedelta

from app.qc.case import Case
from app.qc.checks.rounds import rounding_title
from app.qc.facts.stay.base import StayDetection, stay_detector
from app.records.model import Span
from app.text.patterns import regex

_FOUR_DAYS = timedelta(hours=96)
_DISCHARGE = regex(r"出院(?!诊断|医嘱|带药|日期|后|小结|记录)")
_AGREED = regex(
    r"(?:同意|准予|准许|批准|允许|可以?|予以?|指示|安排|办理)[^。;\n]{0,14}出院|出院[^。;\n]{0,10}(?:同意|批准|指示)"
)
_SENIOR = regex("主任|主治|上级|教授|查房")
_NOTES = ("上级医师查房记录", "日常病程记录", "阶段小结", "术后首次病程记录")


@stay_detector
def stay_is_over(case: Case) -> StayDetection:
    """Whether the patient has left or died: only then can something still be missing for good."""
    return StayDetection(case.is_over)


@stay_detector
def discharged_on_advice(case: Case) -> StayDetection | None:
    """Whether the patient left on medical advice; ``None`` when how is not given."""
    disposition = case.record.encounter.disposition
    return StayDetection(disposition == "医嘱离院") if disposition else None


@stay_detector
def discharge_agreed(case: Case) -> StayDetection | None:
    """Whether a senior physician's agreement to the discharge is on record; ``None`` where it may be meant."""
    notes = case.documents_of(*_NOTES)  # type: ignore[arg-type]
    speaks = False
    for note in reversed(notes):
        half = case.reading(note).half
        told = _AGREED.search(half) or _DISCHARGE.search(half)
        if told is None:
            continue
        speaks = True
        by_senior = rounding_title(note) is not None or _SENIOR.search(half)
        if note.kind == "上级医师查房记录" or (by_senior and _AGREED.search(half)):
            return StayDetection(True, (note.evidence(Span(*told.span())),))
    return None if speaks or not notes else StayDetection(False)


@stay_detector
def stayed_four_days(case: Case) -> StayDetection | None:
    """Whether the stay is over and lasted more than 96 hours, so that 72 hours of treatment were seen."""
    admitted, ended = case.record.encounter.admitted_at, case.ended_at
    if admitted is None or ended is None:
        return StayDetection(False) if not case.is_over else None
    return StayDetection(ended - admitted >= _FOUR_DAYS)
