"""Resuscitations that left no record."""

from collections.abc import Iterator
from datetime import timedelta

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.qc.timeline import is_cancelled
from app.records.model import Document, DocumentType, Span
from app.text.patterns import regex

_DEED = (
    r"心肺复苏|胸外(?:心脏)?按压|电除颤|电击除颤|紧急气管插管|(?<![A-Za-z])CPR(?![A-Za-z])"
    r"|(?:积极|紧急|全力|立即|经|行|予|组织|持续|参与|配合)抢救(?!室|车|设备|药|用物|准备|物品|仪器|小组|预案|治疗组)"
    r"|抢救(?:成功|无效|\d+分钟|半小时|约\d+)"
)
_DONE = regex(_DEED)
_DEED_WORDS = ("抢救", "心肺复苏", "按压", "除颤", "插管", "CPR")
_NOT_DONE = regex(
    r"外院|院外|院前|当地|转院前|入院前|急诊科|既往|曾|史|必要时|如[有出再]|若|一旦|随时|可能|需要?时|备|拟|预案|同意|拒绝|放弃|不予"
    r"|不愿|不要求|要求|签署|告知|交代|沟通|培训|演练|无[需须]|未|否|知情|风险"
)
_GIVEN_UP = regex(
    r"(?:放弃|拒绝|不同意|不要求|不)(?:一切|进一步|有创|积极)?(?:的)?(?:创伤性)?(?:抢救|心肺复苏)"
)
_ORDERED = regex(
    r"心肺复苏|胸外(?:心脏)?按压|电除颤|电击除颤|(?<!备)(?<!不)抢救(?!室|车|药|设备|用血)|\bCPR\b"
)


def given_up(case: Case) -> Document | None:
    """The document by which the patient's side gave up resuscitation in writing, if there is one."""
    consents = case.documents_of("特殊检查(治疗)同意书", "病危(重)通知书", "授权委托书", "其他")
    return next((d for d in consents if _GIVEN_UP.search(f"{d.title or ''}\n{d.text}")), None)


class ResuscitationUnrecorded(Check, name="resuscitation_unrecorded"):
    """Orders or notes tell of a resuscitation in this stay, but there is no resuscitation record.

    Only deeds count, told as done; not what is planned, refused, past or happened elsewhere.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        documents = case.documents
        if any(d.kind in applies_to or "抢救记录" in (d.title or "") for d in documents):
            return PASSED
        hit = next(self._ordered(case), None) or next(self._told(case), None)
        if hit is None:
            is_critical = any(period.level == "病危" for period in case.timeline.periods)
            return (
                undetermined("有病危，没有抢救行为的证据")
                if is_critical
                else not_applicable("没有抢救的证据")
            )
        if given_up(case):
            return not_applicable("患方书面放弃抢救")
        return defect(hit)

    def _ordered(self, case: Case) -> Iterator[Hit]:
        for order in case.record.orders or ():
            if order.category != "药品" and not is_cancelled(order) and _ORDERED.search(order.content or ""):
                yield Hit(details={"proof": f"医嘱“{order.content}”"})

    def _told(self, case: Case) -> Iterator[Hit]:
        for document in case.documents_of(
            "日常病程记录", "上级医师查房记录", "死亡记录", "护理记录", "阶段小结"
        ):
            half = case.reading(document).half
            if not any(word in half for word in _DEED_WORDS):
                continue
            for sentence in case.reading(document).sentences:
                match = _DONE.search(half, sentence.start, sentence.end)
                if match and not _NOT_DONE.search(half, sentence.start, sentence.end):
                    span = Span(sentence.start, sentence.end)
                    yield Hit.at(document, span, proof=f"{document.title or document.kind}“{match.group()}”")


class DeathWithoutResuscitation(Check, name="death_without_resuscitation"):
    """A death in hospital with neither a resuscitation record shortly before nor a written refusal.

    Attributes:
        hours: hours before the death within which the resuscitation ended.
    """

    hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        died, disposition = case.record.encounter.died_at, case.record.encounter.disposition
        if died is None and disposition != "死亡":
            return not_applicable("未死亡")
        records = case.documents_of(*applies_to)
        moments = [document.event_at or document.completed_at for document in records]
        if given_up(case):
            return PASSED
        if not records:
            return defect(Hit(details={"hours": f"{self.hours:g}"}))
        if died is None or None in moments:
            return undetermined("未提供死亡时间或抢救时间")
        # A record is finished after the death it tells of.
        if any(abs(died - moment) <= timedelta(hours=self.hours) for moment in moments if moment):
            return PASSED
        return defect(Hit(records[-1].id, details={"hours": f"{self.hours:g}"}))
