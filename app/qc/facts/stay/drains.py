"""Drains: as many taken out as were put in."""

import re
from collections.abc import Iterator

from app.qc.case import Case
from app.qc.facts.stay.base import StayDetection, stay_detector
from app.records.model import Document, DocumentType, Evidence, Span
from app.text.assertion import Assertion, assertion_at
from app.text.patterns import regex

_NUMBER = r"(?P<number>\d|[一二两三四五])\s*(?:根|条|枚|支)"
_DRAIN = r"引流(?!液|量|物|出|通|袋|瓶|口)管?"
_PLACED = regex(
    rf"(?:置|放置|留置|置入|安放|接)[^。;\n]{{0,20}}?(?:{_NUMBER}[^。;,\n]{{0,8}}?{_DRAIN}|{_DRAIN}\s*(?P<after>\d|[一二两三四五])\s*[根条枚支])"
)
_ANY_PLACED = regex(rf"(?:置|放置|留置|置入|安放|接)[^。;,\n]{{0,14}}?{_DRAIN}")
_REMOVED = regex(
    rf"(?:拔除|拔出|拔去|予拔|拔)[^。;\n]{{0,14}}?(?:{_NUMBER}[^。;,\n]{{0,8}}?{_DRAIN}|{_DRAIN}\s*(?P<after>\d|[一二两三四五])\s*[根条枚支])"
)
_ANY_REMOVED = regex(
    rf"拔[^。;,\n]{{0,12}}?{_DRAIN}|{_DRAIN}[^。;,\n]{{0,10}}?拔|(?:全部|均|余下?|各|所有|双)[^。;\n]{{0,8}}?拔|拔管|脱出|脱落"
)
_KEPT = regex(r"带(?:引流)?管|保留[^。;\n]{0,8}引流|留置[^。;\n]{0,8}引流|未拔")
_NUMBERS = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5}
_AFTERWARDS: tuple[DocumentType, ...] = (
    "术后首次病程记录", "日常病程记录", "上级医师查房记录", "阶段小结", "交接班记录", "转科记录", "有创诊疗操作记录",
    "护理记录", "出院记录",
)  # fmt: skip


@stay_detector
def drains_do_not_add_up(case: Case) -> StayDetection | None:
    """Whether fewer drains were taken out than put in, and none is said to stay; ``None`` without both numbers."""
    placed = list(_counted(case, case.documents_of("手术记录"), _PLACED, _ANY_PLACED))
    if not placed:
        return StayDetection(False) if _none_placed(case) else None
    later = case.documents_of(*_AFTERWARDS)
    if any(_KEPT.search(case.reading(d).half) for d in later if d.kind == "出院记录"):
        return None
    removed = list(_counted(case, later, _REMOVED, _ANY_REMOVED))
    if not removed or None in (*(n for n, _ in placed), *(n for n, _ in removed)):
        return None
    put_in, taken_out = sum(n or 0 for n, _ in placed), sum(n or 0 for n, _ in removed)
    if taken_out >= put_in:
        return StayDetection(False)
    detail = f"手术记录置引流管{put_in}根，拔除{taken_out}根，出院记录没有写带管"
    return StayDetection(True, (placed[0][1], removed[0][1]), detail)


def _none_placed(case: Case) -> bool:
    operations = case.documents_of("手术记录")
    return bool(operations) and not any("引流" in d.text for d in operations)


def _counted(
    case: Case, documents: tuple[Document, ...], numbered: re.Pattern[str], unnumbered: re.Pattern[str]
) -> Iterator[tuple[int | None, Evidence]]:
    """Each drain told of, with its number; ``None`` where the number is not written."""
    for document in documents:
        half = case.reading(document).half
        if "引流" not in half and "拔管" not in half:
            continue
        taken: list[Span] = []
        for match in numbered.finditer(half):
            span = Span(*match.span())
            if assertion_at(document.text, span) is Assertion.PRESENT:
                taken.append(span)
                written = match["number"] or match["after"]
                yield _NUMBERS.get(written) or int(written), document.evidence(span)
        for match in unnumbered.finditer(half):
            span = Span(*match.span())
            overlaps = any(span.start < t.end and t.start < span.end for t in taken)
            if not overlaps and assertion_at(document.text, span) is Assertion.PRESENT:
                yield None, document.evidence(span)
