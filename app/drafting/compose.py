"""The parts of a draft that code assembles: dates, diagnoses, results, drugs, and sentences quoted as they stand."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from app.drafting.draft import NOT_GIVEN, Citation, DraftSentence, ResourceCitation
from app.drafting.normal import NormalText, lexicon
from app.drafting.salience import cues
from app.drafting.sources import (
    ADMISSION_NOTES,
    COURSE_NOTES,
    SourceItem,
    Stay,
    lab_value,
    resource,
    sentences_of,
)
from app.drafting.verify import verify
from app.records.model import CHINA_TIME, LabResult
from app.text.reading import Reading
from app.text.width import half_width

_ADMISSION_DIAGNOSES = ("入院诊断", "初步诊断")
_EXAMINATION = ("体格检查", "专科检查", "生命体征")
_MOST_HISTORY = 6
_MOST_FINDINGS = 6
_MOST_CONDITION = 4
_MOST_ADVICE = 6
_LAST_NOTES = 2
"""Notes at the end of the stay that tell the state at discharge and the advice."""


def on_day(sentence: DraftSentence, item: SourceItem) -> DraftSentence:
    """The sentence with the day of ``item`` before it, so that 今晨 and 昨日 can be read without the note."""
    day = _short_day(item)
    return sentence.model_copy(update={"text": f"{day}：{sentence.text}"}) if day else sentence


def quoted(item: SourceItem) -> DraftSentence:
    """The item's own words, which it supports by being them."""
    return drafted(item.text, (item,))


def drafted(text: str, items: Sequence[SourceItem]) -> DraftSentence:
    """A sentence assembled from items, with the code checks that it went through."""
    result = verify(text, [item.dated_text for item in items])
    return DraftSentence(
        text=text, citations=_citations(items), verdict="supported", checks=result.check_names
    )


def _citations(items: Iterable[SourceItem]) -> tuple[Citation, ...]:
    return tuple(dict.fromkeys(item.citation for item in items))


def _from_field(text: str, *fields: str) -> DraftSentence:
    citations = tuple(ResourceCitation(resource=field) for field in fields)
    return DraftSentence(text=text, citations=citations, verdict="supported", checks=("dates",))


def not_given(*fields: str) -> DraftSentence:
    """The record leaves it open; ``fields`` are where it would stand."""
    return DraftSentence(
        text=NOT_GIVEN, citations=tuple(ResourceCitation(resource=f) for f in fields), verdict="not_addressed"
    )


def _written(moment: datetime) -> str:
    at = moment.astimezone(CHINA_TIME)
    return f"{at.year}年{at.month}月{at.day}日{at.hour}时{at.minute:02}分"


def admission_date(stay: Stay) -> Iterator[DraftSentence]:
    """入院日期."""
    yield _date(stay.record.encounter.admitted_at, "encounter/admitted_at")


def discharge_date(stay: Stay) -> Iterator[DraftSentence]:
    """出院日期."""
    yield _date(stay.record.encounter.discharged_at, "encounter/discharged_at")


def _date(moment: datetime | None, field: str) -> DraftSentence:
    return _from_field(_written(moment), field) if moment else not_given(field)


def length_of_stay(stay: Stay) -> Iterator[DraftSentence]:
    """住院天数: the days of admission and of discharge count as one (病案首页填写规范)."""
    admitted, discharged = stay.record.encounter.admitted_at, stay.record.encounter.discharged_at
    fields = ("encounter/admitted_at", "encounter/discharged_at")
    if admitted is None or discharged is None or discharged < admitted:
        yield not_given(*fields)
        return
    days = (discharged.astimezone(CHINA_TIME).date() - admitted.astimezone(CHINA_TIME).date()).days
    yield _from_field(f"{max(days, 1)}天", *fields)


