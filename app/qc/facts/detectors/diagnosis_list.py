"""The diagnoses of a note as a list, and the facts of that list alone: blank, mere symptom, order."""

import itertools
import re
from functools import cache
from typing import NamedTuple

from app.qc.facts.detectors.base import (
    DIAGNOSES,
    Detection,
    detector,
    filled,
    is_empty,
)
from app.records.model import Span
from app.text.lexicons import heads_by_term, load_mapping, load_tree
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section

_ITEM = regex(r"(?:[^,;。\n'\"\[\]\\()]|\([^()\n]*\)|\[[^\[\]'\"\n]*\]|[()])+")
_NUMBER = regex(r"(?:(?<=\s)|^)(?=\d{1,2}\s*[.、)](?!\d))")
_LEAD = regex(r"^\s*(?:\(?\d{1,2}\s*[.、)]\s*)?")
_NOISE = regex(r"^[\s*rn\d.、]*(?:[\d*]*\s*[月日天年])?[\s*]*$")
_SIDE = regex(r"^\((?:双|左|右|两)[侧眼耳肺]?\)|^(?:双|左|右)侧")
_NO_CONTENT = regex(r"^\(?(?:双|左|右)[侧眼耳]?\)?$")


class Diagnosis(NamedTuple):
    """One diagnosis as written; ``name`` is half-width and has no number before it."""

    name: str
    span: Span

    @property
    def bare(self) -> str:
        """The name without side, bracketed additions and blanks."""
        return re.sub(r"\([^()]*\)|\[[^\[\]]*\]|\s", "", _SIDE.sub("", self.name))


def diagnoses_of(reading: Reading, section: Section) -> tuple[Diagnosis, ...]:
    """The diagnoses of a section in order, without the marks that an export leaves behind."""
    if is_empty(reading, section):
        return ()
    found = []
    for match in _ITEM.finditer(reading.half, *section.body):
        cuts = [
            match.start(),
            *(match.start() + n.start() for n in _NUMBER.finditer(match.group()) if n.start()),
            match.end(),
        ]
        for start, end in itertools.pairwise(cuts):
            item = _item(reading.half, start, end)
            if item:
                found.append(item)
    return tuple(found)


def _item(half: str, start: int, end: int) -> Diagnosis | None:
    words = half[start:end]
    lead = _LEAD.match(words)
    start += lead.end() if lead else 0
    name = half[start:end].rstrip(" \t*")
    return (
        None
        if _NOISE.match(name) or _NO_CONTENT.match(name)
        else Diagnosis(name, Span(start, start + len(name)))
    )


def all_diagnoses(reading: Reading) -> tuple[Diagnosis, ...]:
    """The diagnoses of 入院诊断, then those of 初步诊断."""
    return tuple(each for section in filled(reading, *DIAGNOSES) for each in diagnoses_of(reading, section))


@detector
def diagnosis_blank(reading: Reading, section: Section | None) -> Detection:
    """Whether 入院诊断 or 初步诊断 is announced and left empty, or neither is there at all."""
    places = [place for name in DIAGNOSES if (place := reading.section(name))]
    blank = [place for place in places if not diagnoses_of(reading, place)]
    if not places:
        return Detection(True, detail="没有入院诊断和初步诊断")
    names = "、".join(place.name for place in blank)
    return Detection(bool(blank), tuple(place.heading for place in blank), f"{names}为空" if blank else "")


@detector
def admission_diagnosis_without_content(reading: Reading, section: Section | None) -> Detection:
    """Whether the diagnosis on admission names no disease, sign or reason at all."""
    place = section if section is not None else reading.section(*DIAGNOSES)
    if place is None or not diagnoses_of(reading, place):
        return Detection(True, (place.heading,) if place else (), "诊断没有内容")
    return Detection(False)


_WAITS = regex(r"待查|原因待|查因|待诊")
_NAMES_DISEASE = regex(r"(?:待查|原因|查因|待诊)\s*[:(]?\s*[^\s:,。;()??]{2,}|[??]")


