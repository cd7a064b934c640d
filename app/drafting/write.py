"""Narrative by the language model: a few source items at a time, each sentence naming its sources by number."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from app.drafting.sources import SourceItem
from app.llm.client import LanguageModel, ModelFailure
from app.llm.prompts import load_prompt
from app.storage.cache import ContentCache, content_key

_MOST_SENTENCES = 2
_LONGEST_SENTENCE = 160
"""Characters of one written sentence."""
_TOKENS_A_SENTENCE = 150


class WrittenSentence(NamedTuple):
    """A sentence as the model wrote it, with those of its sources that were offered."""

    text: str
    sources: tuple[SourceItem, ...]


class Written(NamedTuple):
    """One window's sentences, and how many source numbers were invented and stripped."""

    sentences: tuple[WrittenSentence, ...]
    invented_numbers: int


class Narrator:
    """Writes the course of a stay window by window, and remembers what it wrote.

    Attributes:
        failures: reasons of the windows that the model could not write, in Chinese.
        remembered: how many windows the cache answered.
    """

    def __init__(self, model: LanguageModel, cache: ContentCache | None = None) -> None:
        self._model = model
        self._cache = cache
        self._prompt = load_prompt("draft_course")
        self.failures: list[str] = []
        self.remembered = 0

    @property
    def identity(self) -> str:
        """The model that writes."""
        return self._model.identity

    @property
    def prompt_key(self) -> str:
        """Name, version and content of the prompt."""
        return self._prompt.key

    def write(self, window: Sequence[SourceItem]) -> Written | None:
        """Retell a window; ``None`` where the model gave no usable answer."""
        offered = [item.dated_text for item in window]
        key = content_key("draft_course", self._model.identity, self._prompt.key, *offered)
        answer = self._cache.get(key) if self._cache else None
        self.remembered += answer is not None
        if answer is None:
            answer = self._ask(offered)
            if answer is None:
                return None
            if self._cache:
                self._cache.put(key, answer)
        return resolve_sources(answer, window)

    def _ask(self, offered: list[str]) -> list[dict[str, Any]] | None:
        values = {"sources": offered, "limit": _MOST_SENTENCES}
        try:
            return self._answer(values, closed_schema(len(offered)))
        except ModelFailure as failure:
            if failure.kind != "invalid":
                self.failures.append(failure.reason)
                return None
        # An engine that does not enforce schemas: take what it says and strip the numbers it invented.
        try:
            return self._answer(values, closed_schema(None))
        except ModelFailure as failure:
            self.failures.append(failure.reason)
            return None

    def _answer(self, values: dict[str, object], schema: dict[str, Any]) -> list[dict[str, Any]]:
        limit = _MOST_SENTENCES * _TOKENS_A_SENTENCE
        data = self._model.answer(self._prompt, values, schema=schema, max_tokens=limit).data
        return list(data)


def closed_schema(offered: int | None) -> dict[str, Any]:
    """The answer's schema; ``offered`` closes the source numbers to 1 … ``offered``, ``None`` leaves them open."""
    number: dict[str, Any] = {"type": "integer"} if offered is None else {"enum": list(range(1, offered + 1))}
    sentence = {
        "type": "object",
        "properties": {
            "t": {"type": "string", "minLength": 2, "maxLength": _LONGEST_SENTENCE},
            "s": {"type": "array", "items": number, "minItems": 1, "maxItems": 6},
        },
        "required": ["t", "s"],
        "additionalProperties": False,
    }
    return {"type": "array", "items": sentence, "minItems": 1, "maxItems": _MOST_SENTENCES}


def resolve_sources(answer: Sequence[dict[str, Any]], window: Sequence[SourceItem]) -> Written:
    """Turn source numbers (counted from 1) into source items; invented ones are stripped and counted."""
    sentences, invented = [], 0
    for entry in answer:
        numbers = dict.fromkeys(entry["s"])
        known = [number for number in numbers if 1 <= number <= len(window)]
        invented += len(numbers) - len(known)
        text = " ".join(entry["t"].split())
        if len(text) >= _LONGEST_SENTENCE:
            continue  # cut off by the limit
        sentences.append(WrittenSentence(text, tuple(window[number - 1] for number in known)))
    return Written(tuple(sentences), invented)
