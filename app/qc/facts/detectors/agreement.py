"""Facts of agreement within one admission note: 主诉 against 现病史, 手术史 against everything."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from app.qc.facts.detectors.base import (
    CHIEF_COMPLAINT,
    PAST_HISTORY,
    PRESENT_ILLNESS,
    Detection,
    clause_around,
    detector,
    sentence_around,
    span_of,
)
from app.qc.facts.detectors.chief_complaint import Complaint, complaints, parts
from app.qc.facts.detectors.present_illness import (
    FINDINGS,
    course,
    kin_of,
    mentions_of,
    spoken_of,
    symptoms_in,
)
from app.records.model import Span
from app.text.assertion import Assertion, Mention, find_mentions
from app.text.laterality import find_sides
from app.text.lexicons import heads_by_term, load_terms
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section
from app.text.times import Duration, find_durations

# --- clinical picture -------------------------------------------------------------------------------------

_SINCE_THEN = regex(
    r"现(?=无|未|已|在)|目前|今|治疗后|休息后|服药后|术后|用药后|输液后|缓解|消失|好转|减轻|当时|平时|期间|入院|曾"
)


@detector
def chief_symptom_denied(reading: Reading, section: Section | None) -> Detection:
    """Whether 现病史 denies a symptom of 主诉 in a sentence that says nothing of improvement or of another time."""
    if section is None:
        return Detection(False)
    for each in complaints(reading):
        for denied in _denials(reading, section, each):
            if not _of_another_time(reading, section, denied):
                detail = f"主诉有{each.term}，现病史写“{_quote(reading, section, denied)}”"
                return Detection(True, (each.span, denied), detail)
    return Detection(False)


_DIRECTLY = regex(r"[无未否认伴有见及诉感觉、和或,“”\"]")


def _denials(reading: Reading, section: Section, each: Complaint) -> list[Span]:
    """Where the very word of 主诉 stands right after a denial or in its enumeration."""
    return [
        mention.span
        for mention in symptoms_in(reading, section.body)
        if mention.assertion is Assertion.ABSENT
        and each.term in parts(mention.term)
        and _directly_denied(reading, mention)
    ]


def _directly_denied(reading: Reading, mention: Mention) -> bool:
    """Whether the denial stands right before the words or their enumeration (无先兆解黑便 denies only 先兆)."""
    return bool(_DIRECTLY.match(reading.half, mention.span.start - 1))


def _of_another_time(reading: Reading, section: Section, span: Span) -> bool:
    sentence = sentence_around(reading.half, span, section.body)
    return bool(_SINCE_THEN.search(reading.half, sentence.start, span.start))


def _quote(reading: Reading, section: Section, span: Span) -> str:
    return clause_around(reading.half, span, section.body).of(reading.document.text)


@detector
def chief_symptom_untold(reading: Reading, section: Section | None) -> Detection:
    """Whether 现病史 says nothing of a symptom of 主诉, by whatever name."""
    if section is None:
        return Detection(False)
    written = reading.half[section.body.start : section.body.end]
    for each in complaints(reading):
        if each.family not in FINDINGS and not _is_told(each, reading, section, written):
            return Detection(True, (each.span,), f"主诉的{each.term}在现病史中没有体现")
    return Detection(False)


def _is_told(each: Complaint, reading: Reading, section: Section, written: str) -> bool:
    said = list(spoken_of(reading, section.body, kin_of(each.family)))
    if said:
        return any(m.assertion is not Assertion.ABSENT or not _directly_denied(reading, m) for m in said)
    return each.term in written or any(piece in written for piece in _kernels(each.term))


_COMMON = frozenset(
    [
        "呼吸",
        "困难",
        "症状",
        "增多",
        "减少",
        "下降",
        "减退",
        "障碍",
        "不适",
        "反复",
        "间断",
        "发现",
        "全身",
        "活动",
    ]
)


def _kernels(term: str) -> tuple[str, ...]:
    """The two characters in which a longer name usually keeps its meaning."""
    return tuple({term[-2:], term[:2]} - _COMMON) if len(term) > 2 else ()


@detector
def side_contradicted(reading: Reading, section: Section | None) -> Detection:
    """Whether 现病史 knows only the other side of the one that 主诉 names."""
    chief = reading.section(CHIEF_COMPLAINT)
    if section is None or chief is None:
        return Detection(False)
    first = next(mentions_of(reading, section.body, {each.family for each in complaints(reading)}), None)
    if first is None:
        return Detection(False)
    sentence = sentence_around(reading.half, first.span, section.body)
    named = [
        each for each in find_sides(reading.half[chief.body.start : chief.body.end]) if each.side != "双侧"
    ]
    told = find_sides(reading.half[sentence.start : sentence.end])
    for each in named:
        sides = {other.side for other in told if other.site == each.site}
        if sides and each.side not in sides and "双侧" not in sides:
            other = next(o for o in told if o.site == each.site)
            spans = (each.span.shifted(chief.body.start), other.span.shifted(sentence.start))
            return Detection(
                True,
                spans,
                f"主诉写{spans[0].of(reading.document.text)}，现病史写{spans[1].of(reading.document.text)}",
            )
    return Detection(False)


_NOT_FELT = regex(
    r"发现|确诊|诊断|体检|检查|复查|术|疗|随访|要求|拟|停经|孕|取|置|定期|入院|伤|示|产|查|透析|移植|监护|评估|咨询|美容|整形"
)


@detector
def diagnosis_stands_for_complaint(reading: Reading, section: Section | None) -> Detection:
    """Whether 主诉 is nothing but a disease although 现病史 tells of symptoms.

    What was found by examination, follow-up and planned treatment have no symptom to name.
    """
    illness = reading.section(PRESENT_ILLNESS)
    if section is None or illness is None or complaints(reading):
        return Detection(False)
    disease = next(iter(find_mentions(reading.half, load_terms("chronic_diseases"), section.body)), None)
    if disease is None or _NOT_FELT.search(reading.half, *section.body):
        return Detection(False)
    felt = [
        mention
        for mention in symptoms_in(reading, course(reading, illness))
        if mention.assertion is Assertion.PRESENT and heads_by_term("symptoms")[mention.term] not in FINDINGS
    ]
    if not felt:
        return Detection(False)
    detail = f"主诉只有诊断“{disease.term}”，现病史有{felt[0].term}"
    return Detection(True, (disease.span, felt[0].span), detail)


# --- time of onset ----------------------------------------------------------------------------------------

_MARGIN = 1.34


class _Onset(NamedTuple):
    duration: Duration
    span: Span


@detector
def onset_times_differ(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the longest time since a symptom began differs between 主诉 and 现病史.

    ``None`` where the digits are masked; nothing is compared where 现病史 gives no such time for that symptom.
    """
    chief = reading.section(CHIEF_COMPLAINT)
    if section is None or chief is None:
        return Detection(False)
    for family, claimed in _claimed(reading, chief).items():
        told = _told(reading, section, family)
        if told is None:
            continue
        if claimed.duration.masked or told.duration.masked:
            return None
        if _differ(claimed.duration, told.duration):
            quotes = [each.span.of(reading.document.text) for each in (claimed, told)]
            return Detection(True, (claimed.span, told.span), f"主诉写{quotes[0]}，现病史写{quotes[1]}")
    return Detection(False)


