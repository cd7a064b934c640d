"""Running the examples that every rule carries."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from app.qc.engine import Checker
from app.qc.rule import ExampleInput, Rule
from app.qc.ruling import OUTCOME_TITLES, Outcome
from app.records.model import MedicalRecord
from app.records.readers.json_record import parse_record


class ExampleRun(NamedTuple):
    """One example: what it should give, what it gave, and why."""

    rule: str
    number: int
    expected: Outcome
    outcome: Outcome
    reason: str

    @property
    def is_right(self) -> bool:
        """Whether the rule did as its example says."""
        return self.outcome == self.expected

    def __str__(self) -> str:
        reason = f"（{self.reason}）" if self.reason else ""
        return f"{self.rule} 的第 {self.number} 个“{OUTCOME_TITLES[self.expected]}”例子得到“{OUTCOME_TITLES[self.outcome]}”{reason}"


def example_record(rule: Rule, example: ExampleInput) -> MedicalRecord:
    """The record that an example stands for.

    A text becomes one document of the rule's first type; in a mapping, documents may leave out ``id``
    and (for the first type) ``type``.

    Raises:
        UserError: the example is not a record.
    """
    content: dict[str, Any] = (
        {"documents": [{"text": example}]} if isinstance(example, str) else dict(example)
    )
    content.setdefault("record_id", f"{rule.code}-example")
    if content.get("documents") is not None:
        content["documents"] = [
            {
                "id": f"D{number:02}",
                "type": rule.applies_to[0] if rule.applies_to else "其他",
                "text": "（略）",
                **document,
            }
            for number, document in enumerate(content["documents"], 1)
        ]
    return parse_record(content, f"规则 {rule.code} 的例子")[0]


def run_examples(rule: Rule, checker: Checker) -> Iterator[ExampleRun]:
    """Run all examples of one rule."""
    groups: tuple[tuple[Outcome, tuple[ExampleInput, ...]], ...] = (
        ("defect", rule.examples.fail),
        ("pass", rule.examples.passing),
        ("not_applicable", rule.examples.not_applicable),
        ("undetermined", rule.examples.undetermined),
    )
    for expected, examples in groups:
        for number, example in enumerate(examples, 1):
            report = checker.check_rule(rule, example_record(rule, example))
            yield ExampleRun(
                rule.code,
                number,
                expected,
                report.result.outcomes[rule.code],
                report.reasons.get(rule.code, ""),
            )
