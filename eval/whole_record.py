"""The other arm of the comparison: the model asked once with the whole record, no plan, no verification."""

import re
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.drafting.normal import NormalText
from app.drafting.sources import SourceItem, Stay, dated, happened_at, sentences_of
from app.drafting.verify import Judge, verify
from app.llm.client import Answer, LanguageModel, ModelFailure
from app.llm.prompts import load_prompt
from app.storage.cache import ContentCache, content_key
from app.text.sentences import split_sentences

_MOST_CHARACTERS = 800
_ANSWER_TOKENS = 700
_FRAME_TOKENS = 60
_NEAREST = 6
_JUDGED = 3
_HEADING = re.compile(r"[*#【\d.、\s]*[\w（）()]{2,12}[】*]*[:：]?[*\s]*")


class WholeRecordAnswer(NamedTuple):
    """What the model wrote.

    Attributes:
        sentences: without bare headings, and without the last one of a text that was cut; none where there is no text.
        failure: why not, in Chinese; else empty.
        share_read: share of the record's characters that fitted into its context.
    """

    sentences: tuple[str, ...]
    failure: str
    share_read: float
    seconds: float


def write_at_once(model: LanguageModel, stay: Stay, cache: ContentCache) -> WholeRecordAnswer:
    """Ask for the whole document at once, with as much of the record as fits, from its beginning.

    A remembered answer keeps the seconds that it took.
    """
    prompt = load_prompt("eval_whole_record")
    record = whole_text(stay)
    values = {"record": "", "limit": _MOST_CHARACTERS}
    overhead = sum(model.count_tokens(m.content) for m in prompt.messages(values)) + _FRAME_TOKENS
    room = (model.context_tokens or 1 << 30) - overhead - _ANSWER_TOKENS
    shown = _beginning(model, record, room)
    share = len(shown) / len(record) if record else 1.0
    key = content_key("eval_whole_record", model.identity, prompt.key, shown)
    known = cache.get(key)
    if known:
        return WholeRecordAnswer(tuple(known["sentences"]), "", share, known["seconds"])
    began = time.perf_counter()
    try:
        answer = model.answer(prompt, values | {"record": shown}, schema=None, max_tokens=_ANSWER_TOKENS)
    except ModelFailure as failure:
        return WholeRecordAnswer((), failure.reason, share, time.perf_counter() - began)
    seconds = time.perf_counter() - began
    sentences = _sentences(answer)
    cache.put(key, {"sentences": sentences, "seconds": seconds})
    return WholeRecordAnswer(tuple(sentences), "", share, seconds)


def _sentences(answer: Answer) -> list[str]:
    quotes = [sentence.quote for sentence in split_sentences(answer.text)]
    whole = quotes[:-1] if answer.is_cut else quotes
    return [quote for quote in whole if not _HEADING.fullmatch(quote)]


def whole_text(stay: Stay) -> str:
    """The record as one text: the notes in time order, then results, reports, operations, drugs."""
    notes = [
        f"【{r.document.title or r.document.type}】{dated(r.document.text, happened_at(r.document))}"
        for r in stay.readings
    ]
    return "\n".join([*notes, *(item.dated_text for item in (*stay.data, *stay.named))])


def _beginning(model: LanguageModel, text: str, tokens: int) -> str:
    """As much of the beginning as takes at most ``tokens``, to about one part in a hundred."""
    if model.count_tokens(text) <= tokens:
        return text
    low, high = 0, len(text)
    while high - low > max(1, len(text) // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if model.count_tokens(text[:middle]) <= tokens else (low, middle)
    return text[:low]


class RecordJudge:
    """Judges sentences without citations: by those sentences of the whole record that are nearest to them."""

    def __init__(self, stay: Stay, judge: Judge | None) -> None:
        self._judge = judge
        self._items = [(item.dated_text, NormalText.of(item.text).pairs) for item in _everything(stay)]

    def is_supported(self, sentence: str) -> bool | None:
        """Whether the record supports the sentence; ``None`` where no judge could tell.

        The nearest sources are offered one by one and then together in growing numbers, because a record says of
        one thing different things on different days; the judge is asked once, with the nearest three.
        """
        nearest = self.nearest(sentence)
        offers = [*([source] for source in nearest), *(nearest[:n] for n in range(2, len(nearest) + 1))]
        verdicts = {verify(sentence, offer).verdict for offer in offers}
        if "supported" in verdicts:
            return True
        if "unverified" not in verdicts:
            return False
        verdict = verify(sentence, nearest[:_JUDGED], self._judge).verdict
        return None if verdict == "unverified" else verdict == "supported"

    def nearest(self, sentence: str) -> list[str]:
        """The six sources that share most with the sentence, and not less than a character pair."""
        pairs = NormalText.of(sentence).pairs
        shared = sorted(((len(pairs & own), text) for text, own in self._items), reverse=True)
        return [text for count, text in shared[:_NEAREST] if count]


def _everything(stay: Stay) -> Iterator[SourceItem]:
    for reading in stay.readings:
        yield from sentences_of(reading)
    yield from stay.data
    yield from stay.named


def judged(judge: RecordJudge, sentences: Sequence[str]) -> list[bool | None]:
    """The verdicts of several sentences."""
    return [judge.is_supported(sentence) for sentence in sentences]
