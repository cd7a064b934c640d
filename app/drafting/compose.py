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
    Result,
    SourceItem,
    Stay,
    lab_name,
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
_MOST_COMPLAINT = 2
_MOST_HISTORY = 6
_MOST_FINDINGS = 6
_MOST_CONDITION = 4
_MOST_ADVICE = 8
_LEFT_OTHERWISE = ("医嘱转院", "转社区", "非医嘱离院")
LAST_NOTES = 2
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


def from_field(text: str, *fields: str) -> DraftSentence:
    """A sentence that says what fields of the data say; ``fields`` are resources such as ``encounter/bed``."""
    citations = tuple(ResourceCitation(resource=field) for field in fields)
    return DraftSentence(text=text, citations=citations, verdict="supported", checks=("dates",))


def not_given(*fields: str) -> DraftSentence:
    """The record leaves it open; ``fields`` are where it would stand."""
    return DraftSentence(
        text=NOT_GIVEN, citations=tuple(ResourceCitation(resource=f) for f in fields), verdict="not_addressed"
    )


def written_time(moment: datetime) -> str:
    """A moment to the minute in China Standard Time."""
    at = moment.astimezone(CHINA_TIME)
    return f"{at.year}年{at.month}月{at.day}日{at.hour}时{at.minute:02}分"


def admission_date(stay: Stay) -> Iterator[DraftSentence]:
    """入院日期."""
    yield date_sentence(stay.record.encounter.admitted_at, "encounter/admitted_at")


def discharge_date(stay: Stay) -> Iterator[DraftSentence]:
    """出院日期."""
    yield date_sentence(stay.record.encounter.discharged_at, "encounter/discharged_at")


def date_sentence(moment: datetime | None, field: str) -> DraftSentence:
    """A moment of the data, or that it is not given."""
    return from_field(written_time(moment), field) if moment else not_given(field)


def length_of_stay(stay: Stay) -> Iterator[DraftSentence]:
    """住院天数: the days of admission and of discharge count as one (病案首页填写规范)."""
    encounter = stay.record.encounter
    end = "died_at" if encounter.died_at else "discharged_at"
    admitted, ended = encounter.admitted_at, encounter.died_at or encounter.discharged_at
    fields = ("encounter/admitted_at", f"encounter/{end}")
    if admitted is None or ended is None or ended < admitted:
        yield not_given(*fields)
        return
    days = (ended.astimezone(CHINA_TIME).date() - admitted.astimezone(CHINA_TIME).date()).days
    yield from_field(f"{max(days, 1)}天", *fields)


def condition_at_admission(stay: Stay) -> Iterator[DraftSentence]:
    """入院情况: chief complaint, history of the present illness, findings of the examination, in the note's words."""
    yield from map(quoted, _complaint(stay))
    yield from history_at_admission(stay)


def chief_complaint(stay: Stay) -> Iterator[DraftSentence]:
    """主诉, where the form has it apart."""
    yield from map(quoted, _complaint(stay))


def history_at_admission(stay: Stay) -> Iterator[DraftSentence]:
    """入院情况 without the chief complaint."""
    reading = _first_reading(stay)
    yield from map(quoted, _history(reading) if reading else ())


def _first_reading(stay: Stay) -> Reading | None:
    return next(iter((*stay.readings_of(ADMISSION_NOTES), *stay.readings_of(("首次病程记录",)))), None)


def _complaint(stay: Stay) -> list[SourceItem]:
    reading = _first_reading(stay)
    return _weightiest(section_items(reading, "主诉"), _MOST_COMPLAINT) if reading else []


def _history(reading: Reading) -> Iterator[SourceItem]:
    illness = section_items(reading, "现病史")
    yield from _weightiest(illness, _MOST_HISTORY)
    examined = [item for name in _EXAMINATION for item in section_items(reading, name)]
    positive = [item for item in examined if _is_positive(item.text)]
    yield from (positive or examined)[:_MOST_FINDINGS]
    if not illness and not section_items(reading, "主诉"):
        yield from _weightiest(section_items(reading, "病例特点"), _MOST_HISTORY)


def _is_positive(text: str) -> bool:
    """Whether some clause names a finding that it does not deny."""
    clauses = [clause for clause in NormalText.of(text).clauses if "见专科" not in clause]
    return any(
        cues().positive_exam.search(clause) and not lexicon().negation.search(clause) for clause in clauses
    )


def section_items(reading: Reading, name: str) -> list[SourceItem]:
    """The sentences of one section of a note."""
    return list(sentences_of(reading, lambda section: section == name))


def _weightiest(items: list[SourceItem], limit: int) -> list[SourceItem]:
    """The first sentence and the weightiest others, in their order."""
    ranked = sorted(range(len(items)), key=lambda at: (at != 0, -items[at].weight, at))[:limit]
    return [items[at] for at in sorted(ranked)]


def diagnoses_at_admission(stay: Stay) -> Iterator[DraftSentence]:
    """入院诊断: from the data, else as the admission note names them."""
    first = stay.readings_of((*ADMISSION_NOTES, "首次病程记录"))
    yield from recorded_diagnoses(stay, "入院", "初步") or written_diagnoses(_ADMISSION_DIAGNOSES, first)


