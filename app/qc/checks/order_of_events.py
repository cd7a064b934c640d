"""Whether things happened, and were written, in a possible order."""

from collections.abc import Iterator

from app.qc.case import STAY_EVENT_TITLES, Case, StayEvent
from app.qc.checks.base import Check, DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import CHINA_TIME, Document, DocumentType


def shown(moment: object) -> str:
    """A moment as users read it."""
    return moment.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M")  # type: ignore[attr-defined,no-any-return]


class StayReversed(Check, name="stay_reversed"):
    """The stay ends before it begins."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        admitted, ended = case.record.encounter.admitted_at, case.ended_at
        if ended is None:
            return not_applicable("患者在院")
        if admitted is None:
            return undetermined("未提供入院时间")
        if admitted <= ended:
            return PASSED
        return defect(Hit(details={"admitted": shown(admitted), "ended": shown(ended)}))


class WrittenBefore(DocumentCheck, name="written_before"):
    """A document finished before an event that it can only follow."""

    event: StayEvent

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        moment, done = case.moment_of(self.event), document.completed_at
        if moment is None:
            return undetermined(f"未提供{STAY_EVENT_TITLES[self.event]}时间")
        if done is None:
            return undetermined("文书没有完成时间")
        if done >= moment:
            return PASSED
        return defect(
            Hit.at(document, document=document.title or document.kind, done=shown(done), moment=shown(moment))
        )


class WrittenAhead(DocumentCheck, name="written_ahead"):
    """A document finished before what it records had happened (预写)."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        if document.event_at is None:
            return not_applicable("文书没有所记事件的时间")
        if document.completed_at is None:
            return undetermined("文书没有完成时间")
        if document.completed_at >= document.event_at:
            return PASSED
        return defect(
            Hit.at(document, document=document.title or document.kind,
                   done=shown(document.completed_at), event=shown(document.event_at))
        )  # fmt: skip


class NotBeforeProcedure(Check, name="not_before_procedure"):
    """A preoperative document finished after its procedure had begun."""

    kinds: tuple[str, ...] = ("手术", "介入")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each procedure's documents and combine."""
        return combine(self._rulings(case, applies_to), none_reason=f"没有手术或没有{'、'.join(applies_to)}")

    def _rulings(self, case: Case, types: tuple[DocumentType, ...]) -> Iterator[Ruling]:
        for procedure in case.record.procedures or ():
            if procedure.kind not in self.kinds:
                continue
            for document in case.documents_for(procedure, *types):
                done = document.completed_at
                if done is None or procedure.started_at is None:
                    yield undetermined("未提供手术开始时间或文书完成时间")
                elif done <= procedure.started_at:
                    yield PASSED
                else:
                    yield defect(
                        Hit.at(document, document=document.title or document.kind,
                               done=shown(done), started=shown(procedure.started_at))
                    )  # fmt: skip
