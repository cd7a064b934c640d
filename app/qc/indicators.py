"""The 27 national indicators of record management (病案管理质量控制指标 2021): one record, then a batch.

The unit is the record: any defect of an indicator's rules keeps it out of the numerator, rules that all do
not apply keep it out of the denominator, and a record without a defect but with a rule that could not be
judged is listed apart, in neither.
"""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from app.errors import UserError
from app.qc.intervals import Interval, wilson
from app.qc.result import Grade
from app.qc.ruling import Outcome
from app.yaml_data import read_yaml

BEST_GRADE: Grade = "甲"

Standing = Literal["numerator", "denominator_only", "undetermined", "outside"]
"""Where one record stands: ``numerator`` is in the denominator too; ``outside`` is in neither."""


class Indicator(BaseModel):
    """One indicator.

    Attributes:
        rules: the rules whose outcomes decide.
        counts: what the numerator holds: records that pass, records with a defect (lower is better), or
            records of the best grade.
        discharged_only: the denominator holds ended stays only.
        not_computable: why records alone do not give it; empty where they do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    title: str
    numerator: str
    denominator: str
    rules: tuple[str, ...] = ()
    counts: Literal["passes", "defects", "grade"] = "passes"
    discharged_only: bool = False
    not_computable: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _is_computable_one_way(self) -> "Indicator":
        ways = bool(self.rules) + bool(self.not_computable) + (self.counts == "grade")
        if ways != 1:
            raise ValueError("rules、not_computable、counts: grade 三者必须且只能有一个")
        return self

    @property
    def lower_is_better(self) -> bool:
        """Whether the indicator counts what should not be."""
        return self.counts == "defects"

    def standing(
        self, outcomes: Mapping[str, Outcome], grade: Grade | None, *, is_discharged: bool
    ) -> Standing:
        """Where one record stands, by the outcomes of its rules and its grade.

        A rule that was not run leaves open what it would have said.
        """
        if self.not_computable or (self.discharged_only and not is_discharged):
            return "outside"
        if self.counts == "grade":
            return _by_grade(grade)
        found = {outcomes[code] for code in self.rules if code in outcomes} - {"not_applicable"}
        if not found:
            return "outside"
        if "defect" in found:
            return "numerator" if self.lower_is_better else "denominator_only"
        if found != {"pass"} or not outcomes.keys() >= set(self.rules):
            return "undetermined"
        return "denominator_only" if self.lower_is_better else "numerator"


class IndicatorValue(NamedTuple):
    """An indicator over a batch; ``missing_rules`` are those of its rules that were not run."""

    indicator: Indicator
    numerator: int
    denominator: int
    undetermined: int
    missing_rules: tuple[str, ...]

    @property
    def reason_without_value(self) -> str:
        """Why there is no share; empty where there is one."""
        if self.indicator.not_computable:
            return f"不能由这些数据计算：{self.indicator.not_computable}"
        if self.indicator.rules and len(self.missing_rules) == len(self.indicator.rules):
            return f"不能由这些数据计算：所用评分方案没有规则 {'、'.join(self.missing_rules)}"
        if not self.denominator:
            return "没有可以判定的病历" if self.undetermined else "没有这类病历"
        return ""

    @property
    def share(self) -> float | None:
        """Numerator over denominator; ``None`` where it cannot be computed."""
        return None if self.reason_without_value else self.numerator / self.denominator

    @property
    def possible(self) -> Interval | None:
        """The share if none, and if all, of what could not be judged belonged to the numerator.

        ``None`` where everything was judged, or nothing is there.
        """
        whole = self.denominator + self.undetermined
        if not self.undetermined:
            return None
        return Interval(self.numerator / whole, (self.numerator + self.undetermined) / whole)

    @property
    def interval(self) -> Interval | None:
        """Wilson's 95 % interval of the share."""
        return None if self.share is None else wilson(self.numerator, self.denominator)


@cache
def load_indicators(path: Path) -> tuple[Indicator, ...]:
    """Read the indicators from a YAML list.

    Raises:
        UserError: the file is not valid; names the entry and field.
    """
    try:
        content = read_yaml(path)
        return TypeAdapter(tuple[Indicator, ...]).validate_python(content)
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"指标文件 {path} 无法读取：{' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"指标文件 {path}，{place}：{first['msg'].removeprefix('Value error, ')}") from error


def value_of(indicator: Indicator, counts: Mapping[Standing, int], codes: Collection[str]) -> IndicatorValue:
    """One indicator from how many records stand where."""
    inside = counts.get("numerator", 0)
    return IndicatorValue(
        indicator,
        inside,
        inside + counts.get("denominator_only", 0),
        counts.get("undetermined", 0),
        tuple(code for code in indicator.rules if code not in codes),
    )


def _by_grade(grade: Grade | None) -> Standing:
    if grade is None:
        return "undetermined"
    return "numerator" if grade == BEST_GRADE else "denominator_only"
