"""Answering facts: detectors first, then what was answered before, then the model.

The model gets a section's numbered sentences first and the question last, so that every further question on the
same section costs an engine with a prefix cache only the question, and one closed word as answer. Sentence
numbers are asked for only where the answer is 是.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from app.llm.client import LanguageModel, ModelFailure, choice_probabilities
from app.llm.prompts import Prompt
from app.qc.case import Case
from app.qc.facts.answer import Answer
from app.qc.facts.detectors import DETECTORS
from app.qc.facts.fact import Fact
from app.qc.facts.of_stay import combined, detect_in_stay, readings_for
from app.qc.facts.words import told_in_words
from app.records.model import Document, Span
from app.storage.cache import ContentCache, content_key
from app.text.reading import Reading
from app.text.sections import Section
from app.text.sentences import Sentence, split_sentences
from app.text.width import half_width

YES, NO = "是", "否"
WINDOW_CHARACTERS = 1200
EVIDENCE_LIMIT = 3
_VERDICT_SCHEMA = {"type": "string", "enum": [YES, NO]}
_VERDICT_TOKENS = 8
_EVIDENCE_TOKENS = 24


class FactPrompts(NamedTuple):
    """The prompts that ask a fact, and for the sentences that show it."""

    question: Prompt
    evidence: Prompt


class _Passage(NamedTuple):
    """A section, or a window of one, as shown to the model."""

    title: str
    sentences: tuple[Sentence, ...]

    @property
    def texts(self) -> list[str]:
        return [sentence.quote for sentence in self.sentences]

    def touches(self, fact: Fact) -> bool:
        return fact.topic is None or any(fact.topic.search(half_width(text)) for text in self.texts)


class _Judgement(NamedTuple):
    """The model's probability of 是 in one passage, and the numbers (from 1) of the sentences it names."""

    probability: float
    numbers: tuple[int, ...]


