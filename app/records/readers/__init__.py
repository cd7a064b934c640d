"""Readers: every source format becomes a MedicalRecord."""
