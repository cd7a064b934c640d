"""What a rule says of one record: one of five outcomes, with the places that show a defect."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from app.records.model import Document, Evidence, Span

Outcome = Literal["pass", "defect", "not_applicable", "undetermined", "error"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
OUTCOME_TITLES: dict[Outcome, str] = {
    "pass": "通过",
    "defect": "缺陷",
    "not_applicable": "不适用",
    "undetermined": "无法判定",
    "error": "执行错误",
}


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a defect shows.

    Attributes:
        document_id: the document at fault, or ``None`` where a whole document is missing.
        section: the section at fault.
        evidence: verbatim places; a contradiction gives both sides.
        details: fills the ``{slots}`` of the rule's message.
        confidence: 1.0 for code; for a model, the probability that the defect is real.
        by_model: whether a model's answer decided it.
    """

    document_id: str | None = None
    section: str | None = None
    evidence: tuple[Evidence, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    confidence: float = 1.0
    by_model: bool = False

    @classmethod
    def at(cls, document: Document, /, *spans: Span, section: str | None = None, **details: object) -> "Hit":
        """A hit in one document, shown by ``spans`` of its text."""
        quotes = tuple(document.evidence(span) for span in spans)
        return cls(document.id, section, quotes, details)


class Due(NamedTuple):
    """What a rule asks for next, and the moment up to which it is in time."""

    at: datetime
    what: str


class Ruling(NamedTuple):
    """The outcome of one rule, why, and where; ``due`` is what a patient still in hospital has coming."""

    outcome: Outcome
    reason: str = ""
    hits: tuple[Hit, ...] = ()
    due: Due | None = None


PASSED = Ruling("pass")


def defect(*hits: Hit) -> Ruling:
    """A defect, shown by at least one hit."""
    return Ruling("defect", hits=hits)


def not_applicable(reason: str) -> Ruling:
    """The rule does not concern this record."""
    return Ruling("not_applicable", reason)


def not_yet(at: datetime, what: str) -> Ruling:
    """``what`` is still in time up to ``at``: the rule does not apply, but reminds."""
    return Ruling("not_applicable", "患者在院，书写时限未到", due=Due(at, what))


def undetermined(reason: str) -> Ruling:
    """Data are missing; ``reason`` says which."""
    return Ruling("undetermined", reason)


_PRECEDENCE: Mapping[Outcome, int] = {
    "error": 0, "defect": 1, "undetermined": 2, "pass": 3, "not_applicable": 4,
}  # fmt: skip


def combine(rulings: Iterable[Ruling], *, none_reason: str) -> Ruling:
    """One ruling out of several on the same rule (one a document, one an operation).

    A defect anywhere is a defect, with all hits; then undetermined; then pass; then not applicable.
    The earliest of what is due stays due.
    """
    found = list(rulings)
    if not found:
        return not_applicable(none_reason)
    first = min(found, key=lambda ruling: _PRECEDENCE[ruling.outcome])
    hits = tuple(hit for ruling in found if ruling.outcome == first.outcome for hit in ruling.hits)
    due = min((ruling.due for ruling in found if ruling.due), default=None)
    return Ruling(first.outcome, first.reason, hits, due)
