"""Diagnoses on the front page: the choice of the main one, conditions on admission, codes in the wrong column."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from pydantic import ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.front_page import PageCheck, page_hit
from app.qc.front_page import FrontPageView, PageDiagnosis, chosen
from app.qc.ruling import PASSED, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import ExamReport
from app.terms.codes import CodeRanges
from app.text.diagnoses import agreeing
from app.text.patterns import regex
from app.text.width import half_width

_NO_MAIN = "首页没有主要诊断，由首页必填项规则判定"
_NO_CODES = "首页未提供诊断编码"


class SymptomAsMain(PageCheck, name="symptom_as_main"):
    """A symptom as main diagnosis although another diagnosis explains it.

    Attributes:
        symptoms: ranges of codes of symptoms and signs.
        explained_by: for a symptom's code, the ranges of diseases that explain it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    symptoms: tuple[str, ...] = Field(min_length=1)
    explained_by: Mapping[str, tuple[str, ...]]

    @cached_property
    def _symptoms(self) -> CodeRanges:
        return CodeRanges(self.symptoms)

    @cached_property
    def _causes(self) -> tuple[tuple[CodeRanges, CodeRanges], ...]:
        return tuple((CodeRanges((code,)), CodeRanges(causes)) for code, causes in self.explained_by.items())

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the main diagnosis."""
        main = page.main_diagnosis
        if main is None or not main.code:
            return undetermined(_NO_CODES) if main else not_applicable(_NO_MAIN)
        if main.code not in self._symptoms:
            return PASSED
        others = [(d.name, d.code) for d in page.diagnoses if not d.is_main and d.code]
        diseases = [(name, code) for name, code in others if code not in self._symptoms]
        if not diseases:
            return PASSED
        for name, code in diseases:
            if any(main.code in symptom and code in causes for symptom, causes in self._causes):
                return defect(page_hit(page, main.name, name, main=main.name, disease=name))
        return undetermined("其他诊断能否解释该症状须人工判断")


class TerminalStateAsMain(PageCheck, name="terminal_state_as_main"):
    """A terminal state as main diagnosis of a patient who died.

    Attributes:
        names: a pattern of the names of terminal states.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    names: str

    @cached_property
    def _names(self) -> re.Pattern[str]:
        return regex(self.names)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the main diagnosis."""
        main = page.main_diagnosis
        if main is None:
            return not_applicable(_NO_MAIN)
        if not self._names.search(main.name):
            return PASSED
        if page.disposition is None:
            return undetermined("未提供离院方式")
        if page.disposition != "死亡":
            return not_applicable("患者存活，以该病为诊治目的")
        return defect(page_hit(page, main.name, main=main.name))


class TreatmentNotMain(PageCheck, name="treatment_not_main"):
    """A stay for chemotherapy or radiotherapy alone with the tumour as main diagnosis.

    Attributes:
        tumours: ranges of codes of malignant tumours.
        treatments: ranges of codes of chemotherapy and radiotherapy as diagnoses.
        treating_operations: ranges of operation codes that are chemotherapy or radiotherapy themselves.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    tumours: tuple[str, ...] = Field(min_length=1)
    treatments: tuple[str, ...] = Field(min_length=1)
    treating_operations: tuple[str, ...] = ()

    @cached_property
    def _ranges(self) -> tuple[CodeRanges, CodeRanges, CodeRanges]:
        return CodeRanges(self.tumours), CodeRanges(self.treatments), CodeRanges(self.treating_operations)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the main diagnosis."""
        tumours, treatments, treating = self._ranges
        main = page.main_diagnosis
        if main is None or not main.code:
            return undetermined(_NO_CODES) if main else not_applicable(_NO_MAIN)
        if not any((d.code or "") in tumours for d in page.diagnoses):
            return not_applicable("没有恶性肿瘤诊断")
        if main.code not in tumours:
            return PASSED
        treated = next((d for d in page.diagnoses if not d.is_main and (d.code or "") in treatments), None)
        by_operation = any((o.code or "") in treating for o in page.operations)
        if treated is None:
            return undetermined("治疗目的须结合病历判断") if by_operation else PASSED
        if any((o.code or "") not in treating for o in page.operations):
            return undetermined("同时有手术，治疗目的须结合病历判断")
        if any(report.modality == "病理" for report in case.record.exam_reports or ()):
            return undetermined("住院期间有病理检查，治疗目的须结合病历判断")
        return defect(page_hit(page, main.name, treated.name, main=main.name, treatment=treated.name))


class ObstetricMainWrong(PageCheck, name="obstetric_main_wrong"):
    """A normal delivery as main diagnosis beside a complication; or one without its elements.

    Attributes:
        normal: ranges of codes of normal deliveries.
        complications: ranges of codes of obstetric complications and comorbidities.
        elements: for each element of a delivery's diagnosis, a pattern; found in any diagnosis of the page.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    normal: tuple[str, ...] = Field(min_length=1)
    complications: tuple[str, ...] = Field(min_length=1)
    elements: Mapping[str, str] = Field(min_length=1)

    @cached_property
    def _ranges(self) -> tuple[CodeRanges, CodeRanges]:
        return CodeRanges(self.normal), CodeRanges(self.complications)

    @cached_property
    def _elements(self) -> Mapping[str, re.Pattern[str]]:
        return {name: regex(pattern, re.IGNORECASE) for name, pattern in self.elements.items()}

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the main diagnosis."""
        normal, complications = self._ranges
        main = page.main_diagnosis
        if main is None or not main.code:
            return undetermined(_NO_CODES) if main else not_applicable(_NO_MAIN)
        if main.code not in normal:
            return not_applicable("主要诊断不是正常分娩")
        worse = next((d for d in page.diagnoses if not d.is_main and (d.code or "") in complications), None)
        if worse:
            problem = f"其他诊断有“{worse.name}”"
            return defect(page_hit(page, main.name, worse.name, main=main.name, problem=problem))
        names = " ".join(d.name for d in page.diagnoses)
        missing = [name for name, pattern in self._elements.items() if not pattern.search(names)]
        if missing:
            return defect(page_hit(page, main.name, main=main.name, problem=f"没有写{'、'.join(missing)}"))
        return PASSED


class AdmissionConditionOfMain(PageCheck, name="admission_condition_of_main"):
    """A main diagnosis that was not there on admission (入院病情 4 无)."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the main diagnosis."""
        main = page.main_diagnosis
        if main is None:
            return not_applicable(_NO_MAIN)
        condition = _condition(main)
        if condition is None:
            return undetermined("首页未提供主要诊断的入院病情")
        return defect(page_hit(page, main.name, main=main.name)) if condition == "无" else PASSED


