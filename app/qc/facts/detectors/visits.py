"""Care before admission, as 现病史 tells of it: each visit with its time, place and treatment."""

from collections.abc import Sequence
from typing import NamedTuple

from app.qc.facts.detectors.base import Detection, clause_around, detector, sentence_around, span_of
from app.qc.facts.detectors.present_illness import course
from app.records.model import Span
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section
from app.text.times import find_dates, find_durations

_PLACE = regex(
    r"医院|[我本外当]院|院外|卫生[院室所]|门诊|急诊|中心|诊所|社区|妇幼|保健院|当地|我科|本科|附院|\*科|医务室|ICU|病房|[\u4e00-\u9fff]{2}科"
)
_VISIT = regex(
    r"(?<!未)(?<!未及时)(?<!未予)(?:就诊|就医|求诊|求治|诊治于|住院治疗|转至|转入)(?!史)"
    r"|(?:至|到|在|于|去|往|来|赴|送)[^,。;]{0,12}(?:医院|[我本外]院|门诊|急诊|卫生院|诊所|社区|妇幼|当地|我科)"
    r"|(?:医院|[我本外]院|当地)[^,。;]{0,6}(?:查|行|予|检查|诊断|住院|考虑)"
)
_EXAMINED = regex(
    r"(?<!复)(?:行|查|检查|体检)[^,。;]{0,14}(?:CT|MRI?|磁共振|B超|彩超|超声|胃镜|肠镜|造影|钼靶|X线|胸片|病理|穿刺|活检|心电图|血常规|尿常规|生化)"
)
_PREGNANCY = regex(
    r"产前检查|产检|排畸|孕囊|唐氏|末次月经|停经|孕[早中晚期]|孕\s*[\d*一二三四五六七八九十]+\s*[周月+]|建卡|OGTT"
)
_ADMITTED = regex(r"收入|收住|收治|收.{0,4}科|[至来到][我本][院科]|入院|入住|入我?科|拟诊|住院|\*科\*")
_DONE = regex(r"(?<!待)(?<!拟)查|检|示|予|诊断|考虑|治疗|口服|建议|嘱")
_INFERRED_TIME = regex(
    r"遂|随即|随后|当时|即(?!可)|立即|急(?!性|诊)|今|昨|当日|当天|次日|同日|同时|后来|之后|期间|近日|近期|期|入院前|发病后|术后|孕|停经|后(?=至|到|在|于|又|再|来|转|行|查|就)|日前|凌晨|早上|上午|下午|晚|夜间|\d时|\d{1,2}:\d{2}|[\d*]+[-.年月][\d*]"
)
_TREATMENT = regex(
    r"予(?!以?重视)|给予|治疗|口服|服用|自服|服药|输液|补液|静滴|静脉(?=滴|注|输|推|用药|营养)|肌注|注射|手术|切除|引流|置管|置入|植入|支架|建议|嘱|拒绝|不详|化疗|放疗|靶向|透析|吸氧|消炎|抗炎|抗感染"
    r"|对症|保守|石膏|固定|清创|缝合|包扎|活检|穿刺|止血|监护|保胎|碎石|取石|中药|针灸|理疗|无特殊处理|未(?:予|行|做|给|作)?[^,。;]{0,4}(?:治疗|处理|诊治|用药|重视)|定期|随访|好转|缓解|改善|术(?=[,。;后])|行[^,。;]{0,20}术"
)
_WISH = regex(
    r"(?:为求|为了?|要求|拟|欲|求|需|待|今为|现为|意愿|准备)[^,。;]{0,16}(?:诊治|治疗|手术|诊疗|化疗)|进一步[^,。;]{0,6}(?:诊治|治疗|诊疗|手术)"
)


class Visit(NamedTuple):
    """One visit: the words that show it, and the stretch of text that tells of it."""

    cue: Span
    account: Span


def visits(reading: Reading, section: Section) -> tuple[Visit, ...]:
    """The visits before this admission in text order, each told of up to the next.

    Antenatal care and the visit that led to this admission are none; without any visit, the first examination
    stands for one.
    """
    told = course(reading, section)
    cues = [span_of(m) for m in _VISIT.finditer(reading.half, *told)]
    found = _split(reading, told, cues)
    if found and _is_this_admission(reading, found[-1]):
        found = _split(reading, told, [cue for cue in cues if cue.start < found[-1].cue.start])
    return found or _split(reading, told, [span_of(m) for m in _EXAMINED.finditer(reading.half, *told)][:1])


def _split(reading: Reading, told: Span, cues: Sequence[Span]) -> tuple[Visit, ...]:
    opened: list[tuple[Span, int]] = []
    for cue in cues:
        sentence = sentence_around(reading.half, cue, told)
        if (not opened or sentence.start > opened[-1][1]) and not _PREGNANCY.search(reading.half, *sentence):
            opened.append((cue, sentence.start))
    ends = [*[start for _, start in opened][1:], told.end]
    return tuple(Visit(cue, Span(start, end)) for (cue, start), end in zip(opened, ends, strict=False))


def _is_this_admission(reading: Reading, visit: Visit) -> bool:
    """Whether nothing was done at the visit but to admit the patient."""
    rest = _WISH.sub("", reading.half[visit.cue.start : visit.account.end])
    return bool(_ADMITTED.search(rest)) and not _DONE.search(rest)


@detector
def last_visit_complete(reading: Reading, section: Section | None) -> Detection:
    """Whether the last visit before admission is told with time, place and treatment (未治疗, 不详 count)."""
    if section is None:
        return Detection(True)
    found = visits(reading, section)
    if not found:
        return Detection(True)
    last = found[-1]
    missing = _missing(reading, section, last)
    quote = last.cue.of(reading.document.text)
    return Detection(
        not missing,
        (clause_around(reading.half, last.cue, section.body),),
        f"末次就诊（{quote}）未写{'、'.join(missing)}",
    )


def _missing(reading: Reading, section: Section, visit: Visit) -> list[str]:
    text = reading.half[visit.account.start : visit.account.end]
    missing = []
    if not (find_dates(text, None) or find_durations(text) or _INFERRED_TIME.search(text)):
        missing.append("时间")
    if not _PLACE.search(text):
        missing.append("地点")
    if not _TREATMENT.search(_WISH.sub("", text)):
        missing.append("治疗")
    return missing
