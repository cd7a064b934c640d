"""The data-quality index: five dimensions, each the share of judgements that passed (docs/data-quality-index.md)."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.errors import UserError
from app.yaml_data import read_yaml

UNIQUE_IDS = "uniqueness"
"""The dimension that counts the ids of records besides its rules."""


class Dimension(BaseModel):
    """One dimension; ``rules`` are code patterns such as ``L-50*``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    code: str
    meaning: str
    rules: tuple[str, ...] = Field(min_length=1)


class Tally(NamedTuple):
    """Judgements of one dimension: one a rule and record."""

    passed: int = 0
    defective: int = 0
    undetermined: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(
            self.passed + other.passed,
            self.defective + other.defective,
            self.undetermined + other.undetermined,
        )

    @property
    def share(self) -> float | None:
        """What passed of what was judged; ``None`` where nothing was."""
        judged = self.passed + self.defective
        return self.passed / judged if judged else None

    @property
    def judged_share(self) -> float | None:
        """What was judged of what concerned the records."""
        judged = self.passed + self.defective
        return judged / (judged + self.undetermined) if judged + self.undetermined else None


@cache
def load_dimensions(path: Path) -> tuple[Dimension, ...]:
    """Read the dimensions from a YAML list, in the order in which they claim rules.

    Raises:
        UserError: the file is not valid; names the entry and field.
    """
    try:
        return TypeAdapter(tuple[Dimension, ...]).validate_python(read_yaml(path))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"数据质量维度文件 {path} 无法读取：{' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"数据质量维度文件 {path}，{'.'.join(map(str, first['loc']))}：{first['msg']}"
        ) from error


def dimensions_by_rule(dimensions: Sequence[Dimension], codes: Iterable[str]) -> dict[str, str]:
    """The dimension that claims each rule first; rules of no dimension are left out."""
    claimed = {code: next((d.code for d in dimensions if _claims(d, code)), None) for code in codes}
    return {code: dimension for code, dimension in claimed.items() if dimension}


def index(by_dimension: Mapping[str, Tally]) -> float | None:
    """The index, 0–100: the mean of the dimensions that were judged; ``None`` where none was."""
    shares = [tally.share for tally in by_dimension.values() if tally.share is not None]
    return 100 * sum(shares) / len(shares) if shares else None


def _claims(dimension: Dimension, code: str) -> bool:
    return any(fnmatchcase(code, pattern) for pattern in dimension.rules)
