"""Contradictions inside the record that a draft must show instead of choosing a side silently."""

import re
from collections.abc import Iterator
from itertools import combinations

from app.drafting.draft import DraftSentence
from app.drafting.sources import ADMISSION_NOTES, SourceItem, Stay, named_item, resource, sentences_of

_SIDE = re.compile("(双|左|右)侧?([\u4e00-\u9fa5]{2,4})")
_NO_ALLERGY = re.compile("(?:否认|无)(?:有)?(?:药物|药物[、及和或与]?食物|食物[、及和或与]?药物)?过敏")


def conflicts(stay: Stay) -> Iterator[DraftSentence]:
    """One sentence a contradiction, citing both sides of it; notes of another patient first."""
    yield from _strangers(stay)
    yield from _sides(stay)
    yield from _allergies(stay)


def _strangers(stay: Stay) -> Iterator[DraftSentence]:
    for stranger in stay.strangers:
        use = "可能是其他患者的内容，未作出处，" if stranger.is_another else ""
        yield DraftSentence(
            text=f"{stranger.name}：{'；'.join(stranger.problems)}，{use}请核实。",
            citations=stranger.evidence, verdict="supported",
        )  # fmt: skip


def _shown(one: SourceItem, other: SourceItem) -> DraftSentence:
    return DraftSentence(
        text=f"记录不一致：一处为“{one.text}”，另一处为“{other.text}”，请核实。",
        citations=(one.citation, other.citation), verdict="supported", checks=("laterality", "negation"),
    )  # fmt: skip


def _sides(stay: Stay) -> Iterator[DraftSentence]:
    """Left against right of the same part in chief complaint, diagnoses and operations, where one side is meant."""
    notes = stay.readings_of((*ADMISSION_NOTES, "首次病程记录", "手术记录"))
    named = ("主诉", "初步诊断", "入院诊断", "手术名称", "术后诊断")
    items = [item for reading in notes for item in sentences_of(reading, lambda section: section in named)]
    items += [item for item in stay.named if item.kind == "diagnosis"]
    items += stay.procedures
    told: set[tuple[str, str]] = set()
    for one, other in combinations(items, 2):
        part = _opposite_part(one.text, other.text)
        if part and (part, "side") not in told:
            told.add((part, "side"))
            yield _shown(one, other)


def _opposite_part(one: str, other: str) -> str | None:
    first, second = _sides_by_part(one), _sides_by_part(other)
    for part in first.keys() & second.keys():
        if {frozenset(first[part]), frozenset(second[part])} == {frozenset("左"), frozenset("右")}:
            return part
    return None


def _sides_by_part(text: str) -> dict[str, set[str]]:
    sides: dict[str, set[str]] = {}
    for match in _SIDE.finditer(text):
        sides.setdefault(match[2][:2], set()).add(match[1])
    return sides


def _allergies(stay: Stay) -> Iterator[DraftSentence]:
    """A recorded allergy against a note that denies any."""
    known = [
        (at, a)
        for at, a in enumerate(stay.record.allergies or ())
        if a.substance and a.substance not in ("无", "否认")
    ]
    denials = [
        item
        for reading in stay.readings_of(ADMISSION_NOTES)
        for item in sentences_of(reading)
        if _NO_ALLERGY.search(item.text)
    ]
    if known and denials:
        at, allergy = known[0]
        yield _shown(
            denials[0], named_item("event", f"{allergy.substance}过敏", resource("allergies", at, None))
        )
