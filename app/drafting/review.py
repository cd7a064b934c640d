"""What a physician makes of a draft: every sentence accepted, edited, rejected or written by hand; who and when.

Nothing here writes into the record. Functions return a new draft; ``sealed`` closes it again under its old label.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from app.drafting.draft import Draft, DraftSection, DraftSentence, ReviewStep, State
from app.drafting.verify import verify
from app.errors import UserError
from app.labelling.json_file import labelled
from app.labelling.label import Label
from app.records.model import Evidence


class Place(NamedTuple):
    """A sentence of a draft: its section's name, and its number there, counted from 0."""

    section: str
    number: int


class Reviewer(NamedTuple):
    """Who decides, and when (aware)."""

    by: str
    at: datetime

    def step(self, state: State, *, before: str | None = None, reason: str | None = None) -> ReviewStep:
        """The decision as it is kept."""
        return ReviewStep(state=state, by=self.by, at=self.at, before=before, reason=reason)


def accept(draft: Draft, place: Place, reviewer: Reviewer) -> Draft:
    """Take a sentence over as it stands.

    Raises:
        UserError: there is no such sentence.
    """
    sentence = sentence_at(draft, place)
    return _with(draft, place, _decided(sentence, reviewer.step("accepted")))


def accept_rest(draft: Draft, reviewer: Reviewer) -> Draft:
    """Take over every sentence that nobody has decided about yet."""
    sections = tuple(
        section.model_copy(update={"sentences": tuple(_accepted(s, reviewer) for s in section.sentences)})
        for section in draft.sections
    )
    return _of(draft, sections)


def edit(draft: Draft, place: Place, text: str, reviewer: Reviewer) -> Draft:
    """Replace the words of a sentence; they are verified anew against the quotes that it cites.

    Raises:
        UserError: there is no such sentence, or no text.
    """
    sentence = sentence_at(draft, place)
    words = _words(text)
    result = verify(words, _quotes(sentence))
    changed = sentence.model_copy(
        update={"text": words, "verdict": result.verdict, "checks": result.check_names}
    )
    return _with(draft, place, _decided(changed, reviewer.step("edited", before=sentence.text)))


def reject(draft: Draft, place: Place, reviewer: Reviewer, reason: str | None = None) -> Draft:
    """Leave a sentence out; the file keeps it, no page shows it.

    Raises:
        UserError: there is no such sentence.
    """
    sentence = sentence_at(draft, place)
    return _with(draft, place, _decided(sentence, reviewer.step("rejected", reason=reason)))


def write(draft: Draft, section: str, text: str, reviewer: Reviewer) -> Draft:
    """Add a sentence of the physician's own at the end of a section; it rests on no source.

    Raises:
        UserError: the draft has no such section, or there is no text.
    """
    known = _section(draft, section)
    own = DraftSentence(text=_words(text), verdict="unverified", review=(reviewer.step("written"),))
    return _replaced(draft, known.model_copy(update={"sentences": (*known.sentences, own)}))


def sentence_at(draft: Draft, place: Place) -> DraftSentence:
    """The sentence at a place.

    Raises:
        UserError: there is none.
    """
    sentences = _section(draft, place.section).sentences
    if not 0 <= place.number < len(sentences):
        raise UserError(f"草稿的“{place.section}”没有第{place.number + 1}句，请刷新后重选。")
    return sentences[place.number]


def sealed(draft: Draft, key: bytes) -> Draft:
    """The draft under the label that it had, production number included, sealed over what it says now."""
    label = Label.model_validate(draft.label)
    return Draft.model_validate(labelled(draft.model_dump(mode="json"), label, key))


def _words(text: str) -> str:
    words = " ".join(text.split())
    if not words:
        raise UserError("句子是空的，请写上内容；不要这一句请弃用它。")
    return words


def _quotes(sentence: DraftSentence) -> list[str]:
    """What it cites, where all of it is verbatim text; data are not at hand here, so nothing is compared."""
    quotes = [citation.quote for citation in sentence.citations if isinstance(citation, Evidence)]
    return quotes if len(quotes) == len(sentence.citations) else []


def _decided(sentence: DraftSentence, step: ReviewStep) -> DraftSentence:
    return sentence.model_copy(update={"review": (*sentence.review, step)})


def _accepted(sentence: DraftSentence, reviewer: Reviewer) -> DraftSentence:
    return sentence if sentence.review else _decided(sentence, reviewer.step("accepted"))


def _section(draft: Draft, name: str) -> DraftSection:
    section = draft.section(name)
    if section is None:
        raise UserError(f"草稿没有“{name}”这一项，请刷新后重选。")
    return section


def _with(draft: Draft, place: Place, sentence: DraftSentence) -> Draft:
    section = _section(draft, place.section)
    before, after = section.sentences[: place.number], section.sentences[place.number + 1 :]
    return _replaced(draft, section.model_copy(update={"sentences": (*before, sentence, *after)}))


def _replaced(draft: Draft, changed: DraftSection) -> Draft:
    return _of(draft, [changed if section.name == changed.name else section for section in draft.sections])


def _of(draft: Draft, sections: Sequence[DraftSection]) -> Draft:
    is_decided = all(sentence.review for section in sections for sentence in section.sentences)
    return draft.model_copy(
        update={"sections": tuple(sections), "status": "accepted" if is_decided else "draft"}
    )
