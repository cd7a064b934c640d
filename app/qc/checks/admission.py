"""Checks that only admission notes need."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from pydantic import ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.checks.presence import is_written
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import Document, Span
from app.text.patterns import regex
from app.text.quantities import VitalName, VitalSign, find_vital_signs

_UNMEASURABLE = r"[^。;,，\n]{0,6}?(?:测不|未测|拒测|未能测|未触及|触不|未扪及|扪不)"


class _Asked(NamedTuple):
    name: str
    kinds: tuple[VitalName, ...]
    unmeasurable: re.Pattern[str]


_VITALS = (
    _Asked("体温", ("temperature",), regex(r"(?:体温|\bT)" + _UNMEASURABLE)),
    _Asked("脉搏", ("pulse", "heart_rate"), regex(r"(?:脉搏|心率|\bP|\bHR)" + _UNMEASURABLE)),
    _Asked("呼吸", ("respiration",), regex(r"(?:呼吸|\bR)" + _UNMEASURABLE)),
    _Asked("血压", ("systolic",), regex(r"(?:血压|\bBP)" + _UNMEASURABLE)),
)
_PRIOR_EXAM = regex(
    r"(?:行|查|予|做|经|于|示|复查|完善|化验)[^。;,、\n]{0,14}?(?:CT|MRI|MRA|磁共振|超声|B超|彩超|心电图|胃镜|肠镜|X线|X光|胸片|平片|"
    r"血常规|尿常规|生化|肝功能|肾功能|血气|造影|活检|病理)[^。;\n]{0,12}?(?:示|提示|显示|见|考虑|:|为|回报|正常|未见|升高|降低)"
)
_EARLIER_STAY = regex(
    r"第[一二三四五六七八九十\d]+次(?:入|住)院|(?:上次|前次|末次|首次|曾|多次|再次|又|先后|既往|\d+次)[^。;\n]{0,20}?(?:入院|住院|入住|收住|出院)"
    r"|(?:我|本)[院科][^。;\n]{0,16}?(?:住院|入院|入住)|出院后|(?:住院|诊治)(?:期间|经过)|好转出院"
)


class VitalSignsMissing(DocumentCheck, name="vital_signs_missing"):
    """A physical examination that lacks a vital sign, or gives it as blank or 0.

    Attributes:
        blood_pressure_from_age: the age in years below which blood pressure may be left out.
    """

    blood_pressure_from_age: float = Field(default=1, ge=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        reading = case.reading(document)
        examination = reading.section("体格检查")
        if examination is None or not is_written(examination.body.of(document.text)):
            return not_applicable("没有体格检查段，由缺段规则判定")
        texts = [body for name in ("体格检查", "生命体征") if (body := reading.body(name))]
        signs = [sign for text in texts for sign in find_vital_signs(text)]
        missing = [asked.name for asked in self._asked(case) if not _is_given(asked, signs, texts)]
        if missing:
            return defect(
                Hit.at(document, examination.heading, section="体格检查", missing="、".join(missing))
            )
        if any(sign.masked for sign in signs if any(sign.name in asked.kinds for asked in _VITALS)):
            return undetermined("生命体征的数值已脱敏")
        return PASSED

    def _asked(self, case: Case) -> tuple[_Asked, ...]:
        is_infant = case.age_years is not None and case.age_years < self.blood_pressure_from_age
        return _VITALS[:3] if is_infant else _VITALS


def _is_given(asked: _Asked, signs: list[VitalSign], texts: list[str]) -> bool:
    if any(sign.name in asked.kinds and (sign.masked or bool(sign.value)) for sign in signs):
        return True
    return any(asked.unmeasurable.search(text) for text in texts)


class SpecialtyExaminationMissing(DocumentCheck, name="specialty_examination_missing"):
    """A note of a department that needs a specialty examination, without one.

    Attributes:
        departments: parts of department names; each with a pattern of what its examination writes, found in
            the 体格检查 instead.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    departments: Mapping[str, str] = Field(min_length=1)

    @cached_property
    def _patterns(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        return tuple((name, regex(pattern)) for name, pattern in self.departments.items())

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        department = case.record.encounter.department
        if not department:
            return undetermined("未提供科室")
        patterns = [pattern for name, pattern in self._patterns if name in department]
        if not patterns:
            return not_applicable(f"{department}不要求专科情况")
        reading = case.reading(document)
        if is_written(reading.body("专科检查")):
            return PASSED
        examination = reading.section("体格检查")
        if examination is None:
            return undetermined("没有体格检查段")
        if any(pattern.search(reading.half, *examination.body) for pattern in patterns):
            return PASSED
        return defect(Hit.at(document, examination.heading, section="专科检查", department=department))


class PriorExaminationsMissing(DocumentCheck, name="prior_examinations_missing"):
    """A note without 辅助检查, although its history or the data tell of examinations before admission."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        reading, admitted = case.reading(document), case.record.encounter.admitted_at
        if is_written(reading.body("辅助检查")):
            return PASSED
        history = reading.section("现病史")
        told = _PRIOR_EXAM.search(reading.half, *history.body) if history else None
        if told:
            return defect(
                Hit.at(document, Span(*told.span()), section="辅助检查", proof="现病史提到入院前的检查")
            )
        reported = [r.reported_at for r in case.record.lab_results or ()]
        reported += [r.reported_at for r in case.record.exam_reports or ()]
        if admitted and any(moment < admitted for moment in reported if moment):
            return defect(Hit.at(document, section="辅助检查", proof="入院前已有检查检验报告"))
        return undetermined("现病史看不出入院前是否做过检查")


class EarlierStaysUntold(DocumentCheck, name="earlier_stays_untold"):
    """A readmission for the same disease written as a first admission, without a summary of earlier stays."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        readmission = case.record.encounter.readmission
        if readmission is None:
            return undetermined("未提供是否同病再次住院")
        if not readmission:
            return not_applicable("不是同病再次住院")
        reading = case.reading(document)
        history = reading.section("现病史")
        if history is None or not is_written(history.body.of(document.text)):
            return undetermined("没有现病史段")
        if _EARLIER_STAY.search(reading.half, *history.body):
            return PASSED
        return defect(Hit.at(document, history.heading, section="现病史"))
