"""Evaluations of the assistant."""
