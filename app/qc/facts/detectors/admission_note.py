"""Facts of the admission note, after the labelling logic of the rule catalogue, section 4."""

import re
from collections.abc import Iterator
from functools import cache

from app.qc.facts.detectors.base import Detection, detector, is_empty
from app.records.model import Span
from app.text.assertion import Assertion, Mention, find_mentions
from app.text.lexicons import heads_by_term, load_mapping, load_terms
from app.text.reading import Reading
from app.text.sections import Section, is_blank
from app.text.times import find_dates, find_durations

PAST_HISTORY = ("既往史",)
PRESENT_ILLNESS = ("现病史",)
CHIEF_COMPLAINT = ("主诉",)
DIAGNOSES = ("入院诊断", "初步诊断")


def _span_of(match: re.Match[str]) -> Span:
    return Span(*match.span())


def _section_spans(section: Section | None) -> tuple[Span, ...]:
    return (section.heading,) if section else ()


def _within(spans: Iterator[Span], section: Section) -> tuple[Span, ...]:
    return tuple(span for span in spans if section.body.contains(span))


@detector
def section_blank(reading: Reading, section: Section | None) -> Detection:
    """Whether the section is absent or empty."""
    return Detection(is_empty(reading, section), _section_spans(section))


# --- 主诉 ---------------------------------------------------------------------------------------------------

_GESTATION = re.compile(r"(?:孕|停经)[^,。;]{0,6}(?:周|天|月|[*\d])")
_VAGUE_TIME = re.compile(
    r"[数几半多][年月周天日]|[*\d一二两三四五六七八九十]+\s*[+余]?\s*(?:年|月|周|天|日|小时|分钟)|自幼|出生后|生后"
)


@detector
def duration_recorded(reading: Reading, section: Section | None) -> Detection:
    """Whether the section gives any duration or date, masked or not."""
    if section is None:
        return Detection(False)
    text = reading.half[section.body.start : section.body.end]
    offset = section.body.start
    found = [d.span.shifted(offset) for d in find_durations(text)] or [
        d.span.shifted(offset) for d in find_dates(text, None)
    ]
    found = found or [
        _span_of(m).shifted(offset) for m in (_GESTATION.search(text), _VAGUE_TIME.search(text)) if m
    ]
    return Detection(bool(found), tuple(found[:1]) or _section_spans(section))


_LONGEST_COMPLAINT = 20
_LONGEST_MASKED_COMPLAINT = 24
_MOST_SYMPTOMS = 3


@detector
def complaint_too_long(reading: Reading, section: Section | None) -> Detection:
    """Whether the chief complaint has more than 20 characters, punctuation counted; masked digits leave room."""
    if section is None:
        return Detection(False)
    written = section.body.of(reading.document.text).strip().rstrip("。.")
    limit = _LONGEST_MASKED_COMPLAINT if "*" in written else _LONGEST_COMPLAINT
    return Detection(len(written) > limit, (section.body,), f"{len(written)}字")


@detector
def complaint_has_many_symptoms(reading: Reading, section: Section | None) -> Detection:
    """Whether the chief complaint names more than three symptoms."""
    if section is None:
        return Detection(False)
    found = {_family(m) for m in find_mentions(reading.half, load_terms("symptoms"), section.body)}
    return Detection(len(found) > _MOST_SYMPTOMS, (section.body,), f"{len(found)}个症状")


def _family(mention: Mention) -> str:
    return heads_by_term("symptoms").get(mention.term, mention.term)


# --- 现病史 -------------------------------------------------------------------------------------------------

_EXCRETION = ("大便", "小便")
_STATE_OF_EXCRETION = re.compile(
    r"正常|如常|尚可|可|无异常|无殊|无明显|调|无改变|无变化|规律|通畅|未见|软|干结|未解"
)


@detector
def general_condition_recorded(reading: Reading, section: Section | None) -> Detection:
    """Whether at least one of 精神、睡眠、食欲、大小便、体重 is written as a general condition.

    大小便 counts only with a word on its state, so that frequency as the main symptom does not.
    """
    if section is None:
        return Detection(False)
    heads = heads_by_term("general_condition")
    for mention in find_mentions(reading.half, load_terms("general_condition"), section.body):
        if heads[mention.term] not in _EXCRETION or _has_state(reading, mention):
            return Detection(True, (mention.span,))
    return Detection(False, _section_spans(section))


