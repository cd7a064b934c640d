"""Points, caps, vetoes and grades by profile.

National documents fix no 100-point table, grade line or veto list; profiles hold what provinces and
hospitals agreed on, and may be replaced.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import UserError
from app.qc.result import Grade
from app.qc.rule import BasisLevel, Rule, Severity
from app.qc.ruling import Outcome
from app.yaml_data import read_yaml

FULL_SCORE = 100.0
GRADES: tuple[Grade, ...] = ("甲", "乙", "丙")


class GradeLine(BaseModel):
    """The lowest score of a grade, inclusive."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grade: Grade
    at_least: float = Field(ge=0, le=FULL_SCORE)


class VetoEffect(BaseModel):
    """What vetoes do.

    Attributes:
        deduct: points that each takes, outside every cap of an item.
        deduct_once: whether several vetoes together take the points of the dearest only (不累积).
        cap: the best grade left; ``None`` where vetoes only take points.
        count_for_lowest: how many vetoes make the lowest grade; those that cap at it by themselves aside.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    deduct: float = Field(ge=0)
    deduct_once: bool = False
    cap: Grade | None
    count_for_lowest: int | None = Field(default=None, ge=1)


class RuleVeto(BaseModel):
    """What one rule's veto does instead of the profile's effect; what is not given stays as there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deduct: float | None = Field(default=None, ge=0)
    cap: Grade | None = None


class Item(BaseModel):
    """A part of the score with its full points; ``rules`` are code patterns such as ``F-1*``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    full: float = Field(gt=0)
    rules: tuple[str, ...] = Field(min_length=1)


class RuleChange(BaseModel):
    """What a profile changes in a rule; ``veto`` makes it one, with an effect of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool | None = None
    severity: Severity | None = None
    points: float | None = Field(default=None, ge=0)
    veto: RuleVeto | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


class Profile(BaseModel):
    """A scoring profile (评分方案)."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

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

    def item_of(self, code: str) -> Item | None:
        """The first item of the score whose patterns the rule matches."""
        if code not in self._items_found:
            matching = (item for item in self.items if any(fnmatchcase(code, p) for p in item.rules))
            self._items_found[code] = next(matching, None)
        return self._items_found[code]

    @cached_property
    def _items_found(self) -> dict[str, Item | None]:
        return {}

    def veto_of(self, code: str) -> VetoEffect:
        """What a veto by this rule does."""
        change = self.rules.get(code)
        given = change.veto.model_dump(exclude_none=True) if change and change.veto else {}
        return self.veto.model_copy(update=given)

    def _changed(self, rule: Rule) -> Rule | None:
        change = self.rules.get(rule.code)
        if change is None:
            return rule
        if change.enabled is False:
            return None
        given = {
            name: value for name in ("severity", "points") if (value := getattr(change, name)) is not None
        }
        if change.veto is not None:
            given["severity"] = "veto"
        parameters = {**rule.parameters, **change.parameters}
        content = {**rule.model_dump(by_alias=True), **given, "parameters": parameters}
        try:
            return type(rule).model_validate(content)
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
        return Profile.model_validate(read_yaml(path))
    except yaml.YAMLError as error:
        raise UserError(f"评分方案 {path} 不是有效的 YAML：{' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"评分方案 {path}，字段 {'.'.join(map(str, first['loc']))}：{first['msg']}"
        ) from error


class Score(NamedTuple):
    """What a record scores.

    Attributes:
        vetoes: the rules found defective that are vetoes.
        deciding: those of them without which the grade would be better than it is.
        deductions: points taken after caps, by rule code.
    """

    value: float
    grade: Grade
    vetoes: tuple[str, ...]
    deciding: tuple[str, ...]
    deductions: dict[str, float]


class Assessed(NamedTuple):
    """Full points of the items that concern a record, and the part of them that could be judged."""

    points: float
    of: float


def score(defective: Iterable[Rule], profile: Profile) -> Score:
    """Score a record by the rules found defective, each taken once.

    A rule that another defective rule supersedes takes nothing.
    """
    rules = {rule.code: rule for rule in defective}
    superseded = {code for rule in rules.values() for code in rule.supersedes}
    counted = [rule for code, rule in rules.items() if code not in superseded]
    vetoes = tuple(rule.code for rule in counted if rule.severity == "veto")
    deductions = _veto_deductions(vetoes, profile)
    left = {item.name: item.full for item in profile.items}
    for rule in (rule for rule in counted if rule.severity not in ("veto", "hint")):
        item = profile.item_of(rule.code)
        taken = min(rule.points, left[item.name]) if item else rule.points
        if item:
            left[item.name] -= taken
        deductions[rule.code] = taken
    value = max(0.0, FULL_SCORE - sum(deductions.values()))
    earned = _earned(value, profile)
    caps = _caps(vetoes, profile)
    grade = max([earned, *caps.values()], key=GRADES.index)
    deciding = tuple(code for code in vetoes if grade != earned and caps.get(code) == grade)
    return Score(value, grade, vetoes, deciding, deductions)


def assessed(outcomes: Mapping[str, Outcome], profile: Profile) -> Assessed:
    """How much of the score rests on judgements: an item counts by the share of its rules that were judged.

    Items none of whose rules apply count nowhere; rules outside every item are left aside.
    """
    points = of = 0.0
    by_item: dict[str, list[Outcome]] = {item.name: [] for item in profile.items}
    for code, outcome in outcomes.items():
        item = profile.item_of(code)
        if item and outcome != "not_applicable":
            by_item[item.name].append(outcome)
    for item in profile.items:
        concerned = by_item[item.name]
        if concerned:
            of += item.full
            points += item.full * sum(o in ("pass", "defect") for o in concerned) / len(concerned)
    return Assessed(points, of)


def _veto_deductions(vetoes: Sequence[str], profile: Profile) -> dict[str, float]:
    taken = {code: profile.veto_of(code).deduct for code in vetoes}
    if not profile.veto.deduct_once or not taken:
        return taken
    dearest = max(taken, key=taken.__getitem__)
    return {code: points if code == dearest else 0.0 for code, points in taken.items()}


def _caps(vetoes: Sequence[str], profile: Profile) -> dict[str, Grade]:
    """The grade that each veto caps at; enough of those that do not reach the lowest do so together."""
    caps = {code: cap for code in vetoes if (cap := profile.veto_of(code).cap)}
    limit = profile.veto.count_for_lowest
    lighter = [code for code in vetoes if caps.get(code) != GRADES[-1]]
    if limit is not None and len(lighter) >= limit:
        caps |= dict.fromkeys(lighter, GRADES[-1])
    return caps


def _earned(value: float, profile: Profile) -> Grade:
    lines = sorted(profile.grades, key=lambda line: -line.at_least)
    return next((line.grade for line in lines if value >= line.at_least), GRADES[-1])
