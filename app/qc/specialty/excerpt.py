"""What of a stay an indicator is judged by: a note as short as those it was calibrated on.

A short record is taken whole. Of a long one, the sentences are taken that hold most of what each statement names,
and the chief complaint, which dates the onset; what stands in the data (orders, results) becomes a line of its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from app.qc.case import Case
from app.qc.specialty.asking import WINDOW_CHARACTERS
from app.qc.specialty.detecting import shares
from app.records.model import Document, Evidence, Span

_SENTENCES_A_STATEMENT = 4
_CONTEXT = ("主诉",)


class Line(NamedTuple):
    """One line of an excerpt: a sentence of a document, or what the data say (no document)."""

    text: str
    document: Document | None = None
    span: Span | None = None


class Excerpt(NamedTuple):
    """A note made of lines; ``text`` joins them."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The lines, one below the other, each document's under its title."""
        return "".join(words for words, _ in self._pieces())

    def evidence(self, span: Span) -> Evidence | None:
        """The place in the record of a stretch of ``text``; ``None`` for what does not stand in a document."""
        start = 0
        for words, line in self._pieces():
            end = start + len(words)
            if line is not None and line.document and line.span and start <= span.start < end:
                left = line.span.start + span.start - start
                return line.document.evidence(Span(left, min(line.span.end, left + span.end - span.start)))
            start = end
        return None

    def _pieces(self) -> Iterator[tuple[str, Line | None]]:
        title = ""
        for line in self.lines:
            heading = line.document.kind if line.document else "其他资料"
            if heading != title:
                yield f"{heading}：\n", None
                title = heading
            yield f"{line.text}\n", line


def excerpt(case: Case, statements: Sequence[str]) -> Excerpt:
    """The part of a stay that tells of ``statements``, in the order of the record."""
    lines = case.remembered(_lines)
    if sum(len(line.text) + 1 for line in lines) <= WINDOW_CHARACTERS:
        return Excerpt(lines)
    chosen: set[int] = {i for i, line in enumerate(lines) if _is_context(case, line)}
    ranked = [_best(lines, statement) for statement in statements]
    left = WINDOW_CHARACTERS - sum(len(lines[i].text) + 1 for i in chosen)
    for place in (
        each[rank] for rank in range(_SENTENCES_A_STATEMENT) for each in ranked if rank < len(each)
    ):
        cost = len(lines[place].text) + 1
        if place not in chosen and cost <= left:
            chosen.add(place)
            left -= cost
    return Excerpt(tuple(lines[i] for i in sorted(chosen)))


def _best(lines: Sequence[Line], statement: str) -> list[int]:
    found = shares((line.text for line in lines), statement)
    best = sorted((i for i, share in enumerate(found) if share > 0), key=lambda i: -found[i])
    return best[:_SENTENCES_A_STATEMENT]


def _is_context(case: Case, line: Line) -> bool:
    if line.document is None or line.span is None:
        return False
    reading = case.reading(line.document)
    sections = [section for name in _CONTEXT if (section := reading.section(name))]
    return any(each.body.start < line.span.end and line.span.start < each.body.end for each in sections)


def _lines(case: Case) -> tuple[Line, ...]:
    return (*_sentences(case), *(Line(words) for words in dict.fromkeys(_data(case))))


def _sentences(case: Case) -> Iterator[Line]:
    for document in case.documents:
        for sentence in case.reading(document).sentences:
            yield Line(sentence.quote, document, Span(sentence.start, sentence.end))


def _data(case: Case) -> Iterator[str]:
    record = case.record
    for report in record.exam_reports or ():
        made = f"{report.site or ''}{report.modality or '检查'}"
        yield from _joined([(f"{made}：", report.impression or report.finding)])
    yield from _joined((result.panel, result.item, result.value) for result in record.lab_results or ())
    yield from _joined((procedure.name,) for procedure in record.procedures or ())
    yield from _joined((order.content,) for order in record.orders or ())


def _joined(rows: Iterable[Sequence[str | None]]) -> Iterator[str]:
    for row in rows:
        words = " ".join(" ".join(each.split()) for each in row if each)
        if words:
            yield words
