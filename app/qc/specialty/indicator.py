"""The format of an indicator file, and reading one.

A file is one JSON object: the indicator's name → its question, its facts in words (``盆腔MRI = 已进行/未进行``) and
its logical rules, each in words and in symbols; the last rule decides. See ``app.qc.specialty.conditions``.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from app.errors import UserError
from app.qc.rule import Severity
from app.records.readers.text_file import read_text


class LogicalRule(BaseModel):
    """One rule, in words and in symbols (``Fact 1 ∧ ¬Fact 2``, ``Logical Rule 1 ∨ Logical Rule 2``)."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    words: str = Field(alias="natural language")
    symbols: str = Field(default="", alias="symbolic language")


class IndicatorExample(BaseModel):
    """A note of the hospital's own words, and whether it reaches the indicator."""

    model_config = ConfigDict(frozen=True)

    note: str = Field(min_length=1)
    reached: bool


class Indicator(BaseModel):
    """One indicator as published; descriptive fields that no decision needs are kept out.

    Attributes:
        question_rule: what is asked of one stay, as a closed question, with the definitions it needs.
        numerator: the stays that reach the indicator, in words; ``denominator``: all that it is about.
        remarks: further definitions.
        facts: what has to be known, in words; rules number them from 1.
        logical_rules: how the facts decide; the last one is the decision.
        examples: notes that show what is meant; they are tried on import.
        code: of the rule that the indicator is, once imported.
        diagnoses: the diseases whose patients it is about; none: as its name says.
        departments: the departments it is for; none: all.
        severity: of a stay that does not reach it; a hint unless it takes points.
        points: taken from such a stay.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    definition: str = ""
    numerator: str = ""
    denominator: str = ""
    remarks: str = Field(default="", alias="other")
    question_rule: str = Field(min_length=4)
    facts: tuple[str, ...] = Field(min_length=1)
    logical_rules: tuple[LogicalRule, ...] = Field(min_length=1)
    examples: tuple[IndicatorExample, ...] = ()
    code: str | None = Field(default=None, pattern=r"^S-0\d{2}$")
    diagnoses: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    severity: Severity | None = None
    points: float = Field(default=0.0, ge=0, le=100)

    @model_validator(mode="after")
    def _hints_take_nothing(self) -> "Indicator":
        if self.severity == "hint" and self.points:
            raise ValueError("severity 为 hint 时 points 只能为 0")
        return self


Indicators = Mapping[str, Indicator]

_FILE = TypeAdapter(dict[str, Indicator])


def load_indicators(path: Path) -> Indicators:
    """Read an indicator file.

    Raises:
        UserError: the file cannot be read or is not of that format; the sentence names indicator and field.
    """
    try:
        indicators = _FILE.validate_python(json.loads(read_text(path)))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} 不是 JSON（第 {error.lineno} 行第 {error.colno} 列有误），请检查文件。"
        ) from error
    except ValidationError as error:
        raise UserError(f"{path} 不是指标文件：{_place(error)}，请按指标文件的格式补正。") from error
    if not indicators:
        raise UserError(f"{path} 中没有指标，请检查文件是否完整。")
    return indicators


def dump_indicator(name: str, indicator: Indicator) -> str:
    """An indicator as a file of its own, which ``load_indicators`` reads back."""
    data = {name: indicator.model_dump(mode="json", by_alias=True)}
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def _place(error: ValidationError) -> str:
    first = error.errors()[0]
    if not first["loc"]:
        return "顶层应是“指标名 → 指标”的对象"
    name, *field = map(str, first["loc"])
    if not field:
        said = (
            first["msg"].removeprefix("Value error, ") if first["type"] == "value_error" else "应是一个对象"
        )
        return f"指标“{name}”{said}"
    return f"指标“{name}”的 {'.'.join(field)} 缺失或类型不对"
