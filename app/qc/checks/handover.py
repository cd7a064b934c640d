"""Handing a patient over: 交班 and 接班 between physicians, 转出 and 转入 between departments."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.deadline import elapsed_text
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import Document, DocumentType, Transfer

_HEAD_CHARACTERS = 60
_OTHER_SIDE = {"交班": "接班", "接班": "交班", "转出": "转入", "转入": "转出"}
_URGENT = ("紧急转", "急诊转", "抢救转", "立即转")


def is_of_side(document: Document, side: str) -> bool:
    """Whether a handover or transfer record is (also) of the side: by its title, else by its first words.

    One that names neither side, or both (交接班记录), counts for both.
    """
    for words in (document.title or "", document.text[:_HEAD_CHARACTERS]):
        here, there = side in words, _OTHER_SIDE[side] in words
        if here or there:
            return here
    return True


class _SidedNote(Check):
    """A record of one side that is missing, or finished too late.

    Attributes:
        side: which record.
        limit_hours: hours after the handover, inclusive; 0: before it.
    """

    limit_hours: float = Field(default=0, ge=0)

    def _rule_on_note(self, note: Document, moment: datetime | None) -> Ruling:
        done = note.completed_at
        if moment is None or done is None:
            return undetermined("没有交接时间或文书完成时间")
        if done - moment <= timedelta(hours=self.limit_hours):
            return PASSED
        found = (
            f"晚{elapsed_text(done - moment)}"
            if not self.limit_hours
            else f"{elapsed_text(done - moment)}后完成"
        )
        title = note.title or note.kind
        return defect(Hit.at(note, document=title, limit=f"{self.limit_hours:g}", problem=found))


class HandoverNote(_SidedNote, name="handover_note"):
    """The record of one side of a change of the attending physician, of which the other side's tells."""

    side: Literal["交班", "接班"]

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        notes = case.documents_of(*applies_to)
        if not notes:
            return _without_notes(case)
        mine = [note for note in notes if is_of_side(note, self.side)]
        others = [note for note in notes if note not in mine]
        rulings = [self._rule_on_note(note, note.event_at) for note in mine]
        rulings += [self._absent(case, other) for other in others[len(mine) :]]
        return combine(rulings, none_reason=f"没有{self.side}记录")

    def _absent(self, case: Case, other: Document) -> Ruling:
        moment = other.event_at or other.completed_at
        limit = moment and later(moment, timedelta(hours=self.limit_hours))
        if self.limit_hours and limit and not case.is_past(limit):
            return not_yet(limit, f"{self.side}记录")
        return defect(
            Hit(details={"document": f"{self.side}记录", "limit": f"{self.limit_hours:g}", "problem": "缺少"})
        )


def _without_notes(case: Case) -> Ruling:
    """One author of all course notes means one attending physician; several may be on duty."""
    notes = case.documents_of("首次病程记录", "日常病程记录", "上级医师查房记录")
    authors = {note.author.name if note.author else None for note in notes}
    if len(authors) == 1 and None not in authors:
        return not_applicable("病程均由同一医师书写，经治医师未变更")
    return undetermined("没有交接班记录，看不出经治医师是否变更")


class TransferNote(_SidedNote, name="transfer_note"):
    """The record of one side of a transfer between departments.

    A record said to be of an urgent transfer may be finished after it.
    """

    side: Literal["转出", "转入"]

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each transfer and combine."""
        transfers = case.record.encounter.transfers
        if transfers is None:
            return undetermined("未提供转科信息")
        notes = [d for d in case.documents_of(*applies_to) if is_of_side(d, self.side)]
        return combine(self._rulings(case, transfers, notes), none_reason="没有转科")

    def _rulings(
        self, case: Case, transfers: tuple[Transfer, ...], notes: list[Document]
    ) -> Iterator[Ruling]:
        free = list(notes)
        for transfer in transfers:
            note = _nearest(free, transfer.at)
            if note is None:
                yield self._absent(case, transfer)
                continue
            free.remove(note)
            is_urgent = any(word in note.text for word in _URGENT)
            if self.side == "转出" and is_urgent:
                yield not_applicable("紧急转科")
            else:
                yield self._rule_on_note(note, transfer.at)

    def _absent(self, case: Case, transfer: Transfer) -> Ruling:
        name = f"{self.side}记录"
        limit = transfer.at and later(transfer.at, timedelta(hours=self.limit_hours))
        if limit and not case.is_past(limit):
            return not_yet(limit, name)
        ended = case.ended_at
        if self.limit_hours and limit and ended and ended <= limit:
            return not_applicable(f"{self.side}未满{self.limit_hours:g}小时")
        where = f"（{transfer.from_department or '？'}→{transfer.to_department or '？'}）"
        return defect(
            Hit(details={"document": name + where, "limit": f"{self.limit_hours:g}", "problem": "缺少"})
        )


def _nearest(notes: list[Document], moment: datetime | None) -> Document | None:
    timed = [
        (abs(done - moment), n)
        for n, d in enumerate(notes)
        if moment and (done := d.event_at or d.completed_at)
    ]
    if timed:
        return notes[min(timed)[1]]
    return notes[0] if notes else None
