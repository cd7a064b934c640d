"""Audits of many records in the background."""

from pathlib import Path

from app.privacy.rights import Action
from app.service.desk.base import Base
from app.service.views import AuditView
from app.storage.jobs import AuditJob
from app.storage.paging import LARGEST_PAGE


class Batch(Base):
    """Audits of many records."""

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

    def _audit(self, job: AuditJob) -> AuditView:
        batches = self._parts.batches
        return AuditView(**dict(job), files=batches.files(job.id), summary=batches.summary(job.id))
