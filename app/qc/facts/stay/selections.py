"""Which of the documents of a type a fact is looked for in (``among``)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from app.qc.case import Case
from app.qc.checks.rounds import rounding_title
from app.qc.checks.treatment import systemic_drugs
from app.qc.facts.stay.base import selection
from app.records.model import Document

_THIRD_DAY = timedelta(hours=48)
_FIFTH_DAY = timedelta(hours=120)


def _moment(document: Document) -> datetime | None:
    return document.event_at or document.completed_at


@selection
def first_attending_round(case: Case, documents: tuple[Document, ...]) -> Iterable[Document]:
    """The earliest round of a 主治医师; none where a round without a named rank may have been it."""
    timed = sorted((moment, n) for n, d in enumerate(documents) if (moment := _moment(d)))
    ordered = [documents[n] for _, n in timed] if len(timed) == len(documents) else list(documents[:1])
    for document in ordered:
        title = rounding_title(document)
        if title is None:
            return ()
        if title == "主治医师":
            return (document,)
    return ()


@selection
def before_operation(case: Case, documents: tuple[Document, ...]) -> Iterable[Document]:
    """Those written before the first operation; undated ones count."""
    cuts = [p.started_at for p in case.record.procedures or () if p.started_at and p.kind == "手术"]
    first = min(cuts, default=None)
    return (d for d in documents if first is None or (m := _moment(d)) is None or m <= first)


@selection
def before_treatment(case: Case, documents: tuple[Document, ...]) -> Iterable[Document]:
    """Those written before the first operation or the first dose of a drug against a tumour; undated ones count."""
    cuts = [p.started_at for p in case.record.procedures or () if p.started_at and p.kind == "手术"]
    doses = [drug.begun_at for drug in systemic_drugs(case, ("抗肿瘤药",)) if drug.begun_at]
    first = min((*cuts, *doses), default=None)
    return (d for d in documents if first is None or (m := _moment(d)) is None or m <= first)


@selection
def after_operation(case: Case, documents: tuple[Document, ...]) -> Iterable[Document]:
    """Those written after the first operation began; undated ones count."""
    cuts = [p.started_at for p in case.record.procedures or () if p.started_at and p.kind == "手术"]
    first = min(cuts, default=None)
    return (d for d in documents if first is None or (m := _moment(d)) is None or m >= first)


@selection
def third_to_fifth_day(case: Case, documents: tuple[Document, ...]) -> Iterable[Document]:
    """Those of the third to fifth day of the stay."""
    admitted = case.record.encounter.admitted_at
    if admitted is None:
        return ()
    return (d for d in documents if (m := _moment(d)) and _THIRD_DAY <= m - admitted <= _FIFTH_DAY)
