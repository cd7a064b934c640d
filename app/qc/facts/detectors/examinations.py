"""Facts of 专科检查 and 辅助检查."""

from app.qc.facts.detectors.base import Detection, detector, is_empty, span_of
from app.records.model import Span
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section

_UNANSWERED = regex(
    r"(?:宫颈(?:质地|长度|位置|扩张)?|腹围|宫高|胎方位|先露|胎心|质地|疼痛(?:加重|缓解)因素|宫缩|活动度|肌力|肌张力|压痛|叩痛|瞳孔|呼吸音|心率|大小|边界|视力|眼压)"
    r"\s*(?::\s*(?:cm|㎝|mm|次/分|级|°|[,。;\n]|$)|(?:cm|㎝|mm|次/分)(?=[\s,。;]|$)|(?=(?:宫颈|羊水|腹围|宫高|胎方位|先露|衔接|胎膜|宫缩)[\u4e00-\u9fff]{0,4}:))"
)


@detector
def specialist_item_without_result(reading: Reading, section: Section | None) -> Detection:
    """Whether 专科检查 holds item names with nothing behind them; an empty section is another matter."""
    if section is None or is_empty(reading, section):
        return Detection(False)
    match = _UNANSWERED.search(reading.half, *section.body)
    if match is None:
        return Detection(False)
    return Detection(True, (span_of(match),), f"“{match.group().strip()}”后没有结果")


_PLACE = regex(
    r"医院|[我本外]院|院外|卫生[院室所]|门诊|急诊|中心|诊所|附院|体检|妇幼|保健院|社区|我科|当地|见.{0,6}病史|入院"
)
_WHEN = regex(
    r"[\d*]{2,4}\s*[-年/.]\s*[\d*]{1,2}|\*?-[\d*]{1,2}-[\d*]{1,2}|[\d*]{1,2}月[\d*]{1,2}日?|[-年][\d*]{1,2}月|[\d*]{1,2}[-.][\d*]{1,2}(?=[\s,)日])"
    r"|[今昨前]日|今天|昨天|当[日天]|日期|时间|[\d*一二两三四五六七八九十数半]+\s*[+余]?[天日月周年]余?前|见.{0,6}病史"
)
_NOTHING_DONE = regex(r"暂无|不详|暂缺|未查|未做|无特殊|待查|待完善|缺如|未行|待回报|^\s*无|见.{0,8}病史")
_TEMPLATE = regex(r"请在此|段落结构|点击(?:此处)?(?:输入|编辑)")
_RESULT = regex(r"[\u4e00-\u9fff]{2}")
_STUDY = regex(
    r"CT|MRI?|磁共振|B超|彩超|超声|心超|胃镜|肠镜|内镜|造影|钼靶|X线|X片|X光|平片|摄片|胸片|DR|KUB|IVP|PET|骨显像|病理|免疫组化|活检|心电图|脑电图|肌电图|肺功能|听力|血常规|尿常规|便常规|粪常规|大便常规|血细胞|血型|血生化|生化|肝功|肾功|凝血|电解质|肿瘤|甲状腺功能|化验|血糖|血气|HPV|TCT|GBS|HCG|白带|OGTT|抗体|培养|D-二聚体|肌钙|BNP|CRP|C-反应|淀粉酶|甲胎|癌胚|实验室"
)


@detector
def examinations_incomplete(reading: Reading, section: Section | None) -> Detection:
    """Whether 辅助检查 gives results without place, time or item; an empty section or 暂无 is in order.

    A place and a date anywhere hold for the section; brackets that name only a place are taken by their word.
    """
    if section is None or is_empty(reading, section):
        return Detection(False)
    written = reading.half[section.body.start : section.body.end]
    if (
        not _RESULT.search(written)
        or _TEMPLATE.search(written)
        or (len(written) < 14 and _NOTHING_DONE.search(written))
    ):
        return Detection(False)
    whole = reading.half[section.heading.end : section.body.end]
    missing = [
        name
        for name, pattern in (("检查地点", _PLACE), ("检查时间", _WHEN), ("检查项目", _STUDY))
        if not pattern.search(whole)
    ]
    if missing:
        return Detection(True, (section.body,), f"没有写{'、'.join(missing)}")
    return _incomplete_report(reading, section)


_PLACE_ALONE = regex(r"\([^()\n\d*]{0,12}(?:医院|[本我外]院|妇幼)[,\s]*\)")


def _incomplete_report(reading: Reading, section: Section) -> Detection:
    """A report whose brackets hold a place and leave out the date."""
    match = _PLACE_ALONE.search(reading.half, *section.body)
    if match:
        return Detection(True, (span_of(match),), f"“{match.group()}”没有写检查时间")
    return Detection(False)


_OUTSIDE = regex("外院|院外")
_INSTITUTION = regex(r"[\u4e00-\u9fff*](?:医院|卫生院|妇幼|保健院|门诊部|中心|诊所)")


@detector
def outside_institution_unnamed(reading: Reading, section: Section | None) -> Detection:
    """Whether 辅助检查 says 外院 in a line that names no institution; a masked name is a name."""
    if section is None:
        return Detection(False)
    for match in _OUTSIDE.finditer(reading.half, *section.body):
        start = reading.half.rfind("\n", section.body.start, match.start()) + 1
        end = reading.half.find("\n", match.end(), section.body.end)
        line = Span(max(start, section.body.start), end if end >= 0 else section.body.end)
        if not _INSTITUTION.search(_OUTSIDE.sub("", line.of(reading.half))):
            return Detection(True, (span_of(match),), f"只写“{match.group()}”，没有机构名称")
    return Detection(False)
