"""The result as one HTML page: the findings beside the record with marks in place; no script."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, Template

from app.qc.render.marked import place
from app.qc.render.text import ClauseText, basis_text, no_clause, ordered_findings, outcome_line, score_line
from app.qc.result import Finding, Report
from app.qc.rule import SEVERITY_TITLES
from app.records.model import Document

_TEMPLATES = Path(__file__).with_name("templates")
_LABEL_CHARACTERS = 40


class Piece(NamedTuple):
    """A stretch of a document's text, and the numbers of the findings that it is evidence of."""

    id: str
    text: str
    numbers: tuple[int, ...]


class MarkLink(NamedTuple):
    """A link from a finding to its first mark of one evidence."""

    id: str
    label: str


def render_html(report: Report, *, clause_text: ClauseText = no_clause) -> str:
    """A page by itself: styles inside, nothing loaded, record text escaped."""
    findings = ordered_findings(report)
    result = report.result
    unjudged = [
        (c, report.reasons.get(c, "")) for c, o in result.outcomes.items() if o in ("undetermined", "error")
    ]
    return _template().render(
        report=report,
        findings=findings,
        unjudged=unjudged,
        summary=[f"评分方案 {result.profile}", score_line(report), outcome_line(report)],
        documents=[(d, flatten(d, findings)) for d in report.record.documents or ()],
        severity_titles=SEVERITY_TITLES,
        place=lambda finding: place(report.record, finding.document_id, finding.section),
        marks_of=lambda number: _links(findings[number - 1]),
        basis_text=basis_text,
        clause_text=clause_text,
    )


def flatten(document: Document, findings: Sequence[Finding]) -> list[Piece]:
    """The document's text cut wherever an evidence begins or ends; overlaps carry all their numbers."""
    spans = [
        (evidence.start, evidence.end, number)
        for number, finding in enumerate(findings, 1)
        for evidence in finding.evidence
        if evidence.document_id == document.id and evidence.start < evidence.end
    ]
    edges = sorted({0, len(document.text), *(edge for start, end, _ in spans for edge in (start, end))})
    pieces = []
    for start, end in pairwise(edges):
        numbers = tuple(sorted({n for s, e, n in spans if s <= start and end <= e}))
        pieces.append(Piece(_mark_id(document.id, start), document.text[start:end], numbers))
    return pieces


def _links(finding: Finding) -> list[MarkLink]:
    return [
        MarkLink(_mark_id(e.document_id, e.start), _shortened(e.quote))
        for e in finding.evidence
        if e.start < e.end
    ]


def _mark_id(document_id: str, start: int) -> str:
    return f"mark-{document_id}-{start}"


def _shortened(quote: str) -> str:
    flat = " ".join(quote.split())
    return flat if len(flat) <= _LABEL_CHARACTERS else flat[:_LABEL_CHARACTERS] + "…"


@cache
def _template() -> Template:
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True)
    return environment.get_template("report.html")
