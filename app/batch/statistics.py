"""What the reports of a batch count; its size depends on rules, departments and months, not on records."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from app.batch.store import Entry, Store
from app.batch.worker import OUTCOME_LETTERS, STANDING_LETTERS
from app.qc.indicators import Indicator, IndicatorValue, load_indicators, value_of
from app.qc.quality_index import (
    UNIQUE_IDS,
    Dimension,
    Tally,
    dimensions_by_rule,
    index,
    load_dimensions,
)
from app.qc.rule import Rule
from app.qc.ruling import OUTCOMES, Outcome
from app.qc.scoring import GRADES, Profile
from app.resources import RULES

ALL = "合计"
NO_GRADE = "未评"
ALL_GRADES = (*GRADES, NO_GRADE)

_STANDINGS = {letter: standing for standing, letter in STANDING_LETTERS.items()}


class Group(NamedTuple):
    """The records of one department that ended in one month."""

    department: str
    month: str


@dataclass
class Part:
    """Counts over some records; ``outcomes`` and ``standings`` count (position of rule or indicator, letter)."""

    records: int = 0
    duplicates: int = 0
    scored: int = 0
    score_sum: float = 0.0
    lowest: float | None = None
    judged_share_sum: float = 0.0
    grades: Counter[str] = field(default_factory=Counter)
    vetoes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[int, str]] = field(default_factory=Counter)
    standings: Counter[tuple[int, str]] = field(default_factory=Counter)

    def add(self, entry: Entry) -> None:
        """Count one record."""
        self.records += 1
        self.judged_share_sum += entry.judged_share
        self.grades[entry.grade or NO_GRADE] += 1
        self.outcomes.update(enumerate(entry.outcomes))
        self.standings.update(enumerate(entry.standings))
        if entry.deciding_vetoes:
            self.vetoes.update(entry.deciding_vetoes.split("、"))
        if entry.score is not None:
            self.scored += 1
            self.score_sum += entry.score
            self.lowest = entry.score if self.lowest is None else min(self.lowest, entry.score)

    def merge(self, other: "Part") -> None:
        """Count the records of another part too."""
        self.records += other.records
        self.duplicates += other.duplicates
        self.scored += other.scored
        self.score_sum += other.score_sum
        self.judged_share_sum += other.judged_share_sum
        lowest = [score for score in (self.lowest, other.lowest) if score is not None]
        self.lowest = min(lowest, default=None)
        self.grades.update(other.grades)
        self.vetoes.update(other.vetoes)
        self.outcomes.update(other.outcomes)
        self.standings.update(other.standings)

    @property
    def mean_score(self) -> float | None:
        """The mean of the records that have a score."""
        return self.score_sum / self.scored if self.scored else None

    @property
    def mean_judged_share(self) -> float | None:
        """The mean share of a record's rules that could be judged."""
        return self.judged_share_sum / self.records if self.records else None


class RuleCount(NamedTuple):
    """In how many records a rule gave which outcome."""

    rule: Rule
    outcomes: Mapping[Outcome, int]

    @property
    def defects(self) -> int:
        """The records with the defect."""
        return self.outcomes["defect"]

    @property
    def judged(self) -> int:
        """The records in which the rule was judged."""
        return self.outcomes["pass"] + self.outcomes["defect"]

    @property
    def share(self) -> float | None:
        """The records with the defect among those judged."""
        return self.defects / self.judged if self.judged else None


class QualityRow(NamedTuple):
    """The data-quality index of some records; ``value`` is 0–100."""

    department: str
    month: str
    records: int
    value: float | None
    dimensions: Mapping[str, Tally]

    @property
    def judged_share(self) -> float | None:
        """What was judged of all that concerned the records, over all dimensions."""
        whole = Tally()
        for tally in self.dimensions.values():
            whole = whole.plus(tally)
        return whole.judged_share


