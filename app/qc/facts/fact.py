"""The schema of a fact, and of an answer to it."""

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from app.qc.logic import Truth
from app.records.model import Evidence

AnswerSource = Literal["detector", "model", "none"]


class Fact(BaseModel):
    """Something a document says or does not say, asked once for all rules that need it.

    Attributes:
        name: an identifier, used in conditions.
        question: a closed Chinese question about the section, answerable by 是 or 否.
        sections: where to look, first that is present; empty: the whole document.
        detector: the code that answers first; see ``app.qc.facts.detectors``.
        ask_model: whether the model is asked what the detector left open.
        threshold: the probability of 是 from which a model's answer counts as true.
        denial_threshold: the probability of 是 up to which it counts as false; in between is unknown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    question: str = Field(min_length=4)
    sections: tuple[str, ...] = ()
    detector: str | None = None
    ask_model: bool = False
    threshold: float = Field(default=0.9, ge=0, le=1)
    denial_threshold: float = Field(default=0.1, ge=0, le=1)


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