class AdmissionConditionWrong(PageCheck, name="admission_condition_wrong"):
    """A diagnosis without condition on admission, or 无 although it was made on admission."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge every diagnosis."""
        early = [
            d.name for d in case.record.diagnoses or () if d.name and d.stage in ("门诊", "入院", "初步")
        ]
        rulings = (self._rule_on(page, diagnosis, early) for diagnosis in page.diagnoses)
        return combine(rulings, none_reason=_NO_MAIN)

    def _rule_on(self, page: FrontPageView, diagnosis: PageDiagnosis, early: list[str]) -> Ruling:
        if diagnosis.admission_condition is None:
            return undetermined("首页未提供入院病情")
        problem = self._problem(diagnosis, early)
        return (
            defect(page_hit(page, diagnosis.name, name=diagnosis.name, problem=problem))
            if problem
            else PASSED
        )

    def _problem(self, diagnosis: PageDiagnosis, early: list[str]) -> str | None:
        if not diagnosis.admission_condition:
            return "没有填写入院病情"
        condition = _condition(diagnosis)
        if condition is None:
            return f"入院病情填“{diagnosis.admission_condition}”，不在取值之内"
        if condition == "无" and half_width(diagnosis.name) in map(half_width, early):
            return "入院病情填“无”，而入院时已有这一诊断"
        return None


