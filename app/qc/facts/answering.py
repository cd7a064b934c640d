"""Answering facts: detectors first, then what was answered before, then one model call a section."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from app.llm.client import Answer as ModelAnswer
from app.llm.client import LanguageModel, ModelFailure, choice_probabilities
from app.llm.prompts import Prompt
from app.qc.facts.detectors import DETECTORS
from app.qc.facts.fact import Answer, Fact
from app.records.model import Span
from app.storage.cache import ContentCache, content_key
from app.text.reading import Reading
from app.text.sections import Section
from app.text.sentences import Sentence, split_sentences

YES, NO = "是", "否"
WINDOW_CHARACTERS = 1200
EVIDENCE_LIMIT = 3


class _Judgement(NamedTuple):
    """The model's probability of 是 for one fact in one window, and the sentences it names."""

    probability: float
    sentences: tuple[Sentence, ...]


class FactAnswerer:
    """Answers facts about documents; without a model, what detectors leave open stays unknown."""

    def __init__(
        self,
        facts: Mapping[str, Fact],
        model: LanguageModel | None,
        prompt: Prompt,
        cache: ContentCache | None,
    ) -> None:
        """Use ``model`` (or none) with ``prompt``; keep its answers in ``cache`` (or nowhere)."""
        self._facts = facts
        self._model = model
        self._prompt = prompt
        self._cache = cache

    def detect(self, reading: Reading, names: Iterable[str]) -> dict[str, Answer]:
        """What code alone can answer, and ``unknown`` for the rest."""
        return {name: self._detected(reading, self._facts[name]) for name in names}

    def ask(self, reading: Reading, names: Iterable[str]) -> dict[str, Answer]:
        """Ask the model what code left open, one call a section and window."""
        by_section: dict[tuple[str, Span], list[Fact]] = {}
        for fact in (self._facts[name] for name in names):
            section = reading.section(*fact.sections) if fact.sections else None
            place = (section.name, section.body) if section else ("全文", Span(0, len(reading.document.text)))
            by_section.setdefault(place, []).append(fact)
        answers: dict[str, Answer] = {}
        for (title, span), facts in by_section.items():
            answers |= self._asked(reading, title, span, facts)
        return answers

    def can_ask(self, name: str) -> bool:
        """Whether a model may answer this fact."""
        return self._facts[name].ask_model

    def _detected(self, reading: Reading, fact: Fact) -> Answer:
        section: Section | None = reading.section(*fact.sections) if fact.sections else None
        found = DETECTORS[fact.detector](reading, section) if fact.detector else None
        if found is None:
            return Answer(None, source="none", confidence=0.0, reason=f"“{fact.question}”需要阅读判断")
        evidence = tuple(reading.document.evidence(span) for span in found.spans)
        return Answer(found.value, evidence)

    def _asked(self, reading: Reading, title: str, span: Span, facts: Sequence[Fact]) -> dict[str, Answer]:
        if self._model is None:
            reason = "未使用语言模型"
            return {fact.name: Answer(None, source="none", confidence=0.0, reason=reason) for fact in facts}
        judged: dict[str, list[_Judgement]] = {fact.name: [] for fact in facts}
        try:
            for window in _windows(split_sentences(reading.document.text, span)):
                for name, judgement in self._judge(title, window, facts).items():
                    judged[name].append(judgement)
        except ModelFailure as failure:
            return {
                fact.name: Answer(None, source="none", confidence=0.0, reason=failure.reason)
                for fact in facts
            }
        return {fact.name: _decided(reading, fact, judged[fact.name]) for fact in facts}

    def _judge(self, title: str, window: Sequence[Sentence], facts: Sequence[Fact]) -> dict[str, _Judgement]:
        assert self._model is not None  # noqa: S101
        texts = [sentence.quote for sentence in window]
        keys = {
            f.name: content_key("fact", self._model.identity, self._prompt.key, title, *texts, f.question)
            for f in facts
        }
        kept = {name: value for name, key in keys.items() if self._cache and (value := self._cache.get(key))}
        judgements = {name: _recalled(value, window) for name, value in kept.items()}
        open_facts = [fact for fact in facts if fact.name not in judgements]
        if not open_facts:
            return judgements
        values = {"section": title, "sentences": texts, "questions": [fact.question for fact in open_facts]}
        answer = self._model.answer(
            self._prompt,
            values,
            schema=answer_schema(len(open_facts), len(texts)),
            max_tokens=24 * len(open_facts) + 16,
        )
        for fact, judgement in zip(open_facts, _judgements(answer, window), strict=True):
            judgements[fact.name] = judgement
            if self._cache:
                numbers = [window.index(sentence) + 1 for sentence in judgement.sentences]
                self._cache.put(keys[fact.name], {"p": judgement.probability, "s": numbers})
        return judgements


def answer_schema(questions: int, sentences: int) -> dict[str, Any]:
    """The closed form of an answer: for each question 是 or 否, and at most three sentence numbers."""
    one = {
        "type": "object",
        "properties": {
            "v": {"type": "string", "enum": [YES, NO]},
            "s": {
                "type": "array",
                "items": {"type": "integer", "enum": list(range(1, sentences + 1))},
                "maxItems": EVIDENCE_LIMIT,
            },
        },
        "required": ["v", "s"],
        "additionalProperties": False,
    }
    names = [str(number) for number in range(1, questions + 1)]
    return {
        "type": "object",
        "properties": dict.fromkeys(names, one),
        "required": names,
        "additionalProperties": False,
    }


def _judgements(answer: ModelAnswer, window: Sequence[Sentence]) -> list[_Judgement]:
    found, start = [], 0
    for entry in answer.data.values():
        start = answer.text.index('"v"', start)
        value_at = answer.text.index(entry["v"], start + 3)
        chances = choice_probabilities(answer, value_at, (YES, NO))
        numbers = dict.fromkeys(entry["s"])
        found.append(_Judgement(chances[YES], tuple(window[number - 1] for number in numbers)))
        start = value_at
    return found


def _recalled(value: Mapping[str, Any], window: Sequence[Sentence]) -> _Judgement:
    return _Judgement(value["p"], tuple(window[number - 1] for number in value["s"]))


def _windows(sentences: Sequence[Sentence]) -> list[Sequence[Sentence]]:
    windows: list[list[Sentence]] = [[]]
    length = 0
    for sentence in sentences:
        if windows[-1] and length + len(sentence.quote) > WINDOW_CHARACTERS:
            windows.append([])
            length = 0
        windows[-1].append(sentence)
        length += len(sentence.quote)
    return [window for window in windows if window]


def _decided(reading: Reading, fact: Fact, judgements: Sequence[_Judgement]) -> Answer:
    if not judgements:
        return Answer(None, source="none", confidence=0.0, reason="没有可供判断的文字")
    best = max(judgements, key=lambda judgement: judgement.probability)
    evidence = tuple(reading.document.evidence(Span(s.start, s.end)) for s in best.sentences)
    if best.probability >= fact.threshold:
        return Answer(True, evidence, "model", best.probability)
    if best.probability <= fact.denial_threshold:
        return Answer(False, evidence, "model", 1 - best.probability)
    return Answer(
        None, evidence, "model", best.probability, f"模型把握不足（“是”的概率 {best.probability:.2f}）"
    )
