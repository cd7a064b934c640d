"""Facts of the whole stay: what code reads from several documents and the data together.

Every module of this package is loaded, so that its detectors and selections are registered.
"""

from importlib import import_module
from pkgutil import iter_modules

from app.qc.facts.stay.base import SELECTIONS, STAY_DETECTORS, StayDetection, StayDetector

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)

__all__ = ["SELECTIONS", "STAY_DETECTORS", "StayDetection", "StayDetector"]
