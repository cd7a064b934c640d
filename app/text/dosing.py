"""Drugs as discharge lists write them: the name proper, the dose, how often a day."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from app.records.model import Span
from app.text.lexicons import load_tree
from app.text.patterns import regex
from app.text.quantities import find_quantities
from app.text.width import half_width

_HAN = {"一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6}
_REGULAR = regex(
    r"(?:每|一|1)?\s?(?<!隔)[日天]\s?(?P<first>[\d一两二三四五六])\s?次|(?P<second>[\d一两二三四五六])\s?次\s?/\s?[日天d]"
)
_MASSES = {"g": 1000.0, "mg": 1.0, "μg": 0.001, "ug": 0.001, "ng": 1e-6}
_UNITS = {"AxaIU": "U", "IU": "U", "u": "U", "单位": "U", "ML": "ml", "mL": "ml", "毫升": "ml"}
_BRACKETED = regex(r"\([^()]*\)")


class Dose(NamedTuple):
    """An amount in mg where it is a mass, else in its own unit (U, ml, 片)."""

    amount: float
    unit: str


@lru_cache(maxsize=2048)
def drug_core(name: str) -> str:
    """The name proper: without dosage form, salt, brackets and brand (硫酸氢氯吡格雷片 is 氯吡格雷)."""
    words = load_tree("drug_names")
    core = _BRACKETED.sub("", half_width(name)).strip()
    for form in sorted(words["forms"], key=len, reverse=True):
        core = core.removeprefix(form) if form == "注射用" else core.removesuffix(form)
    for salt in words["salts"]:
        if len(core) > len(salt) + 1:
            core = core.removeprefix(salt)
    for tail in words["tails"]:
        if len(core) > len(tail) + 2 and not core.startswith(("碳酸", "氯化", "葡萄糖酸")):
            core = core.removesuffix(tail)
    return core


@cache
def _same() -> Mapping[str, frozenset[str]]:
    groups = ({head, *others} for head, others in load_tree("drug_names")["same"].items())
    return {name: frozenset(group) for group in groups for name in group}


def names_of_drug(name: str) -> frozenset[str]:
    """The name proper and every other name of the same drug."""
    core = drug_core(name)
    return _same().get(core, frozenset({core}))


def dose_in(text: str) -> Dose | None:
    """The first dose in ``text``; ``None`` without one, or where it is masked."""
    for quantity in find_quantities(text):
        if quantity.value is not None and (dose := as_dose(quantity.value, quantity.unit)):
            return dose
    return None


def as_dose(value: float, unit: str) -> Dose | None:
    """A dose from a number and its unit; ``None`` for a unit that measures no dose (a rate, a day)."""
    plain = _UNITS.get(unit, unit)
    if plain in _MASSES:
        return Dose(round(value * _MASSES[plain], 6), "mg")
    return (
        Dose(value, plain) if plain in ("U", "ml", "片", "粒", "支", "袋", "丸", "揿", "滴", "万U") else None
    )


def times_a_day(text: str) -> float | None:
    """How often a day ``text`` says a drug is taken; ``None`` where it does not."""
    half = half_width(text).lower()
    if match := _REGULAR.search(half):
        written = match["first"] or match["second"]
        return float(_HAN.get(written) or written)
    found = _irregular().search(half)
    return _frequencies()[found.group()] if found else None


@cache
def _frequencies() -> Mapping[str, float]:
    listed = load_tree("frequencies")
    return {form.lower(): float(times) for times, forms in listed.items() for form in forms}


@cache
def _irregular() -> re.Pattern[str]:
    forms = sorted(_frequencies(), key=len, reverse=True)
    parts = [rf"(?<![a-z]){re.escape(f)}(?![a-z])" if f.isascii() else re.escape(f) for f in forms]
    return regex("|".join(parts))


def find_drug(half: str, name: str, within: Span) -> Span | None:
    """Where a half-width text first names the drug, under any of its names."""
    places = [
        Span(start, start + len(each))
        for each in names_of_drug(name)
        if len(each) >= 2 and (start := half.find(each, within.start, within.end)) >= 0
    ]
    return min(places, default=None)
