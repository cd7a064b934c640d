"""Imported indicators as rules: five outcomes, evidence, and who decided, like every other rule."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import ConfigDict, Field, InstanceOf, field_serializer

from app.qc.case import Case
from app.qc.checks import Check
from app.qc.rule import Basis, Examples, Rule
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.qc.specialty.deciding import Decision
from app.qc.specialty.eligibility import eligibility, subject_of
from app.qc.specialty.excerpt import Excerpt, excerpt
from app.qc.specialty.indicator import Indicator, Indicators, dump_indicator
from app.qc.specialty.judging import IndicatorJudge
from app.records.model import DocumentType, Evidence

CHECK = "specialty_indicator"
MARGIN = 0.1
"""A probability nearer than this to one half is no verdict."""

_EVIDENCE_LIMIT = 3
_LISTED = 4
_REMARK = re.compile(r"[（(][^（）()]*[)）]")


class IndicatorCheck(Check):
    """An imported specialty indicator, judged on the whole stay.

    Attributes:
        indicator: its name.
        judge: what judges by it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    indicator: str
    judge: InstanceOf[IndicatorJudge]

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """A pass where the stay reaches the indicator, a defect where it does not."""
        fits = eligibility(case, subject_of(self.indicator, self.judge.indicator(self.indicator)))
        if fits.value is None:
            return undetermined(fits.reason)
        if not fits.value:
            return not_applicable(fits.reason)
        note = excerpt(case, [each.text for each in self.judge.statements(self.indicator)])
        decision = self.judge.decide(self.indicator, note.text if note.lines else "")
        return _ruling(decision, note)


def _ruling(decision: Decision, note: Excerpt) -> Ruling:
    if decision.value is None:
        return undetermined(decision.reason)
    if abs(decision.probability - 0.5) < MARGIN:
        return undetermined(f"把握不足（达到的概率 {decision.probability:.2f}）")
    if decision.value:
        return PASSED
    evidence = _evidence(decision, note)
    missing = [each.statement.text for each in decision.statements if not each.value]
    more = "等" if len(missing) > _LISTED else ""
    return defect(
        Hit(
            document_id=evidence[0].document_id if evidence else None,
            evidence=evidence,
            details={"detail": f"未能确认{'、'.join(missing[:_LISTED])}{more}" if missing else "条件不成立"},
            confidence=1 - decision.probability,
            by_model=decision.engine == "llm",
        )
    )


def _evidence(decision: Decision, note: Excerpt) -> tuple[Evidence, ...]:
    """The sentences nearest to what could not be confirmed, best first."""
    open_ones = [each for each in decision.statements if not each.value and each.span]
    ranked = sorted(open_ones, key=lambda each: -each.probability)
    places = (note.evidence(each.span) for each in ranked if each.span)
    return tuple(dict.fromkeys(place for place in places if place))[:_EVIDENCE_LIMIT]


class _OwnExamples(Examples):
    """The examples of an indicator; it may come without."""

    fail: tuple[str, ...] = ()
    passing: tuple[str, ...] = Field(alias="pass", default=())


class IndicatorRule(Rule):
    """The rule that an imported indicator is."""

    judge: InstanceOf[IndicatorJudge] = Field(repr=False)
    indicator: str
    examples: _OwnExamples

    @field_serializer("judge", when_used="json")
    def _what_it_judges_by(self, judge: IndicatorJudge) -> str:
        return f"{judge.engine} {dump_indicator(self.indicator, judge.indicator(self.indicator))}"

    @cached_property
    def built_check(self) -> Check:
        """The check with its judge."""
        return IndicatorCheck(indicator=self.indicator, judge=self.judge)


def indicator_rules(indicators: Indicators, judge: IndicatorJudge) -> Mapping[str, Rule]:
    """The indicators that have a code as rules, by code."""
    rules = (_rule(name, each, judge) for name, each in indicators.items() if each.code)
    return {rule.code: rule for rule in rules}


def _rule(name: str, indicator: Indicator, judge: IndicatorJudge) -> Rule:
    title = _REMARK.sub("", name.split("_")[-1]).strip() or name
    content: dict[str, Any] = {
        "code": indicator.code,
        "title": f"未达到指标：{title}",
        "severity": indicator.severity or ("minor" if indicator.points else "hint"),
        "points": indicator.points,
        "check": CHECK,
        "message": f"未达到质控指标“{_braced(name)}”：{{detail}}。",
        "suggestion": f"已经做到的，在病历中写明：{_asked(name, judge)}；没有做到的，写明理由。",
        "basis": [Basis(source="本院导入的专科质控指标", clause=f"“{name}”", level="hospital")],
        "examples": {
            "fail": [each.note for each in indicator.examples if not each.reached],
            "pass": [each.note for each in indicator.examples if each.reached],
        },
        "judge": judge,
        "indicator": name,
    }
    return IndicatorRule.model_validate(content)


def _asked(name: str, judge: IndicatorJudge) -> str:
    return "、".join(dict.fromkeys(each.text for each in judge.statements(name)))


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