def condition_at_admission(stay: Stay) -> Iterator[DraftSentence]:
    """入院情况: chief complaint, history of the present illness, findings of the examination, in the note's words."""
    reading = next(iter(stay.readings_of(ADMISSION_NOTES)), None) or next(
        iter(stay.readings_of(("首次病程记录",))), None
    )
    items = list(_admission_items(reading)) if reading else []
    yield from map(quoted, items) if items else (not_given(),)


def _admission_items(reading: Reading) -> Iterator[SourceItem]:
    found = False
    for name, limit in (("主诉", 2), ("现病史", _MOST_HISTORY)):
        items = _section_items(reading, name)
        found = found or bool(items)
        yield from _weightiest(items, limit)
    examined = [item for name in _EXAMINATION for item in _section_items(reading, name)]
    positive = [item for item in examined if _is_positive(item.text)]
    yield from (positive or examined)[:_MOST_FINDINGS]
    if not found:
        yield from _weightiest(_section_items(reading, "病例特点"), _MOST_HISTORY)


def _is_positive(text: str) -> bool:
    """Whether some clause names a finding that it does not deny."""
    clauses = [clause for clause in NormalText.of(text).clauses if "见专科" not in clause]
    return any(
        cues().positive_exam.search(clause) and not lexicon().negation.search(clause) for clause in clauses
    )


def _section_items(reading: Reading, name: str) -> list[SourceItem]:
    return list(sentences_of(reading, lambda section: section == name))


def _weightiest(items: list[SourceItem], limit: int) -> list[SourceItem]:
    """The first sentence and the weightiest others, in their order."""
    ranked = sorted(range(len(items)), key=lambda at: (at != 0, -items[at].weight, at))[:limit]
    return [items[at] for at in sorted(ranked)]


def diagnoses_at_admission(stay: Stay) -> Iterator[DraftSentence]:
    """入院诊断: from the data, else as the admission note names them."""
    yield from _diagnoses(
        stay, ("入院", "初步"), _ADMISSION_DIAGNOSES, stay.readings_of((*ADMISSION_NOTES, "首次病程记录"))
    )


def diagnoses_at_discharge(stay: Stay) -> Iterator[DraftSentence]:
    """出院诊断: from the data, else as the last notes name them; never taken over from the admission."""
    last = tuple(reversed(stay.readings_of(COURSE_NOTES)[-_LAST_NOTES:]))
    yield from _diagnoses(stay, ("出院",), ("出院诊断", "确定诊断"), last)


def _diagnoses(
    stay: Stay, stages: Sequence[str], sections: Sequence[str], readings: Sequence[Reading]
) -> Iterator[DraftSentence]:
    for stage in stages:
        found = [(at, d) for at, d in enumerate(stay.record.diagnoses or ()) if d.stage == stage and d.name]
        found.sort(key=lambda pair: (pair[1].rank is None, pair[1].rank or 0))
        for number, (at, diagnosis) in enumerate(found, start=1):
            yield DraftSentence(
                text=f"{number}.{diagnosis.name}" if len(found) > 1 else diagnosis.name or "",
                citations=(resource("diagnoses", at, diagnosis.id),), verdict="supported", checks=("diagnoses",),
            )  # fmt: skip
        if found:
            return
    for reading in readings:
        items = [item for name in sections for item in _section_items(reading, name)]
        if items:
            yield from map(quoted, items)
            return
    yield not_given()


def examinations(stay: Stay) -> Iterator[DraftSentence]:
    """Results that were ever abnormal, item by item: the first, the first abnormal, the critical, the last; then the reports."""
    for panel, items in groupby(
        sorted(_abnormal(stay), key=lambda results: results.panel), key=lambda r: r.panel
    ):
        told = list(items)
        yield drafted(
            f"{panel}：{'；'.join(results.told for results in told)}。",
            [i for results in told for i in results.items],
        )
    for item in stay.reports:
        yield drafted(f"{_day(item)}{item.text.rstrip('。')}。", (item,))


