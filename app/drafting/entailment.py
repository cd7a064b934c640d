"""Entailment by the language model: one closed question, its certainty read from the log-probabilities."""

from collections.abc import Sequence

from app.drafting.verify import Opinion
from app.llm.client import LanguageModel, ModelFailure, choice_probabilities
from app.llm.prompts import load_prompt
from app.storage.cache import ContentCache, content_key

_CHOICES = ("支持", "矛盾", "未提")
_SCHEMA = {
    "type": "object",
    "properties": {"v": {"enum": list(_CHOICES)}},
    "required": ["v"],
    "additionalProperties": False,
}
_LONGEST_ANSWER_TOKENS = 24


class ModelJudge:
    """A judge that asks the model, and remembers what it was told.

    Attributes:
        failures: how many opinions could not be had.
    """

    def __init__(self, model: LanguageModel, cache: ContentCache | None = None) -> None:
        self._model = model
        self._cache = cache
        self._prompt = load_prompt("entailment")
        self.failures = 0

    @property
    def prompt_key(self) -> str:
        """Name, version and content of the prompt."""
        return self._prompt.key

    def judge(self, claim: str, sources: Sequence[str]) -> Opinion | None:
        """The opinion, or ``None`` where the model gave no usable answer."""
        key = content_key("entailment", self._model.identity, self._prompt.key, claim, *sources)
        known = self._cache.get(key) if self._cache else None
        if known:
            return Opinion(*known)
        opinion = self._ask(claim, sources)
        if opinion and self._cache:
            self._cache.put(key, list(opinion))
        return opinion

    def _ask(self, claim: str, sources: Sequence[str]) -> Opinion | None:
        try:
            answer = self._model.answer(
                self._prompt,
                {"claim": claim, "sources": sources},
                schema=_SCHEMA,
                max_tokens=_LONGEST_ANSWER_TOKENS,
            )
        except ModelFailure:
            self.failures += 1
            return None
        chosen = answer.data["v"]
        chances = choice_probabilities(answer, answer.text.index(chosen), _CHOICES) or {chosen: 1.0}
        return Opinion(*(chances.get(choice, 0.0) for choice in _CHOICES))
