"""What the desk gives out: the stored things with what a reader of them needs beside."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.qc.logic import Truth
from app.qc.result import Report, Result
from app.qc.rule import Rule
from app.records.model import Evidence
from app.review.feedback import RuleFeedback
from app.review.transitions import Step
from app.storage.findings import FindingWork
from app.storage.jobs import AuditJob
from app.storage.records import RecordSummary


class ReportView(BaseModel):
    """A result with what a reader needs beside it; see ``app.qc.result.Report``."""

    model_config = ConfigDict(frozen=True)

    result: Result
    reasons: Mapping[str, str]
    judged_share: float
    deductions: Mapping[str, float]
    deciding_vetoes: tuple[str, ...]
    assessed_points: float
    total_points: float

    @classmethod
    def of(cls, report: Report) -> "ReportView":
        """The report without its record."""
        return cls(
            result=report.result,
            reasons=report.reasons,
            judged_share=report.judged_share,
            deductions=report.deductions,
            deciding_vetoes=report.deciding_vetoes,
            assessed_points=report.assessed_points,
            total_points=report.total_points,
        )


class RecordItem(RecordSummary):
    """A record in a list, with how many of its findings are open."""

    open_findings: int


class NextStep(BaseModel):
    """A step that this account may take with a finding now."""

    model_config = ConfigDict(frozen=True)

    step: Step
    title: str
    needs_reason: bool


class FindingCard(FindingWork):
    """A finding as work, with its patient and what this account may do next."""

    patient_name: str | None
    actions: tuple[NextStep, ...]


class FactAnswer(BaseModel):
    """How one fact was answered; see ``app.qc.facts.fact.Answer``."""

    model_config = ConfigDict(frozen=True)

    name: str
    question: str
    value: Truth
    source: str
    confidence: float
    reason: str
    detail: str
    evidence: tuple[Evidence, ...]


class Explanation(BaseModel):
    """What a content finding rests on: the facts, their answers, and the logic over them."""

    model_config = ConfigDict(frozen=True)

    applies_when: str | None
    condition: str
    facts: tuple[FactAnswer, ...]


class AuditView(AuditJob):
    """A batch audit with the files and the summary that it made so far."""

    files: tuple[str, ...]
    summary: dict[str, Any] | None


class RuleWork(BaseModel):
    """A rule as it is switched here, and how people received it.

    Attributes:
        rule: as the catalogue has it.
        points: in force.
        is_changed: whether somebody switched it here; ``version`` counts the switches.
        feedback: ``None`` where nobody decided about a finding of it or dismissed a hint.
    """

    model_config = ConfigDict(frozen=True)

    rule: Rule
    is_enabled: bool
    points: float
    is_changed: bool
    version: int
    feedback: RuleFeedback | None
