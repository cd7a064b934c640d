"""Record and rules in; outcomes, findings and a score out."""

import copy
import hashlib
import logging
import traceback
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType

from app.labelling.labeller import Labeller
from app.qc.case import Case
from app.qc.catalogue import Catalogue
from app.qc.facts.answer import Answer
from app.qc.facts.answering import FactAnswerer
from app.qc.guidance import Guidance
from app.qc.logic import Condition, Truth
from app.qc.result import Finding, Report, Result
from app.qc.rule import Rule
from app.qc.ruling import PASSED, Hit, Outcome, Ruling, combine, defect, not_applicable, undetermined
from app.qc.scoring import Profile, assessed, score
from app.qc.verdicts import Verdicts
from app.records.model import Document, Evidence, MedicalRecord
from app.terms.table import TermsTable

logger = logging.getLogger(__name__)

KIND_TITLES: Mapping[str, str] = {
    "documents": "文书", "orders": "医嘱", "lab_results": "检验结果", "exam_reports": "检查报告",
    "procedures": "手术与操作", "consents": "知情同意书", "vitals": "体温单", "diagnoses": "诊断",
    "front_page": "病案首页", "signatures": "签名",
}  # fmt: skip


class Checker:
    """Checks records against the rules of one profile; safe to use for many records, one after another."""

    def __init__(
        self,
        catalogue: Catalogue,
        profile: Profile,
        answerer: FactAnswerer,
        labeller: Labeller,
        terms: TermsTable | None = None,
        guidance: Guidance | None = None,
        verdicts: Mapping[str, Verdicts] = MappingProxyType({}),
    ) -> None:
        """Apply ``profile`` to the catalogue's rules; findings that a model decided are labelled by ``labeller``.

        ``terms`` are the hospital's code tables; rules that need them are undetermined without. Findings of
        content rules also cite what ``guidance`` has on the patient's diagnoses. ``verdicts`` are the hospital's own
        calibrations: by them a finding's confidence is the chance that people find it right.
        """
        self.rules = profile.applied_to(catalogue.rules)
        self.profile = profile
        self._answerer = answerer
        self._labeller = labeller
        self.terms = terms
        self._guidance = guidance
        self._verdicts = verdicts

    def limited_to(self, codes: Collection[str]) -> "Checker":
        """The same checker with only the rules named; codes that the profile does not use are ignored."""
        return self._with({code: rule for code, rule in self.rules.items() if code in codes})

    def _with(self, rules: Mapping[str, Rule]) -> "Checker":
        other = copy.copy(self)
        other.rules = dict(rules)
        return other

    def check(self, record: MedicalRecord, as_of: datetime | None = None) -> Report:
        """Judge every rule on one record, as of a moment (by default the latest that its data show)."""
        return self.judge(Case(record, as_of, self.terms))

    def judge(self, case: Case) -> Report:
        """Judge every rule on one case."""
        questions = _Questions(case, self._answerer)
        rulings = {
            code: case.ruling_once(code, partial(self._rule_on, rule, case, questions))
            for code, rule in self.rules.items()
        }
        return self._report(case, rulings)

    def check_rule(self, rule: Rule, record: MedicalRecord) -> Report:
        """Judge one rule on one record, whether or not the profile uses it."""
        return self._with({rule.code: rule}).check(record)

    def _rule_on(self, rule: Rule, case: Case, questions: "_Questions") -> Ruling:
        lacking = [KIND_TITLES[kind] for kind in rule.needs if kind not in case.record.delivered]
        if lacking:
            return undetermined(f"未提供{'、'.join(lacking)}数据")
        try:
            if rule.check is not None:
                return rule.built_check.rule_on(case, rule.applies_to)
            return questions.rule_on(rule)
        except Exception as error:
            logger.error("rule %s failed: %s at %s", rule.code, type(error).__name__, _origin(error))
            return Ruling("error", f"规则执行出错（{type(error).__name__}）")

    def updated(self, report: Report, part: Report) -> Report:
        """The report with the rules of ``part`` judged as they are there, scored anew; both are of one record.

        For rules that need more than the record alone, judged when that is known.
        """
        judged_anew = part.result.outcomes
        outcomes = {**report.result.outcomes, **judged_anew}
        order = {code: number for number, code in enumerate(outcomes)}
        kept = [finding for finding in report.result.findings if finding.rule not in judged_anew]
        findings = sorted([*kept, *part.result.findings], key=lambda finding: order[finding.rule])
        reasons = {code: why for code, why in report.reasons.items() if code not in judged_anew}
        return self._scored(report.record, outcomes, tuple(findings), {**reasons, **part.reasons})

    def _report(self, case: Case, rulings: Mapping[str, Ruling]) -> Report:
        findings = tuple(
            self._finding(case, self.rules[code], hit)
            for code, ruling in rulings.items()
            if ruling.outcome == "defect"
            for hit in ruling.hits
        )
        outcomes = {code: ruling.outcome for code, ruling in rulings.items()}
        reasons = {code: ruling.reason for code, ruling in rulings.items() if ruling.reason}
        return self._scored(case.record, outcomes, findings, reasons)

    def _scored(
        self,
        record: MedicalRecord,
        outcomes: dict[str, Outcome],
        findings: tuple[Finding, ...],
        reasons: Mapping[str, str],
    ) -> Report:
        defective = [self.rules[code] for code, outcome in outcomes.items() if outcome == "defect"]
        judged = sum(outcome in ("pass", "defect") for outcome in outcomes.values())
        concerned = sum(outcome != "not_applicable" for outcome in outcomes.values())
        scored = score(defective, self.profile)
        result = Result(
            record_id=record.record_id,
            profile=self.profile.name,
            score=scored.value if judged else None,
            grade=scored.grade if judged else None,
            vetoes=scored.vetoes,
            outcomes=outcomes,
            findings=findings,
        )
        if any(finding.ai_label for finding in findings):
            result = Result.model_validate(self._labeller.labelled(result.model_dump(mode="json")))
        share = judged / concerned if concerned else 0.0
        parts = assessed(outcomes, self.profile)
        return Report(record, result, reasons, share, scored.deductions, scored.deciding, *parts)

    def _finding(self, case: Case, rule: Rule, hit: Hit) -> Finding:
        quote = hit.evidence[0].quote if hit.evidence else ""
        message = rule.message.format_map({"quote": quote, **hit.details})
        return Finding(
            id=_finding_id(case.record, rule, hit, message),
            rule=rule.code,
            title=rule.title,
            category=rule.category,
            severity=rule.severity,
            points=rule.points,
            document_id=hit.document_id,
            section=hit.section,
            evidence=hit.evidence,
            message=message,
            suggestion=rule.suggestion,
            basis=(*rule.basis, *(self._guidance.basis(case, rule, hit) if self._guidance else ())),
            engine="llm" if hit.by_model else "rule",
            confidence=round(self._confidence(rule, hit), 4),
            ai_label=self._labeller.label(message) if hit.by_model else None,
        )

    def _confidence(self, rule: Rule, hit: Hit) -> float:
        verdicts = self._verdicts.get(rule.code)
        return (
            verdicts.probability(hit.confidence) if verdicts and verdicts.by_probability else hit.confidence
        )


