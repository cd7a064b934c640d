"""Named deterministic checks; a rule chooses one and gives its parameters.

Every module of this package is loaded, so that its checks are registered.
"""

from importlib import import_module
from pkgutil import iter_modules

from app.qc.checks.base import CHECKS, Check

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)

__all__ = ["CHECKS", "Check"]
