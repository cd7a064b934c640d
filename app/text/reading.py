"""A document as read: half-width text, sections, sentences, each worked out once, when first asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from app.records.model import Document, Span
from app.text.diagnoses import DiagnosisMention, find_diagnoses
from app.text.quantities import VitalSign, find_vital_signs
from app.text.sections import Section, section, split_sections
from app.text.sentences import Sentence, split_sentences
from app.text.width import half_width

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Reading:
    """What reading one document yields; all offsets point into ``document.text``."""

    document: Document

    def of(self, document: Document) -> "Reading":
        """This reading for an equal document."""
        other = Reading(document)
        other.__dict__.update({name: made for name, made in self.__dict__.items() if name != "document"})
        return other

    def remembered(self, compute: Callable[["Reading"], _T]) -> _T:
        """What ``compute`` makes of this reading, made once; ``compute`` must be a module's own function."""
        if compute not in self._made:
            self._made[compute] = compute(self)
        return self._made[compute]  # type: ignore[no-any-return]

    @cached_property
    def _made(self) -> dict[Callable[["Reading"], Any], Any]:
        return {}

    @cached_property
    def half(self) -> str:
        """The half-width text, as long as the text itself."""
        return half_width(self.document.text)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The sections in order."""
        return split_sections(self.document.text, self.document.kind)

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences of the whole text in order."""
        return split_sentences(self.document.text)

    @cached_property
    def _found(self) -> dict[tuple[str, ...], Section | None]:
        return {}

    def section(self, *names: str) -> Section | None:
        """The first section bearing one of ``names``."""
        if names not in self._found:
            self._found[names] = section(self.sections, *names)
        return self._found[names]

    @cached_property
    def vital_signs(self) -> tuple[VitalSign, ...]:
        """The vital signs in order."""
        return find_vital_signs(self.half)

    @cached_property
    def _listed(self) -> dict[Span, tuple[DiagnosisMention, ...]]:
        return {}

    def diagnoses(self, body: Span) -> tuple[DiagnosisMention, ...]:
        """The diagnoses that a stretch of the text lists."""
        if body not in self._listed:
            self._listed[body] = find_diagnoses(self.document.text, body)
        return self._listed[body]

    def sentences_of(self, section: Section) -> tuple[Sentence, ...]:
        """The sentences of a section's body."""
        return split_sentences(self.document.text, section.body)

    def body(self, *names: str) -> str:
        """The body of the first section bearing one of ``names``; empty when there is none."""
        found = self.section(*names)
        return found.body.of(self.document.text) if found else ""
