"""Everything people do, in one place: each method asks for the right, does the thing, and writes the audit log.

Whoever may not do a thing at all gets ``Denied``. Whoever may do it, but not to this object, gets ``NotFound`` in the
words for an object that is not there, so that nobody learns what others have.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.drafting import review
from app.drafting.assemble import Placed
from app.drafting.draft import Draft
from app.drafting.export import FORMATS, export
from app.errors import Denied, NotFound, UserError
from app.hints.hint import Hint, HintRequest, Hints
from app.labelling.label import label_key
from app.privacy.audit_log import AuditEntry, AuditFilter, Broken
from app.privacy.passwords import one_time_password
from app.privacy.rights import (
    ACTION_TITLES,
    Account,
    Action,
    Bounds,
    Scope,
    bounds,
    may,
    person_key,
    scope_of,
)
from app.qc.render.rule_docs import RulePage, rule_page
from app.qc.result import Report
from app.qc.rule import Basis, Rule
from app.records.model import Author, DocumentType, MedicalRecord
from app.review.feedback import RuleFeedback, feedback, labels
from app.review.recall import Recall
from app.review.transitions import STEP_TITLES, Step, open_steps, transition
from app.service.evaluating import Evaluated, evaluate
from app.service.explaining import explain
from app.service.parts import Parts
from app.service.views import AuditView, Explanation, FindingCard, NextStep, RecordItem, RuleWork
from app.storage.accounts import TokenInfo, TokenKind
from app.storage.drafts import StoredDraft
from app.storage.findings import FindingFilter, FindingWork
from app.storage.jobs import AuditJob
from app.storage.paging import LARGEST_PAGE, Page
from app.storage.records import RecordFilter, RecordSummary
from app.storage.rule_switches import RuleSwitch
from app.storage.states import OPEN_STATES, Stage, State
from retrieval.corpus import Document
from retrieval.search import Hit

ReviewState = Literal["accepted", "edited", "rejected", "written"]

_API_TOKEN_DAYS = 365
_PAGE = 50


class _Object(NamedTuple):
    """What is acted on, for rights and the audit log; ``missing`` is said to whom it is not there."""

    kind: str
    id: str
    scope: Scope | None = None
    missing: str = ""


class Desk:
    """What one account may do."""

    def __init__(self, parts: Parts, account: Account) -> None:
        """Work with ``parts`` in the name of ``account``."""
        self._parts = parts
        self.account = account

    # Checking and hints

    def check(self, record: MedicalRecord, *, use_model: bool = False) -> Report:
        """Judge a record without keeping it; with ``use_model``, the model answers what it can.

        Raises:
            Denied, NotFound: it is not this account's.
        """
        missing = "这份病历与您的账号无关，不能检查。"
        self.require(Action.CHECK, _Object("record", record.record_id, scope_of(record), missing))
        return self._judged(record, use_model=use_model)

    def hints(self, request: HintRequest) -> Hints:
        """What is amiss in the note being written, as far as code can tell; at once.

        Raises:
            Denied, NotFound: the note's stay is not this account's.
        """
        placed = self._placed(request)
        hints = self._parts.hinter.now(placed, self._dismissed(placed))
        self._parts.metrics.hints.labels("rule").inc(len(hints.hints))
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
            self.require(Action.DISMISS, _Object("rule", rule))
        self._parts.dismissals.add(rule, quote, reason, self.account.name, record_id)
        self._parts.metrics.dismissals.inc()
        self._log("dismiss", "rule", rule, record_id or "")

    def follow(self, rule: str, record_id: str | None) -> None:
        """Keep that a hint was followed.

        Raises:
            Denied: the account may not have hints.
        """
        self.require(Action.HINT)
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
        self.require(Action.HINT, _Object("note", request.document_id))
        return request.model_copy(update={"author": author})

    def _dismissed(self, request: HintRequest) -> frozenset[str]:
        record_id = request.record.record_id if request.record else None
        return self._parts.dismissals.keys(self.account.name, record_id)

    # Records

    def save_record(
        self,
        record: MedicalRecord,
        stage: Stage = Stage.RUNNING,
        *,
        version: int | None = None,
    ) -> RecordItem:
        """Keep a record, judge it, and take its findings in as work.

        Raises:
            Denied, NotFound: it is not this account's, before or after the change.
            Conflict: somebody else saved since ``version``, or the record is filed.
        """
        scope = scope_of(record)
        missing = f"病案 {record.record_id} 与您的账号无关，不能保存。"
        self.require(Action.WRITE_RECORD, _Object("record", record.record_id, scope, missing))
        if self._is_stored(record.record_id):
            self._require_of(Action.WRITE_RECORD, record.record_id)
        return self._save(record, stage, version)

    def save_deidentified(self, record_id: str) -> RecordItem:
        """Keep a copy of a record that names nobody, under a number of its own, for evaluators.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        self._require_of(Action.WRITE_RECORD, record_id)
        copy = self._parts.deidentifier.record(self._parts.records.get(record_id)).record
        self._log("deidentify", "record", record_id, copy.record_id)
        return self._save(copy, self._parts.records.summary(record_id).stage, None, is_deidentified=True)

    def _save(
        self, record: MedicalRecord, stage: Stage, version: int | None, *, is_deidentified: bool = False
    ) -> RecordItem:
        saved = self._parts.records.save(
            record, stage, self.account.name, version=version, is_deidentified=is_deidentified
        )
        self._log("write_record", "record", record.record_id, f"{stage} v{saved.version}")
        self._parts.reviews.take_in(self._judged(record, use_model=False), stage)
        return self._item(self._parts.records.summary(record.record_id))

    def recheck(self, record_id: str, *, use_model: bool = False) -> Report:
        """Judge a kept record again, and bring its findings in line.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        self._require_of(Action.CHECK, record_id)
        report = self._judged(self._parts.records.get(record_id), use_model=use_model)
        self._parts.reviews.take_in(report, self._parts.records.summary(record_id).stage)
        self._log("check", "record", record_id)
        return report

    def records(
        self, wanted: RecordFilter | None = None, cursor: str | None = None, limit: int = _PAGE
    ) -> Page[RecordItem]:
        """The records that the account may read, the last changed first.

        Raises:
            Denied: it may read none.
        """
        limits = self._bounds(Action.READ_RECORD)
        page = self._parts.records.page(wanted or RecordFilter(), cursor, limit, limits)
        return Page(items=tuple(map(self._item, page.items)), next_cursor=page.next_cursor)

    def record(self, record_id: str, version: int | None = None) -> MedicalRecord:
        """A kept record, as it is or as it was.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        self._require_of(Action.READ_RECORD, record_id)
        self._log("read_record", "record", record_id)
        return self._parts.records.get(record_id, version)

    def record_summary(self, record_id: str) -> RecordItem:
        """What lists show of a kept record.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        self._require_of(Action.READ_RECORD, record_id)
        return self._item(self._parts.records.summary(record_id))

    def report(self, record_id: str) -> Report:
        """The last report of a kept record, with the record as it was judged.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        self._require_of(Action.READ_RECORD, record_id)
        self._log("read_record", "record", record_id, "report")
        return self._parts.results.get(record_id)

    def request_recall(self, record_id: str, reason: str) -> Recall:
        """Ask that a filed record be opened again.

        Raises:
            Denied, NotFound: it is not there for this account.
            Conflict: it is not filed, or asked for already.
        """
        self._require_of(Action.RECALL_REQUEST, record_id)
        recall = self._parts.recalls.request(record_id, self.account.name, reason)
        self._log("recall_request", "record", record_id)
        return recall

    def recalls(self) -> tuple[Recall, ...]:
        """The requests that wait for a decision.

        Raises:
            Denied: the account may not decide.
        """
        self.require(Action.RECALL_APPROVE)
        return self._parts.recalls.waiting()

    def recalls_of(self, record_id: str) -> tuple[Recall, ...]:
        """The requests about a record, the newest first.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        self._require_of(Action.READ_RECORD, record_id)
        return self._parts.recalls.of_record(record_id)

    def decide_recall(self, recall_id: str, version: int, *, is_approved: bool, answer: str = "") -> Recall:
        """Approve or refuse a request.

        Raises:
            Denied, NotFound, Conflict, UserError: as ``RecallDesk.decide``.
        """
        self.require(Action.RECALL_APPROVE)
        recall = self._parts.recalls.decide(
            recall_id, self.account.name, version, is_approved=is_approved, answer=answer
        )
        self._log("recall_approve", "record", recall.record_id, recall.state)
        return recall

    # Findings as work

    def findings(
        self, wanted: FindingFilter | None = None, cursor: str | None = None, limit: int = _PAGE
    ) -> Page[FindingCard]:
        """The findings that the account may see, the newest first.

        Raises:
            Denied: it may see none.
        """
        limits = self._bounds(Action.READ_FINDINGS)
        page = self._parts.findings.page(wanted or FindingFilter(), cursor, limit, limits)
        return self._cards(page)

    def overdue(self, cursor: str | None = None, limit: int = _PAGE) -> Page[FindingCard]:
        """The open findings whose time to mend has run out.

        Raises:
            Denied: the account may see none.
        """
        limits = self._bounds(Action.READ_FINDINGS)
        return self._cards(self._parts.reviews.overdue(datetime.now(UTC), limits, cursor, limit))

    def finding_counts(self, wanted: FindingFilter | None = None) -> Mapping[State, int]:
        """How many findings that the account may see are in each state.

        Raises:
            Denied: it may see none.
        """
        limits = self._bounds(Action.READ_FINDINGS)
        return self._parts.findings.counts(wanted or FindingFilter(), limits)

    def finding(self, finding_id: str) -> FindingCard:
        """One finding with its history.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        scope = self._finding_scope(finding_id)
        self._log("read_finding", "finding", finding_id)
        return self._card(self._parts.findings.get(finding_id), scope)

    def explain(self, finding_id: str) -> Explanation | None:
        """The facts, answers and logic that a finding rests on; ``None`` for one that code decided by itself.

        Raises:
            Denied, NotFound: it is not there for this account.
        """
        self._finding_scope(finding_id)
        finding = self._parts.findings.get(finding_id)
        rule = self._parts.catalogue.rules.get(finding.finding.rule)
        if rule is None or rule.check is not None:
            return None
        record = self._parts.records.get(finding.record_id)
        return explain(self._parts, rule, finding.finding, record)

    def possible_steps(self, work: FindingWork) -> tuple[Step, ...]:
        """The steps that this account may take with a finding now."""
        return tuple(each.step for each in self._steps(work, self._parts.findings.scope(work.id)))

    def act(
        self,
        finding_id: str,
        action: str,
        version: int,
        reason: str = "",
        evidence: str = "",
        *,
        assignee: str | None = None,
        due_at: datetime | None = None,
    ) -> FindingCard:
        """Take a step with a finding; a correction is judged at once and closes it if it is mended.

        Args:
            action: a ``Step``.
            version: the version that the account saw.
            assignee: to whom, for 分派: an account's name, or a name of the department.
            due_at: by when, for 分派; aware.

        Raises:
            Denied, NotFound: the finding is not there for this account, or the step is not its right.
            Conflict: the step is not open now, or somebody else was quicker.
            UserError: no such step, or it wants a reason.
        """
        if action not in tuple(Step):
            raise UserError(f"没有“{action}”这一步，可用的有：{'、'.join(Step)}。")
        step = Step(action)
        scope = self._finding_scope(finding_id)
        work = self._parts.findings.get(finding_id)
        way = transition(work.state, step, work.stage)
        if way is not None:
            self.require(way.right, _Object("finding", finding_id, scope, _no_finding(finding_id)))
        by, reviews = self.account.name, self._parts.reviews
        if step is Step.ASSIGN:
            done = reviews.assign(finding_id, by, version, self._person(assignee), due_at)
        elif step is Step.CORRECT:
            done = reviews.correct(finding_id, by, version, self._parts.checker)
        elif step is Step.APPEAL:
            done = reviews.appeal(finding_id, by, version, reason, evidence)
        else:
            done = reviews.decide(finding_id, by, version, step, reason)
        self._log(step, "finding", finding_id, f"{work.state}→{done.state}")
        return self._card(done, self._parts.findings.scope(finding_id))

    def rule_feedback(self) -> tuple[RuleFeedback, ...]:
        """How people received the findings and hints of each rule, the most refused first.

        Raises:
            Denied: the account may not read rules.
        """
        self.require(Action.READ_RULES)
        return feedback(self._parts.database)

    def finding_labels(self) -> Iterator[dict[str, Any]]:
        """Every decided finding as a labelled example, for calibration.

        Raises:
            Denied: the account may not switch rules.
        """
        self.require(Action.CHANGE_RULES)
        self._log("export_labels", "finding", "*")
        return labels(self._parts.database)

    # Batches

    def start_audit(self, name: str, content: bytes) -> AuditView:
        """Audit what was uploaded in the background.

        Raises:
            Denied: the account may not.
            UserError: there are no records in it.
        """
        self.require(Action.AUDIT_BATCH)
        job = self._parts.batches.start(name, content, self.account.name)
        self._log("start_audit", "audit", job.id)
        return self._audit(job)

    def resume_audit(self, audit_id: str) -> AuditView:
        """Take up an audit that was stopped.

        Raises:
            Denied, NotFound: the account may not, or there is none.
            Conflict: it runs, or is finished.
        """
        self.require(Action.AUDIT_BATCH)
        self._log("resume_audit", "audit", audit_id)
        return self._audit(self._parts.batches.resume(audit_id))

    def audits(self) -> tuple[AuditJob, ...]:
        """The latest audits, the newest first.

        Raises:
            Denied: the account may not.
        """
        self.require(Action.AUDIT_BATCH)
        return self._parts.batches.jobs.page(limit=LARGEST_PAGE).items

    def audit_summary(self, audit_id: str) -> dict[str, Any] | None:
        """The summary of a finished audit; ``None`` before.

        Raises:
            Denied, NotFound: the account may not, or there is none.
        """
        return self.audit_job(audit_id).summary

    def audit_job(self, audit_id: str) -> AuditView:
        """One audit: its progress, its files, its summary.

        Raises:
            Denied, NotFound: the account may not, or there is none.
        """
        self.require(Action.AUDIT_BATCH)
        return self._audit(self._parts.batches.jobs.get(audit_id))

    def audit_file(self, audit_id: str, name: str) -> Path:
        """A file that an audit made.

        Raises:
            Denied, NotFound: the account may not, or there is none.
        """
        self.require(Action.AUDIT_BATCH)
        path = self._parts.batches.file(audit_id, name)
        self._log("read_audit", "audit", audit_id, name)
        return path

    # Drafts

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

    # Knowledge and rules

    def search(self, query: str, k: int = 5, document: str | None = None) -> list[Hit]:
        """The best clauses for a question.

        Raises:
            Denied: the account may not.
            UserError: there is no such document.
        """
        self.require(Action.SEARCH)
        with self._parts.knowledge_lock:
            return self._parts.knowledge.search(query, k, document)

    def knowledge_documents(self) -> tuple[Document, ...]:
        """The documents of the knowledge base.

        Raises:
            Denied: the account may not.
        """
        self.require(Action.SEARCH)
        with self._parts.knowledge_lock:
            return self._parts.knowledge.documents

    def add_knowledge(self, name: str, content: bytes) -> Document:
        """Add a hospital's own file, in place of an earlier one of the same name.

        Raises:
            Denied: the account may not.
            UserError: the file cannot be read.
        """
        self.require(Action.ADD_KNOWLEDGE)
        with tempfile.TemporaryDirectory() as folder, self._parts.knowledge_lock:
            path = Path(folder) / (Path(name).name or "文件")
            path.write_bytes(content)
            added = self._parts.knowledge.add(path)
            self._parts.knowledge.update_index()
        self._log("add_knowledge", "knowledge", added.name)
        return added

    def rules(self) -> tuple[RuleWork, ...]:
        """Every rule as it is switched here.

        Raises:
            Denied: the account may not.
        """
        self.require(Action.READ_RULES)
        switches = self._parts.switches.all()
        heard = {each.rule: each for each in feedback(self._parts.database)}
        rules = self._parts.catalogue.rules.values()
        return tuple(self._rule_work(rule, switches.get(rule.code), heard.get(rule.code)) for rule in rules)

    def rule_page(self, code: str) -> RulePage:
        """The page about a rule.

        Raises:
            Denied, NotFound: the account may not, or there is no such rule.
        """
        self.require(Action.READ_RULES)
        return rule_page(self._rule(code), self._parts.reference)

    def change_rule(
        self, code: str, is_enabled: bool, points: float | None, version: int | None = None
    ) -> RuleWork:
        """Switch a rule, or give it other points; ``None`` leaves those of the profile.

        Args:
            version: of the switch that the change starts from; ``None`` changes whatever is there.

        Raises:
            Denied, NotFound: the account may not, or there is no such rule.
            Conflict: somebody else changed it since ``version``.
            UserError: a hint cannot have points.
        """
        self.require(Action.CHANGE_RULES)
        rule = self._rule(code)
        if rule.severity == "hint" and points:
            raise UserError(f"规则 {code} 只作提示，不能扣分，请把分值设为 0。")
        before = self._parts.switches.all().get(code)
        known = version if version is not None else before.version if before else 0
        switch = RuleSwitch(code=code, is_enabled=is_enabled, points=points, version=known)
        saved = self._parts.switch_rule(switch, self.account.name)
        self._log(
            "change_rule", "rule", code, f"{'on' if is_enabled else 'off'} {'' if points is None else points}"
        )
        heard = {each.rule: each for each in feedback(self._parts.database)}
        return self._rule_work(rule, saved, heard.get(code))

    def clause_text(self, basis: Basis) -> str | None:
        """What a cited clause says; ``None`` where it is not kept.

        Raises:
            Denied: the account may not search the knowledge base.
        """
        self.require(Action.SEARCH)
        return self._parts.clause_text(basis)

    def evaluation(self, name: str, content: bytes, format: str) -> Evaluated:  # noqa: A002  # as in the URL
        """Measure the checker or the verifier against labelled material, without a model.

        Args:
            name: of the uploaded file.
            content: the file.
            format: ``chip2025`` (labelled admission notes) or ``claims`` (claims with their sources).

        Raises:
            Denied: the account may not.
            UserError: the file is not of that format.
        """
        self.require(Action.EVALUATE)
        self._log("evaluate", "evaluation", format)
        return evaluate(self._parts.settings, name, content, format)

    # Accounts and the audit log

    def accounts(self) -> tuple[Account, ...]:
        """Every account.

        Raises:
            Denied: the account may not manage accounts.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        return self._parts.accounts.all()

    def save_account(self, account: Account, password: str | None = None) -> Account:
        """Keep a new or changed account; a password given here has to be changed at the next sign-in.

        Raises:
            Denied: the account may not manage accounts.
            Conflict: somebody else changed it meanwhile, or the name is taken.
            UserError: the password is too short, or nobody could manage accounts any more.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        saved = self._parts.accounts.save(account, password=password, must_change=password is not None)
        roles = " ".join(f"{g.role}{f'<{g.until:%Y-%m-%d}' if g.until else ''}" for g in saved.grants)
        self._log("save_account", "account", saved.name, roles)
        return saved

    def new_account(self, account: Account) -> str:
        """Keep a new account; gives its password for the first sign-in, which has to be changed there.

        Raises:
            Denied: the account may not manage accounts.
            Conflict: the name is taken.
        """
        password = one_time_password()
        self.save_account(account.model_copy(update={"version": 0}), password)
        return password

    def reset_password(self, name: str) -> str:
        """Give an account a password for one sign-in, and sign it out everywhere.

        Raises:
            Denied, NotFound: the account may not manage accounts, or there is none of that name.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        password = one_time_password()
        self.save_account(self._parts.accounts.get(name), password)
        return password

    def tokens(self, name: str) -> tuple[TokenInfo, ...]:
        """The sessions and API tokens of an account.

        Raises:
            Denied: the account may not manage accounts.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        return self._parts.accounts.tokens(name)

    def open_token(self, name: str, title: str, days: int = _API_TOKEN_DAYS) -> str:
        """A new API token for an account; it is shown this once.

        Raises:
            Denied, NotFound: the account may not manage accounts, or there is no such account.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        token = self._parts.accounts.open_token(name, TokenKind.API, timedelta(days=days), title)
        self._log("open_token", "account", name, title)
        return token

    def revoke_token(self, name: str, digest: str) -> None:
        """Take a token or session of an account back.

        Raises:
            Denied, NotFound: the account may not manage accounts, or has no such token.
        """
        self.require(Action.MANAGE_ACCOUNTS)
        if all(token.digest != digest for token in self._parts.accounts.tokens(name)):
            raise NotFound(f"账号 {name} 没有这个令牌，请刷新。")
        self._parts.accounts.revoke(digest)
        self._log("revoke_token", "account", name)

    def audit_log(
        self, wanted: AuditFilter | None = None, cursor: str | None = None, limit: int = _PAGE
    ) -> Page[AuditEntry]:
        """What was done, the newest first.

        Raises:
            Denied: the account may not read the log.
        """
        self.require(Action.READ_AUDIT_LOG)
        return self._parts.log.page(wanted or AuditFilter(), cursor, limit)

    def verify_audit_log(self) -> Broken | None:
        """The first place where the audit log was tampered with; ``None`` if it is whole.

        Raises:
            Denied: the account may not read the log.
        """
        self.require(Action.READ_AUDIT_LOG)
        return self._parts.log.verify()

    # What all of it rests on

    def may(self, action: Action, record_id: str | None = None) -> bool:
        """Whether the account may do this to a kept record, or (``None``) to anything at all.

        Raises:
            NotFound: there is no such record.
        """
        scope = self._parts.records.scope(record_id) if record_id is not None else None
        return may(self.account, action, scope, datetime.now(UTC))

    def require(self, action: Action, target: _Object | None = None) -> None:
        """Ask for a right; a refusal is written into the audit log.

        Raises:
            Denied: the account may not do it at all.
            NotFound: it may, but not to ``target``.
        """
        now = datetime.now(UTC)
        scope = target.scope if target else None
        if may(self.account, action, scope, now):
            return
        self._log("denied", target.kind if target else "", target.id if target else "", action)
        if scope is not None and target is not None and may(self.account, action, None, now):
            raise NotFound(target.missing)
        raise Denied(f"您的账号没有“{ACTION_TITLES[action]}”的权限，需要时请联系管理员。")

    def _bounds(self, action: Action) -> Bounds:
        self.require(action)
        return bounds(self.account, action, datetime.now(UTC)) or Bounds()

    def _require_of(self, action: Action, record_id: str) -> None:
        """Ask for a right over a kept record; whoever has none at all does not learn whether it is there."""
        self.require(action)
        scope = self._parts.records.scope(record_id)
        self.require(action, _Object("record", record_id, scope, f"没有病案 {record_id}，请核对编号。"))

    def _is_stored(self, record_id: str) -> bool:
        try:
            self._parts.records.scope(record_id)
        except NotFound:
            return False
        return True

    def _finding_scope(self, finding_id: str) -> Scope:
        self.require(Action.READ_FINDINGS)
        scope = self._parts.findings.scope(finding_id)
        self.require(Action.READ_FINDINGS, _Object("finding", finding_id, scope, _no_finding(finding_id)))
        return scope

    def _draft(self, draft_id: str, action: Action) -> StoredDraft:
        self.require(action)
        stored = self._parts.drafts.get(draft_id)
        scope = self._parts.records.scope(stored.record_id)
        missing = f"没有草稿 {draft_id}，请核对编号。"
        self.require(action, _Object("draft", draft_id, scope, missing))
        return stored

    def _keep_draft(self, stored: StoredDraft, version: int, changed: Draft, what: str) -> StoredDraft:
        sealed = review.sealed(changed, label_key(self._parts.settings))
        saved = self._parts.drafts.save(stored.id, version, sealed, self.account.name)
        self._log("review_draft", "draft", stored.id, f"{what} v{saved.version}")
        return saved

    def _reviewer(self) -> review.Reviewer:
        return review.Reviewer(f"{self.account.display_name}（{self.account.name}）", datetime.now(UTC))

    def _judged(self, record: MedicalRecord, *, use_model: bool) -> Report:
        checker = (self._parts.asking_checker() if use_model else None) or self._parts.checker
        report = checker.check(record)
        for finding in report.result.findings:
            self._parts.metrics.findings.labels(finding.severity).inc()
        return report

    def _item(self, summary: RecordSummary) -> RecordItem:
        wanted = FindingFilter(record_id=summary.record_id)
        counts = self._parts.findings.counts(wanted)
        return RecordItem(**dict(summary), open_findings=sum(counts[state] for state in OPEN_STATES))

    def _cards(self, page: Page[FindingWork]) -> Page[FindingCard]:
        cards = tuple(self._card(work, self._parts.findings.scope(work.id)) for work in page.items)
        return Page(items=cards, next_cursor=page.next_cursor)

    def _card(self, work: FindingWork, scope: Scope) -> FindingCard:
        patient = self._parts.records.summary(work.record_id).patient_name
        return FindingCard(**dict(work), patient_name=patient, actions=tuple(self._steps(work, scope)))

    def _steps(self, work: FindingWork, scope: Scope) -> Iterator[NextStep]:
        now = datetime.now(UTC)
        for step in open_steps(work.state, work.stage):
            way = transition(work.state, step, work.stage)
            if way is not None and may(self.account, way.right, scope, now):
                yield NextStep(step=step, title=STEP_TITLES[step], needs_reason=way.needs_reason)

    def _person(self, given: str | None) -> str | None:
        """Somebody as records know them: an account's name, or a name in words."""
        if not given:
            return None
        return person_key(id=given) if given.isascii() else person_key(name=given)

    def _audit(self, job: AuditJob) -> AuditView:
        batches = self._parts.batches
        return AuditView(**dict(job), files=batches.files(job.id), summary=batches.summary(job.id))

    def _rule(self, code: str) -> Rule:
        rule = self._parts.catalogue.rules.get(code)
        if rule is None:
            raise NotFound(f"没有规则 {code}，请核对编号。")
        return rule

    def _rule_work(self, rule: Rule, switch: RuleSwitch | None, heard: RuleFeedback | None) -> RuleWork:
        used = self._parts.checker.rules.get(rule.code)
        return RuleWork(
            rule=rule,
            is_enabled=used is not None,
            points=(used or rule).points,
            is_changed=switch is not None,
            version=switch.version if switch else 0,
            feedback=heard,
        )

    def _log_reading(self, record_id: str) -> None:
        """Log once an hour that the account writes with a record before it; every pause asks for hints."""
        if self._parts.is_first(f"{self.account.name}|{record_id}|{datetime.now(UTC):%Y%m%d%H}"):
            self._log("read_record", "record", record_id, "hints")

    def _log(self, action: str, kind: str, object_id: str, detail: str = "") -> None:
        self._parts.log.write(self.account.name, action, kind, object_id, detail)


def _no_finding(finding_id: str) -> str:
    return f"没有缺陷 {finding_id}，请核对编号。"