class _Results(NamedTuple):
    """The values of one laboratory item that are worth telling."""

    panel: str
    told: str
    items: tuple[SourceItem, ...]


def _abnormal(stay: Stay) -> Iterator[_Results]:
    by_item: dict[tuple[str, str], list[tuple[LabResult, SourceItem]]] = {}
    for lab, item in stay.results:
        by_item.setdefault((lab.panel or "化验", lab.item or ""), []).append((lab, item))
    for (panel, name), values in by_item.items():
        if any(item.weight for _, item in values):
            abnormal = next(at for at, (_, item) in enumerate(values) if item.weight)
            told = {0, abnormal, len(values) - 1}
            chosen = [pair for at, pair in enumerate(values) if at in told or pair[0].flag == "危急"]
            written = "，".join(f"{_short_day(item)}{lab_value(lab)}{_flag(lab)}" for lab, item in chosen)
            yield _Results(panel, f"{name}{written}", tuple(item for _, item in chosen))


def _flag(lab: LabResult) -> str:
    return f"（{lab.flag}）" if lab.flag and lab.flag != "正常" and lab.flag != lab.value else ""


def _short_day(item: SourceItem) -> str:
    return f"{item.at.astimezone(CHINA_TIME):%-m月%-d日}" if item.at else ""


def _day(item: SourceItem) -> str:
    return f"{item.at.astimezone(CHINA_TIME):%Y年%-m月%-d日}" if item.at else ""


def operations(stay: Stay) -> Iterator[DraftSentence]:
    """Operations and procedures with their day."""
    for item in stay.procedures:
        yield drafted(f"{_day(item)}{item.text}。", (item,))


def drug_treatment(stay: Stay) -> Iterator[DraftSentence]:
    """The drugs of the stay, one naming a drug that was ordered again in the same way."""
    first: dict[str, SourceItem] = {}
    for item in stay.drugs:
        first.setdefault(item.text, item)
    if first:
        yield drafted(f"住院期间用药：{'；'.join(first)}。", tuple(first.values()))


def condition_at_discharge(stay: Stay) -> Iterator[DraftSentence]:
    """出院情况: what the last note of the course says about the patient's state, in its words."""
    for reading in reversed(stay.readings_of(COURSE_NOTES)[-_LAST_NOTES:]):
        items = [item for item in sentences_of(reading) if _is_condition(item.text)]
        if items:
            yield from map(quoted, items[:_MOST_CONDITION])
            return
    yield not_given()


def _is_condition(text: str) -> bool:
    words, half = cues(), half_width(text)
    if words.not_condition.search(half) or words.take_home.search(half) or _is_advice(text):
        return False
    return bool(words.condition.search(half))


def _is_advice(text: str) -> bool:
    words, half = cues(), half_width(text)
    return bool(words.advice.search(half)) and not words.not_advice.search(half)


def discharge_orders(stay: Stay) -> Iterator[DraftSentence]:
    """出院医嘱: take-home drugs from the orders, then follow-up and warnings as the last notes word them."""
    sentences = [
        drafted(f"{number}.{item.text}。", (item,)) for number, item in enumerate(stay.take_home, start=1)
    ]
    last = [
        item for reading in stay.readings_of(COURSE_NOTES)[-_LAST_NOTES:] for item in sentences_of(reading)
    ]
    if not stay.take_home:
        sentences += [quoted(item) for item in last if cues().take_home.search(half_width(item.text))]
    advice = [item for item in last if _is_advice(item.text) and "出院" in _around(stay, item)]
    told = {sentence.text for sentence in sentences}
    sentences += [quoted(item) for item in advice[-_MOST_ADVICE:] if item.text not in told]
    yield from sentences or (not_given(),)


def _around(stay: Stay, item: SourceItem) -> str:
    """The note that the item stands in."""
    documents = stay.record.documents_by_id
    return documents[item.citation.document_id].text if hasattr(item.citation, "document_id") else item.text
