"""The shape of a named check: a pydantic model whose fields are the parameters a rule gives."""

from abc import ABC, abstractmethod
from functools import partial
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
    """A check that judges each document of the rule's types by itself."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge every document of the types and combine."""
        documents = case.documents_of(*applies_to)
        rulings = (case.ruling_once(id(self), partial(self.rule_on_document, case, d), d) for d in documents)
        return combine(rulings, none_reason=f"没有{'、'.join(applies_to)}")

    @abstractmethod
    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
