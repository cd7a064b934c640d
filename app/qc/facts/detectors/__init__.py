"""Detectors: what code can say of a section without asking a model.

A detector returns a ``Detection``, or ``None`` where only reading can decide.
"""

from app.qc.facts.detectors import (
    agreement,
    chief_complaint,
    diagnosis_list,
    discharge,
    examinations,
    missing_diagnoses,
    past_history,
    present_illness,
    visits,
)
from app.qc.facts.detectors.base import DETECTORS, Detection, Detector

__all__ = [
    "DETECTORS", "Detection", "Detector", "agreement", "chief_complaint", "diagnosis_list", "discharge",
    "examinations", "missing_diagnoses", "past_history", "present_illness", "visits",
]  # fmt: skip
