"""Names of drugs in a text, and which of them mean the same drug.

Texts are in comparable form (``normalise``): brands are generic names already.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

from app.drafting.normal import lexicon
from app.text.dosing import drug_core


class NamedDrug(NamedTuple):
    """A drug where a text names it.

    Attributes:
        end: where the name ends.
        is_listed: whether the name is known; the beginning of an unlisted one may be wording.
        marks: what makes another drug of the same stem, standing inside the name or right beside it: 左, 低分子, 舒巴坦.
    """

    end: int
    name: str
    is_listed: bool
    marks: frozenset[str]

    @property
    def start(self) -> int:
        """Where the name begins."""
        return self.end - len(self.name)

    def is_same(self, other: "NamedDrug") -> bool:
        """Whether both are one drug; form and salt do not matter."""
        if self.marks != other.marks:
            return False
        one, two = drug_core(self.name), drug_core(other.name)
        if self.is_listed and other.is_listed:
            return one == two
        return one.endswith(two[-_TELLING:]) or two.endswith(one[-_TELLING:])


_TELLING = 4
"""Last characters of a name that tell it from others."""


@lru_cache(maxsize=2048)
def named_drugs(text: str) -> tuple[NamedDrug, ...]:
    """The drugs of a text in order: listed names, else by the telling ending of an unlisted one."""
    words = lexicon()
    rest = words.drug.sub(lambda m: " " * len(m[0]), text)
    listed = [_named(text, m, is_listed=True) for m in words.drug.finditer(text)]
    partners = frozenset(words.drug_partners)
    found = [*listed, *(_named(text, m, is_listed=False) for m in words.drug_like.finditer(rest))]
    return tuple(sorted(drug for drug in found if not (drug.name in partners and _is_beside(drug, found))))


def _is_beside(partner: NamedDrug, found: list[NamedDrug]) -> bool:
    return any(0 <= partner.start - drug.end <= 1 and partner.name in drug.marks for drug in found)


def _named(text: str, match: re.Match[str], *, is_listed: bool) -> NamedDrug:
    words, name = lexicon(), match[0]
    before, after = text[: match.start()], text[match.end() :].lstrip("钠钾钙/-")
    prefixes = (p for p in words.drug_prefixes if before.endswith(p) or p in name)
    partners = (p for p in words.drug_partners if after.startswith(p) or (p in name and p != name))
    return NamedDrug(
        match.end(), name, is_listed, frozenset(p.removesuffix("旋") for p in (*prefixes, *partners))
    )


_STRETCH_END = re.compile("[。;；\n]")
_PART = re.compile("[^,，、]+")
_REPLACED = re.compile("[改换][为成用服予]$")


def stopped_drugs(text: str) -> tuple[tuple[NamedDrug, bool], ...]:
    """The drugs of a text in order, each with whether the words stop it.

    A drug with no verb of its own goes on with the verb before it (停用甲，乙100mg stops both), up to the next stop or
    the next part of the sentence that names no drug.
    """
    return tuple(told for stretch in _STRETCH_END.split(text) for told in _told_in(stretch))


def _told_in(stretch: str) -> Iterator[tuple[NamedDrug, bool]]:
    goes_on = False  # whether a drug without a verb would be stopped
    for part in _PART.findall(stretch):
        drugs, at = named_drugs(part), 0
        goes_on = goes_on and bool(drugs)
        for drug, following in zip_longest(drugs, drugs[1:]):
            goes_on = next(reversed(_verbs(part[at : drug.start])), goes_on)
            at = drug.end
            if following is None:
                yield drug, next(iter(_verbs(part[at:])), goes_on)
            else:
                yield drug, goes_on or _REPLACED.search(part[at : following.start]) is not None
        goes_on = next(reversed(_verbs(part[at:])), goes_on)


def _verbs(text: str) -> list[bool]:
    """For each verb in order, whether it stops something."""
    words = lexicon()
    stops = [(m.start(), True) for m in words.stopping.finditer(text)]
    gives = [(m.start(), False) for m in words.giving.finditer(text)]
    return [stops_it for _, stops_it in sorted(stops + gives)]
