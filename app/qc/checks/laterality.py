"""Sides and levels of one lesion or operation, compared over the documents of a stay.

What is compared are claims: a side with the part of the body it is said of, in a place that names the present
trouble (主诉, 入院情况, a list of diagnoses, the name of an operation, the impression of a report). A lesion of the
brain and the weak limbs of the other side are claims on different regions and never meet.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Literal, NamedTuple

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, ExamReport, Procedure, Span
from app.text.assertion import Assertion, assertion_at
from app.text.diagnoses import find_diagnoses
from app.text.laterality import SideName, find_sides
from app.text.lexicons import load_mapping, load_terms
from app.text.operations import read_operation, spine_levels
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.width import half_width

_Kind = Literal["operation", "lesion", "complaint"]
_OPPOSITE: Mapping[str, SideName] = {"左": "右", "右": "左"}

DIAGNOSIS_SECTIONS = (
    "初步诊断", "入院诊断", "入院主诊断", "初步主诊断", "门诊诊断", "目前诊断", "修正诊断", "补充诊断", "确定诊断", "出院诊断",
    "死亡诊断", "术前诊断", "术中诊断", "术后诊断",
)  # fmt: skip
OPERATION_SECTIONS = ("拟施手术", "手术名称", "手术方案", "操作名称")
_COMPLAINT_SECTIONS = ("主诉", "入院情况")
_QUOTED_COMPLAINT = regex(r"[因以][“\"](?P<words>[^”\"\n]{2,60})[”\"]")

_LESION = regex(
    "骨折|脱位|坏死|骨关节炎|半月板损伤|韧带|结石|积水|囊肿|积液|气胸|血胸|癌|恶性肿瘤|肉瘤|良性肿瘤|腺瘤|瘤|疝|结节|占位|肿物"
    "|肿块|包块|血栓|静脉曲张|梗死|梗塞|出血|血肿|白内障|青光眼|视网膜脱离|狭窄|积血|肿|炎|损伤|偏瘫"
)
_SYMPTOMS: Mapping[str, re.Pattern[str]] = {
    "无力": regex("无力|乏力|偏瘫|瘫痪?|活动不[灵利便]|活动障碍|力弱|麻痹"),
    "麻木": regex("麻木|发麻|感觉减退|感觉障碍"),
    "疼痛": regex("疼痛?|痛"),
    "肿块": regex("肿块|包块|肿物|结节|可复性"),
    "肿胀": regex("肿胀|水肿|浮肿"),
    "外伤": regex("外伤|摔伤|砸伤|扭伤|切割伤|骨折"),
    "视力": regex("视力|视物"),
    "听力": regex("听力|耳聋|耳鸣"),
    "面瘫": regex("面瘫|鼻唇沟|口角"),
}
_OF_LIMBS = frozenset({"无力", "麻木"})
_PAST = regex("术后|陈旧|后遗症|病史|既往|曾|年前|健侧|对侧|取出|史$")
_CORRECTIONS = ("更正", "笔误", "误写", "误记", "误录")
_CLAUSE_END = regex(r"[,。;、\n]")
_NEAR = 12


class _Claim(NamedTuple):
    document: Document | None
    span: Span
    side: SideName
    region: str
    what: str
    kind: _Kind
    source: str

    @property
    def quote(self) -> str:
        return self.span.of(self.document.text) if self.document else self.source


class LateralityContradicted(Check, name="laterality_contradicted"):
    """One lesion, complaint or operation lies on opposite sides in different places.

    Not compared: both sides, past lesions (术后, 陈旧), a region that one list names on either side, and
    whatever a correction (更正, 笔误) explains.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Compare the claims of all documents, reports and procedures."""
        documents = case.documents_of(*applies_to)
        claims = [claim for document in documents for claim in _claims(case, document)]
        claims += [claim for report in case.record.exam_reports or () for claim in _report_claims(report)]
        hits = [*_operation_hits(case, claims), *_lesion_hits(claims), *_complaint_hits(claims)]
        if hits and _is_corrected(case):
            return PASSED
        if hits:
            return defect(*{(hit.document_id, hit.evidence): hit for hit in hits}.values())
        sided = {claim.document.id if claim.document else claim.source for claim in claims}
        if len(sided) + any(_side_of(p) for p in case.record.procedures or ()) < 2:
            return not_applicable("写明侧别的地方不足两处")
        return PASSED


def _is_corrected(case: Case) -> bool:
    """Whether a document corrects a side: a word of correction and a side within 30 characters."""
    for document in case.documents:
        for word in _CORRECTIONS:
            at = document.text.find(word)
            while at >= 0:
                around = document.text[max(0, at - 30) : at + 30]
                if "左" in around or "右" in around:
                    return True
                at = document.text.find(word, at + 1)
    return False


# Claims


def _claims(case: Case, document: Document) -> Iterator[_Claim]:
    reading = case.reading(document)
    if not re.search("[左右双两]", reading.half):
        return
    name = document.title or document.kind
    for section in reading.sections:
        if section.name in DIAGNOSIS_SECTIONS:
            for mention in case.reading(document).diagnoses(section.body):
                yield from _lesion_claims(reading, mention.span, name)
        elif section.name in OPERATION_SECTIONS:
            yield from _operation_claims(reading, section.body, name)
        elif section.name in _COMPLAINT_SECTIONS:
            yield from _complaint_claims(reading, section.body, name)
    for quoted in _QUOTED_COMPLAINT.finditer(reading.half):
        yield from _complaint_claims(reading, Span(*quoted.span("words")), name)


class _SidedSite(NamedTuple):
    span: Span
    side: SideName
    region: str


def _sided_sites(half: str, within: Span) -> Iterator[_SidedSite]:
    words = within.of(half)
    for side in find_sides(words):
        site, end = side.site, side.span.end
        if site is None and (near := _site_near().match(words, end)):
            site, end = near["site"], near.end()
        if site and site.endswith("手") and words.startswith("术", end):
            site = None
        yield _SidedSite(Span(side.span.start, end).shifted(within.start), side.side, _region(site or ""))


@cache
def _site_near() -> re.Pattern[str]:
    sites = {
        *load_terms("sites"),
        *(site for sites in load_mapping("side_regions").values() for site in sites),
    }
    return regex(rf"[^,。;、\s左右双]{{0,5}}?(?P<site>{'|'.join(sorted(sites, key=len, reverse=True))})")


def _region(site: str) -> str:
    return _regions().get(site, site)


@cache
def _regions() -> Mapping[str, str]:
    return {
        site: region for region, sites in load_mapping("side_regions").items() for site in (region, *sites)
    }


def _lesion_claims(reading: Reading, item: Span, source: str) -> Iterator[_Claim]:
    words = item.of(reading.half)
    lesion = _LESION.search(words)
    if not lesion or _PAST.search(words):
        return
    for site in _sided_sites(reading.half, item):
        if site.region:
            yield _Claim(reading.document, site.span, site.side, site.region, _head(words), "lesion", source)


def _head(words: str) -> str:
    """The first lesion word: what a compound name (肾结石伴积水) is about."""
    first: str = _LESION.findall(words)[0]
    return {"梗塞": "梗死", "恶性肿瘤": "癌", "包块": "肿块", "肿物": "肿块"}.get(first, first)


def _operation_claims(reading: Reading, body: Span, source: str) -> Iterator[_Claim]:
    for site in _sided_sites(reading.half, body):
        if site.region and not _PAST.search(
            reading.half[max(body.start, site.span.start - 6) : site.span.start]
        ):
            yield _Claim(reading.document, site.span, site.side, site.region, "手术", "operation", source)


def _complaint_claims(reading: Reading, body: Span, source: str) -> Iterator[_Claim]:
    half = reading.half
    for site in _sided_sites(half, body):
        before = half[max(body.start, site.span.start - 10) : site.span.start]
        stop = _CLAUSE_END.search(half, site.span.end)
        end = min(body.end, site.span.end + _NEAR, stop.start() if stop else len(half))
        words = half[site.span.end : end]
        for what, pattern in _SYMPTOMS.items():
            shown = pattern.search(half[site.span.start : end])
            if not shown or _PAST.search(before + words):
                continue
            span = Span(site.span.start, max(site.span.end, site.span.start + shown.end()))
            if assertion_at(reading.document.text, span) is Assertion.ABSENT:
                continue
            region = "肢体" if what in _OF_LIMBS and site.region in ("", "肢体", "手", "足") else site.region
            if region:
                yield _Claim(reading.document, span, site.side, region, what, "complaint", source)
            break


def _report_claims(report: ExamReport) -> Iterator[_Claim]:
    impression = report.impression or ""
    half = half_width(impression)
    source = f"{report.modality or '检查'}报告"
    for item in find_diagnoses(impression):
        words = item.span.of(half)
        if not _LESION.search(words) or _PAST.search(words) or re.search("未见|无|不|可能|考虑|除外", words):
            continue
        for site in _sided_sites(half, item.span):
            if site.region:
                quote = f"{source}“{item.name}”"
                yield _Claim(None, site.span, site.side, site.region, _head(words), "lesion", quote)


# Operations


class _Operated(NamedTuple):
    """One operation: its side, its regions, where that is from, and the claims that name it."""

    side: SideName
    regions: frozenset[str]
    source: str
    claims: tuple[_Claim, ...]


def _operation_hits(case: Case, claims: Sequence[_Claim]) -> Iterator[Hit]:
    operations = [claim for claim in claims if claim.kind == "operation"]
    if case.record.procedures:
        operated = [done for p in case.record.procedures if (done := _operated(case, p, operations))]
    elif len(case.documents_of("手术记录")) <= 1:
        groups = list(_grouped(operations, lambda claim: claim.region).items())
        for _, same in groups:
            yield from _odd_ones(same)
        operated = [_as_operated(region, same) for region, same in groups if len({c.side for c in same}) == 1]
    else:
        return
    for done in operated:
        yield from _hits_of(done)
        if all(other.side == done.side for other in operated if other.regions & done.regions):
            yield from _felt_elsewhere(done, claims)


def _operated(case: Case, procedure: Procedure, operations: Sequence[_Claim]) -> _Operated | None:
    side, regions = _side_of(procedure), _procedure_regions(procedure)
    if side is None or not regions:
        return None
    own = {d.id for d in case.documents_for(procedure, *{c.document.kind for c in operations if c.document})}
    named = tuple(c for c in operations if c.document and c.document.id in own and c.region in regions)
    return _Operated(side, regions, f"手术资料“{procedure.name or '手术'}”", named)


def _as_operated(region: str, same: Sequence[_Claim]) -> _Operated:
    return _Operated(same[0].side, frozenset({region}), same[0].source, tuple(same))


def _side_of(procedure: Procedure) -> SideName | None:
    if procedure.laterality:
        return procedure.laterality
    named = {side.side for side in find_sides(procedure.name or "")}
    return next(iter(named)) if len(named) == 1 else None


def _procedure_regions(procedure: Procedure) -> frozenset[str]:
    name = half_width(procedure.name or "")
    named = {site.region for site in _sided_sites(name, Span(0, len(name)))}
    site = half_width(procedure.site or "")
    named |= {region for form, region in _regions().items() if form in site}
    return frozenset((named or {_region(site)}) - {""})


def _hits_of(done: _Operated) -> Iterator[Hit]:
    right = next((claim for claim in done.claims if claim.side == done.side), None)
    for claim in done.claims:
        if claim.side == _OPPOSITE.get(done.side):
            yield _hit(claim, right, done.source, done.side)


def _felt_elsewhere(done: _Operated, claims: Sequence[_Claim]) -> Iterator[Hit]:
    """The complaint or diagnosis of the operated region, where every one of them is on the other side."""
    felt = [c for c in claims if c.kind != "operation" and c.document and c.region in done.regions]
    if felt and {c.side for c in felt} == {_OPPOSITE.get(done.side)}:
        right = next((claim for claim in done.claims if claim.side == done.side), None)
        yield _hit(felt[0], right, done.source, done.side)


def _odd_ones(claims: Sequence[_Claim]) -> Iterator[Hit]:
    """The claims of the fewer documents; with as many on either side, those of the later one."""
    if {c.side for c in claims} - {"双侧"} != {"左", "右"} or any(c.side == "双侧" for c in claims):
        return
    places: dict[SideName, list[_Claim]] = {"左": [], "右": []}
    for claim in claims:
        places[claim.side].append(claim)
    counts = {side: len({c.document.id if c.document else c.source for c in places[side]}) for side in places}
    last = claims[-1].side if claims[-1].document else claims[0].side
    wrong = min(places, key=lambda side: (counts[side], side != last))
    right = next((c for c in places[_OPPOSITE[wrong]] if c.document), places[_OPPOSITE[wrong]][0])
    shown = [c for c in places[wrong] if c.document]
    if not shown and right.document:
        shown, right = [right], places[wrong][0]
    seen = set()
    for claim in shown:
        if claim.document and claim.document.id not in seen:
            seen.add(claim.document.id)
            yield _hit(claim, right, right.source, right.side)


# Lesions and complaints


def _lesion_hits(claims: Sequence[_Claim]) -> Iterator[Hit]:
    lesions = [claim for claim in claims if claim.kind == "lesion"]
    for same in _grouped(lesions, lambda claim: f"{claim.region}/{claim.what}").values():
        if not _is_on_both_sides(same):
            yield from _odd_ones(same)


def _complaint_hits(claims: Sequence[_Claim]) -> Iterator[Hit]:
    complaints = [claim for claim in claims if claim.kind == "complaint"]
    for same in _grouped(complaints, lambda claim: f"{claim.region}/{claim.what}").values():
        if not _is_on_both_sides(same):
            yield from _odd_ones(same)


def _is_on_both_sides(claims: Sequence[_Claim]) -> bool:
    """Whether one document (or report) puts it on either side: two lesions, not a contradiction."""
    sides: defaultdict[str, set[str]] = defaultdict(set)
    for claim in claims:
        sides[claim.document.id if claim.document else claim.source].add(claim.side)
    return any(len(each) > 1 or "双侧" in each for each in sides.values())


def _grouped(claims: Iterable[_Claim], key: Callable[[_Claim], str]) -> dict[str, list[_Claim]]:
    groups: defaultdict[str, list[_Claim]] = defaultdict(list)
    for claim in claims:
        groups[key(claim)].append(claim)
    return groups


def _hit(wrong: _Claim, right: _Claim | None, other: str, other_side: SideName) -> Hit:
    evidence = [claim.document.evidence(claim.span) for claim in (wrong, right) if claim and claim.document]
    details = {
        "document": wrong.source,
        "other": right.source if right else other,
        "other_quote": right.quote if right else f"{other_side}侧",
    }
    return Hit(wrong.document.id if wrong.document else None, None, tuple(evidence), details)


class OperationSiteContradicted(Check, name="operation_site_contradicted"):
    """The documents of one operation name different levels of the spine, or different organs.

    A change found necessary during the operation and written so (改行, 中转, 术中发现) is no contradiction.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Compare the names of each operation over its documents."""
        named = [place for document in case.documents_of(*applies_to) for place in _named(case, document)]
        procedures = [p for p in case.record.procedures or () if p.name]
        if not named:
            return not_applicable("文书中没有写手术名称")
        if len(procedures) <= 1:
            return _compare_sites(named, procedures[0] if procedures else None)
        rulings = []
        for procedure in procedures:
            own = {d.id for d in case.documents_for(procedure, *applies_to)}
            rulings.append(_compare_sites([p for p in named if p.document.id in own], procedure))
        return combine(rulings, none_reason="没有手术")


class _Named(NamedTuple):
    document: Document
    span: Span
    levels: frozenset[str]
    organs: frozenset[str]
    source: str


_CHANGED = regex(
    "改行|改为|中转|变更|术中(?:发现|探查|见)[^。\n]{0,30}(?:故|遂|因此|改)|扩大|追加|加行|更正|笔误"
)


def _named(case: Case, document: Document) -> Iterator[_Named]:
    reading = case.reading(document)
    for section in reading.sections:
        if (
            section.name in OPERATION_SECTIONS
            and section.name != "手术方案"
            and section.body.start < section.body.end
        ):
            end = min(section.body.end, reading.half.find("\n", section.body.start) % (len(reading.half) + 1))
            span = Span(section.body.start, end)
            words = span.of(document.text)
            yield _Named(
                document,
                span,
                spine_levels(words),
                read_operation(words).organs,
                document.title or document.kind,
            )


def _compare_sites(named: Sequence[_Named], procedure: Procedure | None) -> Ruling:
    """The later of two places that share nothing, each naming something."""
    if not named:
        return not_applicable("没有写明手术名称的文书")
    if not any(place.levels or place.organs for place in named):
        return undetermined("手术名称中没有可比对的部位")
    if any(_CHANGED.search(place.document.text) for place in named):
        return PASSED
    hits = []
    for place in named:
        first = named[0]
        for kind, mine, others in (
            ("节段", place.levels, first.levels),
            ("部位", place.organs, first.organs),
        ):
            if mine and others and mine.isdisjoint(others):
                evidence = (place.document.evidence(place.span), first.document.evidence(first.span))
                details = {
                    "document": place.source,
                    "kind": kind,
                    "other": first.source,
                    "other_quote": evidence[1].quote,
                }
                hits.append(Hit(place.document.id, None, evidence, details))
                break
    if procedure is not None and not hits:
        hits = list(_against_procedure(named, procedure))
    return defect(*hits) if hits else PASSED


def _against_procedure(named: Sequence[_Named], procedure: Procedure) -> Iterator[Hit]:
    whole = f"{procedure.name or ''} {procedure.site or ''}"
    levels, organs = spine_levels(whole), read_operation(whole).organs
    for place in named:
        for kind, mine, others in (("节段", place.levels, levels), ("部位", place.organs, organs)):
            if mine and others and mine.isdisjoint(others):
                details = {
                    "document": place.source,
                    "kind": kind,
                    "other": "手术资料",
                    "other_quote": procedure.name or "",
                }
                yield Hit(place.document.id, None, (place.document.evidence(place.span),), details)
                break
