"""The note being written, put in its place in the stay, and what a finding means for its writer."""

import hashlib
from collections.abc import Collection
from datetime import datetime
from functools import cached_property

from app.hints.hint import DueBy, Hint, HintRequest
from app.hints.mending import Told
from app.hints.timing import Timing, Writing, timing_of
from app.qc.result import Finding
from app.qc.rule import SEVERITIES
from app.records.model import Document, Evidence, MedicalRecord
from app.storage.cache import content_key
from app.text.reading import Reading

_NO_STAY = "未给出病历"


class Note:
    """A note being written within its stay."""

    def __init__(self, request: HintRequest, stay_key: str) -> None:
        """Put the note of ``request`` into its stay, in place of what stands there under its id.

        Args:
            stay_key: stands for everything known of the stay; empty without one.
        """
        self.request = request
        self.stay_key = stay_key

    @cached_property
    def document(self) -> Document:
        """The note as a document; nobody has signed it yet."""
        request = self.request
        return Document(
            id=request.document_id,
            type=request.type,
            title=request.title,
            text=request.text,
            written_at=request.written_at,
            author=request.author,
        )

    @cached_property
    def record(self) -> MedicalRecord:
        """The stay with the note in it."""
        stay = self.request.record
        if stay is None:
            return MedicalRecord(record_id=_NO_STAY, coverage=("documents",), documents=(self.document,))
        others = [d for d in stay.documents or () if d.id != self.request.document_id]
        return stay.model_copy(update={"documents": (*others, self.document)})

    @cached_property
    def key(self) -> str:
        """Stands for everything that findings on the note depend on."""
        asked = self.request.model_dump_json(exclude={"record", "record_id", "cursor", "known"})
        return content_key("hints", asked, self.stay_key)

    @property
    def writer_key(self) -> str:
        """Stands for whoever writes this note of this stay."""
        request = self.request
        return content_key(self.record.record_id, request.document_id, request.type, str(request.is_finished))

    def state(self, dismissed: Collection[str], moment: datetime) -> str:
        """Stands for everything that an answer depends on; reminders change by the minute."""
        parts = (self.key, str(self.request.cursor), f"{moment:%Y%m%d%H%M}", *sorted(dismissed))
        return content_key(*parts)[:32]

    def concerns(self, finding: Finding) -> bool:
        """Whether a finding is about this note, or asks for something that no document says."""
        places = {evidence.document_id for evidence in finding.evidence} | {finding.document_id}
        return self.document.id in places or places == {None}

    def is_ripe(self, finding: Finding) -> bool:
        """Whether the writer has come far enough to be told."""
        if self.request.is_finished or timing_of(finding.rule) is Timing.AT_ONCE:
            return True
        return bool(finding.section) and self._writing.is_past(finding.section or "")

    def told(self, finding: Finding) -> Told:
        """What a hint on the finding is about."""
        return Told(finding.rule, next((e.quote for e in self._here(finding)), ""))

    def hint(self, finding: Finding, why: str, due: tuple[DueBy, ...]) -> Hint:
        """The finding as its writer is told of it."""
        here = self._here(finding)
        place = here[0] if here else None
        own = next((each for each in due if self.document.kind in each.what), None)
        return Hint(
            id=self._hint_id(finding, place),
            rule=finding.rule,
            title=finding.title,
            severity=finding.severity,
            confidence=finding.confidence,
            document_type=self.document.kind,
            section=finding.section or (self._writing.section_at(place.start) if place else None) or None,
            start=place.start if place else None,
            end=place.end if place else None,
            quote=place.quote if place else "",
            elsewhere=tuple(e for e in finding.evidence if e is not place),
            what=finding.message,
            why=why,
            how=finding.suggestion,
            due_at=own.due_at if own else None,
            minutes_left=own.minutes_left if own else None,
            engine=finding.engine,
            ai_label=finding.ai_label,
        )

    def rank(self, hint: Hint) -> tuple[int, float, int, str]:
        """The more severe, the surer, the nearer to the writer comes first."""
        return (SEVERITIES.index(hint.severity), -round(hint.confidence, 1), self._distance(hint), hint.id)

    def _here(self, finding: Finding) -> list[Evidence]:
        return [e for e in finding.evidence if e.document_id == self.document.id]

    def _distance(self, hint: Hint) -> int:
        """Code points between the writer and the place of a hint; a hint without a place is farthest."""
        text = self.request.text
        if hint.start is None or hint.end is None:
            return len(text)
        cursor = len(text) if self.request.cursor is None else self.request.cursor
        return max(hint.start - cursor, cursor - hint.end, 0)

    def _hint_id(self, finding: Finding, place: Evidence | None) -> str:
        """The same while the words stay the same, wherever they move."""
        text = self.request.text
        before = text[: place.start].count(place.quote) if place and place.quote else 0
        parts = (
            self.record.record_id,
            self.document.id,
            finding.rule,
            place.quote if place else "",
            str(before),
        )
        return hashlib.sha256("\x1f".join(parts).encode(errors="surrogatepass")).hexdigest()[:16]

    @cached_property
    def _writing(self) -> Writing:
        return Writing(Reading(self.document), self.request.cursor)
