"""Drafts and their review."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from app.drafting import review
from app.drafting.assemble import Placed
from app.drafting.draft import Draft
from app.drafting.export import FORMATS, export
from app.errors import UserError
from app.labelling.label import label_key
from app.privacy.rights import Action
from app.records.model import DocumentType
from app.service.desk.base import Base, Target
from app.storage.drafts import StoredDraft

ReviewState = Literal["accepted", "edited", "rejected", "written"]


class Drafting(Base):
    """The drafts of the records that the account may read."""

    def draft(
        self,
        record_id: str,
        kind: DocumentType | None = None,
        on_sentence: Callable[[Placed], None] = lambda placed: None,
        *,
        use_model: bool = True,
    ) -> StoredDraft:
        """Draft a document of a kept record, by default the one that ends the stay.

        Args:
            on_sentence: told of each sentence as soon as it stands.

        Raises:
            Denied, NotFound: the record is not there for this account.
            UserError: the stay does not call for the document, or has no notes.
        """
        self._require_of(Action.DRAFT, record_id)
        record = self._parts.records.get(record_id)
        self._log("draft", "record", record_id, kind or "")
        with self._parts.drafter(use_model=use_model) as drafter:
            drafted = drafter.draft(record, kind, on_sentence=on_sentence)
        return self._parts.drafts.add(drafted.draft, self.account.name)

    def require_draft(self, record_id: str) -> None:
        """Ask, before the work begins, for the right to draft from a kept record.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        self._require_of(Action.DRAFT, record_id)

    def stored_draft(self, draft_id: str) -> StoredDraft:
        """One draft.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        return self._draft(draft_id, Action.READ_RECORD)

    def drafts(self, record_id: str) -> tuple[StoredDraft, ...]:
        """The drafts of a record, the newest first.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        self._require_of(Action.READ_RECORD, record_id)
        return self._parts.drafts.of_record(record_id)

    def review_sentence(
        self,
        draft_id: str,
        version: int,
        section: str,
        number: int,
        state: ReviewState,
        text: str = "",
        reason: str = "",
    ) -> StoredDraft:
        """Accept, edit or reject a sentence, or write one of one's own at the end of the section.

        Args:
            number: of the sentence in its section, from 0; not read for ``written``.
            text: the new words, for ``edited`` and ``written``.

        Raises:
            Denied, NotFound: it is not there for this account.
            Conflict: somebody else changed the draft since ``version``.
            UserError: no such sentence, or no text.
        """
        stored = self._draft(draft_id, Action.REVIEW_DRAFT)
        who = self._reviewer()
        place = review.Place(section, number)
        if state == "accepted":
            changed = review.accept(stored.draft, place, who)
        elif state == "edited":
            changed = review.edit(stored.draft, place, text, who)
        elif state == "rejected":
            changed = review.reject(stored.draft, place, who, reason or None)
        else:
            changed = review.write(stored.draft, section, text, who)
        return self._keep_draft(stored, version, changed, state)

    def accept_rest(self, draft_id: str, version: int) -> StoredDraft:
        """Take over every sentence that nobody has decided about.

        Raises:
            Denied, NotFound, Conflict: as ``review_sentence``.
        """
        stored = self._draft(draft_id, Action.REVIEW_DRAFT)
        changed = review.accept_rest(stored.draft, self._reviewer())
        return self._keep_draft(stored, version, changed, "accepted")

    def export_draft(self, draft_id: str, format: str) -> bytes:  # noqa: A002  # as in the URL
        """The draft as a file; ``format`` is docx, pdf, html, md, json or fhir.json.

        Raises:
            Denied, NotFound: it is not there for this account.
            UserError: there is no such format.
        """
        stored = self._draft(draft_id, Action.READ_RECORD)
        suffix = f".{format}"
        if suffix not in FORMATS:
            names = "、".join(name.lstrip(".") for name in FORMATS)
            raise UserError(f"不支持的草稿格式“{format}”，可用的有：{names}。")
        record = self._parts.records.get(stored.record_id)
        self._log("export_draft", "draft", draft_id, format)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"draft{suffix}"
            export(stored.draft, record, path, label_key(self._parts.settings))
            return path.read_bytes()

    def _draft(self, draft_id: str, action: Action) -> StoredDraft:
        self.require(action)
        stored = self._parts.drafts.get(draft_id)
        scope = self._parts.records.scope(stored.record_id)
        missing = f"没有草稿 {draft_id}，请核对编号。"
        self.require(action, Target("draft", draft_id, scope, missing))
        return stored

    def _keep_draft(self, stored: StoredDraft, version: int, changed: Draft, what: str) -> StoredDraft:
        sealed = review.sealed(changed, label_key(self._parts.settings))
        saved = self._parts.drafts.save(stored.id, version, sealed, self.account.name)
        self._log("review_draft", "draft", stored.id, f"{what} v{saved.version}")
        return saved

    def _reviewer(self) -> review.Reviewer:
        return review.Reviewer(f"{self.account.display_name}（{self.account.name}）", datetime.now(UTC))
