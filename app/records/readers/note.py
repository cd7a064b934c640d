"""Reader of one plain note."""

import re
from pathlib import Path

from app.errors import UserError
from app.records.model import Document, DocumentType, Encounter, MedicalRecord, Patient
from app.records.readers.heading import encounter_of, labelled_time, patient_of
from app.records.readers.naming import type_in_heading, type_of_name
from app.records.readers.text_file import read_text

_TITLE_CHARACTERS = 30
_CHIEF_COMPLAINT = re.compile(r"主\s*诉")
_PRESENT_ILLNESS = re.compile(r"现\s*病\s*史")


def read_note(path: Path, document_type: DocumentType | None = None) -> MedicalRecord:
    """A record of one document.

    Raises:
        UserError: the file cannot be read, or neither the caller, its name nor its text says what it is.
    """
    text = read_text(path)
    kind = document_type or type_of_name(path.stem) or type_of_text(text)
    if kind is None:
        raise UserError(f"看不出 {path} 是哪种文书，请用 --type 说明，例如 --type 入院记录。")
    return note_record(text, kind, path.stem)


def note_record(text: str, kind: DocumentType, record_id: str) -> MedicalRecord:
    """A record of one document, with what its head says of patient and times."""
    document = Document(
        id="D01", type=kind, title=kind, text=text, written_at=labelled_time(text, "written_at")
    )
    return MedicalRecord(
        record_id=record_id,
        patient=Patient(**patient_of([text])),
        encounter=Encounter(**encounter_of([document])),
        documents=(document,),
    )


def type_of_text(text: str) -> DocumentType | None:
    """The type that the title line names, or that 主诉 with 现病史 shows."""
    title = text.strip().partition("\n")[0]
    named = type_in_heading(title) if len(title) <= _TITLE_CHARACTERS else None
    if named is not None:
        return named
    return "入院记录" if _CHIEF_COMPLAINT.search(text) and _PRESENT_ILLNESS.search(text) else None
