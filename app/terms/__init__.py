"""Codes of diagnoses and operations, and the hospital's own code tables."""
