"""Whether an indicator is about a stay: its diagnoses and departments, given by the file or told by its name."""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from app.qc.case import Case
from app.qc.checks.specialty import confirmed_diagnoses
from app.qc.logic import Truth
from app.qc.specialty.indicator import Indicator
from app.records.model import DocumentType
from app.text.assertion import Assertion, find_mentions
from app.text.diagnoses import canonical, same_disease
from app.text.lexicons import load_tree
from app.text.width import half_width

_ABOUT = re.compile(r"(?:专科|医疗|单病种)?(?:质量控制|质控)?指标$|质量控制$|质控$")
_BRACKETS = re.compile(r"\(([^()]*)\)")
_ABBREVIATION = re.compile(r"[A-Za-z][A-Za-z0-9-]+")
_IS_PROCEDURE = re.compile(r"(?:术|技术|治疗|检查|造影|透析|移植|麻醉|护理|输血|病房|门诊)$")
_TECHNIQUE = re.compile(r"(?:介入)?(?:治疗)?技术$")
_DENIED = re.compile(r"非(..)")
_OPERATED = re.compile(r"(?<!非)手术|切除|消融|造影术?|置换|活检|移植|清扫|止血|内镜|支架|剖宫产")
_OPERATION_TYPES: tuple[DocumentType, ...] = ("手术记录", "有创诊疗操作记录", "术后首次病程记录", "麻醉记录")


class Subject(NamedTuple):
    """What the patients of an indicator have in common.

    Attributes:
        diseases: one of them is diagnosed; none: whatever the diagnosis.
        procedure: a procedure that the record names; empty: none is asked for.
        departments: the departments; none: all.
        is_operated: whether they are patients who were operated on.
    """

    diseases: tuple[str, ...]
    procedure: str
    departments: tuple[str, ...]
    is_operated: bool

    def __str__(self) -> str:
        whose = f"诊断有{'或'.join(self.diseases)}" if self.diseases else f"有{self.procedure}记载"
        operated = "、做过手术或操作" if self.is_operated else ""
        where = f"{'、'.join(self.departments)}" if self.departments else ""
        return f"{where}{whose}{operated}的患者"


class Eligibility(NamedTuple):
    """Whether the indicator is about the stay; if that is not so or not known, why, in Chinese."""

    value: Truth
    reason: str = ""


@lru_cache(maxsize=256)
def subject_of(name: str, indicator: Indicator) -> Subject:
    """What the file says the indicator is about, else what its name and denominator say."""
    head = half_width(re.split(r"[_＿]", name)[0])
    plain = _ABOUT.sub("", _BRACKETS.sub("", head)).strip()
    patients = f"{name}。{indicator.denominator}"
    is_procedure = _IS_PROCEDURE.search(plain) is not None
    diseases = indicator.diagnoses or (
        _diseases_in(patients) if is_procedure else (_most_exact(plain, head),)
    )
    procedure = "" if diseases else _TECHNIQUE.sub("", plain)
    return Subject(diseases, procedure, indicator.departments, _OPERATED.search(patients) is not None)


def _diseases_in(text: str) -> tuple[str, ...]:
    """The diseases that a text names, by our list of them."""
    return tuple(dict.fromkeys(canonical(mention.term) for mention in find_mentions(text, _disease_names())))


@cache
def _disease_names() -> tuple[str, ...]:
    listed: Mapping[str, list[str]] = load_tree("disease_names")["synonyms"]
    names = (name for head, forms in listed.items() for name in (head, *forms))
    return tuple(name for name in names if not name.isascii())


def _most_exact(plain: str, head: str) -> str:
    """The disease, or the kind of it that an abbreviation in brackets names (STEMI)."""
    for bracket in _BRACKETS.findall(head):
        for abbreviation in _ABBREVIATION.findall(bracket):
            meant = canonical(abbreviation)
            if meant != abbreviation and len(meant) > len(plain) and same_disease(meant, plain):
                return meant
    return plain


def eligibility(case: Case, subject: Subject) -> Eligibility:
    """Whether a stay is one of those that an indicator is about; doubted and past diagnoses do not count."""
    department = case.record.encounter.department
    if subject.departments and department is None:
        return Eligibility(None, "病历没有科室，不能确定是否属于该指标的患者")
    if subject.departments and not any(name in (department or "") for name in subject.departments):
        return Eligibility(False, f"该指标只用于{'、'.join(subject.departments)}")
    if subject.diseases:
        known = _has_disease(case, subject.diseases)
        if known is None:
            return Eligibility(None, "病历没有确定的诊断，不能确定是否属于该指标的患者")
        if not known:
            return Eligibility(False, f"没有{'、'.join(subject.diseases)}的诊断")
    if subject.procedure and not _mentions(case, subject.procedure):
        return Eligibility(False, f"没有{subject.procedure}的记载")
    if subject.is_operated and _was_not_operated(case):
        return Eligibility(False, "本次住院没有手术或操作")
    return Eligibility(True)


def _has_disease(case: Case, diseases: tuple[str, ...]) -> Truth:
    diagnoses = case.remembered(confirmed_diagnoses)
    if any(_is_of(each.name, disease) for each in diagnoses.last for disease in diseases):
        return True
    if diagnoses.are_given:
        return False
    return True if any(_mentions(case, disease) for disease in diseases) else None


def _is_of(diagnosis: str, disease: str) -> bool:
    """Whether a diagnosis is the disease; one that denies its very attribute (非ST段抬高型) is not."""
    one, other = canonical(diagnosis), canonical(disease)
    return same_disease(one, other) and not _denies(one, other) and not _denies(other, one)


def _denies(one: str, other: str) -> bool:
    return any(word in other.replace(f"非{word}", "") for word in _DENIED.findall(one))


def _mentions(case: Case, name: str) -> bool:
    """Whether the record asserts of the patient what the name says, or a procedure is called so."""
    stem = name.removesuffix("术")
    procedures = (half_width(each.name or "") for each in case.record.procedures or ())
    if any(stem in each for each in procedures):
        return True
    return any(
        mention.assertion is Assertion.PRESENT and mention.subject == "patient"
        for text in _texts(case)
        for mention in find_mentions(text, (stem,))
    )


def _texts(case: Case) -> Iterator[str]:
    yield from (document.text for document in case.documents)


def _was_not_operated(case: Case) -> bool:
    """Whether the data say that nothing was done; a single note says nothing about it."""
    record = case.record
    return (
        "procedures" in record.delivered
        and not record.procedures
        and not case.documents_of(*_OPERATION_TYPES)
    )
