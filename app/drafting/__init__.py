"""Drafting: sources, plan, writing, verification, assembly."""
