"""What a patient still in hospital has coming: documents with the moment up to which they are in time."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from app.qc.case import Case
from app.qc.rule import Rule


class Reminder(NamedTuple):
    """``what`` is in time up to ``due_at``, inclusive; ``rule`` is the code of the rule that asks for it."""

    due_at: datetime
    what: str
    rule: str


def due_by(case: Case, rules: Iterable[Rule]) -> tuple[Reminder, ...]:
    """What the deterministic rules ask for next, the most urgent first; nothing once the stay is over.

    Rules that ask for the same document by the same moment give one reminder. Data that were not delivered give none.
    """
    if case.is_over:
        return ()
    found: dict[tuple[datetime, str], Reminder] = {}
    for rule in rules:
        if rule.check is None or not case.record.delivered.issuperset(rule.needs):
            continue
        due = rule.built_check.rule_on(case, rule.applies_to).due
        if due is not None:
            found.setdefault((due.at, due.what), Reminder(due.at, due.what, rule.code))
    return tuple(sorted(found.values()))