def _claimed(reading: Reading, chief: Section) -> dict[str, _Onset]:
    """Each symptom of 主诉 with the time that follows it; of several the first, which is the longest."""
    text, offset = reading.half[chief.body.start : chief.body.end], chief.body.start
    times = [(d, d.span.shifted(offset)) for d in find_durations(text)]
    bound: dict[str, _Onset] = {}
    for each in complaints(reading):
        after = next((_Onset(d, span) for d, span in times if span.start >= each.span.end), None)
        if after and each.family not in bound:
            bound[each.family] = after
    return bound


def _told(reading: Reading, section: Section, family: str) -> _Onset | None:
    """The longest "… ago" in whose sentence the symptom follows."""
    text, offset = reading.half[section.body.start : section.body.end], section.body.start
    found = []
    times = [(d, d.span.shifted(offset)) for d in find_durations(text) if d.is_ago]
    starts = [span.start for _, span in times[1:]] + [section.body.end]
    for (duration, span), next_start in zip(times, starts, strict=False):
        end = min(next_start, sentence_around(reading.half, span, section.body).end)
        if next(mentions_of(reading, Span(span.end, end), {family}), None):
            found.append(_Onset(duration, span))
    return max(found, key=lambda each: each.duration.minimum_days or 0.0, default=None)


