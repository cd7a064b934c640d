"""A document as read: half-width text, sections, sentences, each worked out once, when first asked for."""

from dataclasses import dataclass
from functools import cached_property

from app.records.model import Document
from app.text.sections import Section, section, split_sections
from app.text.sentences import Sentence, split_sentences
from app.text.width import half_width


@dataclass(frozen=True, eq=False)
class Reading:
    """What reading one document yields; all offsets point into ``document.text``."""

    document: Document

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

    def section(self, *names: str) -> Section | None:
        """The first section bearing one of ``names``."""
        return section(self.sections, *names)

    def sentences_of(self, section: Section) -> tuple[Sentence, ...]:
        """The sentences of a section's body."""
        return split_sentences(self.document.text, section.body)

    def body(self, *names: str) -> str:
        """The body of the first section bearing one of ``names``; empty when there is none."""
        found = self.section(*names)
        return found.body.of(self.document.text) if found else ""
