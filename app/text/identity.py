"""Who a document says its patient is: name, sex and age of its head and of the opening of its narrative."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from app.records.model import MedicalRecord, Patient, Span
from app.text.lexicons import load_tree
from app.text.patterns import regex
from app.text.width import half_width

HEAD = 240
"""Characters of a document in which it says whose it is."""
_NAME = regex(r"姓\s{0,2}名\s*:\s*(?P<name>[\u4e00-\u9fff·*]{2,15})")
_SEX = regex(r"性\s{0,2}别\s*:\s*(?P<sex>[男女])(?!/)(?!\s*[□√☑])")
_AGE = regex(r"年\s{0,2}龄\s*:\s*(?P<age>\d{1,3})\s*(?:岁|周岁)")
_NARRATED = regex(r"(?P<sex>[男女])(?:性|(?=[,、]\s?\d))(?:患者)?(?:[,、\s]{1,2}(?P<age>\d{1,3})岁)?")
_NARRATION_OPENS = regex(
    r"(?:\A|患者[,:\s]{0,2}|\n|1[.、]\s{0,2})(?:[\u4e00-\u9fff]{2,4}[,、])?(?:中?老年|中年|青年|青少年)?\Z"
)
_SAME_YEARS = 2
_WRITTEN_AGE = regex(r"(\d{1,3}(?:\.\d+)?)\s*(岁|周岁|个?月|周|天|日|小时)")
_YEARS = {
    "岁": 1.0, "周岁": 1.0, "月": 1 / 12, "个月": 1 / 12, "周": 7 / 365.25, "天": 1 / 365.25, "日": 1 / 365.25,
    "小时": 1 / 8766,
}  # fmt: skip


class Statement(NamedTuple):
    """What a document says of the patient.

    Attributes:
        problem: how it contradicts the patient data, in Chinese; empty where it agrees.
        span: where it says so.
    """

    problem: str
    span: Span


def age_at_admission(record: MedicalRecord) -> float | None:
    """The age in years: from the birth date, else as written; ``None`` when not given."""
    patient, admitted = record.patient, record.encounter.admitted_at
    if patient.birth_date and admitted:
        return max(0.0, (admitted.date() - patient.birth_date).days / 365.25)
    written = [(float(n), _YEARS[unit]) for n, unit in _WRITTEN_AGE.findall(half_width(patient.age or ""))]
    return sum(number * years for number, years in written) if written else None


def statements_of(half: str, patient: Patient, age_years: float | None) -> Iterator[Statement]:
    """What a document says of name, sex and age, beside what the patient data say.

    Only the head and the opening of the narrative count; what is said of relatives does not. An age may differ by
    one year.

    Args:
        half: the document's text in half width.
        patient: the patient data.
        age_years: the patient's age; ``None`` compares no age.
    """
    head = half[:HEAD]
    for match in (_NAME.search(head), _SEX.search(head), _AGE.search(head), _narrated(head)):
        if match is None or _is_of_somebody_else(head, match.start()):
            continue
        said, span = match.groupdict(), Span(*match.span())
        if said.get("name") and patient.name and "*" not in said["name"] + patient.name:
            yield Statement(_name_problem(said["name"], patient.name), span)
        if said.get("sex") and patient.sex in ("男", "女"):
            is_same = said["sex"] == patient.sex
            yield Statement("" if is_same else f"性别写为{said['sex']}，患者信息为{patient.sex}", span)
        if said.get("age") and age_years is not None:
            is_near = abs(int(said["age"]) - int(age_years)) < _SAME_YEARS
            problem = "" if is_near else f"年龄写为{said['age']}岁，患者信息为{int(age_years)}岁"
            yield Statement(problem, span)


def _is_of_somebody_else(head: str, at: int) -> bool:
    return _other_person().search(head, head.rfind("\n", 0, at) + 1, at) is not None


@cache
def _other_person() -> re.Pattern[str]:
    kin = load_tree("kin")
    return regex("|".join(word for kind in ("relatives", "other_people") for word in kin[kind]))


def _name_problem(written: str, known: str) -> str:
    plain = known.replace(" ", "").replace("　", "")
    is_same = written.startswith(plain) or plain.startswith(written) or "之" in written
    return "" if is_same else f"姓名写为{written}，患者信息为{plain}"


def _narrated(head: str) -> re.Match[str] | None:
    matches = _NARRATED.finditer(head)
    return next(
        (m for m in matches if _NARRATION_OPENS.search(head[max(0, m.start() - 14) : m.start()])), None
    )
