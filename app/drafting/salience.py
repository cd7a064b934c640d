"""How much a sentence matters to someone who reads the discharge record; cues are in ``cues.yaml``."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from app.text.width import half_width
from app.yaml_data import read_yaml

ItemKind = Literal[
    "operation", "event", "critical", "result", "changed", "treatment", "consultation", "state", "diagnosis", "routine"
]  # fmt: skip


class Salience(NamedTuple):
    """Kind of a source item and its weight; a higher weight is told first."""

    kind: ItemKind
    weight: int


class _Cue(NamedTuple):
    kind: ItemKind
    weight: int
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Cues:
    """``cues.yaml``, compiled."""

    cues: tuple[_Cue, ...]
    sections: dict[str, int]
    documents: dict[str, int]
    in_long_parts: re.Pattern[str]
    tellable_from: int
    salient_from: int
    condition: re.Pattern[str]
    not_condition: re.Pattern[str]
    advice: re.Pattern[str]
    not_advice: re.Pattern[str]
    take_home: re.Pattern[str]
    positive_exam: re.Pattern[str]
    plan: re.Pattern[str]
    transfer: re.Pattern[str]
    cause_of_death: re.Pattern[str]


@lru_cache(maxsize=1)
def cues() -> Cues:
    """The cues, read once."""
    raw = read_yaml(Path(__file__).parent / "cues.yaml")
    return Cues(
        cues=tuple(
            _Cue(cue["kind"], cue["weight"], re.compile(cue["pattern"], re.IGNORECASE)) for cue in raw["cues"]
        ),
        sections=raw["sections"],
        documents=raw["documents"],
        in_long_parts=re.compile(raw["in_long_parts"]),
        tellable_from=raw["tellable_from"],
        salient_from=raw["salient_from"],
        condition=re.compile(raw["condition"]),
        not_condition=re.compile(raw["not_condition"]),
        advice=re.compile(raw["advice"]),
        not_advice=re.compile(raw["not_advice"]),
        take_home=re.compile(raw["take_home"]),
        positive_exam=re.compile(raw["positive_exam"]),
        plan=re.compile(raw["plan"]),
        transfer=re.compile(raw["transfer"]),
        cause_of_death=re.compile(raw["cause_of_death"]),
    )


def salience_of(sentence: str, section: str = "", document_type: str = "") -> Salience:
    """Salience of a sentence of a course note.

    Args:
        sentence: as written.
        section: canonical name of the section that it stands in.
        document_type: of the note.
    """
    text = half_width(sentence)
    matching = [cue for cue in cues().cues if cue.pattern.search(text)]
    weight = sum(cue.weight for cue in matching) + cues().sections.get(section, 0)
    leading = max((cue for cue in matching if cue.weight > 0), key=lambda cue: cue.weight, default=None)
    if leading:
        weight += cues().documents.get(document_type, 0)
    return Salience(leading.kind if leading else "routine", weight)
