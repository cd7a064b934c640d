"""The shape of a named check: a pydantic model whose fields are the parameters a rule gives."""

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from app.qc.case import Case
from app.qc.ruling import Ruling, combine
from app.records.model import Document, DocumentType

CHECKS: dict[str, type["Check"]] = {}


class Check(BaseModel, ABC):
    """A deterministic check, named for use in rules by ``class …(Check, name="…")``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ClassVar[str]

    def __init_subclass__(cls, *, name: str = "") -> None:
        if name:
            if name in CHECKS:
                raise ValueError(f"two checks are named {name}")
            cls.name = name
            CHECKS[name] = cls

    @abstractmethod
    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge one record; ``applies_to`` are the rule's document types."""


class DocumentCheck(Check):
    """A check that judges each document of the rule's types by itself.

    Attributes:
        reads_alone: whether it reads nothing of the other documents; its ruling then holds as long as this document
            and the record's data are the same.
    """

    reads_alone: ClassVar[bool]

    def __init_subclass__(cls, *, name: str = "", reads_alone: bool = False) -> None:
        super().__init_subclass__(name=name)
        cls.reads_alone = reads_alone

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge every document of the types and combine."""
        documents = case.record.documents_of(*applies_to)
        rulings = (self._ruling(case, document) for document in documents)
        return combine(rulings, none_reason=f"没有{'、'.join(applies_to)}")

    def _ruling(self, case: Case, document: Document) -> Ruling:
        if not self.reads_alone:
            return self.rule_on_document(case, document)
        return case.ruling_once(document, self, lambda: self.rule_on_document(case, document))

    @abstractmethod
    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