@detector
def first_diagnosis_is_symptom(reading: Reading, section: Section | None) -> Detection:
    """Whether the first diagnosis is a mere symptom, sign or 待查, with no possible disease named."""
    if section is None or is_empty(reading, section):
        return Detection(False)
    listed = diagnoses_of(reading, section)
    first = next(iter(listed), None)
    if first is None:
        return Detection(True, (section.heading,), "诊断没有内容")
    if any("?" in each.name for each in listed[1:]):
        return Detection(False)
    tail = reading.half[first.span.end : first.span.end + 2].lstrip()
    symptom = _is_symptom(first) and not _NAMES_DISEASE.search(first.name) and not tail.startswith(("?", ":"))
    return Detection(symptom, (first.span,), f"第一诊断“{first.name}”只是症状、体征" if symptom else "")


def _is_symptom(diagnosis: Diagnosis) -> bool:
    bare = re.sub(r"[??]|症状?$", "", diagnosis.bare)
    return bare in _symptom_names() or bool(_WAITS.search(diagnosis.name))


@cache
def _symptom_names() -> frozenset[str]:
    return frozenset(load_mapping("symptom_diagnoses")["symptoms"])


# --- order ------------------------------------------------------------------------------------------------

_SECONDARY = regex(r"继发(?:性)?恶性肿瘤|转移(?:瘤|癌|性)")
_PRIMARY = regex(r"恶性肿瘤|癌(?!症?家族)|肉瘤")
_NOT_PRIMARY = regex(r"继发|转移|史|化疗|化学治疗|放疗|靶向|术后|治疗|随访|免疫")


@detector
def diagnoses_out_of_order(reading: Reading, section: Section | None) -> Detection:
    """Whether a symptom stands before its disease, or a metastasis before the primary tumour."""
    for place in filled(reading, *DIAGNOSES):
        listed = diagnoses_of(reading, place)
        pair = _symptom_first(listed) or _secondary_first(listed)
        if pair:
            before, after = pair
            return Detection(True, (before.span, after.span), f"“{before.name}”排在“{after.name}”之前")
    return Detection(False)


def _symptom_first(listed: tuple[Diagnosis, ...]) -> tuple[Diagnosis, Diagnosis] | None:
    """A first diagnosis that is a symptom or sign, and a later one that may explain it."""
    if len(listed) < 2 or not _is_sign(listed[0]):
        return None
    later = [
        each
        for each in listed[1:]
        if listed[0].bare not in each.bare and not _is_sign(each) and not _is_chronic(each)
    ]
    return (listed[0], later[0]) if later else None


def _is_sign(diagnosis: Diagnosis) -> bool:
    return diagnosis.bare in _symptom_names() or diagnosis.bare in load_mapping("symptom_diagnoses")["signs"]


def _is_chronic(diagnosis: Diagnosis) -> bool:
    return any(term in diagnosis.bare for term in heads_by_term("chronic_diseases"))


def _secondary_first(listed: tuple[Diagnosis, ...]) -> tuple[Diagnosis, Diagnosis] | None:
    for number, before in enumerate(listed):
        if _SECONDARY.search(before.name):
            for after in listed[number + 1 :]:
                if _PRIMARY.search(after.name) and not _NOT_PRIMARY.search(after.name):
                    return before, after
    return None


# --- names ------------------------------------------------------------------------------------------------

_ABBREVIATION = regex(r"[A-Z]{2,6}\d?")


@detector
def diagnosis_informal(reading: Reading, section: Section | None) -> Detection:
    """Whether a diagnosis is a short form, a bare English abbreviation, or a name without site or cause."""
    lexicon = load_tree("informal_diagnoses")
    for each in all_diagnoses(reading):
        bare = re.sub(r"[??]|史$|待查$|待排$", "", each.bare)
        if bare in lexicon["short"]:
            return Detection(True, (each.span,), f"“{each.name}”是简称，全称为{lexicon['short'][bare]}")
        if bare in lexicon["vague"]:
            return Detection(True, (each.span,), f"“{each.name}”过于笼统")
        if _ABBREVIATION.fullmatch(bare):
            return Detection(True, (each.span,), f"“{each.name}”只有英文缩写")
    return Detection(False)