def _condition(diagnosis: PageDiagnosis) -> str | None:
    return chosen("admission_condition", half_width(diagnosis.admission_condition or "").strip())


class OtherDiagnosisMissing(PageCheck, name="other_diagnosis_missing"):
    """A discharge diagnosis of the record that the page does not have."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the discharge and death diagnoses."""
        if not page.has_diagnosis_items:
            return undetermined("首页未提供其他诊断")
        final = [d.name for d in case.record.diagnoses or () if d.stage in ("出院", "死亡") and d.name]
        if not final:
            return undetermined("未提供出院诊断")
        written = [diagnosis.name for diagnosis in page.diagnoses]
        missing = [name for name in dict.fromkeys(final) if agreeing(name, written) is None]
        return (
            defect(*(page_hit(page, "discharge_diagnosis_other", name=n) for n in missing))
            if missing
            else PASSED
        )


class CodeMisplaced(PageCheck, name="code_misplaced"):
    """A diagnosis column that holds an external cause or a morphology code.

    Attributes:
        codes: ranges of codes of external causes.
        morphology: a pattern of morphology codes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    codes: tuple[str, ...] = Field(min_length=1)
    morphology: str

    @cached_property
    def _codes(self) -> CodeRanges:
        return CodeRanges(self.codes)

    @cached_property
    def _morphology(self) -> re.Pattern[str]:
        return regex(self.morphology)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the discharge and the outpatient diagnoses."""
        given = [(d.name, half_width(d.code)) for d in page.diagnoses if d.code]
        given.append((page.text("outpatient_diagnosis"), page.text("outpatient_diagnosis_code")))
        given = [(name, code) for name, code in given if code]
        hits = [
            page_hit(page, name, name=name, code=code, kind=kind)
            for name, code in given
            if (kind := self._kind(code))
        ]
        return defect(*hits) if hits else PASSED if given else undetermined(_NO_CODES)

    def _kind(self, code: str) -> str | None:
        if self._morphology.match(code):
            return "形态学编码"
        return "外部原因编码" if code in self._codes else None


class ExternalCauseMissing(PageCheck, name="external_cause_missing"):
    """An injury or poisoning as main diagnosis without its external cause, or with one in a general word.

    Attributes:
        codes: ranges of codes of injuries and poisonings.
        excused: a pattern of main diagnoses that need no cause.
        vague: words that, alone, are too general.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    codes: tuple[str, ...] = Field(min_length=1)
    excused: str
    vague: tuple[str, ...] = ()

    @cached_property
    def _codes(self) -> CodeRanges:
        return CodeRanges(self.codes)

    @cached_property
    def _excused(self) -> re.Pattern[str]:
        return regex(self.excused)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        main, cause = page.main_diagnosis, page.entry("injury_poisoning_cause")
        if main is None or not main.code:
            return undetermined(_NO_CODES) if main else not_applicable(_NO_MAIN)
        if main.code not in self._codes or self._excused.search(main.name):
            return not_applicable("主要诊断不是损伤、中毒，或为陈旧性、后遗症")
        if not cause.is_delivered:
            return undetermined("首页未提供损伤中毒的外部原因")
        if not cause.says:
            return defect(
                page_hit(page, cause.item.key, main.name, main=main.name, problem="没有填写外部原因")
            )
        if cause.text.strip("。等伤致 ") in self.vague or cause.text in self.vague:
            problem = f"外部原因只填“{cause.text}”"
            return defect(page_hit(page, cause.item.key, main.name, main=main.name, problem=problem))
        return PASSED


class PathologyOnPage(PageCheck, name="pathology_on_page"):
    """A tumour with a pathology report but no pathological diagnosis, or a behaviour code that does not fit.

    Attributes:
        behaviours: for each behaviour digit of a morphology code, the ranges of the diagnoses it goes with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    behaviours: Mapping[str, tuple[str, ...]]

    @cached_property
    def _behaviours(self) -> Mapping[str, CodeRanges]:
        return {digit: CodeRanges(ranges) for digit, ranges in self.behaviours.items()}

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        codes = [d.code for d in page.diagnoses if d.code]
        tumours = [c for c in codes if any(c in ranges for ranges in self._behaviours.values())]
        written, code = page.entry("pathology_diagnosis"), page.text("pathology_code")
        reports = list(self._reports(case))
        if not codes:
            return undetermined(_NO_CODES)
        if not tumours or not (reports or code):
            return not_applicable("没有肿瘤诊断或病理")
        behaviour = re.search(r"/(\d)", code)
        ranges = self._behaviours.get(behaviour[1]) if behaviour else None
        if ranges is not None and not any(c in ranges for c in tumours):
            problem = f"病理编码{code}与诊断编码{'、'.join(tumours)}的性质不同"
            return defect(page_hit(page, "pathology_diagnosis", code, problem=problem))
        if reports and not written.is_delivered:
            return undetermined("首页未提供病理诊断栏")
        if reports and not written.says:
            return defect(page_hit(page, "pathology_diagnosis", problem="有病理报告而病理诊断栏没有填写"))
        return PASSED

    def _reports(self, case: Case) -> Iterator[ExamReport]:
        """The pathology reports that were there before the stay ended."""
        end = case.ended_at
        for report in case.record.exam_reports or ():
            came_later = end and report.reported_at and report.reported_at > end
            if report.modality == "病理" and (report.impression or report.finding) and not came_later:
                yield report