def _has_state(reading: Reading, mention: Mention) -> bool:
    return bool(_STATE_OF_EXCRETION.search(reading.half, mention.span.start, mention.span.end + 10))


_CAUSE = re.compile(
    r"诱因|原因|因[^素此而]|由于|(?<!年|月|周|天|日|时)后(?:突然)?(?:即|逐渐|立即|随即)?(?:出现|感|觉|发生|发现|开始)|不慎|无意|偶然|体检|产检|产前检查|孕检"
    r"|车祸|外伤|摔|跌|撞|受凉|劳累|自幼|先天|要求|定期|为求|拟行|计划|化疗|随访|复查发现|复查"
)


@detector
def trigger_recorded(reading: Reading, section: Section | None) -> Detection:
    """Whether the present illness names a trigger, or says that there was none."""
    if section is None:
        return Detection(False)
    found = find_mentions(reading.half, load_terms("triggers"), section.body)
    if found:
        return Detection(True, (found[0].span,))
    match = _CAUSE.search(reading.half, section.body.start, section.body.end)
    return Detection(bool(match), (_span_of(match),) if match else _section_spans(section))


@detector
def complaint_is_only_diagnosis(reading: Reading, section: Section | None) -> Detection:
    """Whether the chief complaint holds no symptom at all, so that attributes cannot be asked of one."""
    if section is None:
        return Detection(False)
    return Detection(not find_mentions(reading.half, load_terms("symptoms"), section.body), (section.body,))


_PAIN = re.compile(r"痛|疼")
_SEVERITY = re.compile(
    r"剧烈|剧痛|难忍|可忍|忍受|能忍|严重|较重|轻微|轻度|中度|重度|稍|加重|明显加|程度|剧|难以|不能(?:入睡|行走|平卧|耐受|活动)|影响(?:睡眠|生活|行走|活动|工作)"
    r"|持续性|阵发性|可自行|自行缓解|好转|缓解|间断|隐痛|胀痛|绞痛|刺痛|钝痛|酸痛|量(?:多|少|中)|约?\d+\s*(?:次|ml|毫升)"
)