def _origin(error: Exception) -> str:
    """File and line that raised; the message itself may quote the record and is not logged."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"


def _finding_id(record: MedicalRecord, rule: Rule, hit: Hit, message: str) -> str:
    places = [f"{e.document_id}:{e.start}:{e.end}" for e in hit.evidence]
    whole = "\x1f".join([record.record_id, rule.code, hit.document_id or "", message, *places])
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


class _Questions:
    """The facts of one case, each answered at most once a document."""

    def __init__(self, case: Case, answerer: FactAnswerer) -> None:
        self._case = case
        self._answerer = answerer

    def rule_on(self, rule: Rule) -> Ruling:
        """Judge a rule's condition on every document that it applies to, or once if all its facts are of the stay."""
        documents: Sequence[Document | None] = self._case.documents_of(*rule.applies_to)
        if all(self._answerer.is_of_stay(name) for name in rule.fact_names):
            has_page = "病案首页" in rule.applies_to and self._case.record.front_page is not None
            documents = documents[:1] or (None,) * has_page
        rulings = (self._rule_on_document(rule, document) for document in documents)
        return combine(rulings, none_reason=f"没有{'、'.join(rule.applies_to)}")

    def _rule_on_document(self, rule: Rule, document: Document | None) -> Ruling:
        if rule.applicability is not None and self._is_surely_not(rule.applicability, document):
            return not_applicable("没有规则针对的情形")
        answers = self._known(document, rule.fact_names)
        ruling = _decide(rule, document, answers)
        if ruling.outcome != "undetermined":
            return ruling
        open_names = [
            n
            for n, a in answers.items()
            if a.value is None and a.source == "none" and self._answerer.can_ask(n)
        ]
        if not open_names:
            return ruling
        return _decide(rule, document, answers | self._asked(document, open_names))

    def _is_surely_not(self, condition: Condition, document: Document | None) -> bool:
        """Whether a condition is false, by no more of its facts than that takes."""
        values: dict[str, Truth] = dict.fromkeys(condition.names)
        for name in condition.names:
            values[name] = self._known(document, (name,))[name].value
            if condition.evaluate(values) is False:
                return True
        return False

    def _known(self, document: Document | None, names: Sequence[str]) -> dict[str, Answer]:
        return {name: self._found(document, name) for name in names}

    def _found(self, document: Document | None, name: str) -> Answer:
        find = partial(self._answerer.detect, self._case, document, name)
        return self._case.answer_once(name, find, None if self._answerer.is_of_stay(name) else document)

    def _asked(self, document: Document | None, names: Sequence[str]) -> dict[str, Answer]:
        of_stay, of_document = self._answerer.apart(names)
        asked = self._answerer.ask(self._case.reading(document), of_document) if document else {}
        for name, answer in asked.items():
            self._case.replace_answer(name, answer, document)
        in_stay = self._answerer.ask_in_stay(self._case, of_stay)
        for name, answer in in_stay.items():
            self._case.replace_answer(name, answer)
        return asked | in_stay