class FactAnswerer:
    """Answers facts about documents; without a model, what detectors leave open stays unknown."""

    def __init__(
        self,
        facts: Mapping[str, Fact],
        model: LanguageModel | None,
        prompts: FactPrompts,
        cache: ContentCache | None,
    ) -> None:
        """Use ``model`` (or none); keep its answers in ``cache`` (or nowhere)."""
        self._facts = facts
        self._model = model
        self._prompts = prompts
        self._cache = cache

    def detect(self, case: Case, document: Document | None, name: str) -> Answer:
        """What code alone can answer, of a document or of the whole stay; ``unknown`` where it cannot.

        Without a document only facts of the stay can be answered.
        """
        fact = self._facts[name]
        if fact.is_of_stay or document is None:
            return self._detected_in_stay(case, fact)
        return self._detected(case.reading(document), fact)

    def ask(self, reading: Reading, names: Iterable[str]) -> dict[str, Answer]:
        """Ask the model what code left open; facts of one section follow one another."""
        facts = sorted((self._facts[name] for name in names), key=lambda fact: fact.sections)
        return {fact.name: self._asked(reading, fact) for fact in facts}

    def apart(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """The facts of the stay, and those of a document."""
        given = list(names)
        of_stay = [name for name in given if self._facts[name].is_of_stay]
        return of_stay, [name for name in given if name not in of_stay]

    def ask_in_stay(self, case: Case, names: Iterable[str]) -> dict[str, Answer]:
        """Ask the model what code left open in the documents of the stay."""
        return {name: self._asked_in_stay(case, self._facts[name]) for name in names}

    def can_ask(self, name: str) -> bool:
        """Whether a model may answer this fact."""
        return self._facts[name].ask_model

    def is_of_stay(self, name: str) -> bool:
        """Whether the fact has one answer for the stay, not one a document."""
        return self._facts[name].is_of_stay

    def _detected_in_stay(self, case: Case, fact: Fact) -> Answer:
        if not fact.look_in:
            return detect_in_stay(case, fact)
        return combined(fact, (self._detected(reading, fact) for reading in readings_for(case, fact)))

    def _asked_in_stay(self, case: Case, fact: Fact) -> Answer:
        answers = []
        for reading in readings_for(case, fact):
            answer = self._detected(reading, fact)
            answers.append(self._asked(reading, fact) if answer.value is None else answer)
            if answers[-1].value is True:
                break
        return combined(fact, answers)

    def _detected(self, reading: Reading, fact: Fact) -> Answer:
        section = _section_of(reading, fact)
        found = (
            DETECTORS[fact.detector](reading, section)
            if fact.detector
            else told_in_words(fact, reading, section)
        )
        if found is None:
            return _unknown(fact, f"“{fact.question}”需要阅读判断")
        evidence = tuple(reading.document.evidence(span) for span in found.spans)
        return Answer(found.value, evidence, section=_section_name(fact, section), detail=found.detail)

    def _asked(self, reading: Reading, fact: Fact) -> Answer:
        if self._model is None:
            return _unknown(fact, "未使用语言模型")
        section = _section_of(reading, fact)
        if fact.sections and section is None:
            return _unknown(fact, f"没有{'、'.join(fact.sections)}段")
        passages = [each for each in _passages(reading, section) if each.touches(fact)]
        if not passages:
            return _unknown(fact, "没有可供判断的文字")
        try:
            judged = [(passage, self._judgement(self._model, passage, fact)) for passage in passages]
        except ModelFailure as failure:
            return _unknown(fact, failure.reason)
        best, judgement = max(judged, key=lambda pair: pair[1].probability)
        spans = [Span(*best.sentences[number - 1][:2]) for number in judgement.numbers]
        if not spans and section is not None:
            spans = [section.heading]
        evidence = tuple(reading.document.evidence(span) for span in spans)
        return _decided(fact, _section_name(fact, section), judgement.probability, evidence)

    def _judgement(self, model: LanguageModel, passage: _Passage, fact: Fact) -> _Judgement:
        parts = (self._prompts.question.key, self._prompts.evidence.key, str(fact.threshold), passage.title)
        key = content_key("fact", model.identity, *parts, fact.question, *passage.texts)
        kept = self._cache.get(key) if self._cache else None
        if kept is not None:
            return _Judgement(kept["p"], tuple(kept["s"]))
        values = {"section": passage.title, "sentences": passage.texts, "question": fact.question}
        probability = self._probability(model, values)
        numbers = self._numbers(model, values) if probability >= fact.threshold else ()
        if self._cache:
            self._cache.put(key, {"p": probability, "s": numbers})
        return _Judgement(probability, numbers)

    def _probability(self, model: LanguageModel, values: Mapping[str, Any]) -> float:
        answer = model.answer(
            self._prompts.question, values, schema=_VERDICT_SCHEMA, max_tokens=_VERDICT_TOKENS
        )
        chances = choice_probabilities(answer, answer.text.index(answer.data), (YES, NO))
        if not chances:
            raise ModelFailure("invalid", "模型服务没有给出答案的概率")
        return chances[YES]

    def _numbers(self, model: LanguageModel, values: Mapping[str, Any]) -> tuple[int, ...]:
        offered = list(range(1, len(values["sentences"]) + 1))
        if len(offered) == 1:
            return (1,)
        items = {"type": "integer", "enum": offered}
        schema = {"type": "array", "items": items, "minItems": 1, "maxItems": EVIDENCE_LIMIT}
        answer = model.answer(self._prompts.evidence, values, schema=schema, max_tokens=_EVIDENCE_TOKENS)
        return tuple(dict.fromkeys(answer.data))


def _section_of(reading: Reading, fact: Fact) -> Section | None:
    return reading.section(*fact.sections) if fact.sections else None


def _section_name(fact: Fact, section: Section | None) -> str:
    if section is not None:
        return section.name
    return fact.sections[0] if fact.sections else ""


def _unknown(fact: Fact, reason: str) -> Answer:
    return Answer(None, source="none", confidence=0.0, reason=reason, section=_section_name(fact, None))


def _decided(fact: Fact, section: str, probability: float, evidence: tuple[Any, ...]) -> Answer:
    if probability >= fact.threshold:
        return Answer(True, evidence, "model", probability, section=section)
    if probability <= fact.denial_threshold:
        return Answer(False, evidence, "model", 1 - probability, section=section)
    reason = f"模型把握不足（“是”的概率 {probability:.2f}）"
    return Answer(None, evidence, "model", probability, reason, section=section)


def _passages(reading: Reading, section: Section | None) -> list[_Passage]:
    span = section.body if section else Span(0, len(reading.document.text))
    title = section.name if section else reading.document.kind
    windows: list[list[Sentence]] = []
    length = 0
    for sentence in split_sentences(reading.document.text, span):
        if not windows or length + len(sentence.quote) > WINDOW_CHARACTERS:
            windows.append([])
            length = 0
        windows[-1].append(sentence)
        length += len(sentence.quote)
    return [_Passage(title, tuple(window)) for window in windows]
