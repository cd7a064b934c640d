"""Specialty quality indicators (专科质控指标) that a hospital brings as facts and logical rules."""
