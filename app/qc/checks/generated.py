"""Generated content in the record: is it labelled, and did a physician confirm it."""

import json

from app.labelling.label import LabelError, has_explicit_elements, parse_aigc
from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.checks.signature import PATIENT_ROLES, TRAINEES
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable
from app.records.model import Document, Signature

_DECLARED = "ai_generated"


def is_generated(document: Document) -> bool:
    """Whether the source declares generated content: by a label, or by ``ai_generated`` of the document."""
    return document.ai_label is not None or document.extra.get(_DECLARED) is True


class LabelIncomplete(DocumentCheck, name="label_incomplete"):
    """Generated content without its explicit notice, or whose implicit label is absent or not compliant."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        if not is_generated(document):
            return not_applicable("没有生成内容")
        problems = [*self._explicit(document), *self._implicit(document)]
        if not problems:
            return PASSED
        title = document.title or document.kind
        return defect(Hit.at(document, document=title, problem="；".join(problems)))

    def _explicit(self, document: Document) -> list[str]:
        notice = (document.ai_label or {}).get("notice")
        shown = isinstance(notice, str) and has_explicit_elements(notice)
        return [] if shown or has_explicit_elements(document.text) else ["没有写明“AI生成”的显式提示"]

    def _implicit(self, document: Document) -> list[str]:
        if document.ai_label is None:
            return ["没有隐式标识"]
        label = document.ai_label.get("AIGC", document.ai_label)
        try:
            parse_aigc(label if isinstance(label, str) else json.dumps(label))
        except LabelError as error:
            return [str(error)]
        return []


class GeneratedUnconfirmed(DocumentCheck, name="generated_unconfirmed"):
    """A finished document with generated content that no licensed physician signed."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        if not is_generated(document):
            return not_applicable("没有生成内容")
        if document.written_at is None and case.record.archived_at is None:
            return not_applicable("草稿")
        if any(self._confirms(signature, document) for signature in document.signatures or ()):
            return PASSED
        return defect(Hit.at(document, document=document.title or document.kind))

    def _confirms(self, signature: Signature, document: Document) -> bool:
        if not signature.name or signature.role in PATIENT_ROLES or signature.title in TRAINEES:
            return False
        author = document.author
        if author and signature.name == author.name and author.licensed is False:
            return False
        return signature.title is None or "医师" in signature.title or "医生" in signature.title
