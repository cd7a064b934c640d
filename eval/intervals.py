"""Confidence intervals, as the application itself computes them."""

from app.qc.intervals import Interval, wilson

__all__ = ["Interval", "wilson"]
