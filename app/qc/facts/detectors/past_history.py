"""Facts of 既往史: chronic diseases with their treatment, operations with their account."""

import re
from collections.abc import Iterator, Sequence

from app.qc.facts.detectors.base import (
    DIAGNOSES,
    Detection,
    clause_around,
    detector,
    filled,
    heading,
    is_empty,
    span_of,
)
from app.qc.facts.detectors.diagnosis_list import diagnoses_of
from app.records.model import Span
from app.text.assertion import Assertion, Mention, find_mentions
from app.text.lexicons import heads_by_term, load_terms
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section


@detector
def past_history_blank(reading: Reading, section: Section | None) -> Detection:
    """Whether 既往史 is absent or empty."""
    blank = is_empty(reading, section)
    return Detection(blank, heading(section) if blank else (), "既往史为空" if blank else "")


@detector
def diagnosed_disease_untold(reading: Reading, section: Section | None) -> Detection:
    """Whether a chronic disease of the diagnoses is found nowhere else in the note, or only denied."""
    places = list(filled(reading, *DIAGNOSES))
    if not places:
        return Detection(True, detail="入院诊断为空")
    before = reading.half[: min(place.heading.start for place in places)]
    told = _told(before)
    for place in places:
        for diagnosis in diagnoses_of(reading, place)[1:]:
            for mention in find_mentions(reading.half, load_terms("chronic_diseases"), diagnosis.span):
                family = heads_by_term("chronic_diseases")[mention.term]
                if family in _NAMED and family not in told and not _explained(family, reading):
                    return Detection(
                        True, (mention.span,), f"诊断中的{mention.term}在病史、查体和检查中都没有体现"
                    )
    return Detection(False)


_NAMED = {
    "高血压": regex("血压"),
    "糖尿病": regex("血糖|多饮"),
    "冠心病": regex("胸闷|胸痛|心悸|心前区"),
    "慢性阻塞性肺疾病": regex("咳|喘|气促|气急|呼吸"),
    "慢性胃炎": regex("腹|胃|恶心|呕|酸|嗳|黑便|剑突"),
    "慢性肾脏病": regex("肌酐|肾功能|尿|水肿|浮肿|透析"),
    "脑梗死": regex("头|晕|无力|麻木|言语|偏瘫|口角"),
}
"""Diseases that a history names; what of 主诉 (for the kidney: of the whole note) may have led to them just now."""


def _explained(family: str, reading: Reading) -> bool:
    where = reading.half if family == "慢性肾脏病" else reading.body("主诉")
    return bool(_NAMED[family].search(where))


_NOT_A_DISEASE = regex("最高血压|糖尿病(?:性|肾病|足|视网膜|周围)")


_CURED_BY_SURGERY = frozenset(
    {
        "胆囊结石",
        "泌尿系结石",
        "子宫内膜异位症",
        "子宫肌瘤",
        "白内障",
        "甲状腺结节",
        "消化性溃疡",
        "腰椎间盘突出",
    }
)
_OPERATED = regex(r"[”\"]?[^,。;]{0,20}(?:手术|术|切除)")


def chronic_diseases(half: str, within: Span) -> Iterator[Mention]:
    """The mentions of chronic diseases; 最高血压, complications named after diabetes, what surgery removed are none."""
    heads = heads_by_term("chronic_diseases")
    taken = [span_of(match) for match in _NOT_A_DISEASE.finditer(half, *within)]
    for mention in find_mentions(half, load_terms("chronic_diseases"), within):
        overlaps = any(span.start < mention.span.end and mention.span.start < span.end for span in taken)
        cured = heads[mention.term] in _CURED_BY_SURGERY and _OPERATED.match(half, mention.span.end)
        if not overlaps and not cured:
            yield mention


def _told(text: str) -> set[str]:
    heads = heads_by_term("chronic_diseases")
    found = find_mentions(text, load_terms("chronic_diseases"))
    return {heads[m.term] for m in found if m.assertion is not Assertion.ABSENT}


