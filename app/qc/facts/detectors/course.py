"""Facts of course, operation and discharge notes: whether a passage speaks of this patient or of anyone.

Concrete words (symptoms, drugs, operations, examinations, quantities) decide for, bare stock phrases against;
what lies between is left to reading.
"""

import re
from functools import cache

from app.qc.facts.detectors.base import Detection, detector, is_empty, span_of
from app.records.model import Span
from app.text.assertion import Assertion, assertion_at
from app.text.diagnoses import find_diagnoses
from app.text.lexicons import load_terms
from app.text.patterns import regex
from app.text.quantities import find_quantities
from app.text.reading import Reading
from app.text.sections import Section
from app.text.terms import find_terms
from app.text.width import half_width

_ENOUGH_CONCRETE = 2
_MUCH_CONCRETE = 4
_LONGEST_BARE_LIST = 30
_SHORTEST_ACCOUNT = 60
_HEADING = 60
_LONGEST_REMNANT = 8
_BARE = frozenset({"手术", "术后", "不适", "好转"})
_EXAMINATIONS = regex(
    r"CT|MRI|MRA|MRCP|超声|彩超|B超|X线|胸片|心电图|内镜|胃镜|肠镜|造影|病理|血常规|尿常规|肝功|肾功|凝血|电解质|血气|培养|血糖|血脂|心肌酶|肌钙蛋白"
    r"|征阳性|征阴性|征\s*[((]?[+±-]|压痛|反跳痛|啰音|杂音|肌力|瞳孔|切口|引流|愈合|移位|嵌顿|梗死|骨折|穿孔|狭窄|占位"
)
_DECISION = regex(
    r"考虑|分析|提示|原因|建议|意见|加用|停用?|改用?|换用|调整|复查|加查|完善|会诊|手术|鉴别|支持|不支持|警惕|注意"
)
_OPEN = regex(r"待查|待排|待诊|\?|可能|考虑|原因不明|性质待定")
_WEIGHED = regex(
    r"本例|本患者|该患者|患者|本病例|不支持|不符合|可排除|可除外|予以?排除|暂不考虑|与.{0,6}不符"
)
_RANK = regex("副主任|主任|主治")
_CLOCK = regex(r"\d{1,2}[::时]\d{0,2}")
_OWN_RISK = regex(
    r"患者|本例|高龄|合并|糖尿病|高血压|冠心病|肥胖|贫血|抗凝|抗血小板|阿司匹林|粘连|肺功能|心功能|肾功能|肝硬化|既往|血糖|血压"
)
_LONGEST_EMPTY_NOTE = 160
_DATES_AND_TITLE = regex(r"\d{4}[-年/.]\d{1,2}[-月/.]\d{1,2}日?|\d{1,2}[:时]\d{2}分?|日常病程记录|病程记录")
_COMPLICATION = regex(
    r"(?:突发|突然|术中)(?:大出血|室颤|心室颤动|心搏骤停|心跳骤停|低血压|过敏性休克)|误(?:伤|切|扎)|(?:胆管|输尿管|肠管|膀胱|血管|硬膜)(?:损伤|破裂|撕裂)"
    r"|中转开[腹胸放]"
)
_DEALT_WITH = regex(
    r"予|给|行|止血|修补|缝合|缝扎|压迫|吻合|输|抢救|复苏|除颤|升压|肾上腺素|麻黄碱|告知|家属|会诊|改|延长切口|处理|恢复|停"
)
_REACH_OF_MEASURE = 120
_OPERATION_ASPECTS = tuple(
    map(
        regex,
        (
            "体位|仰卧|俯卧|侧卧|截石",
            "切口|切开|穿刺|戳孔|入路|置入?镜|进镜|建立气腹",
            "探查|术中[所可]?见|所见|见",
            "切除|游离|分离|结扎|剥离|复位|置换|固定|吻合|缝扎|夹闭|置入|植入|修补",
            "止血|冲洗|引流",
            "标本|送检|病理",
            "出血|输血|输液|尿量",
            "清点|缝合|关闭|关腹|安返|清醒|术毕|手术顺利|包扎",
        ),
    )
)


def _scope(reading: Reading, section: Section | None) -> Span:
    return section.body if section else Span(0, len(reading.half))


@cache
def _concrete_terms() -> tuple[str, ...]:
    return (*load_terms("symptoms"), *load_terms("drug_classes"), *load_terms("operations"))


def _concrete(reading: Reading, scope: Span) -> tuple[Span, ...]:
    half = reading.half
    words = [span for span in find_terms(half, _concrete_terms(), scope) if span.of(half) not in _BARE]
    exams = [Span(*m.span()) for m in _EXAMINATIONS.finditer(half, scope.start, scope.end)]
    values = [q.span.shifted(scope.start) for q in find_quantities(scope.of(half))]
    return tuple(sorted({*words, *exams, *values}))


@cache
def _generic() -> re.Pattern[str]:
    phrases = sorted(load_terms("generic_phrases"), key=len, reverse=True)
    return regex("|".join(map(re.escape, phrases)))


def _says_nothing(text: str) -> bool:
    remnant = re.sub(r"[^\u4e00-\u9fffA-Za-z]", "", _generic().sub("", text))
    return len(remnant) <= _LONGEST_REMNANT


