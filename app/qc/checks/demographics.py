"""Diagnoses and operations that the patient's sex or age cannot have, by code; for names see the lexicons."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.qc.case import Case
from app.qc.checks.front_page import PageCheck, page_hit
from app.qc.front_page import FrontPageView
from app.qc.ruling import PASSED, Ruling, defect, undetermined
from app.terms.codes import CodeKind, CodeRanges
from app.text.lexicons import load_mapping
from app.text.patterns import regex
from app.yaml_data import read_yaml

_DAYS_A_YEAR = 365.25
_NEWBORN_DAYS = 28.5
_CHILD_YEARS = 18.0

Sex = Literal["男", "女"]


class AgeLimit(NamedTuple):
    """An age that codes belong to, in years at admission, both ends inclusive."""

    title: str
    codes: CodeRanges
    from_years: float
    to_years: float


@cache
def _data() -> Mapping[str, Any]:
    parsed: dict[str, Any] = read_yaml(Path(__file__).with_suffix(".yaml"))
    return parsed


@cache
def _sex_codes(sex: Sex, kind: CodeKind) -> CodeRanges:
    return CodeRanges(_data()["sex"][sex][kind])


@cache
def age_limits() -> tuple[AgeLimit, ...]:
    """The ages that diagnosis codes are limited to."""
    return tuple(
        AgeLimit(
            given["title"],
            CodeRanges(given["codes"]),
            given.get("from_years", 0.0),
            (given["to_days"] + 0.5) / _DAYS_A_YEAR if "to_days" in given else given.get("to_years", 150.0),
        )
        for given in _data()["age"]
    )


def sex_of_code(kind: CodeKind, code: str) -> Sex | None:
    """The only sex that a diagnosis or operation of this code can have; ``None`` when both can."""
    sexes: tuple[Sex, ...] = ("男", "女")
    return next((sex for sex in sexes if code in _sex_codes(sex, kind)), None)


def age_of_code(code: str, age_years: float) -> str | None:
    """The age that a diagnosis code is limited to, where ``age_years`` is another; else ``None``."""
    limits = (limit for limit in age_limits() if code in limit.codes)
    return next((each.title for each in limits if not each.from_years <= age_years <= each.to_years), None)


def age_of_name(name: str, age_years: float) -> str | None:
    """The age that a diagnosis name is limited to, where ``age_years`` is another; else ``None``."""
    if "史" in name or "后遗" in name:
        return None
    stages = (("新生儿", _NEWBORN_DAYS / _DAYS_A_YEAR), ("儿童", _CHILD_YEARS))
    return next((s for s, oldest in stages if age_years > oldest and _stage(s).search(name)), None)


@cache
def _stage(name: str) -> re.Pattern[str]:
    return regex("|".join(load_mapping("age_limited")[name]))


class AgeLimitedDiagnosis(PageCheck, name="age_limited_diagnosis"):
    """A diagnosis on the front page, by code or name, that belongs to another age."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge every diagnosis."""
        age = case.age_years
        if age is None:
            return undetermined("未提供年龄")
        hits = []
        for diagnosis in page.diagnoses:
            stage = age_of_code(diagnosis.code or "", age) or age_of_name(diagnosis.name, age)
            if stage:
                words = f"{age:.0f}岁" if age >= 1 else f"{age * _DAYS_A_YEAR:.0f}天"
                hits.append(page_hit(page, diagnosis.name, name=diagnosis.name, stage=stage, age=words))
        return defect(*hits) if hits else PASSED