def _values(answers: Mapping[str, Answer]) -> dict[str, Truth]:
    return {name: answer.value for name, answer in answers.items()}


def _decide(rule: Rule, document: Document | None, answers: Mapping[str, Answer]) -> Ruling:
    values = _values(answers)
    applies = rule.applicability.evaluate(values) if rule.applicability else True
    if applies is False:
        return not_applicable("没有规则针对的情形")
    is_defect = rule.condition.evaluate(values)
    if is_defect is False:
        return PASSED
    if applies is None or is_defect is None:
        reasons = dict.fromkeys(a.reason for a in answers.values() if a.value is None and a.reason)
        return undetermined("；".join(reasons))
    occasion = rule.applicability.grounds(values) if rule.applicability else ()
    return defect(
        _hit(
            document,
            [answers[name] for name in rule.condition.grounds(values)],
            [answers[n] for n in occasion],
        )
    )


def _hit(document: Document | None, decisive: Sequence[Answer], occasion: Sequence[Answer]) -> Hit:
    """A hit that shows only the facts the defect rests on; where nothing shows them, what called for them."""
    evidence = _evidence(decisive) or _evidence(occasion)[:1]
    section = next((answer.section for answer in decisive if answer.section), None)
    by_model = any(answer.source == "model" for answer in decisive)
    confidence = min((answer.confidence for answer in decisive), default=1.0)
    details = {"detail": _details(decisive), "occasion": _details(occasion)}
    place = evidence[0].document_id if evidence else document.id if document else None
    return Hit(place, section, evidence, details, confidence, by_model)


def _evidence(answers: Sequence[Answer]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(e for answer in answers for e in answer.evidence))


def _details(answers: Sequence[Answer]) -> str:
    return "；".join(dict.fromkeys(answer.detail for answer in answers if answer.detail))
