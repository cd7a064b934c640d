"""The schema of a rule. Rules are data: see rules/ and ``bingli rules explain CODE``."""

import re
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.qc.checks import CHECKS, Check
from app.qc.logic import Condition
from app.records.model import CoverageKind, DocumentType

Category = Literal["form", "logic", "content", "front_page"]
Severity = Literal["veto", "major", "minor", "hint"]
BasisLevel = Literal["national", "provincial", "hospital", "inferred"]

SEVERITIES: tuple[Severity, ...] = ("veto", "major", "minor", "hint")
SEVERITY_TITLES: dict[Severity, str] = {"veto": "单项否决", "major": "重要", "minor": "一般", "hint": "提示"}
CATEGORY_TITLES: dict[Category, str] = {
    "form": "形式",
    "logic": "逻辑",
    "content": "内涵",
    "front_page": "首页",
}
LEVEL_TITLES: dict[BasisLevel, str] = {
    "national": "国家", "provincial": "省级", "hospital": "医院", "inferred": "推论",
}  # fmt: skip
_CATEGORIES: dict[str, Category] = {
    "F": "form",
    "L": "logic",
    "N": "content",
    "P": "front_page",
    "S": "content",
}
_DUTY_WORDS = re.compile("应当?|须|必须|需要")

ExampleInput = str | dict[str, Any]


class Basis(BaseModel):
    """Where a rule comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(min_length=1)
    clause: str = ""
    level: BasisLevel


class Examples(BaseModel):
    """Inputs with known outcomes; the test suite runs them all.

    A text is one document of the rule's first type; a mapping is a (partial) record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fail: tuple[ExampleInput, ...] = Field(min_length=1)
    passing: tuple[ExampleInput, ...] = Field(alias="pass", min_length=1)
    not_applicable: tuple[ExampleInput, ...] = ()
    undetermined: tuple[ExampleInput, ...] = ()


class Rule(BaseModel):
    """One rule of the catalogue.

    Attributes:
        code: stable for ever: a letter for the family (F L N P S) and three digits.
        title: the defect itself, not the duty.
        applies_to: the document types that the rule reads.
        needs: kinds of data without which the outcome is ``undetermined``.
        check: a named deterministic check, with ``parameters``; or else
        defect_when: a condition over facts, answered on each document of ``applies_to``,
        applies_when: a condition over facts that must hold for the rule to apply.
        message: what is missing or contradictory in this record; ``{slots}`` come from the check.
        points: taken by default once per record; a profile may replace them.
        supersedes: rules that are not deducted again when this one is a defect (the same fact).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    code: str = Field(pattern=r"^[FLNPS]-\d{3}$")
    title: str = Field(min_length=3)
    severity: Severity
    points: float = Field(ge=0, le=100)
    applies_to: tuple[DocumentType, ...] = ()
    needs: tuple[CoverageKind, ...] = ("documents",)
    check: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    defect_when: str | None = None
    applies_when: str | None = None
    message: str = Field(min_length=3)
    suggestion: str = Field(min_length=3)
    basis: tuple[Basis, ...] = Field(min_length=1)
    supersedes: tuple[str, ...] = ()
    examples: Examples

    @field_validator("title")
    @classmethod
    def _names_the_defect(cls, title: str) -> str:
        if _DUTY_WORDS.match(title):
            raise ValueError("标题要写缺陷本身，不写“应…”“须…”")
        return title

    @model_validator(mode="after")
    def _is_coherent(self) -> "Rule":
        if (self.check is None) == (self.defect_when is None):
            raise ValueError("check 与 defect_when 必须且只能有一个")
        if self.message == self.suggestion:
            raise ValueError("message 与 suggestion 不能相同")
        if self.severity == "hint" and self.points:
            raise ValueError("hint 不扣分，points 必须为 0")
        if self.severity != "hint" and all(basis.level == "inferred" for basis in self.basis):
            raise ValueError("只有推论依据的规则只能是 hint")
        if self.check is not None:
            _ = self.built_check
        elif not self.applies_to:
            raise ValueError("按事实判定的规则必须有 applies_to")
        else:
            _ = self.fact_names
        return self

    @cached_property
    def category(self) -> Category:
        """The category, by the family letter."""
        return _CATEGORIES[self.code[0]]

    @cached_property
    def built_check(self) -> Check:
        """The check with its parameters.

        Raises:
            ValueError: no such check, or wrong parameters.
        """
        assert self.check is not None  # noqa: S101
        if self.check not in CHECKS:
            raise ValueError(f"没有名为 {self.check} 的检查；可用的有 {'、'.join(sorted(CHECKS))}")
        try:
            return CHECKS[self.check](**self.parameters)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"parameters.{'.'.join(map(str, first['loc']))}：{first['msg']}") from error

    @cached_property
    def condition(self) -> Condition:
        """The parsed ``defect_when``."""
        return Condition(self.defect_when or "")

    @cached_property
    def applicability(self) -> Condition | None:
        """The parsed ``applies_when``."""
        return Condition(self.applies_when) if self.applies_when else None

    @cached_property
    def fact_names(self) -> tuple[str, ...]:
        """The facts that the rule asks for; empty for a rule with a check."""
        if self.defect_when is None:
            return ()
        needed = self.applicability.names if self.applicability else ()
        return tuple(dict.fromkeys((*needed, *self.condition.names)))
