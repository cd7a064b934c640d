"""The parts of 死亡记录 that no other document has."""

from collections.abc import Iterator

from app.drafting.compose import (
    date_sentence,
    last_notes,
    quoted,
    recorded_diagnoses,
    section_items,
    written_diagnoses,
)
from app.drafting.draft import DraftSentence
from app.drafting.salience import cues
from app.drafting.sources import COURSE_NOTES, Stay, sentences_of
from app.text.width import half_width


def time_of_death(stay: Stay) -> Iterator[DraftSentence]:
    """死亡时间, to the minute."""
    yield date_sentence(stay.record.encounter.died_at, "encounter/died_at")


def cause_of_death(stay: Stay) -> Iterator[DraftSentence]:
    """死亡原因: the section of that name, else the sentences that speak of it; never inferred."""
    readings = stay.readings_of((*COURSE_NOTES, "死亡病例讨论记录"))
    named = [item for reading in readings for item in section_items(reading, "死亡原因")]
    told = (
        item
        for r in readings
        for item in sentences_of(r)
        if cues().cause_of_death.search(half_width(item.text))
    )
    yield from map(quoted, named or told)


def diagnoses_at_death(stay: Stay) -> Iterator[DraftSentence]:
    """死亡诊断: from the data, else as the discussion or the last notes name them."""
    readings = (*stay.readings_of(("死亡病例讨论记录",)), *last_notes(stay))
    yield from recorded_diagnoses(stay, "死亡") or written_diagnoses(("死亡诊断",), readings)
