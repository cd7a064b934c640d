"""Citation recall and precision after ALCE (Gao et al. 2023), judged by the product's own verifier."""

from collections.abc import Sequence
from typing import NamedTuple

from app.drafting.draft import Citation, Draft, DraftSentence
from app.drafting.normal import NormalText
from app.drafting.sources import Stay, without_list_number
from app.drafting.verify import Judge, verify
from app.records.model import Evidence

_BY_CODE = ("encounter/", "documents/")
"""Citations of sentences that code computes from fields: dates, length of stay, departments."""
_ABOUT_THE_RECORD = ("待核实",)


class CitedSentence(NamedTuple):
    """A sentence of a draft and the texts that it cites."""

    text: str
    sources: tuple[str, ...]


class Cited(NamedTuple):
    """One sentence judged.

    Attributes:
        is_supported: whether its citations together support it; ``None`` where no judge could tell.
        relevant: for each citation, whether the sentence needs it or it supports the sentence alone; all false
            where the citations together do not support it (ALCE).
    """

    is_supported: bool | None
    relevant: tuple[bool, ...]


def cited_sentences(draft: Draft, stay: Stay) -> list[CitedSentence]:
    """The sentences that state something of the patient in words: neither 未给出, fields, nor remarks on the record."""
    told = [
        s for section in draft.sections if section.name not in _ABOUT_THE_RECORD for s in section.sentences
    ]
    return [
        CitedSentence(without_list_number(sentence.text), tuple(map(stay.cited_text, sentence.citations)))
        for sentence in told
        if sentence.verdict != "not_addressed" and not _is_computed(sentence)
    ]


def _is_computed(sentence: DraftSentence) -> bool:
    resources = [c.resource for c in sentence.citations if not isinstance(c, Evidence)]
    fields = [r for r in resources if r.startswith(_BY_CODE)]
    return bool(fields) and len(fields) == len(sentence.citations)


def judge_citations(sentence: CitedSentence, judge: Judge | None) -> Cited:
    """Judge a sentence against what it cites.

    A citation is irrelevant if it does not support the sentence alone and the others support as much without it.
    That second question is asked of code only.
    """
    verdict = verify(sentence.text, sentence.sources, judge).verdict
    if verdict == "unverified" and sentence.sources:
        return Cited(None, ())
    if verdict != "supported":
        return Cited(False, (False,) * len(sentence.sources))
    return Cited(True, tuple(_is_relevant(sentence, at) for at in range(len(sentence.sources))))


def _is_relevant(sentence: CitedSentence, at: int) -> bool:
    alone, others = sentence.sources[at], (*sentence.sources[:at], *sentence.sources[at + 1 :])
    if not others or verify(sentence.text, [alone]).verdict == "supported":
        return True
    text = NormalText.of(sentence.text)
    whole, without = (text.coverage_by(NormalText.of(*told)) for told in (sentence.sources, others))
    return without < whole or verify(sentence.text, others).verdict != "supported"


def resolves(citation: Citation, stay: Stay) -> bool:
    """Whether a citation points at what it says: a quote verbatim, an entry that is there."""
    if not isinstance(citation, Evidence):
        return bool(stay.cited_text(citation))
    document = stay.record.documents_by_id.get(citation.document_id)
    return document is not None and document.text[citation.start : citation.end] == citation.quote


def unresolved(draft: Draft, stay: Stay) -> Sequence[Citation]:
    """The citations of a draft that point at nothing."""
    cited = (c for section in draft.sections for s in section.sentences for c in s.citations)
    return [citation for citation in cited if not resolves(citation, stay)]
