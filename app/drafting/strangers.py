"""Notes in the record that speak of somebody else: their name, sex or age contradicts the patient's."""

from collections.abc import Iterator
from typing import NamedTuple

from app.records.model import Document, Evidence, MedicalRecord
from app.text.identity import age_at_admission, statements_of
from app.text.width import half_width

_NAME = "姓名"


class Stranger(NamedTuple):
    """A note that contradicts who the patient is.

    Attributes:
        problems: what it says and what the patient data say, in Chinese.
        evidence: where it says so.
    """

    document: Document
    problems: tuple[str, ...]
    evidence: tuple[Evidence, ...]

    @property
    def name(self) -> str:
        """The note as a reader knows it."""
        return f"{self.document.title or self.document.type}（{self.document.id}）"

    @property
    def is_another(self) -> bool:
        """Whether it must be another patient's: another name, or both sex and age; one of them may be a slip."""
        return len(self.problems) > 1 or self.problems[0].startswith(_NAME)


def strangers_in(record: MedicalRecord) -> Iterator[Stranger]:
    """The notes that contradict who the patient is, in record order."""
    age = age_at_admission(record)
    for document in record.documents or ():
        wrong = [s for s in statements_of(half_width(document.text), record.patient, age) if s.problem]
        if wrong:
            problems = tuple(dict.fromkeys(statement.problem for statement in wrong))
            yield Stranger(document, problems, tuple(document.evidence(s.span) for s in wrong))
