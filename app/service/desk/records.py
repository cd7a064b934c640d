"""Records kept, judged again, de-identified, recalled."""

from app.privacy.rights import Action, scope_of
from app.qc.result import Report
from app.records.model import MedicalRecord
from app.review.recall import Recall
from app.service.desk.base import PAGE, Base, Target
from app.service.views import RecordItem
from app.storage.findings import FindingFilter
from app.storage.paging import Page
from app.storage.records import RecordFilter, RecordSummary
from app.storage.states import OPEN_STATES, Stage


class Records(Base):
    """The records that the account may read and keep."""

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
        self.require(Action.WRITE_RECORD, Target("record", record.record_id, scope, missing))
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
        self, wanted: RecordFilter | None = None, cursor: str | None = None, limit: int = PAGE
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

    def _item(self, summary: RecordSummary) -> RecordItem:
        wanted = FindingFilter(record_id=summary.record_id)
        counts = self._parts.findings.counts(wanted)
        return RecordItem(**dict(summary), open_findings=sum(counts[state] for state in OPEN_STATES))
