"""A draft, sentence by sentence: composed and written parts in order, each one verified, then the whole."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from app.drafting.compose import not_given, on_day, quoted
from app.drafting.draft import Draft, DraftSection, DraftSentence
from app.drafting.missing import Coverage, coverage, loses_day, loses_drugs, mentioned_share
from app.drafting.normal import NormalText
from app.drafting.plan import DocumentPlan, SectionPlan, narrated, plan_for, windows
from app.drafting.sources import SourceItem, Stay, day_of
from app.drafting.verify import Judge, verify
from app.drafting.write import Narrator, Written, WrittenSentence
from app.labelling.labeller import Labeller
from app.records.model import CHINA_TIME, DocumentType, MedicalRecord

_USED = 0.2
"""Share of a source's words in a sentence below which the sentence does not rest on it."""
_TOLD = 0.6
"""Share from which the sentence tells what the source says."""


class Placed(NamedTuple):
    """A sentence and the section that it belongs to."""

    section: str
    sentence: DraftSentence


class LeftOut(NamedTuple):
    """A written sentence that is not in the draft, and why, in Chinese."""

    text: str
    reason: str


@dataclass
class Tally:
    """What became of the written sentences.

    Attributes:
        replaced: those for which the words of their sources stand.
        left_out: those without any source.
        invented_numbers: source numbers that were never offered.
        quoted_windows: windows told in the record's words because the model gave no answer.
    """

    kept: int = 0
    replaced: list[LeftOut] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    invented_numbers: int = 0
    quoted_windows: int = 0


def without_own_day(sentence: WrittenSentence) -> str:
    """The sentence without the day of its sources' notes, unless they name it themselves: ``on_day`` tells it once.

    The model puts the day of the note to what happened on another, such as 24小时后停用.
    """
    text = sentence.text
    told = "".join(item.text for item in sentence.sources)
    for at in {item.at.astimezone(CHINA_TIME) for item in sentence.sources if item.at}:
        day = rf"(?:于|在)?(?:{at:%Y-%m-%d}|(?:{at.year}年)?0?{at.month}月0?{at.day}日)(?!\d)[：:]?"
        if not re.search(day, told):
            text = re.sub(rf"(?<!\d){day}", "", text)
    return re.sub(r"^[，、；：:\s]+|[，、；]+(?=[，。；])", "", text)


def _loss(sources: Sequence[SourceItem], text: NormalText) -> str:
    """What of the sources the sentence may not leave out and does, in Chinese; empty if nothing."""
    if any(loses_drugs(item, text) for item in sources):
        return "漏写了出处中的药名"
    return "漏写了出处中的日期" if any(loses_day(item, text) for item in sources) else ""


class Drafting:
    """One draft in the making: iterate over ``sentences`` to the end, then ``finish``.

    Attributes:
        tally: grows while sentences are written.
    """

    def __init__(
        self,
        record: MedicalRecord,
        narrator: Narrator | None = None,
        judge: Judge | None = None,
        document_type: DocumentType | None = None,
    ) -> None:
        """Plan the draft.

        Args:
            record: the stay.
            narrator: writes the narrative; without one it is told in the words of the sources.
            judge: gives its opinion on written sentences that code cannot decide.
            document_type: what to draft; by default the document that ends the stay.

        Raises:
            UserError: the stay does not call for this document, or the record has no notes.
        """
        self.plan: DocumentPlan = plan_for(record, document_type)
        self.stay = Stay(record, without=(self.plan.document_type,), until=self.plan.until(record))
        self.tally = Tally()
        self._narrator = narrator
        self._judge = judge
        self._placed: list[Placed] = []

    def sentences(self) -> Iterator[Placed]:
        """The sentences, each as soon as it stands."""
        self._placed = []
        for section in self.plan.sections:
            for sentence in self._section(section):
                placed = Placed(section.name, sentence)
                self._placed.append(placed)
                yield placed

    def _section(self, section: SectionPlan) -> Iterator[DraftSentence]:
        is_empty = True
        for compose in section.parts:
            for sentence in compose(self.stay):
                is_empty = False
                yield sentence
        if section.has_narrative:
            for sentence in self._narrative():
                is_empty = False
                yield sentence
        if is_empty and not section.is_optional:
            yield not_given()

    def _narrative(self) -> Iterator[DraftSentence]:
        day = ""
        for window in windows(narrated(self.stay)):
            for sentence in self._retold(window):
                is_new_day = day_of(window[0].at) != day
                day = day_of(window[0].at)
                yield on_day(sentence, window[0]) if is_new_day else sentence

    def _retold(self, window: Sequence[SourceItem]) -> Iterator[DraftSentence]:
        """The window in the model's words; a single item needs none but its own."""
        written = self._narrator.write(window) if self._narrator and len(window) > 1 else None
        if written is None:
            self.tally.quoted_windows += self._narrator is not None and len(window) > 1
            yield from map(quoted, window)
        else:
            yield from self._verified(window, written)

    def _verified(self, window: Sequence[SourceItem], written: Written) -> Iterator[DraftSentence]:
        """The window as written, then in their own words the items that were not told, or not told whole."""
        self.tally.invented_numbers += written.invented_numbers
        kept = [(s.sources, checked) for s in written.sentences if (checked := self._check(s))]
        yield from (checked for _, checked in kept)
        named = {item for sources, _ in kept for item in sources}
        text = NormalText.of(*(checked.text for _, checked in kept))
        for item in window:
            is_lost = item.is_salient and mentioned_share(item, text) < _TOLD
            if item not in named or is_lost:
                yield quoted(item)

    def _check(self, sentence: WrittenSentence) -> DraftSentence | None:
        text = NormalText.of(sentence.text)
        used = [item for item in sentence.sources if mentioned_share(item, text) >= _USED]
        if not used:
            self.tally.left_out.append(LeftOut(sentence.text, "没有可用的出处"))
            return None
        result = verify(sentence.text, [item.dated_text for item in used], self._judge)
        reason = result.reason or _loss(used, text)
        if reason:
            self.tally.replaced.append(LeftOut(sentence.text, reason))
            return None
        self.tally.kept += 1
        citations = tuple(dict.fromkeys(item.citation for item in used))
        return DraftSentence(
            text=without_own_day(sentence),
            citations=citations,
            verdict="supported",
            checks=result.check_names,
        )

    @property
    def drafted(self) -> tuple[DraftSentence, ...]:
        """The sentences so far."""
        return tuple(placed.sentence for placed in self._placed)

    def coverage(self) -> Coverage:
        """What the sentences so far leave out."""
        return coverage(self.stay, self.drafted)

    def finish(self, labeller: Labeller, at: datetime, prompt_version: str | None = None) -> Draft:
        """The whole draft, labelled and sealed.

        Args:
            labeller: labels and seals it.
            at: aware time of creation.
            prompt_version: names of the prompts used.

        Raises:
            UserError: the explicit notice is switched off and the audit log cannot be written.
        """
        draft = Draft(
            record_id=self.stay.record.record_id,
            document_type=self.plan.document_type,
            sections=tuple(
                DraftSection(name=name, sentences=tuple(placed.sentence for placed in group))
                for name, group in groupby(self._placed, key=lambda placed: placed.section)
            ),
            missing=self.coverage().missing,
            label={},
            model=self._narrator.identity if self._narrator else None,
            prompt_version=prompt_version,
            created_at=at,
        )
        return Draft.model_validate(labeller.labelled(draft.model_dump(mode="json"), at))
