"""The parts of documents written while the patient is in hospital: 阶段小结, 转科记录."""

from collections.abc import Iterator
from datetime import datetime

from app.drafting.compose import (
    date_sentence,
    diagnoses_at_admission,
    from_field,
    last_notes,
    not_given,
    quoted,
    recorded_diagnoses,
    section_items,
    written_diagnoses,
    written_time,
)
from app.drafting.draft import DraftSentence
from app.drafting.salience import cues
from app.drafting.sources import COURSE_NOTES, Stay, happened_at, sentences_of
from app.records.model import MedicalRecord, Transfer
from app.text.width import half_width

_TRANSFERS = "encounter/transfers"
_MOST_PLANS = 6


def moment_of_transfer(record: MedicalRecord) -> datetime | None:
    """When the patient last moved to another department."""
    transfer = _last_transfer(record)
    return transfer.at if transfer else None


def _last_transfer(record: MedicalRecord) -> Transfer | None:
    return (record.encounter.transfers or (None,))[-1]


def date_of_transfer(stay: Stay) -> Iterator[DraftSentence]:
    """转科日期."""
    yield date_sentence(moment_of_transfer(stay.record), _TRANSFERS)


def department_before(stay: Stay) -> Iterator[DraftSentence]:
    """转出科室."""
    transfer = _last_transfer(stay.record)
    yield _department(transfer.from_department if transfer else None)


def department_after(stay: Stay) -> Iterator[DraftSentence]:
    """转入科室."""
    transfer = _last_transfer(stay.record)
    yield _department(transfer.to_department if transfer else None)


def _department(name: str | None) -> DraftSentence:
    return from_field(name, _TRANSFERS) if name else not_given(_TRANSFERS)


def date_of_summary(stay: Stay) -> Iterator[DraftSentence]:
    """小结日期: how far the notes go that the summary rests on."""
    for reading in last_notes(stay):
        at = happened_at(reading.document)
        if at:
            yield from_field(f"截至{written_time(at)}", f"documents/{reading.document.id}")
            return


def present_diagnoses(stay: Stay) -> Iterator[DraftSentence]:
    """目前诊断: as the last notes name them, else those of the admission, after what has been corrected since.

    Which diagnosis of the admission a correction replaces the data do not say, so both are named as what they are.
    """
    written = written_diagnoses(("目前诊断", "确定诊断"), last_notes(stay))
    corrected = recorded_diagnoses(stay, "修正")
    if written or not corrected:
        yield from written or diagnoses_at_admission(stay)
        return
    yield from (_named("修正诊断", sentence) for sentence in corrected)
    yield from (_named("入院诊断", sentence) for sentence in diagnoses_at_admission(stay))


def _named(what: str, sentence: DraftSentence) -> DraftSentence:
    return sentence.model_copy(update={"text": f"{what}：{sentence.text}"})


def plans(stay: Stay) -> Iterator[DraftSentence]:
    """诊疗计划: what the last note plans, in its words."""
    for reading in last_notes(stay):
        named = section_items(reading, "诊疗计划")
        told = (i for i in sentences_of(reading) if cues().plan.search(half_width(i.text)))
        items = (named or list(told))[:_MOST_PLANS]
        if items:
            yield from map(quoted, items)
            return


def reasons_of_transfer(stay: Stay) -> Iterator[DraftSentence]:
    """转科目的及注意事项: what the notes before the transfer say of it."""
    items = [i for reading in stay.readings_of(COURSE_NOTES) for i in sentences_of(reading)]
    yield from map(quoted, [i for i in items if cues().transfer.search(half_width(i.text))][-_MOST_PLANS:])
    yield from plans(stay)