class Statistics:
    """All counts of one batch."""

    def __init__(self, rules: Mapping[str, Rule], profile: Profile) -> None:
        """Count records that were judged by ``rules``."""
        self.rules = tuple(rules.values())
        self.profile = profile
        self.indicators: tuple[Indicator, ...] = load_indicators(RULES / "indicators.yaml")
        self.dimensions: tuple[Dimension, ...] = load_dimensions(RULES / "quality_index.yaml")
        self.groups: defaultdict[Group, Part] = defaultdict(Part)
        self.problems: Counter[str] = Counter()
        self.is_generated = False

    def count(self, store: Store) -> None:
        """Count all that a store holds."""
        for entry in store.entries():
            self.groups[Group(entry.department, entry.month)].add(entry)
            self.is_generated = self.is_generated or bool(entry.is_generated)
        for failure in store.failures():
            self.problems[failure.problem] += 1
            if failure.problem == "duplicate":
                self.groups[Group(failure.department, failure.month)].duplicates += 1

    def whole(self) -> Part:
        """All records together."""
        return _together(self.groups.values())

    def departments(self) -> dict[str, Part]:
        """The parts by department, the largest first."""
        parts = self._by(lambda group: group.department)
        return dict(sorted(parts.items(), key=lambda item: (-item[1].records, item[0])))

    def rule_counts(self, part: Part) -> tuple[RuleCount, ...]:
        """Every rule's outcomes in a part, in the order of the rules."""
        return tuple(
            RuleCount(rule, {o: part.outcomes[number, OUTCOME_LETTERS[o]] for o in OUTCOMES})
            for number, rule in enumerate(self.rules)
        )

    def commonest(self, part: Part) -> tuple[RuleCount, ...]:
        """The rules found defective in a part, the commonest first."""
        found = [count for count in self.rule_counts(part) if count.defects]
        return tuple(sorted(found, key=lambda count: (-count.defects, count.rule.code)))

    def indicator_values(self, part: Part) -> tuple[IndicatorValue, ...]:
        """The national indicators over a part."""
        codes = {rule.code for rule in self.rules}
        return tuple(
            value_of(
                indicator,
                {standing: part.standings[number, letter] for letter, standing in _STANDINGS.items()},
                codes,
            )
            for number, indicator in enumerate(self.indicators)
        )

    def quality(self) -> tuple[QualityRow, ...]:
        """The data-quality index: all, then every department, every month, and every department's months."""
        rows = [self._quality_row(ALL, ALL, self.whole())]
        rows += [self._quality_row(name, ALL, part) for name, part in self.departments().items()]
        months = sorted(self._by(lambda group: group.month).items())
        rows += [self._quality_row(ALL, month, part) for month, part in months]
        rows += [self._quality_row(*group, part) for group, part in sorted(self.groups.items())]
        return tuple(rows)

    @cached_property
    def _dimensions_by_rule(self) -> Mapping[str, str]:
        return dimensions_by_rule(self.dimensions, [rule.code for rule in self.rules])

    def _quality_row(self, department: str, month: str, part: Part) -> QualityRow:
        by_rule = self._dimensions_by_rule
        tallies = dict.fromkeys((dimension.code for dimension in self.dimensions), Tally())
        for count in self.rule_counts(part):
            dimension = by_rule.get(count.rule.code)
            if dimension:
                found = count.outcomes
                added = Tally(found["pass"], found["defect"], found["undetermined"] + found["error"])
                tallies[dimension] = tallies[dimension].plus(added)
        ids = Tally(part.records, part.duplicates)
        tallies[UNIQUE_IDS] = tallies[UNIQUE_IDS].plus(ids)
        return QualityRow(department, month, part.records, index(tallies), tallies)

    def _by(self, key: Callable[[Group], str]) -> dict[str, Part]:
        parts: defaultdict[str, Part] = defaultdict(Part)
        for group, part in self.groups.items():
            parts[key(group)].merge(part)
        return dict(parts)


def _together(parts: Iterable[Part]) -> Part:
    whole = Part()
    for part in parts:
        whole.merge(part)
    return whole