@detector
def symptom_severity_recorded(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the present illness says how severe the main symptom is."""
    if section is None:
        return Detection(False)
    match = _DEGREE.search(reading.half, section.body.start, section.body.end)
    return Detection(True, (_span_of(match),)) if match else Detection(False, _section_spans(section))


_DEGREE = re.compile(
    r"剧烈|剧痛|难忍|忍受|可忍|能忍|耐受|严重时|较重|轻微|轻度|中度|重度|程度|不剧|影响(?:睡眠|生活|行走|活动|工作|日常)|NRS|VAS"
    r"|不能(?:入睡|行走|平卧|耐受|活动)|明显|大量|少量|较多|不多|稍"
)


# --- 既往史 -------------------------------------------------------------------------------------------------

_DENIED_SURGERY = re.compile(
    r"(?:否认|无)[^,。;]{0,12}?(?:手术|外伤及手术|手术及外伤|手术、外伤|外伤、手术|手术外伤)(?!其他)[^,。;]{0,4}史?"
)
_OTHER = re.compile(r"其他|其它|余|另|重大")
_PERFORMED = re.compile(r"行|予|术后|术史|置入|植入")
_PLANNED = re.compile(r"拟|建议|要求|为求|进一步|待|需|考虑行|择期|准备|未行|拒绝|欲|计划|必要时")
_OPERATION = re.compile(
    r"(?:切除|切开|修补|置换|置入|植入|吻合|碎石|造瘘|引流|固定|成形|结扎|摘除|剖宫产|剖腹产|移植|搭桥|消融|穿刺|清创|取石|探查|根治|栓塞|PCI|ERCP|支架)(?:[^,。;、]{0,6}?术|(?=后|史))"
)


@detector
def surgery_contradicted(reading: Reading, section: Section | None) -> Detection:
    """Whether 既往史 denies any operation although the note tells of one before this stay."""
    past, illness = reading.section(*PAST_HISTORY), reading.section(*PRESENT_ILLNESS)
    if past is None:
        return Detection(False)
    denial = next(
        (
            m
            for m in _DENIED_SURGERY.finditer(reading.half, past.body.start, past.body.end)
            if not _OTHER.search(m.group())
        ),
        None,
    )
    if denial is None:
        return Detection(False)
    for place in (s for s in (reading.section(*CHIEF_COMPLAINT), illness, past) if s):
        for match in _OPERATION.finditer(reading.half, place.body.start, place.body.end):
            if _was_performed(reading.half, match):
                return Detection(True, (_span_of(match), _span_of(denial)), match.group())
    return Detection(False)


def _was_performed(half: str, match: re.Match[str]) -> bool:
    clause_start = max(half.rfind(mark, 0, match.start()) for mark in ",。;\n") + 1
    before, after = half[clause_start : match.start()], half[match.end() : match.end() + 3]
    if _PLANNED.search(before) or re.search(r"否认|无|未", before):
        return False
    return bool(
        _PERFORMED.search(before)
        or after.startswith(("后", "史", ","))
        or "术后" in half[match.start() : match.end() + 2]
    )


@detector
def disease_denied_yet_diagnosed(reading: Reading, section: Section | None) -> Detection:
    """Whether a chronic disease of the diagnoses is found nowhere else in the note, or is denied."""
    places = [s for name in DIAGNOSES if (s := reading.section(name)) and not is_empty(reading, s)]
    if not places:
        return Detection(False)
    start = min(place.heading.start for place in places)
    heads = heads_by_term("chronic_diseases")
    told = {
        heads[m.term]
        for m in find_mentions(reading.half[:start], load_terms("chronic_diseases"))
        if m.assertion is not Assertion.ABSENT
    }
    for place in places:
        for mention in find_mentions(reading.half, load_terms("chronic_diseases"), place.body):
            name = heads[mention.term]
            if name in _ALWAYS_NAMED and name not in told and mention.term not in reading.half[:start]:
                return Detection(True, (mention.span,), mention.term)
    return Detection(False)


_ALWAYS_NAMED = frozenset(
    {"高血压", "糖尿病", "冠心病", "慢性阻塞性肺疾病", "慢性胃炎", "慢性肾脏病", "脑梗死"}
)


_DRUG_ACCOUNT = re.compile(
    r"不详|未(?:服|用|治|予|行|正规|规律|系统)|无需|(?:口服|服用|服|吃|使用|予|应用|注射|皮下)[^。;]{0,40}(?:mg|g|片|粒|IU|U|单位|ml)"
)
_OPERATION_ACCOUNT = re.compile(r"麻醉|全麻|局麻|腰麻|硬膜外|具体不详|不详")


@detector
def chronic_disease_without_treatment(reading: Reading, section: Section | None) -> Detection:
    """Whether 既往史 tells of a chronic disease without naming its drug with dose (or 不详)."""
    if section is None:
        return Detection(False)
    for mention in find_mentions(reading.half, load_terms("chronic_diseases"), section.body):
        if mention.assertion is Assertion.PRESENT and mention.subject == "patient":
            end = _end_of_account(reading.half, mention.span.end, section.body.end)
            if not _DRUG_ACCOUNT.search(reading.half, mention.span.end, end):
                return Detection(True, (mention.span,), mention.term)
    return Detection(False)


@detector
def operation_without_account(reading: Reading, section: Section | None) -> Detection:
    """Whether 既往史 tells of an operation without anaesthesia and effect (or 不详)."""
    if section is None:
        return Detection(False)
    for mention in find_mentions(reading.half, (*load_terms("operations"), "手术"), section.body):
        if (
            mention.assertion is Assertion.PRESENT
            and mention.subject == "patient"
            and not _is_heading(reading.half, mention.span)
        ):
            end = _end_of_account(reading.half, mention.span.end, section.body.end)
            if not _OPERATION_ACCOUNT.search(reading.half, mention.span.start, end):
                return Detection(True, (mention.span,), mention.term)
    return Detection(False)


def _is_heading(half: str, span: Span) -> bool:
    return bool(re.match(r"[及、]?(?:外伤)?史?\s*[::]", half[span.end : span.end + 6]))


def _end_of_account(half: str, start: int, limit: int) -> int:
    ends = [half.find(mark, start, limit) for mark in "。\n"]
    return min([end for end in ends if end >= 0] or [limit])


# --- 检查与诊断 ---------------------------------------------------------------------------------------------

_UNANSWERED = re.compile(
    r"(?:宫颈(?:质地|长度|位置)?|羊水(?:情况|性状)?|腹围|宫高|胎方位|先露|胎心|质地|疼痛加重因素|宫缩)\s*[::]?\s*(?:cm|次/分|[,。;\n]|$)"
)


@detector
def exam_item_without_result(reading: Reading, section: Section | None) -> Detection:
    """Whether 专科检查 holds item names with nothing behind them."""
    if section is None or is_empty(reading, section):
        return Detection(False)
    match = _UNANSWERED.search(reading.half, section.body.start, section.body.end)
    return Detection(bool(match), (_span_of(match),) if match else ())


_PLACE = re.compile(r"医院|本院|我院|外院|院外|卫生院|门诊|急诊|中心|诊所|人民|附院|体检")
_WHEN = re.compile(
    r"[\d*]{2,4}\s*[-年/.]\s*[\d*]{1,2}|[\d*]{1,2}月[\d*]{1,2}日?|[\d*]{1,2}[-.][\d*]{1,2}|今日|昨日|当日|日期|时间|[\d*]+[天月周年]前"
)
_NOTHING_DONE = re.compile(r"暂无|不详|暂缺|未查|未做|无特殊|待查|待完善|未见|缺如|^\s*无")


@detector
def exams_lack_place_or_time(reading: Reading, section: Section | None) -> Detection:
    """Whether 辅助检查 gives results without saying where or when they were obtained."""
    if section is None or is_empty(reading, section):
        return Detection(False)
    written = reading.half[section.body.start : section.body.end].strip()
    if len(written) < 12 and _NOTHING_DONE.search(written):
        return Detection(False)
    missing = [name for name, pattern in (("地点", _PLACE), ("时间", _WHEN)) if not pattern.search(written)]
    return Detection(bool(missing), (section.body,), "、".join(missing))


_SYMPTOM_DIAGNOSES = (
    "眩晕", "头晕", "头痛", "恶心", "呕吐", "腹痛", "腹泻", "胸痛", "胸闷", "发热", "咳嗽", "咯血", "血尿", "便血", "黑便",
    "心悸", "晕厥", "乏力", "水肿", "黄疸", "抽搐", "呼吸困难", "腰痛", "关节痛", "皮疹", "消瘦", "意识障碍",
)  # fmt: skip
_LIST_MARKS = re.compile(r"[\[\]'\"“”‘’\s,、;。\\rn]+")
_SIDE_ONLY = re.compile(r"^[((]?(?:双|左|右)[侧眼耳]?[))]?$")


@detector
def first_diagnosis_is_symptom(reading: Reading, section: Section | None) -> Detection:
    """Whether the first diagnosis is a mere symptom or 待查, with no possible disease named."""
    if section is None or is_empty(reading, section):
        return Detection(False)
    written = section.body.of(reading.half)
    parts = [part for part in re.split(r"[\[\]'\"“”,、;。\n\\]+|\d+[.、]", written) if part.strip(" r\t")]
    if not parts:
        return Detection(False)
    first = re.sub(r"^\s*(?:\d+[.、]\s*)?(?:[((][^))]*[))])?", "", parts[0]).strip()
    waits = re.search(r"待查|原因待|查因", first)
    bare = re.sub(r"[??]|待查|原因|查因|症(?:状)?$|\s", "", first)
    symptom = bare in _SYMPTOM_DIAGNOSES or (
        waits
        and not re.search(
            r"[::]\s*\S|[??]\s*\S",
            written[written.find(first) + len(first) :][:30] if first in written else "",
        )
    )
    return Detection(bool(symptom) or not bare, (section.body,), first)


@detector
def preliminary_diagnosis_blank(reading: Reading, section: Section | None) -> Detection:
    """Whether 初步诊断 (or 入院诊断) is announced and left empty."""
    places = [reading.section(name) for name in DIAGNOSES]
    blank = [place for place in places if place is not None and is_empty(reading, place)]
    nothing = all(place is None for place in places)
    return Detection(nothing or bool(blank), tuple(place.heading for place in blank))
