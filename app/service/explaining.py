"""Why a content finding stands: its facts, how each was answered, and the condition over them."""

from app.assembly import fact_prompts
from app.qc.case import Case
from app.qc.facts.answer import Answer
from app.qc.facts.answering import FactAnswerer
from app.qc.facts.fact import Fact
from app.qc.result import Finding
from app.qc.rule import Rule
from app.records.model import MedicalRecord
from app.service.parts import Parts
from app.service.views import Explanation, FactAnswer


def explain(parts: Parts, rule: Rule, finding: Finding, record: MedicalRecord) -> Explanation:
    """The explanation of a finding of a rule over facts, from the record as it stands now.

    What detectors leave open was answered by the model; its answer is the finding's own.
    """
    document = record.documents_by_id.get(finding.document_id or "")
    facts = [parts.catalogue.facts[name] for name in rule.fact_names]
    answerer = FactAnswerer(parts.catalogue.facts, None, fact_prompts(), None)
    case = Case(record)
    answers = {f.name: answerer.detect(case, document, f.name) for f in facts if document or f.is_of_stay}
    return Explanation(
        applies_when=rule.applies_when,
        condition=rule.defect_when or "",
        facts=tuple(_answer(fact, answers.get(fact.name), finding) for fact in facts),
    )


def _answer(fact: Fact, answer: Answer | None, finding: Finding) -> FactAnswer:
    is_by_model = (answer is None or answer.value is None) and finding.engine == "llm" and fact.ask_model
    if answer is None or is_by_model:
        return FactAnswer(
            name=fact.name,
            question=fact.question,
            value=None,
            source="model" if is_by_model else "none",
            confidence=finding.confidence if is_by_model else 0.0,
            reason="由语言模型阅读判断" if is_by_model else "文书已不在病历中",
            detail="",
            evidence=finding.evidence if is_by_model else (),
        )
    return FactAnswer(
        name=fact.name,
        question=fact.question,
        value=answer.value,
        source=answer.source,
        confidence=answer.confidence,
        reason=answer.reason,
        detail=answer.detail,
        evidence=answer.evidence,
    )