class DeliveryOutcomeMissing(PageCheck, name="delivery_outcome_missing"):
    """A delivery without the code of its outcome, or an outcome outside obstetrics.

    Attributes:
        deliveries: ranges of codes of deliveries.
        outcomes: ranges of codes of outcomes of delivery.
        obstetric: ranges of codes beside which an outcome may stand.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    deliveries: tuple[str, ...] = Field(min_length=1)
    outcomes: tuple[str, ...] = Field(min_length=1)
    obstetric: tuple[str, ...] = Field(min_length=1)

    @cached_property
    def _ranges(self) -> tuple[CodeRanges, CodeRanges, CodeRanges]:
        return CodeRanges(self.deliveries), CodeRanges(self.outcomes), CodeRanges(self.obstetric)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        deliveries, outcomes, obstetric = self._ranges
        coded = [(d.name, d.code) for d in page.diagnoses if d.code]
        if not coded:
            return undetermined(_NO_CODES)
        delivery = next((name for name, code in coded if code in deliveries), None)
        outcome = next((name for name, code in coded if code in outcomes), None)
        if delivery and not outcome:
            problem = f"有分娩诊断“{delivery}”而没有分娩结局编码"
            return defect(page_hit(page, delivery, problem=problem))
        if outcome and not any(code in obstetric for _, code in coded):
            return defect(page_hit(page, outcome, problem=f"有分娩结局“{outcome}”而没有产科诊断"))
        return PASSED if delivery or outcome else not_applicable("没有分娩诊断")


class InfectiousDiseaseUnreported(PageCheck, name="infectious_disease_unreported"):
    """A notifiable disease whose report the hospital's data deny.

    Attributes:
        codes: ranges of codes of notifiable diseases.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    codes: tuple[str, ...] = Field(min_length=1)

    @cached_property
    def _codes(self) -> CodeRanges:
        return CodeRanges(self.codes)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        entry = page.entry("infectious_disease_report")
        notifiable = next((d for d in page.diagnoses if d.code and d.code in self._codes), None)
        if notifiable is None:
            return not_applicable("没有法定传染病诊断")
        if not entry.is_delivered:
            return undetermined("未提供传染病报告数据")
        if entry.says and entry.choice != "无":
            return PASSED
        return defect(page_hit(page, notifiable.name, name=notifiable.name))
