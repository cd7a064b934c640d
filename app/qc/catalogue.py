"""Loading and validating rules/, with errors that name file, rule and field."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from app.errors import UserError
from app.qc.facts.detectors import DETECTORS
from app.qc.facts.fact import Fact
from app.qc.facts.stay import SELECTIONS, STAY_DETECTORS
from app.qc.rule import Rule
from app.yaml_data import read_yaml

RULE_FOLDERS = ("form", "logic", "content", "front_page", "specialty")
FACT_FOLDER = "facts"

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True)
class Catalogue:
    """All rules by code and all facts by name."""

    rules: Mapping[str, Rule]
    facts: Mapping[str, Fact]


def load_catalogue(folder: Path) -> Catalogue:
    """Read every rule and fact below a folder.

    Raises:
        UserError: naming file, entry and field of the first error.
    """
    facts = {fact.name: fact for _, fact in _load_unique(folder, (FACT_FOLDER,), Fact, "name")}
    for fact in facts.values():
        if fact.detector is not None and fact.detector not in {*DETECTORS, *STAY_DETECTORS}:
            raise UserError(
                f"事实 {fact.name} 的 detector：没有名为 {fact.detector} 的检测器，请更正规则文件。"
            )
        if fact.among is not None and fact.among not in SELECTIONS:
            raise UserError(
                f"事实 {fact.name} 的 among：没有名为 {fact.among} 的文书范围，可用的有 {'、'.join(SELECTIONS)}。"
            )
    rules: dict[str, Rule] = {}
    for path, rule in _load_unique(folder, RULE_FOLDERS, Rule, "code"):
        for name in rule.fact_names:
            if name not in facts:
                raise UserError(
                    f"规则文件 {path} 的规则 {rule.code}：没有名为 {name} 的事实，请更正 defect_when 或 applies_when。"
                )
        rules[rule.code] = rule
    return Catalogue(dict(sorted(rules.items())), facts)


def _load_unique(
    folder: Path, subfolders: Iterable[str], model: type[_M], key: str
) -> Iterator[tuple[Path, _M]]:
    seen: dict[str, Path] = {}
    for path in (path for sub in subfolders for path in sorted((folder / sub).glob("*.yaml"))):
        for entry in _entries(path):
            loaded = _validated(path, entry, model, key)
            identity = getattr(loaded, key)
            if identity in seen:
                raise UserError(f"规则文件 {path}：{identity} 已在 {seen[identity]} 中定义，编号不能重复。")
            seen[identity] = path
            yield path, loaded


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        content = read_yaml(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"规则文件 {path} 不是有效的 YAML：{' '.join(str(error).split())}") from error
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise UserError(f"规则文件 {path}：顶层必须是规则的列表。")
    return content


def _validated(path: Path, entry: dict[str, Any], model: type[_M], key: str) -> _M:
    try:
        return model.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "整条"
        raise UserError(
            f"规则文件 {path} 的 {entry.get(key, '（无编号）')}，字段 {field}：{first['msg'].removeprefix('Value error, ')}"
        ) from error
