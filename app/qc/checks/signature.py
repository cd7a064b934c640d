"""Who signed, and whether they may."""

import re

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, defect, undetermined
from app.records.model import Document, Span

_SIGNED_IN_TEXT = re.compile(
    r"(?:医师|医生|记录者|签名|护士|术者)(?:签名|签字)?[:：/ ]{1,3}[\u4e00-\u9fff·*]{2,6}\s*(?:[/／]|\d|$)",
    re.M,
)
_SIGNATURE_AREA = re.compile(r"签名|签字")
_TRAINEES = ("实习医师", "试用期医师", "实习生", "规培学员")


class SignatureMissing(DocumentCheck, name="signature_missing"):
    """A document that lacks the signature of some required role.

    Attributes:
        required: for each entry, one of its roles must have signed.
        text_counts: whether a signature typed at the end of the text will do for a single role.
    """

    required: tuple[tuple[str, ...], ...] = Field(min_length=1)
    text_counts: bool = True

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        half = case.reading(document).half
        if self.text_counts and len(self.required) == 1 and _SIGNED_IN_TEXT.search(half):
            return PASSED
        if "signatures" not in case.record.delivered:
            return undetermined("未提供签名数据，正文中没有签名")
        signed = {signature.role for signature in document.signatures or () if signature.name}
        missing = [roles for roles in self.required if not signed & set(roles)]
        if not missing:
            return PASSED
        area = list(_SIGNATURE_AREA.finditer(half))[-1:]
        spans = [Span(match.start(), match.end()) for match in area]
        return defect(
            Hit.at(
                document,
                *spans,
                missing="、".join("或".join(r) for r in missing),
                document=document.title or document.kind,
            )
        )


class UnqualifiedAuthor(DocumentCheck, name="unqualified_author"):
    """A document written by someone unlicensed and not countersigned by a 审核者."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        author = document.author
        if author is None or (author.licensed is None and author.title is None):
            return undetermined("未提供书写者资质")
        if author.licensed or (author.licensed is None and author.title not in _TRAINEES):
            return PASSED
        if any(s.role == "审核者" and s.name for s in document.signatures or ()):
            return PASSED
        return defect(
            Hit.at(document, author=author.name or "书写者", document=document.title or document.kind)
        )
