"""What judging records costs in model tokens: shared facts, against one prompt a rule over the same documents."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.errors import UserError
from app.llm.client import Answer, LanguageModel, ModelFailure, Schema
from app.llm.prompts import Prompt, load_prompt
from app.qc.engine import Checker
from app.qc.facts.answering import NO, YES
from app.qc.rule import Rule
from app.records.model import MedicalRecord

LARGEST_SHARE = 0.2
FRAME_TOKENS = 20
_SCHEMA: Schema = {"type": "string", "enum": [YES, NO]}
_MAX_TOKENS = 8


class Cost(NamedTuple):
    """What calls to a model cost.

    Attributes:
        calls: how many.
        prompt_tokens: of all prompts, each counted whole.
        answer_tokens: written by the model.
        seconds: on the clock, where the calls were made; 0 where they were only counted.
    """

    calls: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Read and written together."""
        return self.prompt_tokens + self.answer_tokens

    def plus(self, other: "Cost") -> "Cost":
        """Both together."""
        return Cost(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.answer_tokens + other.answer_tokens,
            self.seconds + other.seconds,
        )


class RecordCost(NamedTuple):
    """The cost of one record in both ways.

    Attributes:
        characters: of all its documents.
        questions: rules that rest on facts, once for each document that they apply to.
        facts: judged as the program does.
        one_by_one: one prompt a question; ``is_timed``: really asked.
    """

    characters: int
    questions: int
    facts: Cost
    one_by_one: Cost
    is_timed: bool


class MeteredModel(LanguageModel):
    """A model that counts what it is asked; a failed call counts as its prompt."""

    def __init__(self, model: LanguageModel) -> None:
        """Ask ``model``."""
        self._model = model
        self.identity = model.identity
        self.context_tokens = model.context_tokens
        self.cost = Cost()

    def answer(
        self, prompt: Prompt, values: Mapping[str, object], *, schema: Schema | None, max_tokens: int
    ) -> Answer:
        """See ``LanguageModel.answer``."""
        started = time.monotonic()
        try:
            answer = self._model.answer(prompt, values, schema=schema, max_tokens=max_tokens)
        except ModelFailure:
            self._add(prompt_tokens(self._model, prompt, values), 0, started)
            raise
        read = answer.usage.prompt_tokens or prompt_tokens(self._model, prompt, values)
        self._add(read, answer.usage.completion_tokens, started)
        return answer

    def adapted(self) -> LanguageModel:
        """Itself: with an adapter a question takes as many tokens."""
        return self

    def count_tokens(self, text: str) -> int:
        """See ``LanguageModel.count_tokens``."""
        return self._model.count_tokens(text)

    def spent(self) -> Cost:
        """What was spent since this was last asked."""
        cost, self.cost = self.cost, Cost()
        return cost

    def _add(self, read: int, written: int, started: float) -> None:
        self.cost = self.cost.plus(Cost(1, read, written, time.monotonic() - started))


def prompt_tokens(model: LanguageModel, prompt: Prompt, values: Mapping[str, object]) -> int:
    """How many tokens a prompt takes, its frame included."""
    return FRAME_TOKENS + sum(model.count_tokens(message.content) for message in prompt.messages(values))


def measure(
    checker: Checker, model: MeteredModel, records: Sequence[MedicalRecord], timed: int
) -> Iterator[RecordCost]:
    """Judge the records by facts, and count (for the first ``timed`` also ask) one prompt a rule and document.

    Args:
        checker: asks ``model``; its cache must be empty, or what it holds is not counted.
        model: what both ways ask.
        records: what is judged.
        timed: how many records are also judged one rule at a time, for the clock.
    """
    limited = checker.limited_to([rule.code for rule in checker.rules.values() if rule.fact_names])
    for number, record in enumerate(records):
        model.spent()
        limited.check(record)
        facts = model.spent()
        questions = tuple(_prompts(limited.rules.values(), record))
        is_timed = number < timed
        one_by_one = _asked(model, questions) if is_timed else _counted(model, questions)
        characters = sum(len(document.text) for document in record.documents or ())
        yield RecordCost(characters, len(questions), facts, one_by_one, is_timed)


_Question = tuple[Prompt, dict[str, object]]


def _prompts(rules: Iterable[Rule], record: MedicalRecord) -> Iterator[_Question]:
    prompt = load_prompt("eval_one_rule")
    for rule in rules:
        texts = {name: getattr(rule, name) for name in ("title", "message", "suggestion")}
        for document in record.documents_of(*rule.applies_to):
            yield prompt, {**texts, "kind": document.kind, "note": document.text}


def _counted(model: MeteredModel, questions: Iterable[_Question]) -> Cost:
    counts = [prompt_tokens(model, prompt, values) for prompt, values in questions]
    return Cost(len(counts), sum(counts), len(counts))


def _asked(model: MeteredModel, questions: Iterable[_Question]) -> Cost:
    for prompt, values in questions:
        try:
            model.answer(prompt, values, schema=_SCHEMA, max_tokens=_MAX_TOKENS)
        except ModelFailure:
            continue  # its prompt is counted; the answer itself is of no interest here
    return model.spent()


class TokenReport(NamedTuple):
    """The costs of all records."""

    records: tuple[RecordCost, ...]

    @property
    def facts(self) -> Cost:
        """By facts, all records."""
        return _sum(each.facts for each in self.records)

    @property
    def one_by_one(self) -> Cost:
        """One prompt a rule, all records."""
        return _sum(each.one_by_one for each in self.records)

    @property
    def share(self) -> float:
        """Tokens by facts as a share of those of one prompt a rule."""
        return self.facts.tokens / max(1, self.one_by_one.tokens)

    @property
    def time_share(self) -> float | None:
        """The same of the seconds, over the records that were judged both ways; ``None`` for none."""
        timed = [each for each in self.records if each.is_timed]
        seconds = sum(each.one_by_one.seconds for each in timed)
        return sum(each.facts.seconds for each in timed) / seconds if seconds else None

    def as_json(self) -> dict[str, Any]:
        """The object that ``bingli eval tokens`` prints; per record."""
        n = len(self.records)
        return {
            "n": n,
            "characters": round(sum(each.characters for each in self.records) / n, 1),
            "questions": round(sum(each.questions for each in self.records) / n, 1),
            "facts": _per_record(self.facts, n),
            "one_prompt_per_rule": _per_record(self.one_by_one, n),
            "token_share": round(self.share, 4),
            "largest_share": LARGEST_SHARE,
            "timed_records": sum(each.is_timed for each in self.records),
            "time_share": None if self.time_share is None else round(self.time_share, 4),
        }


def report(costs: Iterable[RecordCost]) -> TokenReport:
    """The report over measured records.

    Raises:
        UserError: there is no record, or no rule that rests on facts applies.
    """
    measured = tuple(costs)
    if not any(each.questions for each in measured):
        raise UserError("没有可以比较的：没有病历，或没有适用的按事实判定的规则。")
    return TokenReport(measured)


def _sum(costs: Iterable[Cost]) -> Cost:
    whole = Cost()
    for cost in costs:
        whole = whole.plus(cost)
    return whole


def _per_record(cost: Cost, n: int) -> dict[str, float]:
    shares = {name: round(value / n, 2) for name, value in cost._asdict().items() if name != "seconds"}
    return {**shares, "tokens": round(cost.tokens / n, 2)}
