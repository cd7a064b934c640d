"""One record checked again and again while it is being written."""

from collections.abc import Callable, Hashable
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from app.qc.case import Case, case_key
from app.qc.engine import Checker
from app.qc.facts.answer import Answer
from app.qc.result import Report
from app.qc.ruling import Ruling
from app.records.model import Document, DocumentType, MedicalRecord
from app.terms.table import TermsTable


class Rechecker:
    """Checks successive versions of one record; a rule is judged anew only where it asks for a changed document.

    The reports are those of ``Checker.check``. It keeps the last version, and is for one writer at a time. The checker
    is one without a model: what a model failed to answer would not be asked again.
    """

    def __init__(self, checker: Checker) -> None:
        """Judge by the rules of ``checker``."""
        self._checker = checker
        self._last: LiveCase | None = None

    def check(self, record: MedicalRecord, as_of: datetime | None = None) -> Report:
        """Judge every rule on this version of the record, as of a moment (by default the latest in its data)."""
        case = LiveCase(record, as_of, self._checker.terms)
        if self._last is not None:
            case.continue_from(self._last)
        self._last = case
        return self._checker.judge(case)


class _Made(NamedTuple):
    """Something worked out, and the types of the documents that it was worked out of."""

    value: Any
    asked_for: set[DocumentType]


class LiveCase(Case):
    """One version of a record, which knows for everything worked out of it which documents that asked for."""

    def __init__(
        self, record: MedicalRecord, as_of: datetime | None = None, terms: TermsTable | None = None
    ) -> None:
        """See ``Case``."""
        super().__init__(record, as_of, terms)
        self._rulings: dict[tuple[str, Hashable], _Made] = {}
        self._asked_for: set[DocumentType] = set()

    def continue_from(self, earlier: "LiveCase") -> None:
        """Take over from an earlier version of the record what still holds.

        The reading of a document that is still the same holds as it is. Where nothing but documents changed, and of
        each its type stayed, so do the answers and rulings that asked for no document of a type of those changed.
        """
        before = earlier.record.documents_by_id
        same = {d.id: d for d in self.record.documents or () if before.get(d.id) == d}
        self._readings.update({name: earlier.reading(d).of(d) for name, d in same.items()})
        if self._differs_in_documents_only(earlier):
            changed = {d.kind for d in self.record.documents or () if d.id not in same}
            for mine, theirs in ((self._rulings, earlier._rulings), (self._answers, earlier._answers)):
                mine.update(
                    (key, made)
                    for key, made in theirs.items()
                    if (not key[0] or key[0] in same) and made.asked_for.isdisjoint(changed)
                )

    def _differs_in_documents_only(self, earlier: "LiveCase") -> bool:
        names = MedicalRecord.model_fields.keys() - {"documents"}
        return (
            all(getattr(self.record, name) == getattr(earlier.record, name) for name in names)
            and self.record.delivered == earlier.record.delivered
            and (self.as_of, self.as_of_is_given) == (earlier.as_of, earlier.as_of_is_given)
            and _outline(self.record) == _outline(earlier.record)
        )

    @property
    def documents(self) -> tuple[Document, ...]:
        """See ``Case.documents``."""
        self._asked_for |= self._kinds
        return super().documents

    def documents_of(self, *kinds: DocumentType) -> tuple[Document, ...]:
        """See ``Case.documents_of``."""
        self._asked_for.update(kinds)
        return super().documents_of(*kinds)

    def asks_for(self, *kinds: DocumentType) -> None:
        """See ``Case.asks_for``."""
        self._asked_for.update(kinds)

    @cached_property
    def _kinds(self) -> frozenset[DocumentType]:
        return frozenset(document.kind for document in self.record.documents or ())

    def ruling_once(
        self, check: Hashable, judge: Callable[[], Ruling], document: Document | None = None
    ) -> Ruling:
        """See ``Case.ruling_once``; made once, over versions too.

        All that ``judge`` reads of other documents it gets from ``documents`` and ``documents_of``.
        """
        return self._once(self._rulings, case_key(document, check), judge)  # type: ignore[no-any-return]

    def replace_answer(self, name: str, answer: Answer, document: Document | None = None) -> None:
        """See ``Case.replace_answer``."""
        key = case_key(document, name)
        self._answers[key] = self._answers[key]._replace(value=answer)

    def _once(self, made: dict[Any, Any], key: Hashable, make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """What ``make`` makes, made once; whoever asks for it asks for the documents that it asked for."""
        known = made.get(key)
        if known is None:
            outer, self._asked_for = self._asked_for, set()
            try:
                known = made[key] = _Made(make(), self._asked_for)
            finally:
                outer |= self._asked_for
                self._asked_for = outer
        else:
            self._asked_for |= known.asked_for
        return known.value


def _outline(record: MedicalRecord) -> list[tuple[str, DocumentType]]:
    return [(document.id, document.kind) for document in record.documents or ()]
