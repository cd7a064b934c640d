"""Asking the model about a note: the whole indicator, and each statement of its condition.

The note comes first and the question last, so that an engine with a prefix cache reads the note once; the answer
is one closed word, of which only the probability counts.
"""

from typing import NamedTuple

from app.llm.client import LanguageModel, ModelFailure, choice_probabilities
from app.llm.prompts import Prompt, load_prompt
from app.qc.facts.answering import NO, YES
from app.storage.cache import ContentCache, content_key
from app.text.sentences import split_sentences

WINDOW_CHARACTERS = 2200
_SCHEMA = {"type": "string", "enum": [YES, NO]}
_MAX_TOKENS = 8


class IndicatorPrompts(NamedTuple):
    """The prompts: the indicator as a question, and one statement."""

    rule: Prompt
    fact: Prompt

    @property
    def key(self) -> str:
        """Changes whenever an answer could."""
        return " ".join(prompt.key for prompt in self)


def indicator_prompts() -> IndicatorPrompts:
    """The bundled prompts."""
    return IndicatorPrompts(*(load_prompt(f"indicator_{name}") for name in IndicatorPrompts._fields))


class Asker:
    """Asks one model, adapted where it can be, and remembers its answers in ``cache`` (or nowhere)."""

    def __init__(self, model: LanguageModel, prompts: IndicatorPrompts, cache: ContentCache | None) -> None:
        self._model = model.adapted()
        self._cache = cache
        self.prompts = prompts

    @property
    def identity(self) -> str:
        """Which model answers, with which prompts: what a calibration is fitted to."""
        return f"{self._model.identity} {self.prompts.key}"

    def probability(self, prompt: Prompt, note: str, question: str) -> float:
        """The probability of 是, 0–1; of a long note the highest that any window of it gives.

        Raises:
            ModelFailure: there is no usable answer.
        """
        return max(self._kept(prompt, window, question) for window in windows(note))

    def _kept(self, prompt: Prompt, note: str, question: str) -> float:
        key = content_key("indicator", self._model.identity, prompt.key, note, question)
        kept = self._cache.get(key) if self._cache else None
        if isinstance(kept, float):
            return kept
        probability = self._asked(prompt, note, question)
        if self._cache:
            self._cache.put(key, probability)
        return probability

    def _asked(self, prompt: Prompt, note: str, question: str) -> float:
        values = {"note": note, "question": question}
        answer = self._model.answer(prompt, values, schema=_SCHEMA, max_tokens=_MAX_TOKENS)
        chances = choice_probabilities(answer, answer.text.index(answer.data), (YES, NO))
        if not chances:
            raise ModelFailure("invalid", "模型服务没有给出答案的概率")
        return chances[YES]


def windows(note: str) -> list[str]:
    """The note in pieces of whole sentences, of at most ``WINDOW_CHARACTERS`` each; mostly one.

    A sentence that is longer itself is cut.
    """
    pieces: list[str] = []
    start = end = 0
    for sentence in split_sentences(note):
        if sentence.end - start > WINDOW_CHARACTERS and end > start:
            pieces.append(note[start:end])
            start = sentence.start
        while sentence.end - start > WINDOW_CHARACTERS:
            pieces.append(note[start : start + WINDOW_CHARACTERS])
            start += WINDOW_CHARACTERS
        end = sentence.end
    return [*pieces, note[start:end]] if end > start else pieces or [note]
