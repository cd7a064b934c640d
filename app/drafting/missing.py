"""What the record says and the draft does not."""

from collections.abc import Iterable
from typing import NamedTuple

from app.drafting.checks import OTHER_DAY, check_drugs
from app.drafting.draft import DraftSentence, Omission
from app.drafting.normal import NormalText
from app.drafting.sources import SourceItem, Stay

_MENTIONED = 0.75
"""Share of an item's content found in the draft from which it counts as mentioned without being cited."""


class Coverage(NamedTuple):
    """Salient facts: how many there are, and which ones the draft leaves out."""

    salient: int
    missing: tuple[Omission, ...]

    @property
    def share(self) -> float | None:
        """Share of the salient facts that the draft mentions; ``None`` where there are none."""
        return 1 - len(self.missing) / self.salient if self.salient else None


def coverage(stay: Stay, sentences: Iterable[DraftSentence]) -> Coverage:
    """Compare the salient facts of the stay with the sentences of its draft."""
    told = tuple(sentences)
    cited = {citation for sentence in told for citation in sentence.citations}
    text = NormalText.of(*(sentence.text for sentence in told))
    missing = [item for item in stay.salient if item.citation not in cited and not _is_mentioned(item, text)]
    return Coverage(
        len(stay.salient), tuple(Omission(what=item.text, source=item.citation) for item in missing)
    )


def mentioned_share(item: SourceItem, text: NormalText) -> float:
    """Share of what the item says, by words, that ``text`` says too."""
    return NormalText.of(item.text).coverage_by(text)


def loses_drugs(item: SourceItem, text: NormalText) -> bool:
    """Whether the item names a drug that ``text`` does not: what is said of it would then be said of another."""
    return check_drugs(NormalText.of(item.text), text).outcome in ("contradicts", "absent")


def loses_day(item: SourceItem, text: NormalText) -> bool:
    """Whether ``text`` tells what the item tells of 昨日 or another day without saying which day that was."""
    source = NormalText.of(item.dated_text)
    other_days = [day for day in source.relative_dates if day not in source.dates]
    names_one = any(told.agrees_with(day) for told in text.dates for day in other_days)
    if not other_days or names_one or OTHER_DAY.search(text.text):
        return False
    return any(
        OTHER_DAY.search(clause) and NormalText(OTHER_DAY.sub("", clause)).coverage_by(text) >= _MENTIONED
        for clause in source.clauses
    )


def _is_mentioned(item: SourceItem, draft: NormalText) -> bool:
    numbers = {q.value for q in draft.quantities}
    wanted = NormalText.of(item.text).quantities
    return mentioned_share(item, draft) >= _MENTIONED and all(q.value in numbers for q in wanted)
