"""The draft as one HTML page: click a sentence, and its sources stand highlighted beside it; no script."""

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, Template

from app.drafting.draft import STATE_NAMES, VERDICT_NAMES, Draft
from app.drafting.export.view import MISSING_HEADING, SIGNATURE, DraftView, Line, Source
from app.labelling import html as html_label
from app.labelling.label import Label
from app.records.model import CHINA_TIME, Document, Evidence, MedicalRecord

_AROUND = 60
"""Characters of the note shown on either side of a quote."""


class Excerpt(NamedTuple):
    """A source in its surroundings; ``anchor`` is its place in the whole record, empty for structured data."""

    where: str
    before: str
    quote: str
    after: str
    anchor: str


class Piece(NamedTuple):
    """A stretch of a note; ``numbers`` are those of the sources that quote it."""

    anchor: str
    text: str
    numbers: tuple[int, ...]


def render(draft: Draft, record: MedicalRecord, key: bytes) -> bytes:
    """The labelled page; ``draft``'s label is taken over, sealed anew over what this page shows."""
    view = DraftView(draft, record)
    sources = {source.number: source for source in view.sources}
    lines = (line for block in view.blocks for line in block.lines)
    ids = {id(line): f"s{number}" for number, line in enumerate(lines, start=1)}
    page = _template().render(
        view=view,
        missing_heading=MISSING_HEADING,
        signature=SIGNATURE,
        verdicts=VERDICT_NAMES,
        states=STATE_NAMES,
        excerpts=lambda line: [_excerpt(view, sources[number]) for number in line.numbers],
        id_of=lambda line: ids[id(line)],
        is_open=is_open,
        local=lambda moment: f"{moment.astimezone(CHINA_TIME):%Y-%m-%d %H:%M}",
        documents=[(d, flatten(d, view.sources)) for d in view.record.documents or () if _is_cited(d, view)],
    )
    return html_label.write(page.encode(), Label.model_validate(draft.label), key)


def is_open(line: Line) -> bool:
    """Whether a reader must look at it before anything else."""
    return line.sentence.verdict != "supported" and line.sentence.state in ("generated", "edited")


def flatten(document: Document, sources: tuple[Source, ...]) -> list[Piece]:
    """The note's text cut wherever a quote begins or ends; overlapping quotes share a piece."""
    quotes = [
        (c.start, c.end, source.number)
        for source in sources
        if isinstance(c := source.citation, Evidence) and c.document_id == document.id
    ]
    edges = sorted({0, len(document.text), *(edge for start, end, _ in quotes for edge in (start, end))})
    return [
        Piece(
            _anchor(document.id, start),
            document.text[start:end],
            tuple(number for first, last, number in quotes if first <= start and end <= last),
        )
        for start, end in pairwise(edges)
    ]


def _is_cited(document: Document, view: DraftView) -> bool:
    cited = (s.citation for s in view.sources)
    return any(isinstance(c, Evidence) and c.document_id == document.id for c in cited)


def _excerpt(view: DraftView, source: Source) -> Excerpt:
    citation = source.citation
    if not isinstance(citation, Evidence):
        return Excerpt(f"[{source.number}] {source.where}", "", source.quote, "", "")
    text = view.record.documents_by_id[citation.document_id].text
    before = text[max(0, citation.start - _AROUND) : citation.start].rpartition("\n")[2]
    after = text[citation.end : citation.end + _AROUND].partition("\n")[0]
    anchor = _anchor(citation.document_id, citation.start)
    return Excerpt(f"[{source.number}] {source.where}", before, citation.quote, after, anchor)


def _anchor(document_id: str, start: int) -> str:
    return f"at-{document_id}-{start}"


@cache
def _template() -> Template:
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    environment.trim_blocks = environment.lstrip_blocks = True
    return environment.get_template("draft.html")
