"""Discharge diagnoses against the stay: new ones that no note explains, and conclusions that they leave out."""

import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.agreement import ADMISSION_SECTIONS, Named, listed_diagnoses
from app.qc.checks.base import Check
from app.qc.checks.correspondence import is_of_stay, report_name
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import DocumentType, ExamReport, Span
from app.text.assertion import Assertion, assertion_at
from app.text.diagnoses import agreeing, canonical
from app.text.lexicons import load_tree
from app.text.patterns import regex
from app.text.width import half_width

_DISCHARGE: tuple[DocumentType, ...] = ("出院记录", "死亡记录")
_FINAL_SECTIONS = ("出院诊断", "死亡诊断")
_EARLIER_SECTIONS = (*ADMISSION_SECTIONS, "修正诊断", "补充诊断", "术前诊断", "目前诊断", "门诊诊断")
_EARLIER_STAGES = ("门诊", "初步", "入院", "修正")
_NOT_NOTES = frozenset((*_DISCHARGE, "病案首页", "护理记录"))
_STATUS = regex("术后|状态|个人史|病史|史$|妊娠|分娩|活产|体质|人工")
_PLAIN = regex("急性|慢性|亚急性|[轻中重]度|双侧|左侧|右侧|两侧|多发性?|继发性|原发性|陈旧性|可能|不全")
_ENOUGH_ALIKE = 0.34


def final_diagnoses(case: Case) -> list[Named]:
    """The diagnoses at the end of the stay: of the discharge record, else of the structured data."""
    for document in case.documents_of(*_DISCHARGE):
        listed = listed_diagnoses(case, document, _FINAL_SECTIONS)
        if listed:
            return listed
    return [Named(d.name) for d in case.record.diagnoses or () if d.stage == "出院" and d.name]


def _earlier_diagnoses(case: Case) -> list[str]:
    names = [d.name for d in case.record.diagnoses or () if d.name and d.stage in _EARLIER_STAGES]
    for document in case.documents:
        if document.kind in _NOT_NOTES:
            continue
        for section in case.reading(document).sections:
            if section.name in _EARLIER_SECTIONS:
                names += [n.name for n in case.reading(document).diagnoses(section.body)]
    return names


@cache
def _forms(name: str) -> tuple[str, ...]:
    """The other spellings of a disease that its canonical name holds."""
    listed: dict[str, list[str]] = load_tree("disease_names")["synonyms"]
    return tuple(
        half_width(form) for head, forms in listed.items() if head in name for form in (head, *forms)
    )


def _pairs(words: str) -> set[str]:
    return {words[i : i + 2] for i in range(len(words) - 1)}


class NewDiagnosisUnexplained(Check, name="new_diagnosis_unexplained"):
    """A discharge diagnosis that was not there at admission and of which no note shows a trace.

    Matching is generous: a note explains a diagnosis by its name, by a part of it, or by a sign of it.

    Attributes:
        signs: pattern of a diagnosis -> pattern of the words or values in notes that point to it.
    """

    signs: dict[str, str] = Field(default_factory=dict)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each discharge diagnosis."""
        final = final_diagnoses(case)
        if not final:
            return undetermined("没有写出院诊断") if case.is_over else not_applicable("患者在院")
        earlier = _earlier_diagnoses(case)
        notes = [d for d in case.documents if d.kind not in _NOT_NOTES]
        if not earlier:
            return undetermined("没有入院时的诊断可比对")
        if not any(d.kind in applies_to for d in notes):
            return undetermined("没有病程记录")
        new = [n for n in final if not _STATUS.search(n.name) and agreeing(n.name, earlier) is None]
        if not new:
            return not_applicable("没有新增的出院诊断")
        texts = [case.reading(d).half for d in notes]
        lost = [n for n in new if not self._is_explained(n.name, texts)]
        return defect(*map(_hit, lost)) if lost else PASSED

    def _is_explained(self, name: str, texts: Iterable[str]) -> bool:
        half = half_width(name)
        signs = [pattern for disease, pattern in self._signs if disease.search(half)]
        core = _PLAIN.sub("", canonical(name))
        forms = (core, *_forms(canonical(name)))
        pairs = _pairs(core)
        for text in texts:
            if any(form in text for form in forms if len(form) > 1) or any(p.search(text) for p in signs):
                return True
            if not signs and len(pairs) < 2:
                return True
            if not signs and any(
                sum(pair in sentence for pair in pairs) >= _ENOUGH_ALIKE * len(pairs)
                for sentence in text.split("。")
            ):
                return True
        return False

    @cached_property
    def _signs(self) -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
        return tuple((regex(disease), regex(words)) for disease, words in self.signs.items())


def _hit(named: Named) -> Hit:
    return Hit(
        named.document.id if named.document else None,
        "出院诊断",
        named.evidence,
        {"diagnosis": named.name},
    )


class Conclusion(BaseModel):
    """A finding that is a diagnosis of its own: how a report says it, and which diagnoses say or contain it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    said: str
    covered: str


class ConclusionNotDiagnosed(Check, name="conclusion_not_diagnosed"):
    """An examination of the stay plainly shows a disease, and no discharge diagnosis names it.

    Attributes:
        conclusions: the disease -> how reports say it, and what covers it.
    """

    conclusions: dict[str, Conclusion] = Field(min_length=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each report against the discharge diagnoses."""
        final = final_diagnoses(case)
        if not final:
            return undetermined("没有写出院诊断") if case.is_over else not_applicable("患者在院")
        if "exam_reports" not in case.record.delivered:
            return undetermined("未提供检查报告数据")
        names = [half_width(n.name) for n in final]
        names += [half_width(d.name) for d in case.record.diagnoses or () if d.name]
        shown = [(report, disease) for report in self._reports(case) for disease in self._found(report)]
        if not shown:
            return not_applicable("检查没有明确的新诊断")
        lost = {
            disease: report
            for report, disease in shown
            if not any(re.search(self.conclusions[disease].covered, name) for name in names)
        }
        document = final[0].document
        evidence = final[0].evidence
        hits = [
            Hit(
                document.id if document else None,
                "出院诊断",
                evidence,
                {"disease": disease, "report": report_name(report), "impression": report.impression or ""},
            )
            for disease, report in lost.items()
        ]
        return defect(*hits) if hits else PASSED

    def _reports(self, case: Case) -> Iterator[ExamReport]:
        for report in case.record.exam_reports or ():
            late = report.reported_at and case.ended_at and report.reported_at > case.ended_at
            if report.impression and is_of_stay(case, report) and not late:
                yield report

    def _found(self, report: ExamReport) -> Iterator[str]:
        text = report.impression or ""
        half = half_width(text)
        for disease, conclusion in self.conclusions.items():
            for match in re.finditer(conclusion.said, half):
                if assertion_at(text, Span(*match.span())) is Assertion.PRESENT:
                    yield disease
                    break
