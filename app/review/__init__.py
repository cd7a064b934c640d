"""Findings as work: assigned, corrected, appealed, decided, closed; and what the decisions say about rules."""