def diagnoses_at_discharge(stay: Stay) -> Iterator[DraftSentence]:
    """出院诊断: from the data, else as the last notes name them; never taken over from the admission."""
    yield from recorded_diagnoses(stay, "出院") or written_diagnoses(
        ("出院诊断", "确定诊断"), last_notes(stay)
    )


def last_notes(stay: Stay) -> tuple[Reading, ...]:
    """The last notes of the course, the latest first."""
    return tuple(reversed(stay.readings_of(COURSE_NOTES)[-LAST_NOTES:]))


def recorded_diagnoses(stay: Stay, *stages: str) -> list[DraftSentence]:
    """The diagnoses of the first of ``stages`` that the data have any of, by rank."""
    for stage in stages:
        found = [(at, d) for at, d in enumerate(stay.record.diagnoses or ()) if d.stage == stage and d.name]
        if found:
            found.sort(key=lambda pair: (pair[1].rank is None, pair[1].rank or 0))
            return [
                DraftSentence(
                    text=numbered(number, diagnosis.name or "") if len(found) > 1 else diagnosis.name or "",
                    citations=(resource("diagnoses", at, diagnosis.id),), verdict="supported", checks=("diagnoses",),
                )
                for number, (at, diagnosis) in enumerate(found, start=1)
            ]  # fmt: skip
    return []


def numbered(number: int, text: str) -> str:
    """A line of a list; 2. 2型糖尿病 must not read as 2.2."""
    return f"{number}.{' ' if text[:1].isdigit() else ''}{text}"


def written_diagnoses(sections: Sequence[str], readings: Iterable[Reading]) -> list[DraftSentence]:
    """The diagnoses as the first note names them that has one of ``sections``."""
    for reading in readings:
        items = [item for name in sections for item in section_items(reading, name)]
        if items:
            return [quoted(item) for item in items]
    return []


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
    by_item: dict[tuple[str, str], list[Result]] = {}
    for result in stay.results:
        by_item.setdefault((result.lab.panel or "化验", result.lab.item or ""), []).append(result)
    for (panel, _), values in by_item.items():
        if any(item.weight for _, item in values):
            abnormal = next(at for at, (_, item) in enumerate(values) if item.weight)
            told = {0, abnormal, _worst(values), len(values) - 1}
            chosen = [pair for at, pair in enumerate(values) if at in told or pair[0].flag == "危急"]
            written = "，".join(f"{_short_day(item)}{lab_value(lab)}{_flag(lab)}" for lab, item in chosen)
            yield _Results(panel, f"{lab_name(values[0][0])}{written}", tuple(item for _, item in chosen))


def _worst(values: Sequence[Result]) -> int:
    """The abnormal value that is farthest out: the lowest of low ones, else the highest; the first without numbers."""
    abnormal = [
        (at, number)
        for at, (lab, item) in enumerate(values)
        if item.weight and (number := _number(lab)) is not None
    ]
    if not abnormal:
        return 0
    falls = any(lab.flag == "低" for lab, _ in values)
    return (min if falls else max)(abnormal, key=lambda pair: pair[1])[0]


def _number(lab: LabResult) -> float | None:
    try:
        return float(lab.value or "")
    except ValueError:
        return None


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


def transfers(stay: Stay) -> Iterator[DraftSentence]:
    """Moves between departments, with their day."""
    for transfer in stay.record.encounter.transfers or ():
        if transfer.to_department and (not transfer.at or stay.is_in_time(transfer.at)):
            day = f"{transfer.at.astimezone(CHINA_TIME):%Y年%-m月%-d日}" if transfer.at else ""
            origin = f"由{transfer.from_department}" if transfer.from_department else ""
            yield from_field(f"{day}{origin}转入{transfer.to_department}。", "encounter/transfers")


def drug_treatment(stay: Stay) -> Iterator[DraftSentence]:
    """The drugs of the stay, one naming a drug that was ordered again in the same way."""
    first: dict[str, SourceItem] = {}
    for item in stay.drugs:
        first.setdefault(item.text, item)
    if first:
        yield drafted(f"住院期间用药：{'；'.join(first)}。", tuple(first.values()))


def condition_at_discharge(stay: Stay) -> Iterator[DraftSentence]:
    """出院情况: what the last note of the course says about the patient's state, in its words."""
    for reading in last_notes(stay):
        items = [item for item in sentences_of(reading) if _is_condition(item.text)]
        if items:
            yield from map(quoted, items[:_MOST_CONDITION])
            break
    else:
        yield not_given()
    if stay.record.encounter.disposition in _LEFT_OTHERWISE:
        yield from_field(f"离院方式：{stay.record.encounter.disposition}。", "encounter/disposition")


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
        drafted(numbered(number, f"{item.text}。"), (item,))
        for number, item in enumerate(stay.take_home, start=1)
    ]
    last = [
        item for reading in stay.readings_of(COURSE_NOTES)[-LAST_NOTES:] for item in sentences_of(reading)
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
