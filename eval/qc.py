"""How well the content rules find what experts labelled in admission notes (format of CHIP 2025)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from app.qc.engine import Checker
from app.records.readers.note import note_record
from app.yaml_data import read_yaml
from eval.labelled import Shape, parsed, validated
from eval.metrics import Counts, count, macro_f1, micro

PROFILE = "chip2025"
_SHAPE = Shape("chip2025", "类型不对", "record_id、emr_content 和 problems", "病历")
_RULES = Path(__file__).parent / "data" / "chip2025_rules.yaml"


class Problem(BaseModel):
    """One labelled defect; only the item of the task is read."""

    rule_id: str


class LabelledNote(BaseModel):
    """One admission note with its labels."""

    record_id: str
    emr_content: str
    problems: tuple[Problem, ...]

    @property
    def labels(self) -> set[str]:
        """The items labelled defective."""
        return {problem.rule_id for problem in self.problems}


class Judged(NamedTuple):
    """What was found in one note: items found defective, and items that could not be judged."""

    record_id: str
    predicted: tuple[str, ...]
    undetermined: tuple[str, ...]


class Evaluation(NamedTuple):
    """Counts by item of the task, and how many judgements were left open."""

    n_records: int
    counts: Mapping[str, Counts]
    undetermined: int

    def as_json(self) -> dict[str, Any]:
        """The object that ``bingli eval qc`` prints; shares are rounded to four digits."""
        whole = micro(self.counts)
        return {
            "n_records": self.n_records,
            "micro": {name: round(getattr(whole, name), 4) for name in ("precision", "recall", "f1")},
            "macro": {"f1": round(macro_f1(self.counts), 4)},
            "rules": {item: _row(counts) for item, counts in self.counts.items()},
            "undetermined": self.undetermined,
        }


@cache
def task_items() -> Mapping[str, str]:
    """Our rule code to the item of the task."""
    items: dict[str, str] = read_yaml(_RULES)
    return items


def load_notes(path: Path) -> tuple[LabelledNote, ...]:
    """Read a file of labelled notes: a JSON list, or one object a line.

    Raises:
        UserError: the file cannot be read, or is not of that format, naming the entry and field.
    """
    return validated(path, parsed(path), LabelledNote, _SHAPE)


def judge(checker: Checker, notes: Iterable[LabelledNote]) -> Iterator[Judged]:
    """Check the notes one by one with the rules of the task."""
    items = task_items()
    limited = checker.limited_to(items)
    for note in notes:
        outcomes = limited.check(note_record(note.emr_content, "入院记录", note.record_id)).result.outcomes
        found, left_open = (
            tuple(items[code] for code, outcome in outcomes.items() if outcome == wanted)
            for wanted in ("defect", "undetermined")
        )
        yield Judged(note.record_id, found, left_open)


def evaluate(notes: Sequence[LabelledNote], judged: Sequence[Judged]) -> Evaluation:
    """Compare; an item left open counts as not found, and is counted apart.

    Raises:
        ValueError: notes and judgements do not belong together.
    """
    if [note.record_id for note in notes] != [each.record_id for each in judged]:
        raise ValueError("the judgements are of other notes")
    pairs = [(note.labels, set(each.predicted)) for note, each in zip(notes, judged, strict=True)]
    open_count = sum(len(each.undetermined) for each in judged)
    return Evaluation(len(notes), count(task_items().values(), pairs), open_count)


def _row(counts: Counts) -> dict[str, float]:
    shares = {name: round(getattr(counts, name), 4) for name in ("precision", "recall", "f1")}
    return {**counts._asdict(), **shares, "n": counts.n}
