"""Evidence shown in its sentence: the one source of truth for every rendering."""

from typing import NamedTuple

from app.records.model import Evidence, MedicalRecord
from app.text.sentences import split_sentences

LONGEST = 90
_ELLIPSIS = "…"


class MarkedText(NamedTuple):
    """A passage cut in three around its evidence."""

    before: str
    marked: str
    after: str


def in_sentence(record: MedicalRecord, evidence: Evidence) -> MarkedText:
    """The evidence within the sentence (or sentences) around it, cut where long."""
    text = record.documents_by_id[evidence.document_id].text
    around = [s for s in split_sentences(text) if s.start < evidence.end and evidence.start < s.end]
    start = min([evidence.start, *(s.start for s in around)])
    end = max([evidence.end, *(s.end for s in around)])
    return MarkedText(
        _tail(text[start : evidence.start]), _middle(evidence.quote), _head(text[evidence.end : end])
    )


def place(record: MedicalRecord, document_id: str | None, section: str | None) -> str:
    """Where a finding stands, as users read it: document title, time, section."""
    if document_id is None:
        return "整份病历"
    document = record.documents_by_id[document_id]
    name = document.title or document.type
    written = document.completed_at or document.event_at
    time = f"（{written:%m-%d %H:%M}）" if written else ""
    return f"{name}{time}" + (f" › {section}" if section else "")


def _flat(text: str) -> str:
    return text.replace("\r", "").replace("\n", " ")


def _tail(text: str) -> str:
    return _flat(text) if len(text) <= LONGEST // 2 else _ELLIPSIS + _flat(text[-LONGEST // 2 :])


def _head(text: str) -> str:
    return _flat(text) if len(text) <= LONGEST // 2 else _flat(text[: LONGEST // 2]) + _ELLIPSIS


def _middle(text: str) -> str:
    return (
        _flat(text)
        if len(text) <= LONGEST
        else _flat(text[: LONGEST // 2]) + _ELLIPSIS + _flat(text[-LONGEST // 4 :])
    )
