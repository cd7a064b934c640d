"""From a note being written to the few hints that are worth the writer's attention now."""

import threading
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from app.hints.hint import DueBy, Hint, HintRequest, Hints
from app.hints.mending import Mended, Mending, Told
from app.hints.note import Note
from app.hints.recent import Recent
from app.hints.timing import Timing, timing_of
from app.qc.case import Case
from app.qc.engine import Checker
from app.qc.recheck import Rechecker
from app.qc.reminders import Reminder, due_by
from app.qc.render.text import ClauseText, basis_text, no_clause
from app.qc.result import Finding, Report
from app.qc.rule import Basis
from app.records.model import CHINA_TIME, DocumentType, MedicalRecord
from app.storage.cache import content_key
from app.storage.dismissals import dismissal_key

_NOTES_KEPT = 2000
_STAYS_KEPT = 500
_WRITERS_KEPT = 250
_JUDGED_AT_ONCE = 2
_REMINDERS_HOLD = timedelta(minutes=10)


class _Due(NamedTuple):
    found_at: datetime
    reminders: tuple[Reminder, ...]


class _Stay(NamedTuple):
    record: MedicalRecord
    key: str


class _Writer(NamedTuple):
    """Somebody writing one note; ``rechecker`` knows the last version of the stay."""

    lock: threading.Lock
    rechecker: Rechecker


