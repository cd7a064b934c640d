"""The shape of an answer to a fact."""

from typing import Literal, NamedTuple

from app.qc.logic import Truth
from app.records.model import Evidence

AnswerSource = Literal["detector", "model", "none"]


class Answer(NamedTuple):
    """The answer to one fact in one document.

    Attributes:
        value: true, false or unknown.
        evidence: the sentences that show it.
        source: who answered.
        confidence: probability that ``value`` is right; 1.0 for a detector.
        reason: why it is unknown, in Chinese.
        detail: in words, what is missing or contradictory; fills ``{detail}`` of a message.
        section: the section that was read; empty for the whole document.
    """

    value: Truth
    evidence: tuple[Evidence, ...] = ()
    source: AnswerSource = "detector"
    confidence: float = 1.0
    reason: str = ""
    detail: str = ""
    section: str = ""