_DRUG_ACCOUNT = regex(
    r"不详|见现病史|未再?发作?|治愈|已愈|未(?:服|用|治|予|行|正规|规律|系统)|无需|(?:口服|服用|服|吃|使用|予|应用|注射|皮下)[^。;]{0,40}"
    r"(?:mg|[\d*]\s*g|[\d*半一二两]\s*(?:片|粒|#|支|丸|袋|颗)|IU|[\d*]\s*[Uu]|单位|ml)"
)
_DRUG = regex(r"服|吃|用|予|注射|治疗|控制|降[压糖脂]")
_NOT_TREATED_ALIKE = frozenset({"恶性肿瘤"})
_JOINED = regex(r"[、及和与,“”\"'病史\s]*")


@detector
def chronic_disease_without_treatment(reading: Reading, section: Section | None) -> Detection:
    """Whether 既往史 tells of a chronic disease without its drug and dose (or 不详, 未治疗).

    Diseases named in one breath (高血压、糖尿病) share what follows them, up to the next disease.
    """
    if section is None:
        return Detection(False)
    heads = heads_by_term("chronic_diseases")
    own = [
        each
        for each in chronic_diseases(reading.half, section.body)
        if _is_own(each) and heads[each.term] not in _NOT_TREATED_ALIKE
    ]
    lacking: list[Mention] = []
    details = []
    for group, account in _accounts(reading, section, own):
        if not _DRUG_ACCOUNT.search(reading.half, *account):
            lacking += group
            missing = "剂量" if _DRUG.search(reading.half, *account) else "用药名称、剂量和疗效"
            details.append(f"{'、'.join(m.term for m in group)}没有写{missing}")
    return Detection(bool(lacking), tuple(m.span for m in lacking), "；".join(dict.fromkeys(details)))


def _accounts(
    reading: Reading, section: Section, mentions: Sequence[Mention]
) -> Iterator[tuple[list[Mention], Span]]:
    """Mentions named in one breath, with the text up to the next ones or the end of the sentence."""
    groups: list[list[Mention]] = []
    for mention in mentions:
        joined = groups and _JOINED.fullmatch(reading.half, groups[-1][-1].span.end, mention.span.start)
        if joined:
            groups[-1].append(mention)
        else:
            groups.append([mention])
    starts = [group[0].span.start for group in groups[1:]] + [section.body.end]
    for group, next_start in zip(groups, starts, strict=False):
        end = _end_of_sentence(reading.half, group[-1].span.end, section.body.end)
        yield group, Span(group[-1].span.end, min(end, next_start))


_OPERATION_ACCOUNT = regex(r"见现病史|麻醉|全麻|局麻|腰麻|硬膜外|不详")
_GENERAL = ("手术", "切除")


@detector
def operation_without_account(reading: Reading, section: Section | None) -> Detection:
    """Whether 既往史 tells of an operation without anaesthesia and effect (or 不详)."""
    if section is None:
        return Detection(False)
    lacking = []
    terms = (*load_terms("operations"), *_GENERAL)
    for mention in filter(_is_own, find_mentions(reading.half, terms, section.body)):
        start = clause_around(reading.half, mention.span, section.body).start
        end = _end_of_sentence(reading.half, mention.span.end, section.body.end)
        told = _OPERATION_ACCOUNT.search(reading.half, start, end)
        if not told and not _is_heading(reading.half, mention.span):
            lacking.append(mention)
    names = "、".join(
        dict.fromkeys(
            clause_around(reading.half, m.span, section.body).of(reading.document.text).strip()
            for m in lacking
        )
    )
    return Detection(
        bool(lacking), tuple(m.span for m in lacking), f"“{names}”没有写麻醉方式和治疗效果" if lacking else ""
    )


def _is_own(mention: Mention) -> bool:
    return mention.assertion is Assertion.PRESENT and mention.subject == "patient"


def _is_heading(half: str, span: Span) -> bool:
    return bool(re.match(r"[及、]?(?:外伤)?史?\s*[::]", half[span.end : span.end + 6]))


def _end_of_sentence(half: str, start: int, limit: int) -> int:
    ends = [half.find(mark, start, limit) for mark in "。\n"]
    return min([end for end in ends if end >= 0] or [limit])
