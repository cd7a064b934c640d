"""Named deterministic checks; a rule chooses one and gives its parameters."""

from importlib import import_module

from app.qc.checks.base import CHECKS, Check

for _module in (
    "presence",
    "deadline",
    "frequency",
    "rounds",
    "handover",
    "consultation",
    "resuscitation",
    "discussion",
    "record_time",
    "admission",
    "invasive",
    "signature",
    "procedures",
    "consent",
    "orders",
    "filing",
    "death",
    "writing",
    "generated",
    "order_of_events",
    "stated_times",
    "transfusion",
    "identity",
    "agreement",
    "similarity",
):
    import_module(f"app.qc.checks.{_module}")

__all__ = ["CHECKS", "Check"]
