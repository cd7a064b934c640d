"""What a note says of allergies: which drug, and who denies any."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from app.records.model import Span
from app.text.assertion import Assertion, find_mentions
from app.text.lexicons import load_mapping, load_terms, load_tree
from app.text.patterns import regex
from app.text.reading import Reading

_HISTORY_SECTIONS = ("过敏史", "既往史", "手术外伤史")
_ALLERGY = regex("过敏|皮试")
_CONFIRMS = regex(
    r"[”’\"')】\s]*(?:类|类?药物|类?抗生素|制剂|针剂?|注射液|片|胶囊|等)?[”’\"')\s]*"
    r"(?:[、,及和/或与]\s*[^,。;、\n]{1,10}?){0,3}"
    r"(?:[有曾]|发生|出现|引起|所?致|(?:静[滴注推]|口服|肌注|使用|应用)?后)?(?:严重|药物)?"
    r"(?:过敏(?!反应(?:的|可能))|皮试(?:结果)?[:为呈]?\s*(?:阳性|\(\+\)))"
)
_REACTION = regex(
    r"[”’\"']?[^,。;\n]{0,6}?后[^。;\n]{0,14}?(?:皮疹|风团|荨麻疹|休克|喉头水肿|过敏|瘙痒|红斑|呼吸困难|药疹)"
)
_DENIAL = regex(
    r"(?:否认|无|未诉|没有|未发现)(?P<listed>[^。;,\n]{0,30}?)过敏(?:反应|情况|现象)?(?:史)?"
    r"|过敏(?:药物|史|情况)?(?:史)?\s*[:：]\s*(?:否认|无(?!法)|未发现|-|/|—)(?![\u4e00-\u9fff]{0,4}其他)"
)
_LIMITED = regex("其他|其它|其余|余|别的|另|青霉素|头孢|磺胺|喹诺酮|造影剂|接触|花粉|海鲜|尘螨")
_OBJECT = regex("药|食物|食品")


class Allergen(NamedTuple):
    """One drug that a note names as an allergen; ``related`` are the drugs of its family, itself included."""

    span: Span
    term: str
    related: frozenset[str]


class AllergyDenial(NamedTuple):
    """A place that denies drug allergies altogether."""

    span: Span


@cache
def allergy_families() -> Mapping[str, frozenset[str]]:
    """Every drug that may be an allergen, to the drugs of its family (to itself alone where it has none)."""
    drugs = load_mapping("drug_classes")
    families: dict[str, set[str]] = {term: {term} for term in load_terms("drug_classes")}
    for name, family in load_tree("allergy_classes").items():
        members = {name, *family["written"]}.union(*(drugs[each] for each in family["classes"]))
        for member in members:
            families.setdefault(member, set()).update(members)
    return {
        term: frozenset(related) for term, related in families.items() if not term.endswith(("药", "与铁剂"))
    }


@cache
def _terms() -> tuple[str, ...]:
    return tuple(allergy_families())


def allergens_named(words: str) -> tuple[Allergen, ...]:
    """The drugs named in words that are known to be an allergen (a field of the record)."""
    return tuple(
        Allergen(mention.span, mention.term, _related(mention.term))
        for mention in find_mentions(words, _terms())
    )


def _related(term: str) -> frozenset[str]:
    return allergy_families().get(term, frozenset({term}))


def find_allergens(reading: Reading) -> tuple[Allergen, ...]:
    """The patient's own drug allergies that a note affirms.

    A drug counts before 过敏 or 皮试阳性, anywhere in a 过敏史, and in the past history before a reaction (静滴左氧氟沙星
    后荨麻疹). The span covers drug and reaction.
    """
    found = dict.fromkeys(each for stretch in _stretches(reading) for each in _allergens(reading, stretch))
    return tuple(sorted(found, key=lambda allergen: allergen.span))


def _stretches(reading: Reading) -> Iterator[Span]:
    """The sentences that speak of allergy, and those of the past history."""
    for section in reading.sections:
        if section.name in _HISTORY_SECTIONS:
            yield section.body
    seen = -1
    for match in _ALLERGY.finditer(reading.half):
        if match.start() <= seen:
            continue
        start = max(reading.half.rfind(mark, 0, match.start()) for mark in "。;\n") + 1
        ends = [end for mark in "。;\n" if (end := reading.half.find(mark, match.end())) >= 0]
        seen = min(ends, default=len(reading.half))
        yield Span(start, seen)


def _allergens(reading: Reading, stretch: Span) -> Iterator[Allergen]:
    half = reading.half
    in_history = any(
        section.name in _HISTORY_SECTIONS and section.body.contains(stretch) for section in reading.sections
    )
    listed = any(s.name == "过敏史" and s.body.contains(stretch) for s in reading.sections)
    for mention in find_mentions(half, _terms(), stretch):
        if mention.assertion is not Assertion.PRESENT or mention.subject != "patient":
            continue
        shown = _CONFIRMS.match(half, mention.span.end, stretch.end)
        if not shown and in_history:
            shown = _REACTION.match(half, mention.span.end, stretch.end)
        if shown or listed:
            end = shown.end() if shown else mention.span.end
            yield Allergen(Span(mention.span.start, end), mention.term, _related(mention.term))


def find_allergy_denials(reading: Reading) -> tuple[AllergyDenial, ...]:
    """The places that deny drug allergies; 否认其他…过敏史 and denials of one substance or of food are none."""
    found = []
    for match in _DENIAL.finditer(reading.half):
        listed = match["listed"] or ""
        if _LIMITED.search(listed) or ("药" not in listed and re.search("食|海|花粉|接触", listed)):
            continue
        if (
            listed
            and not _OBJECT.search(listed)
            and not re.fullmatch(r"[\s“”‘’\"']*(?:任何|明[显确]|特殊|既往|有)*[\s“”‘’\"']*", listed)
        ):
            continue
        found.append(AllergyDenial(Span(*match.span())))
    return tuple(found)
