"""Facts that have one answer for the whole stay."""

from collections.abc import Iterable, Iterator

from app.qc.case import Case
from app.qc.checks.specialty import triggered
from app.qc.facts.answer import Answer
from app.qc.facts.fact import Fact
from app.qc.facts.stay import SELECTIONS, STAY_DETECTORS
from app.records.model import Evidence, Span
from app.text.reading import Reading


def readings_for(case: Case, fact: Fact) -> Iterator[Reading]:
    """The documents in which a fact of the stay is looked for."""
    documents = case.documents_of(*fact.look_in)
    chosen = SELECTIONS[fact.among](case, documents) if fact.among else documents
    return (case.reading(document) for document in chosen)


def combined(fact: Fact, answers: Iterable[Answer]) -> Answer:
    """One answer out of those of several documents: true by one, false by all.

    Without any document nothing is claimed; whether something was told, or had to be, is unknown.
    """
    given = list(answers)
    said = next((answer for answer in given if answer.value is True), None)
    if said:
        return said
    unknown = next((answer for answer in given if answer.value is None), None)
    if unknown:
        return unknown
    if not given and fact.asserted:
        return Answer(False)
    if not given:
        return Answer(None, source="none", confidence=0.0, reason=f"没有可判的{'、'.join(fact.look_in[:3])}")
    told = next((answer for answer in given if answer.source == "model"), given[0])
    return told._replace(confidence=min(answer.confidence for answer in given))


def detect_in_stay(case: Case, fact: Fact) -> Answer:
    """The answer of the data (``when``) or of a detector that reads the whole stay."""
    if fact.when:
        found = triggered(case, fact.when)
        if found.value is None:
            return Answer(None, source="none", confidence=0.0, reason=found.words)
        return Answer(found.value, _place(case, found.words), detail=found.words if found.value else "")
    detection = STAY_DETECTORS[fact.detector](case) if fact.detector else None
    if detection is None:
        reason = f"“{fact.question}”由现有数据判断不了"
        return Answer(None, source="none", confidence=0.0, reason=reason)
    return Answer(detection.value, detection.evidence, detail=detection.detail)


def _place(case: Case, words: str) -> tuple[Evidence, ...]:
    for document in case.documents if words else ():
        position = case.reading(document).half.find(words)
        if position >= 0:
            return (document.evidence(Span(position, position + len(words))),)
    return ()
