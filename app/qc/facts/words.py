"""What words alone say of a fact, where its rule file gives them."""

from app.qc.facts.detectors.base import Detection, heading, span_of
from app.qc.facts.fact import Fact
from app.records.model import Span
from app.text.assertion import Assertion, assertion_at, subject_at
from app.text.reading import Reading
from app.text.sections import Section, is_blank


def told_in_words(fact: Fact, reading: Reading, section: Section | None) -> Detection | None:
    """Whether the section, or the whole document, says a fact that has ``said_by``.

    ``None`` where the words leave it open, and where there is nothing to read.
    """
    if fact.said is None or (fact.sections and section is None):
        return None
    scope = section.body if section else Span(0, len(reading.half))
    if is_blank(scope.of(reading.document.text)):
        return None
    doubted = False
    for match in fact.said.finditer(reading.half, *scope):
        span = span_of(match)
        claim = _claim(reading, span) if fact.asserted else Assertion.PRESENT
        if claim is Assertion.PRESENT:
            return Detection(True, (span,))
        doubted |= claim is Assertion.UNCERTAIN
    if doubted or (fact.topic is not None and fact.topic.search(reading.half, *scope)):
        return None
    return Detection(False, heading(section))


def _claim(reading: Reading, span: Span) -> Assertion:
    if subject_at(reading.document.text, span) != "patient":
        return Assertion.ABSENT
    return assertion_at(reading.document.text, span)
