"""Detectors: what code can say of a section without asking a model.

A detector returns a ``Detection``, or ``None`` where only reading can decide.
"""

from app.qc.facts.detectors import admission_note, course, discharge
from app.qc.facts.detectors.base import DETECTORS, Detection, Detector

__all__ = ["DETECTORS", "Detection", "Detector", "admission_note", "course", "discharge"]
