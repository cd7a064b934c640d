"""Facts of 既往史: chronic diseases with their treatment, operations with their account."""

import re

from app.qc.facts.detectors.base import (
    DIAGNOSES,
    PAST_HISTORY,
    Detection,
    detector,
    filled,
    heading,
    is_empty,
)
from app.qc.facts.detectors.diagnosis_list import diagnoses_of
from app.records.model import Span
from app.text.assertion import Assertion, Mention, find_mentions
from app.text.lexicons import heads_by_term, load_terms
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
                    return Detection(True, (mention.span,), f"诊断中的{mention.term}在病史、查体和检查中都没有体现")
    return Detection(False)


_NAMED = {
    "高血压": re.compile("血压"),
    "糖尿病": re.compile("血糖|多饮"),
    "冠心病": re.compile("胸闷|胸痛|心悸|心前区"),
    "慢性阻塞性肺疾病": re.compile("咳|喘|气促|气急|呼吸"),
    "慢性胃炎": re.compile("腹|胃|恶心|呕|酸|嗳|黑便|剑突"),
    "慢性肾脏病": re.compile("肌酐|肾功能|尿|水肿|浮肿|透析"),
    "脑梗死": re.compile("头|晕|无力|麻木|言语|偏瘫|口角"),
}
"""Diseases that a history names; what of 主诉 (for the kidney: of the whole note) may have led to them just now."""


def _explained(family: str, reading: Reading) -> bool:
    where = reading.half if family == "慢性肾脏病" else reading.body("主诉")
    return bool(_NAMED[family].search(where))


def _told(text: str) -> set[str]:
    heads = heads_by_term("chronic_diseases")
    return {heads[m.term] for m in find_mentions(text, load_terms("chronic_diseases")) if m.assertion is not Assertion.ABSENT}


_DRUG_ACCOUNT = re.compile(
    r"不详|见现病史|未再?发作?|未(?:服|用|治|予|行|正规|规律|系统)|无需|(?:口服|服用|服|吃|使用|予|应用|注射|皮下)[^。;]{0,40}(?:mg|[\d*]\s*g|[\d*半一二两]\s*(?:片|粒|#|支|丸|袋|颗)|IU|[\d*]\s*[Uu]|单位|ml)"
)
_OPERATION_ACCOUNT = re.compile(r"见现病史|麻醉|全麻|局麻|腰麻|硬膜外|具体不详|不详")


@detector
def chronic_disease_without_treatment(reading: Reading, section: Section | None) -> Detection:
    """Whether 既往史 tells of a chronic disease without naming its drug with dose (or 不详)."""
    if section is None:
        return Detection(False)
    for mention in _own(reading, section, load_terms("chronic_diseases")):
        end = _end_of_account(reading.half, mention.span.end, section.body.end)
        if not _DRUG_ACCOUNT.search(reading.half, mention.span.end, end):
            return Detection(True, (mention.span,), f"{mention.term}没有写用药名称、剂量、途径和疗效")
    return Detection(False)


@detector
def operation_without_account(reading: Reading, section: Section | None) -> Detection:
    """Whether 既往史 tells of an operation without anaesthesia and effect (or 不详)."""
    if section is None:
        return Detection(False)
    for mention in _own(reading, section, (*load_terms("operations"), "手术", "切除")):
        end = _end_of_account(reading.half, mention.span.end, section.body.end)
        if not _is_heading(reading.half, mention.span) and not _OPERATION_ACCOUNT.search(
            reading.half, mention.span.start, end
        ):
            return Detection(True, (mention.span,), f"{mention.term}没有写麻醉方式和治疗效果")
    return Detection(False)


def _own(reading: Reading, section: Section, terms: tuple[str, ...]) -> list[Mention]:
    found = find_mentions(reading.half, terms, section.body)
    return [m for m in found if m.assertion is Assertion.PRESENT and m.subject == "patient"]


def _is_heading(half: str, span: Span) -> bool:
    return bool(re.match(r"[及、]?(?:外伤)?史?\s*[::]", half[span.end : span.end + 6]))


def _end_of_account(half: str, start: int, limit: int) -> int:
    ends = [half.find(mark, start, limit) for mark in "。\n"]
    return min([end for end in ends if end >= 0] or [limit])


