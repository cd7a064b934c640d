"""Detectors: what code can say of a section without asking a model.

A detector returns a ``Detection``, or ``None`` where only reading can decide. Every module of this package is
loaded, so that its detectors are registered.
"""

from importlib import import_module
from pkgutil import iter_modules

from app.qc.facts.detectors.base import DETECTORS, Detection, Detector

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)

__all__ = ["DETECTORS", "Detection", "Detector"]
