"""The result of checking one record: ``bingli/result/1``, and the report that renderers read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.qc.rule import Basis, Category, Severity
from app.qc.ruling import Outcome
from app.records.model import Evidence, MedicalRecord

RESULT_FORMAT: Literal["bingli/result/1"] = "bingli/result/1"

Grade = Literal["甲", "乙", "丙"]


class Finding(BaseModel):
    """A defect with its place and its reason."""

    model_config = ConfigDict(frozen=True)

    id: str
    rule: str
    title: str
    category: Category
    severity: Severity
    points: float
    document_id: str | None
    section: str | None
    evidence: tuple[Evidence, ...]
    message: str
    suggestion: str
    basis: tuple[Basis, ...]
    engine: Literal["rule", "llm"]
    confidence: float
    ai_label: dict[str, Any] | None = None


class Result(BaseModel):
    """What ``bingli check --format json`` prints.

    ``score`` and ``grade`` are ``None`` when no rule could be judged.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["bingli/result/1"] = RESULT_FORMAT
    record_id: str
    profile: str
    score: float | None
    grade: Grade | None
    vetoes: tuple[str, ...]
    outcomes: dict[str, Outcome]
    findings: tuple[Finding, ...]
    label: dict[str, Any] | None = None


@dataclass(frozen=True)
class Report:
    """A result with what a reader needs beside it.

    Attributes:
        reasons: why a rule did not judge (not applicable, undetermined, error), by code.
        judged_share: rules judged (pass or defect) among those not found inapplicable, 0–1.
        deductions: points taken after caps, by rule code.
        deciding_vetoes: the vetoes without which the grade would be better than it is.
        assessed_points: full points of the items that concern the record, as far as they were judged,
        total_points: and all of them.
    """

    record: MedicalRecord
    result: Result
    reasons: Mapping[str, str]
    judged_share: float
    deductions: Mapping[str, float]
    deciding_vetoes: tuple[str, ...] = ()
    assessed_points: float = 0.0
    total_points: float = 0.0
