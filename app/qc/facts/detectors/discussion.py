"""Facts of case discussions and of the records of a death."""

from app.qc.facts.detectors.base import Detection, detector, heading, is_empty
from app.records.model import Span
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section

_SPEECH = regex(
    r"(?:^|[\n。;])[ \t]*[\u4e00-\u9fff*·]{1,4}?(?:副?主任医师|主治医师|住院医师|麻醉医师|副?主任护师|护士长|护士|药师|技师|副?主任|医师|教授)"
    r"(?:\([^()\n]{0,10}\)|发言|意见|认为)?[ \t]*:(?P<said>[^\n]*)"
)
_BARE = regex(r"同意|赞同|上述|以上|各位|意见|观点|分析|无(?:特殊)?(?:补充|异议|意见)|同上|我|也|[,。;、!\s]")
_SHORTEST_OPINION = 4
_TERMINAL = regex(
    r"(?:呼吸|心跳|循环|心脏|心肺|心)|骤停|停止|停搏|功能|衰竭|死亡|临床|突发|导致|引起|及|和|与|致|因|为|原因|患者|[,。;、:\d.\s]"
)
_RESPIRATORY_ALONE = regex(r"呼吸(?:功能)?衰竭")


@detector
def speeches_specific(reading: Reading, section: Section | None) -> Detection | None:
    """Whether at least one speaker says something of his own, and not all the same; ``None`` for fewer than two."""
    speeches = list(_SPEECH.finditer(reading.half))
    if len(speeches) < 2:
        return None
    spans = tuple(Span(*match.span("said")) for match in speeches)
    opinions = {_BARE.sub("", match["said"]) for match in speeches}
    if not any(len(opinion) >= _SHORTEST_OPINION for opinion in opinions):
        return Detection(False, spans[:3], "各发言只表示同意")
    if len(opinions) == 1:
        return Detection(False, spans[:3], "各发言内容相同")
    return Detection(True)


@detector
def death_cause_is_terminal(reading: Reading, section: Section | None) -> Detection | None:
    """Whether 死亡原因 names nothing but the end itself (呼吸心跳停止); ``None`` without that section."""
    if section is None or is_empty(reading, section):
        return None
    body = section.body.of(reading.half)
    if _TERMINAL.sub("", body) or _RESPIRATORY_ALONE.search(body):
        return Detection(False)
    return Detection(True, (section.body, *heading(section)), section.body.of(reading.document.text))