@detector
def speaks_of_this_patient(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the passage holds findings, results or measures of this patient."""
    return _told(reading, section, _ENOUGH_CONCRETE)


def _told(reading: Reading, section: Section | None, enough: int) -> Detection | None:
    if section is None:
        return None
    found = _concrete(reading, section.body)
    if len(found) >= enough:
        return Detection(True, found[:_ENOUGH_CONCRETE])
    if not found and _says_nothing(section.body.of(reading.half)):
        return Detection(False, (section.body,))
    return None


@detector
def round_gives_opinion(reading: Reading, section: Section | None) -> Detection | None:
    """Whether a ward round decides or explains something about this patient."""
    scope = _scope(reading, section)
    found = _concrete(reading, scope)
    decision = _DECISION.search(reading.half, scope.start, scope.end)
    if decision and len(found) >= _ENOUGH_CONCRETE:
        return Detection(True, (Span(*decision.span()), *found[:1]))
    if not found and _says_nothing(_without_heading(scope.of(reading.half))):
        return Detection(False, (scope,))
    return None


@detector
def enough_of_this_patient(reading: Reading, section: Section | None) -> Detection | None:
    """Whether a passage that sums up much holds several findings, results or measures of this patient."""
    return _told(reading, section, _MUCH_CONCRETE)


@detector
def diagnosis_is_open(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the first diagnosis of the list is still open (待查, 待排, ？)."""
    if section is None:
        return None
    listed = find_diagnoses(reading.document.text, section.body)
    if not listed:
        return None
    is_open = _OPEN.search(half_width(listed[0].name)) is not None
    return Detection(is_open, (listed[0].span,))


@detector
def differential_analysed(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the differential diagnosis weighs the other diseases against this patient."""
    if section is None or is_empty(reading, section):
        return None
    body = section.body.of(reading.half)
    weighed = _WEIGHED.search(reading.half, section.body.start, section.body.end)
    if weighed and _concrete(reading, section.body):
        return Detection(True, (span_of(weighed),))
    names_only = not weighed and not re.search("[:。;,]", body.strip().rstrip("。")) and "鉴别" in body
    if names_only and len(body.strip()) <= _LONGEST_BARE_LIST:
        return Detection(False, (section.body,))
    return None


@detector
def round_is_by_chief(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the physician of a ward round is 副主任医师 or higher; ``None`` where no rank is given."""
    document = reading.document
    leading = [p.title for p in document.participants or () if p.role == "主持人" and p.title]
    words = " ".join((*leading, document.title or "", reading.half[:_HEADING]))
    rank = _RANK.search(words)
    return Detection(rank.group() != "主治") if rank else None


@detector
def resuscitation_told(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the account of a resuscitation gives measures with doses, and times."""
    if section is None:
        return None
    quantities = find_quantities(section.body.of(reading.half))
    times = list(_CLOCK.finditer(reading.half, *section.body))
    if len(quantities) >= _ENOUGH_CONCRETE and times:
        return Detection(True, (quantities[0].span.shifted(section.body.start), span_of(times[0])))
    return _bare(reading, section)


@detector
def operation_told(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the account of an operation covers most of what it must (position, findings, steps, specimen …)."""
    if section is None or is_empty(reading, section):
        return None
    places = [m for aspect in _OPERATION_ASPECTS if (m := aspect.search(reading.half))]
    if len(places) >= _MUCH_CONCRETE:
        return Detection(True, (span_of(places[0]), span_of(places[-1])))
    if len(places) <= 1 and len(section.body.of(reading.half).strip()) <= _SHORTEST_ACCOUNT:
        return Detection(False, (section.body,))
    return None


@detector
def complication_in_operation(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the record of an operation tells of a complication or an unforeseen event that happened."""
    happened = _complications(reading)
    return Detection(True, happened[:1]) if happened else Detection(False)


@detector
def complication_dealt_with(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the words after every complication say what was done about it."""
    happened = _complications(reading)
    if happened and all(
        _DEALT_WITH.search(reading.half, span.end, span.end + _REACH_OF_MEASURE) for span in happened
    ):
        return Detection(True, happened)
    if happened and not _DEALT_WITH.search(reading.half):
        return Detection(False, happened)
    return None


def _complications(reading: Reading) -> tuple[Span, ...]:
    places = (span_of(match) for match in _COMPLICATION.finditer(reading.half))
    return tuple(p for p in places if assertion_at(reading.document.text, p) is Assertion.PRESENT)


@detector
def risks_of_this_patient(reading: Reading, section: Section | None) -> Detection | None:
    """Whether the risks weigh what this patient brings (age, further diseases, drugs)."""
    if section is None:
        return None
    own = _OWN_RISK.search(reading.half, section.body.start, section.body.end)
    return Detection(True, (span_of(own),)) if own else _bare(reading, section)


def _bare(reading: Reading, section: Section) -> Detection | None:
    """False where a passage holds nothing concrete, else open."""
    if not _concrete(reading, section.body) and _says_nothing(section.body.of(reading.half)):
        return Detection(False, (section.body,))
    return None


def note_says_nothing(reading: Reading) -> bool:
    """Whether a whole note holds nothing but stock phrases."""
    if len(reading.half) > _LONGEST_EMPTY_NOTE:
        return False
    text = _without_signature(_DATES_AND_TITLE.sub("", reading.half))
    if not text.strip() or re.search(r"\d", text) or not _says_nothing(text):
        return False
    scope = Span(0, len(reading.half))
    return all(span.of(reading.half)[0].isdigit() for span in _concrete(reading, scope))


def _without_signature(text: str) -> str:
    return re.sub(r"(?:医师|医生|记录者)?签名[:\s]*[^\s。,]{0,6}", "", text)


def _without_heading(text: str) -> str:
    return re.sub(r"^[^\n。:]{0,40}(?:医师|查房)[^\n。:]{0,10}(?:[:\n]|查房记录)", "", text.strip())