def _differ(a: Duration, b: Duration) -> bool:
    if None in (a.minimum_days, b.minimum_days):
        return False
    a_most, b_most = a.maximum_days or float("inf"), b.maximum_days or float("inf")
    return (a.minimum_days or 0) > b_most * _MARGIN or (b.minimum_days or 0) > a_most * _MARGIN


# --- operations -------------------------------------------------------------------------------------------

_DENIED_SURGERY = regex(r"(?:否认|无)[^,。;]{0,12}?手术[^,。;]{0,4}")
_DENIED_INJURY = regex(r"(?:否认|无)[^,。;]{0,8}?外伤[^,。;]{0,4}")
_OTHER = regex(r"其他|其它|余(?!年)|另|重大|近期")
_OPERATION = regex(
    r"(?:切除|切开|修补|置换|置入|植入|吻合|碎石|造瘘|造口|引流|固定|成形|结扎|摘除|剖宫产|剖腹产|移植|搭桥|消融|清创|取石|探查|根治|栓塞|还纳|松解|粒子|剥除|扩张|电切|PCI|ERCP|EMR|ESD|TACE|支架|骨折|肠道?|肿瘤|[\u4e00-\u9fff]{2})(?:[^,。;、：:]{0,6}?(?<!学)(?<!技)(?<!艺)(?<!美)术(?!前|后(?:病理|复查|改变)|中|式|区|者|语)|手术)"
    r"|(?:切除|根治|置入|植入|剖宫产|剖腹产|搭桥|碎石|摘除|PCI|TACE|清创)(?=后|史|,|。|;)"
)
_PERFORMED = regex(r"(?<!进)行|予|施|术后|史|曾|做")
_MINOR = regex("闭式引流|活检|穿刺(?!引流)|造影|镜检")
_PLANNED = regex(
    r"拟|为行|将行|建议|要求|为求|进一步|待|需|考虑|择期|准备|未行|拒绝|欲|计划|必要时|评估|指征|预约|可行|排除"
)


@detector
def surgery_contradicted(reading: Reading, section: Section | None) -> Detection:
    """Whether 既往史 denies any operation although the note tells of one before this stay.

    Within 既往史 an injury told and an injury denied contradict each other alike.
    """
    past = reading.section(PAST_HISTORY)
    if past is None:
        return Detection(False)
    denial = _denial(reading, past, _DENIED_SURGERY)
    told = next(_operations_told(reading), None) if denial else None
    if denial and told:
        return _contradiction(reading, told, denial, "手术史")
    denial = _denial(reading, past, _DENIED_INJURY)
    told = _injury_told(reading, past) if denial else None
    return _contradiction(reading, told, denial, "外伤史") if denial and told else Detection(False)


def _contradiction(reading: Reading, told: Span, denial: Span, what: str) -> Detection:
    text = reading.document.text
    return Detection(True, (told, denial), f"{what}：一处写“{told.of(text)}”，既往史写“{denial.of(text)}”")


def _denial(reading: Reading, past: Section, pattern: re.Pattern[str]) -> Span | None:
    return next(
        (span_of(m) for m in pattern.finditer(reading.half, *past.body) if not _OTHER.search(m.group())), None
    )


def _operations_told(reading: Reading) -> Iterator[Span]:
    for name in (PRESENT_ILLNESS, PAST_HISTORY, CHIEF_COMPLAINT):
        section = reading.section(name)
        for match in _OPERATION.finditer(reading.half, *section.body) if section else ():
            if _was_performed(reading.half, match, section.body):  # type: ignore[union-attr]
                yield _name_of(match)


def _name_of(match: re.Match[str]) -> Span:
    """The operation without the words that lead up to it."""
    lead = max(match.group().rfind(mark) for mark in '行予做施“"')
    return Span(match.start() + lead + 1, match.end())


def _was_performed(half: str, match: re.Match[str], within: Span) -> bool:
    clause = clause_around(half, span_of(match), within)
    before, after = half[clause.start : match.start()], half[match.end() : match.end() + 2]
    if (
        _MINOR.search(match.group())
        or _PLANNED.search(before + match.group())
        or re.search(r"否认|无|未", before + match.group())
    ):
        return False
    return bool(_PERFORMED.search(before + match.group()) or after.startswith(("后", "史")))


def _injury_told(reading: Reading, past: Section) -> Span | None:
    told = regex(r"(?<!否认)(?<!无)外伤手术史|因[^,。;]{0,6}外伤[^,。;]{0,10}")
    match = told.search(reading.half, *past.body)
    return span_of(match) if match else None