class Hinter:
    """Gives hints on notes being written; what was judged costs nothing until the text changes."""

    def __init__(self, checker: Checker, *, most: int = 5, clause_text: ClauseText = no_clause) -> None:
        """Judge with ``checker``, which has no model; give at most ``most`` hints, with what their clauses say."""
        self._checker = checker
        self._most = most
        self._clause_text = clause_text
        self._checkers: dict[tuple[DocumentType, bool], Checker] = {}
        self._found: Recent[tuple[Finding, ...]] = Recent(_NOTES_KEPT)
        self._writers: Recent[_Writer] = Recent(_WRITERS_KEPT)
        self._due: Recent[_Due] = Recent(_STAYS_KEPT)
        self._stays: Recent[_Stay] = Recent(_STAYS_KEPT)
        self._mending = Mending()
        # One interpreter judges no quicker for many at once: all of them would end late.
        self._turns = threading.Semaphore(_JUDGED_AT_ONCE)

    def now(
        self,
        request: HintRequest,
        dismissed: Collection[str] = frozenset(),
        at: datetime | None = None,
    ) -> Hints:
        """What code can tell at once.

        Args:
            request: the note and its stay.
            dismissed: the ``dismissal_key`` of hints that shall not return.
            at: the moment of writing, aware; by default now.
        """
        moment = at or datetime.now(CHINA_TIME)
        note = self._note(request)
        state = note.state(dismissed, moment)
        if request.known == state:
            return Hints(state=state, is_unchanged=True)
        due = self._reminders(note, moment)
        hints = self._hints(note, self._findings(note), dismissed, due)
        shown, more = hints[: self._most], hints[self._most :]
        return Hints(hints=tuple(shown), more=len(more), due=due, state=state)

    def mended(
        self, request: HintRequest, answer: Hints, writer: str, dismissed: Collection[str] = frozenset()
    ) -> Mended:
        """Which hints of code ``writer`` followed since the last version of the note.

        Args:
            request: as it was given to ``now``.
            answer: what ``now`` said.
            writer: the account that writes.
            dismissed: hints that were dismissed; whatever becomes of them, they were not followed.
        """
        if answer.is_unchanged:
            return Mended()
        note = self._note(request)
        amiss = {note.told(finding) for finding in self._findings(note)}
        shown = {Told(hint.rule, hint.quote) for hint in answer.hints}
        who = content_key(writer, note.writer_key)
        found = self._mending.follow(who, request.text, shown, amiss)
        followed = (told for told in found.fixed if dismissal_key(*told) not in dismissed)
        return found._replace(fixed=tuple(followed))

    def later(
        self, request: HintRequest, judge: Checker, dismissed: Collection[str] = frozenset()
    ) -> Iterator[Hint]:
        """What the model of ``judge`` finds, rule by rule, each hint as soon as it is known.

        Answers about passages that did not change come from the cache of the model's answers.
        """
        note = self._note(request)
        for code in _codes(judge, request.type, request.is_finished):
            if judge.rules[code].check is None:
                found = judge.limited_to([code]).check(note.record).result.findings
                by_model = [
                    finding for finding in found if finding.engine == "llm" and note.concerns(finding)
                ]
                yield from self._hints(note, by_model, dismissed, ())

    def _note(self, request: HintRequest) -> Note:
        stay = request.record
        if stay is None:
            return Note(request, "")
        name = str(id(stay))
        known = self._stays.get(name)
        if known is None or known.record is not stay:
            known = _Stay(stay, content_key(stay.model_dump_json()))
            self._stays.put(name, known)
        return Note(request, known.key)

    def _findings(self, note: Note) -> tuple[Finding, ...]:
        known = self._found.get(note.key)
        if known is None:
            report = self._report(note)
            known = tuple(finding for finding in report.result.findings if note.concerns(finding))
            self._found.put(note.key, known)
        return known

    def _report(self, note: Note) -> Report:
        """Judge the note; within a stay, what was worked out of its other documents is taken over."""
        checker = self._checker_for(note.request)
        if note.request.record is None:
            with self._turns:
                return checker.check(note.record)
        writer = self._writers.get(note.writer_key)
        if writer is None:
            writer = _Writer(threading.Lock(), Rechecker(checker))
            self._writers.put(note.writer_key, writer)
        with writer.lock, self._turns:
            return writer.rechecker.check(note.record)

    def _checker_for(self, request: HintRequest) -> Checker:
        key = (request.type, request.is_finished)
        if key not in self._checkers:
            self._checkers[key] = self._checker.limited_to(_codes(self._checker, *key))
        return self._checkers[key]

    def _hints(
        self,
        note: Note,
        findings: Iterable[Finding],
        dismissed: Collection[str],
        due: tuple[DueBy, ...],
    ) -> list[Hint]:
        ripe = (finding for finding in findings if note.is_ripe(finding))
        hints = (note.hint(finding, self._why(finding.basis), due) for finding in ripe)
        kept = (hint for hint in hints if dismissal_key(hint.rule, hint.quote) not in dismissed)
        return sorted(kept, key=note.rank)

    def _why(self, basis: tuple[Basis, ...]) -> str:
        return "；".join(map(self._clause, basis))

    def _clause(self, basis: Basis) -> str:
        text = self._clause_text(basis)
        return f"{basis_text(basis)}：{text}" if text else basis_text(basis)

    def _reminders(self, note: Note, moment: datetime) -> tuple[DueBy, ...]:
        stay = note.request.record
        if stay is None:
            return ()
        known = self._due.get(note.stay_key)
        if known is None or moment - known.found_at > _REMINDERS_HOLD:
            known = _Due(moment, self._due_by(stay, moment))
            self._due.put(note.stay_key, known)
        return tuple(_with_time_left(reminder, moment) for reminder in known.reminders)

    def _due_by(self, stay: MedicalRecord, moment: datetime) -> tuple[Reminder, ...]:
        return due_by(Case(stay, moment), self._checker.rules.values())


def _codes(checker: Checker, kind: DocumentType, is_finished: bool) -> list[str]:
    """The rules that may speak about a note of this type."""
    quiet = {Timing.NEVER} if is_finished else {Timing.NEVER, Timing.WHEN_ASKED}
    return [
        code
        for code, rule in checker.rules.items()
        if (not rule.applies_to or kind in rule.applies_to) and timing_of(code) not in quiet
    ]


def _with_time_left(reminder: Reminder, moment: datetime) -> DueBy:
    minutes = (reminder.due_at - moment) // timedelta(minutes=1)
    return DueBy(what=reminder.what, rule=reminder.rule, due_at=reminder.due_at, minutes_left=minutes)
