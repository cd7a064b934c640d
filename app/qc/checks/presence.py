"""Whether documents, sections and required elements are there."""

import re
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import STAY_EVENT_TITLES, Case, StayEvent
from app.qc.checks.base import Check, DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Procedure, Span
from app.text.reading import Reading
from app.text.sections import is_blank

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


class DocumentMissing(Check, name="document_missing"):
    """No document of any of the rule's types, though an event of the stay calls for one.

    Attributes:
        after: the event that calls for it.
        due_hours: hours after the event from which its absence counts.
        replaced_by: document types that make it unnecessary.
    """

    after: StayEvent
    due_hours: float = Field(ge=0)
    replaced_by: tuple[DocumentType, ...] = ()

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if case.record.documents_of(*applies_to):
            return PASSED
        if case.record.documents_of(*self.replaced_by):
            return not_applicable(f"已有{'或'.join(self.replaced_by)}")
        start = case.moment_of(self.after)
        if start is None:
            return self._without_start(case)
        if not self._is_due(case):
            return not_applicable("患者在院，书写时限未到")
        return defect(Hit(details={"missing": "、".join(applies_to)}))

    def _without_start(self, case: Case) -> Ruling:
        happened = case.is_over if self.after != "death" else case.record.encounter.disposition == "死亡"
        if self.after == "admission" or happened:
            return undetermined(f"未提供{STAY_EVENT_TITLES[self.after]}时间")
        return not_applicable(f"未{STAY_EVENT_TITLES[self.after]}")

    def _is_due(self, case: Case) -> bool:
        start = case.moment_of(self.after)
        if start is None or case.as_of is None:
            return False
        hours = (case.as_of - start).total_seconds() / 3600
        return hours > self.due_hours or (self.after == "admission" and case.is_over) or self.after != "admission"


class ProcedureDocumentMissing(Check, name="procedure_document_missing"):
    """A procedure without a document of the rule's types.

    Attributes:
        kinds: kinds of procedure that call for the document.
        not_in_emergency: whether emergency procedures are exempt.
        by_anesthetist: only procedures under anaesthesia given by an anaesthetist.
        signed_by: roles of which one must have signed the document.
    """

    kinds: tuple[str, ...]
    not_in_emergency: bool = False
    by_anesthetist: bool = False
    signed_by: tuple[str, ...] = ()

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each procedure and combine."""
        concerned = [p for p in case.record.procedures or () if p.kind in self.kinds]
        rulings = (self._rule_on_procedure(case, procedure, applies_to) for procedure in concerned)
        return combine(rulings, none_reason=f"没有{'、'.join(self.kinds)}")

    def _rule_on_procedure(self, case: Case, procedure: Procedure, types: tuple[DocumentType, ...]) -> Ruling:
        exemption = self._exemption(procedure)
        if exemption is not None:
            return exemption
        if procedure.started_at and not case.is_past(procedure.started_at):
            return not_applicable("手术尚未开始")
        details = {"procedure": procedure.name or "手术", "missing": "、".join(types)}
        documents = case.documents_for(procedure, *types)
        if not documents:
            return defect(Hit(details={**details, "what": "缺"}))
        if self.signed_by and not any(_is_signed(document, self.signed_by) for document in documents):
            return defect(Hit(documents[0].id, details={**details, "what": f"没有{'或'.join(self.signed_by)}签名的"}))
        return PASSED

    def _exemption(self, procedure: Procedure) -> Ruling | None:
        if self.not_in_emergency:
            if procedure.emergency is None:
                return undetermined(f"未说明“{procedure.name or '手术'}”是否为抢救性急诊手术")
            if procedure.emergency:
                return not_applicable("抢救性急诊手术")
        if self.by_anesthetist and not procedure.anesthetist:
            is_local = "局" in (procedure.anesthesia or "") or procedure.anesthesia is None
            return not_applicable("未由麻醉医师实施麻醉") if is_local else undetermined("未提供麻醉医师")
        return None


def _is_signed(document: Document, roles: tuple[str, ...]) -> bool:
    return any(signature.role in roles and signature.name for signature in document.signatures or ())


class SectionMissing(DocumentCheck, name="section_missing"):
    """A document whose section is absent, blank, or too short to say anything.

    Attributes:
        sections: names of the section, any of which will do.
        minimum_characters: the fewest Chinese characters that count as content.
    """

    sections: tuple[str, ...] = Field(min_length=1)
    minimum_characters: int = Field(default=0, ge=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        reading = case.reading(document)
        if not reading.sections:
            return undetermined("文书没有可识别的段落标题")
        section = reading.section(*self.sections)
        details = {"section": self.sections[0], "document": document.kind}
        if section is None:
            return defect(Hit.at(document, section=self.sections[0], **details))
        content = section.body.of(document.text)
        if is_blank(content) or len(_CHINESE.findall(content)) < self.minimum_characters:
            return defect(Hit.at(document, section.heading, section=section.name, **details))
        return PASSED


class Element(BaseModel):
    """A required element: written under a heading, said in words, or delivered as a field.

    Attributes:
        name: as the user reads it.
        sections: headings that hold it.
        pattern: a regular expression that shows it in the half-width text.
        fields: paths into the record, such as ``patient.sex``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sections: tuple[str, ...] = ()
    pattern: str | None = None
    fields: tuple[str, ...] = ()
    signature_roles: tuple[str, ...] = ()


class ElementsMissing(DocumentCheck, name="elements_missing"):
    """A document that lacks some of its required elements; one hit names them all.

    Attributes:
        elements: what must be there.
        within: names of the section that holds them all; by default the whole document.
        tolerated: how many may be missing.
    """

    elements: tuple[Element, ...] = Field(min_length=1)
    within: tuple[str, ...] = ()
    tolerated: int = Field(default=0, ge=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        reading = case.reading(document)
        span, heading = Span(0, len(document.text)), None
        if self.within:
            section = reading.section(*self.within)
            if section is None or is_blank(section.body.of(document.text)):
                return not_applicable(f"没有{self.within[0]}段，由缺段规则判定")
            span, heading = section.body, section.heading
        missing = [e.name for e in self.elements if not self._is_there(e, case, document, reading, span)]
        if len(missing) <= self.tolerated:
            return PASSED
        spans = (heading,) if heading else ()
        return defect(
            Hit.at(document, *spans, section=self.within[0] if self.within else None,
                   missing="、".join(missing), document=document.kind)
        )  # fmt: skip

    def _is_there(self, element: Element, case: Case, document: Document, reading: Reading, span: Span) -> bool:
        if any(not is_blank(reading.body(name)) for name in element.sections):
            return True
        if element.pattern and re.compile(element.pattern).search(reading.half, span.start, span.end):
            return True
        if element.signature_roles and _is_signed(document, element.signature_roles):
            return True
        return any(value not in (None, "") for value in _field_values(case, element.fields))


def _field_values(case: Case, paths: tuple[str, ...]) -> Iterator[object]:
    for path in paths:
        value: object = case.record
        for name in path.split("."):
            value = getattr(value, name, None)
        yield value
