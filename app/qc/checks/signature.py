"""Who signed, and whether they may."""

import re
from datetime import datetime, timedelta
from functools import lru_cache

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.checks.deadline import elapsed_text
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import Document, Signature, Span
from app.text.patterns import regex

PATIENT_ROLES = frozenset({"患者", "近亲属", "授权委托人", "法定代理人"})
"""Roles of the patient's side (rule catalogue F-401)."""

_STAFF = (
    r"(?:(?:经治|住院|主治|主管|记录|书写|申请|会诊|操作|谈话|告知|麻醉|手术|接诊|上级|交班|接班|(?:副)?主任)?(?:医师|医生)"
    r"|记录者|记录人|书写者|手术者|术者|操作者|护士|护师)"
)
_PATIENT_SIDE = r"(?:患者|患方|病人|家属|近亲属|委托人|代理人|受托人|被授权人)(?![^\n:]{0,8}医)[^\n:]{0,12}?"
_SIGN = r"(?:签名|签字|签章)"
_AREA = regex(rf"{_STAFF}{_SIGN}|(?<![^\s。;]){_SIGN}\s*:|记录[者人]\s*:")
_RECORDER = regex(
    r"(?:记录者|记录人|记录|书写者)[ \t]*[:/][ \t]*(?!年|月|日|与患|时间|电话)[\u4e00-\u9fff·*]{2,6}(?=[\s,。;、/(\d]|$)",
    re.MULTILINE,
)
TRAINEES = ("实习医师", "试用期医师", "实习生", "规培学员", "进修生")
_DICTATED = regex("代录|代记|代笔|代书写|代为记录|口述")
_MASK = "*"


@lru_cache(maxsize=32)
def _typed(who: str) -> re.Pattern[str]:
    name = r"[\u4e00-\u9fff·*]{2,6}"
    return regex(
        rf"(?:{who}){_SIGN}(?:[ \t]*[:/][ \t]*|[ \t]+)(?!年|月|日|与患|时间|电话){name}(?=[\s,。;、/(\d]|$)",
        re.MULTILINE,
    )


def typed_signature(half: str, who: str) -> re.Match[str] | None:
    """The first signature typed into a half-width text, such as 医师签名：某某, of whom the pattern names."""
    return _typed(who).search(half)


def is_signed_for_patient(document: Document, half: str) -> bool:
    """Whether somebody of the patient's side signed, as data or typed into the half-width text."""
    signed = any(s.role in PATIENT_ROLES and s.name for s in document.signatures or ())
    return signed or typed_signature(half, _PATIENT_SIDE) is not None


def _is_draft(case: Case, document: Document) -> bool:
    """Whether a document is still being written: known to be unfinished, in a stay that goes on."""
    admitted = case.record.encounter.admitted_at
    return document.completed_at is None and admitted is not None and not case.is_over


class SignatureMissing(DocumentCheck, name="signature_missing"):
    """A document without the signature of whoever has to sign it.

    Where one signature is required, the author's own counts in whatever role, and so does one typed into the
    text (医师签名：某某).

    Attributes:
        required: for each entry, one of its roles must have signed.
    """

    required: tuple[tuple[str, ...], ...] = Field(min_length=1)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        half = case.reading(document).half
        signed = {s.role for s in document.signatures or () if s.name}
        missing = [roles for roles in self.required if not signed & set(roles)]
        if not missing or (len(self.required) == 1 and _signed_somehow(document, half)):
            return PASSED
        areas = list(_AREA.finditer(half))
        is_delivered = "signatures" in case.record.delivered
        if not is_delivered and not areas:
            return undetermined("未提供签名数据，正文中没有签名区")
        if _is_draft(case, document):
            return not_applicable("文书尚未完成")
        spans = [Span(*areas[-1].span())] if areas else []
        named = "、".join("或".join(roles) for roles in missing)
        return defect(Hit.at(document, *spans, document=document.title or document.kind, missing=named))


def _signed_somehow(document: Document, half: str) -> bool:
    author = document.author.name if document.author else None
    if author and any(s.name == author for s in document.signatures or ()):
        return True
    return typed_signature(half, _STAFF) is not None or _RECORDER.search(half) is not None


class UnqualifiedAuthor(DocumentCheck, name="unqualified_author"):
    """A document written by someone unlicensed and not countersigned by a licensed 审核者."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        author = document.author
        if author is None or (author.licensed is None and author.title is None):
            return undetermined("未提供书写者资质")
        if author.licensed or (author.licensed is None and author.title not in TRAINEES):
            return not_applicable("由执业医师书写")
        reviewers = [s for s in document.signatures or () if s.role == "审核者" and s.name != author.name]
        if any(s.name and s.title not in TRAINEES for s in reviewers):
            return PASSED
        if _is_draft(case, document):
            return not_applicable("文书尚未完成")
        return defect(
            Hit.at(
                document,
                author=f"{author.name or '书写者'}（{author.title or '未取得执业资格'}）",
                document=document.title or document.kind,
            )
        )


class ReviewLate(DocumentCheck, name="review_late"):
    """A document countersigned more than a number of hours after it was finished.

    Attributes:
        limit_hours: the limit, inclusive; without one the hospital has not set any.
    """

    limit_hours: float | None = Field(default=None, gt=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        if self.limit_hours is None:
            return not_applicable("医院未配置审签时限")
        reviews = [s for s in document.signatures or () if s.role == "审核者" and s.name]
        if not reviews:
            return not_applicable("没有审签")
        signed = min((s.signed_at for s in reviews if s.signed_at), default=None)
        if signed is None or document.written_at is None:
            return undetermined("未提供审签时间或文书完成时间")
        elapsed = signed - document.written_at
        if elapsed <= timedelta(hours=self.limit_hours):
            return PASSED
        title = document.title or document.kind
        return defect(
            Hit.at(document, document=title, elapsed=elapsed_text(elapsed), limit=f"{self.limit_hours:g}")
        )


class SignerMismatch(DocumentCheck, name="signer_mismatch"):
    """The 记录者 who signed is not the author, or one account signed in two roles within a minute.

    Attributes:
        account: the key, among the unknown fields of a signature, of the account that signed.
    """

    account: str = "account_id"

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        signatures = [s for s in document.signatures or () if s.name]
        if not signatures:
            return not_applicable("没有签名")
        author = document.author.name if document.author else None
        recorders = [s.name for s in signatures if s.role == "记录者" and s.name]
        shared = self._shared_account(signatures)
        if shared is None and (not author or not recorders):
            return undetermined("未提供书写者或记录者签名")
        problems = [shared] if shared else []
        if author and recorders and self._differ(author, recorders):
            problems.append(f"书写者是{author}，记录者签名是{'、'.join(recorders)}")
        if not problems:
            return PASSED
        if _DICTATED.search(document.text):
            return not_applicable("已注明代录")
        title = document.title or document.kind
        return defect(Hit.at(document, document=title, problem="；".join(problems)))

    def _differ(self, author: str, recorders: list[str]) -> bool:
        return author not in recorders and not any(_MASK in name for name in (author, *recorders))

    def _shared_account(self, signatures: list[Signature]) -> str | None:
        seen: dict[tuple[str, datetime], Signature] = {}
        for signature in signatures:
            account, moment = signature.extra.get(self.account), signature.signed_at
            if not isinstance(account, str) or moment is None:
                continue
            other = seen.setdefault((account, moment.replace(second=0, microsecond=0)), signature)
            if other is not signature and (other.role, other.name) != (signature.role, signature.name):
                names = "、".join(f"{s.role or ''}{s.name}" for s in (other, signature))
                return f"同一账号在同一分钟签了{names}"
        return None
