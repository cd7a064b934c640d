"""Copied text: passages that are the same, or nearly, where they must not be.

Similarity is the share of matching characters (Ratcliff/Obershelp, as ``difflib``) of the texts without
punctuation, spaces, times and vital signs.
"""

import re
from difflib import SequenceMatcher
from itertools import combinations

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Span
from app.text.sections import Section

_NOT_CONTENT = re.compile(r"[^\u4e00-\u9fffA-Za-z0-9]+")
_VARIABLE = re.compile(
    r"\d{4}[-年/.]\d{1,2}[-月/.]\d{1,2}日?(?:\s*\d{1,2}[:时]\d{1,2}分?)?"
    r"|(?:体温|脉搏|呼吸|血压|心率|T|P|R|BP|HR|SpO2)\s*[:：]?\s*[\d./]+\s*(?:℃|次/分|mmHg|%)?"
    r"|(?:医师|医生|签名|记录者)(?:签名|签字)?[:：]\s*\S+"
)


def content_of(text: str) -> str:
    """The characters that count when texts are compared."""
    return _NOT_CONTENT.sub("", _VARIABLE.sub("", text))


def similarity(a: str, b: str, floor: float) -> float:
    """Similarity of two contents, 0–1; below ``floor`` it may be any smaller upper bound."""
    if a == b:
        return 1.0
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if matcher.real_quick_ratio() < floor or matcher.quick_ratio() < floor:
        return 0.0
    return matcher.ratio()


class SectionCopied(Check, name="section_copied"):
    """A section of one document repeats a section of another, or another of the same document.

    Attributes:
        sections: names of the copy's section, in the rule's document types.
        source_types: types of the document copied from; empty: the same document.
        source_sections: names of the section copied from.
        limit: the similarity from which it counts.
        minimum_characters: shorter sections are not judged.
    """

    sections: tuple[str, ...] = Field(min_length=1)
    source_types: tuple[DocumentType, ...] = ()
    source_sections: tuple[str, ...] = Field(min_length=1)
    limit: float = Field(default=0.95, gt=0, le=1)
    minimum_characters: int = Field(default=30, ge=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the first pair of sections that exists."""
        copies = case.record.documents_of(*applies_to)
        if not copies:
            return not_applicable(f"没有{'、'.join(applies_to)}")
        copy = copies[0]
        sources = case.record.documents_of(*self.source_types) if self.source_types else (copy,)
        found = self._section(case, copy, self.sections)
        source = next(((d, s) for d in sources if (s := self._section(case, d, self.source_sections))), None)
        if found is None or source is None:
            return undetermined(f"没有可比对的{self.sections[0]}或{self.source_sections[0]}")
        return self._compare(copy, found, *source)

    def _section(self, case: Case, document: Document, names: tuple[str, ...]) -> Section | None:
        return case.reading(document).section(*names)

    def _compare(self, copy: Document, section: Section, source: Document, from_section: Section) -> Ruling:
        text, original = content_of(section.body.of(copy.text)), content_of(from_section.body.of(source.text))
        if min(len(text), len(original)) < self.minimum_characters:
            return not_applicable(f"{section.name}不足{self.minimum_characters}字")
        likeness = similarity(text, original, self.limit)
        if likeness < self.limit:
            return PASSED
        evidence = (copy.evidence(section.body), source.evidence(from_section.body))
        details = {"similarity": f"{likeness:.0%}", "source": from_section.name, "section": section.name}
        return defect(Hit(copy.id, section.name, evidence, details))


class DocumentsIdentical(Check, name="documents_identical"):
    """Two documents of the rule's types say the same.

    Attributes:
        limit: the similarity from which it counts.
        minimum_characters: shorter documents are not judged.
    """

    limit: float = Field(default=0.95, gt=0, le=1)
    minimum_characters: int = Field(default=30, ge=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge every pair."""
        contents = [(d, content_of(d.text)) for d in case.record.documents_of(*applies_to)]
        judged = [(d, content) for d, content in contents if len(content) >= self.minimum_characters]
        if len(judged) < 2:
            return not_applicable("可比对的文书不足两份")
        hits = []
        for (first, a), (second, b) in combinations(judged, 2):
            likeness = similarity(a, b, self.limit)
            if likeness >= self.limit:
                hits.append(self._hit(first, second, likeness))
        return defect(*hits) if hits else PASSED

    def _hit(self, first: Document, second: Document, likeness: float) -> Hit:
        evidence = tuple(d.evidence(Span(0, len(d.text))) for d in (second, first))
        names = {"first": first.title or first.kind, "second": second.title or second.kind}
        return Hit(second.id, None, evidence, {**names, "similarity": f"{likeness:.0%}"})
