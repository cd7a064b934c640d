"""Confidence intervals, as the application itself computes them."""

from app.qc.intervals import Interval, clustered, wilson

__all__ = ["Interval", "clustered", "wilson"]
