"""Points, caps, vetoes and grades by profile.

National documents fix no 100-point table, grade line or veto list; profiles hold what provinces and
hospitals agreed on, and may be replaced.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import UserError
from app.qc.result import Grade
from app.qc.rule import BasisLevel, Rule, Severity

FULL_SCORE = 100.0
GRADES: tuple[Grade, ...] = ("甲", "乙", "丙")


class GradeLine(BaseModel):
    """The lowest score of a grade, inclusive."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grade: Grade
    at_least: float = Field(ge=0, le=FULL_SCORE)


class VetoEffect(BaseModel):
    """What vetoes do: each takes ``deduct`` points outside every cap; their number caps the grade."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deduct: float = Field(ge=0)
    cap: Grade
    count_for_lowest: int | None = Field(default=None, ge=1)


class Item(BaseModel):
    """A part of the score with its full points; ``rules`` are code patterns such as ``F-1*``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    full: float = Field(gt=0)
    rules: tuple[str, ...] = Field(min_length=1)


class RuleChange(BaseModel):
    """What a profile changes in a rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool | None = None
    severity: Severity | None = None
    points: float | None = Field(default=None, ge=0)
    parameters: dict[str, Any] = Field(default_factory=dict)


class Profile(BaseModel):
    """A scoring profile (评分方案)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    level: BasisLevel
    note: str
    grades: tuple[GradeLine, ...] = Field(min_length=1)
    veto: VetoEffect
    items: tuple[Item, ...] = ()
    rules: dict[str, RuleChange] = Field(default_factory=dict)

    def applied_to(self, rules: Mapping[str, Rule]) -> dict[str, Rule]:
        """The rules that this profile uses, with its changes.

        Raises:
            UserError: the profile names a rule that does not exist, or gives it impossible values.
        """
        unknown = sorted(set(self.rules) - set(rules))
        if unknown:
            raise UserError(f"评分方案 {self.name}：没有规则 {'、'.join(unknown)}，请更正 rules 一节。")
        changed = {code: self._changed(rule) for code, rule in rules.items()}
        return {code: rule for code, rule in changed.items() if rule is not None}

    def _changed(self, rule: Rule) -> Rule | None:
        change = self.rules.get(rule.code)
        if change is None:
            return rule
        if change.enabled is False:
            return None
        given = {
            name: value for name in ("severity", "points") if (value := getattr(change, name)) is not None
        }
        parameters = {**rule.parameters, **change.parameters}
        content = {**rule.model_dump(by_alias=True), **given, "parameters": parameters}
        try:
            return Rule.model_validate(content)
        except ValidationError as error:
            raise UserError(f"评分方案 {self.name} 的规则 {rule.code}：{error.errors()[0]['msg']}") from error


def load_profile(folder: Path, name: str) -> Profile:
    """Read the profile ``name`` from a folder of profiles.

    Raises:
        UserError: there is no such profile, or it is not valid.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        available = "、".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise UserError(f"没有名为 {name} 的评分方案；可用的有：{available}。")
    try:
        return Profile.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except yaml.YAMLError as error:
        raise UserError(f"评分方案 {path} 不是有效的 YAML：{' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"评分方案 {path}，字段 {'.'.join(map(str, first['loc']))}：{first['msg']}"
        ) from error


class Score(NamedTuple):
    """The score, the grade, the vetoes that cap it, and the points taken by each rule."""

    value: float
    grade: Grade
    vetoes: tuple[str, ...]
    deductions: dict[str, float]


def score(defective: Iterable[Rule], profile: Profile) -> Score:
    """Score a record by the rules found defective, each taken once.

    A rule that another defective rule supersedes takes nothing.
    """
    rules = {rule.code: rule for rule in defective}
    superseded = {code for rule in rules.values() for code in rule.supersedes}
    counted = [rule for code, rule in rules.items() if code not in superseded]
    vetoes = tuple(rule.code for rule in counted if rule.severity == "veto")
    deductions = dict.fromkeys(vetoes, profile.veto.deduct)
    left = {item.name: item.full for item in profile.items}
    for rule in (rule for rule in counted if rule.severity not in ("veto", "hint")):
        item = _item_of(rule.code, profile)
        taken = min(rule.points, left[item.name]) if item else rule.points
        if item:
            left[item.name] -= taken
        deductions[rule.code] = taken
    value = max(0.0, FULL_SCORE - sum(deductions.values()))
    return Score(value, _grade(value, len(vetoes), profile), vetoes, deductions)


def _item_of(code: str, profile: Profile) -> Item | None:
    return next((item for item in profile.items if any(fnmatchcase(code, p) for p in item.rules)), None)


def _grade(value: float, veto_count: int, profile: Profile) -> Grade:
    lines = sorted(profile.grades, key=lambda line: -line.at_least)
    earned = next((line.grade for line in lines if value >= line.at_least), GRADES[-1])
    caps = [earned]
    if veto_count:
        caps.append(profile.veto.cap)
        if profile.veto.count_for_lowest is not None and veto_count >= profile.veto.count_for_lowest:
            caps.append(GRADES[-1])
    return max(caps, key=GRADES.index)
