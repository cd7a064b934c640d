"""Audits of many records: streamed in, checked on every core, resumable, reported."""
