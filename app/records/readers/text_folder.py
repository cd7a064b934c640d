"""Reader of a folder of text files named by document."""

import re
from collections.abc import Iterator
from pathlib import Path

from app.errors import UserError
from app.records.model import Document, DocumentType, Encounter, MedicalRecord, Participant, Patient
from app.records.readers.heading import encounter_of, labelled_time, patient_of
from app.records.readers.naming import type_in_heading, type_of_name
from app.records.readers.text_file import read_text
from app.text.times import find_dates

_ENTRY_START = re.compile(
    r"^[ \t\u3000]*(?=\d{4}\s*[-年/.]\s*\d{1,2}\s*[-月/.]\s*\d{1,2}\s*日?[ \t\u3000,，]*\d{1,2}\s*[:：时])",
    re.M,
)
_ROUNDING = re.compile(r"([\u4e00-\u9fff]{2,4}?)?(副主任医师|主任医师|主治医师)(?:首次|代)?查房")


def read_text_folder(path: Path) -> tuple[MedicalRecord, tuple[str, ...]]:
    """One record from ``*.txt``, and a warning if a file's name says no document type.

    A file of course notes (病程记录.txt, course.txt) holds several entries, each begun by a line with date
    and time; every entry becomes a document.

    Raises:
        UserError: there is no text file, or one cannot be read.
    """
    files = sorted(path.glob("*.txt"))
    if not files:
        raise UserError(f"文件夹 {path} 里没有 .txt 文书，请放入以文书命名的文件，例如 入院记录.txt。")
    documents: list[Document] = []
    unnamed: list[str] = []
    for file in files:
        kind = type_of_name(file.stem)
        if kind is None:
            unnamed.append(file.name)
        for document in _documents(file, kind or "其他"):
            documents.append(document.model_copy(update={"id": f"D{len(documents) + 1:02}"}))
    record = MedicalRecord(
        record_id=path.resolve().name,
        patient=Patient(**patient_of([document.text for document in documents])),
        encounter=Encounter(**encounter_of(documents)),
        documents=tuple(documents),
    )
    return record, ((f"文件名看不出文书类型，按“其他”处理：{'、'.join(unnamed)}",) if unnamed else ())


def _documents(file: Path, kind: DocumentType) -> Iterator[Document]:
    text = read_text(file)
    if kind != "日常病程记录":
        yield Document(
            id="D", type=kind, title=file.stem, text=text, written_at=labelled_time(text, "written_at")
        )
        return
    starts = [match.start() for match in _ENTRY_START.finditer(text)]
    if not starts or (text[: starts[0]].strip() and not type_in_heading(text[: starts[0]])):
        starts.insert(0, 0)
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield _course_entry(text[start:end].strip())


def _course_entry(text: str) -> Document:
    heading = text.partition("\n")[0][:60]
    dates = find_dates(heading, None)
    written_at = dates[0].value if dates and dates[0].precision == "minute" else None
    title = heading[dates[0].span.end :].strip() if dates else heading
    title = title if len(title) <= 30 else ""
    rounding = _ROUNDING.search(title)
    kind = type_in_heading(title) or ("上级医师查房记录" if rounding else None) or "日常病程记录"
    participants = (
        (Participant(name=rounding.group(1), title=rounding.group(2), role="主持人"),) if rounding else None
    )
    return Document(
        id="D", type=kind, title=title or kind, text=text, written_at=written_at, participants=participants
    )
