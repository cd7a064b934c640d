"""While one writes: checks and hints."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from app.hints.hint import Hint, HintRequest, Hints
from app.hints.mending import Mended
from app.privacy.rights import Action, scope_of
from app.qc.result import Report
from app.records.model import Author, MedicalRecord
from app.service.desk.base import Base, Target


class Writing(Base):
    """Checks of what is sent along, and hints on what is being written."""

    def check(self, record: MedicalRecord, *, use_model: bool = False) -> Report:
        """Judge a record without keeping it; with ``use_model``, the model answers what it can.

        Raises:
            Denied, NotFound: it is not this account's.
        """
        missing = "这份病历与您的账号无关，不能检查。"
        self.require(Action.CHECK, Target("record", record.record_id, scope_of(record), missing))
        return self._judged(record, use_model=use_model)

    def hints(self, request: HintRequest) -> Hints:
        """What is amiss in the note being written, as far as code can tell; at once.

        Raises:
            Denied, NotFound: the note's stay is not this account's.
        """
        placed = self._placed(request)
        dismissed = self._dismissed(placed)
        hinter = self._parts.hinter
        hints = hinter.now(placed, dismissed)
        self._parts.metrics.hints.labels("rule").inc(len(hints.hints))
        self._keep_mended(hinter.mended(placed, hints, self.account.name, dismissed), _stay_id(placed))
        return hints

    def model_hints(self, request: HintRequest) -> Iterator[Hint]:
        """What the model finds, each hint as soon as it is known; nothing without a model.

        Raises:
            Denied, NotFound: the note's stay is not this account's.
        """
        placed = self._placed(request)
        return self._model_hints(placed)

    def _model_hints(self, placed: HintRequest) -> Iterator[Hint]:
        judge = self._parts.asking_checker()
        if judge is None:
            return
        for hint in self._parts.hinter.later(placed, judge, self._dismissed(placed)):
            self._parts.metrics.hints.labels("llm").inc()
            yield hint

    def dismiss(self, rule: str, quote: str, reason: str, record_id: str | None = None) -> None:
        """Let a hint not return: for everybody in that stay, or for this account where no stay is known.

        Raises:
            Denied, NotFound: the stay is not this account's.
            UserError: no such rule, or no reason.
        """
        self._rule(rule)
        if record_id is not None and self._is_stored(record_id):
            self._require_of(Action.DISMISS, record_id)
        else:
            self.require(Action.DISMISS, Target("rule", rule))
        self._parts.dismissals.add(rule, quote, reason, self.account.name, record_id)
        self._parts.metrics.dismissals.inc()
        self._log("dismiss", "rule", rule, record_id or "")

    def follow(self, rule: str, record_id: str | None, quote: str = "") -> None:
        """Keep that a hint was followed.

        Raises:
            Denied: the account may not have hints.
        """
        self.require(Action.HINT)
        self._parts.fixes.add(rule, quote, self.account.name, record_id)
        self._parts.metrics.followed.inc()
        self._log("follow", "rule", rule, record_id or "")

    def note_card(self, number: str, card: Mapping[str, Any]) -> None:
        """Remember what a card was about, so that feedback on it can be understood."""
        self._parts.cards.put(number, dict(card))

    def shown_card(self, number: str) -> Mapping[str, Any] | None:
        """What a card was about; ``None`` where none of that number was given."""
        known: Mapping[str, Any] | None = self._parts.cards.get(number)
        return known

    def _placed(self, request: HintRequest) -> HintRequest:
        """The request with its stay; the note is the account's own unless it says whose it is."""
        author = request.author or Author(id=self.account.name, name=self.account.display_name)
        if request.record is None and request.record_id is not None:
            self._require_of(Action.HINT, request.record_id)
            self._log_reading(request.record_id)
            stay = self._parts.stay(request.record_id)
            return request.model_copy(update={"record": stay, "author": author})
        self.require(Action.HINT, Target("note", request.document_id))
        return request.model_copy(update={"author": author})

    def _dismissed(self, request: HintRequest) -> frozenset[str]:
        return self._parts.dismissals.keys(self.account.name, _stay_id(request))

    def _keep_mended(self, mended: Mended, record_id: str | None) -> None:
        for told in mended.fixed:
            self._parts.fixes.add(*told, self.account.name, record_id)
            self._parts.metrics.followed.inc()
        for told in mended.broken:
            self._parts.fixes.take_back(*told, self.account.name, record_id)

    def _log_reading(self, record_id: str) -> None:
        """Log once an hour that the account writes with a record before it; every pause asks for hints."""
        if self._parts.is_first(f"{self.account.name}|{record_id}|{datetime.now(UTC):%Y%m%d%H}"):
            self._log("read_record", "record", record_id, "hints")


def _stay_id(request: HintRequest) -> str | None:
    return request.record.record_id if request.record else None
