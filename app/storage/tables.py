"""The tables. ``version`` counts the changes of a row; who saves states the version that they saw."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, MetaData, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.storage.columns import PackedJson, RowNumber, UtcMoment


class Table(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcMoment, dict[str, Any]: PackedJson}  # noqa: RUF012  # read by SQLAlchemy


def _id() -> Mapped[str]:
    return mapped_column(String(64), primary_key=True)


def _number() -> Mapped[int]:
    return mapped_column(RowNumber, primary_key=True, autoincrement=True)


class RecordRow(Table):
    """A record as it stands, with what lists show of it."""

    __tablename__ = "records"

    record_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    version: Mapped[int]
    stage: Mapped[str] = mapped_column(String(16))
    department: Mapped[str | None] = mapped_column(String(64))
    patient_name: Mapped[str | None] = mapped_column(String(64))
    ward: Mapped[str | None] = mapped_column(String(64))
    bed: Mapped[str | None] = mapped_column(String(32))
    main_diagnosis: Mapped[str | None] = mapped_column(String(128))
    admitted_at: Mapped[datetime | None]
    discharged_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    is_locked: Mapped[bool]
    is_deidentified: Mapped[bool]
    digest: Mapped[str] = mapped_column(String(64))
    saved_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        Index(None, "updated_at", "record_id"),
        Index(None, "department", "updated_at", "record_id"),
    )


class RecordVersionRow(Table):
    """What a record said in one of its versions."""

    __tablename__ = "record_versions"

    record_id: Mapped[str] = mapped_column(ForeignKey("records.record_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]]
    saved_by: Mapped[str] = mapped_column(String(64))
    saved_at: Mapped[datetime]


class RecordPersonRow(Table):
    """Somebody whom a record belongs to (``app.privacy.rights.person_key``)."""

    __tablename__ = "record_people"

    record_id: Mapped[str] = mapped_column(ForeignKey("records.record_id"), primary_key=True)
    person: Mapped[str] = mapped_column(String(128), primary_key=True)
    __table_args__ = (Index(None, "person", "record_id"),)


class ResultRow(Table):
    """The last result of a record."""

    __tablename__ = "results"

    record_id: Mapped[str] = mapped_column(ForeignKey("records.record_id"), primary_key=True)
    record_version: Mapped[int]
    score: Mapped[float | None]
    grade: Mapped[str | None] = mapped_column(String(8))
    content: Mapped[dict[str, Any]]
    checked_at: Mapped[datetime]


class FindingRow(Table):
    """A finding as work; ``content_id`` is the id that the last check gave it, ``id`` never changes."""

    __tablename__ = "findings"

    number: Mapped[int] = _number()
    id: Mapped[str] = mapped_column(String(32), unique=True)
    content_id: Mapped[str] = mapped_column(String(32))
    record_id: Mapped[str] = mapped_column(ForeignKey("records.record_id"))
    version: Mapped[int]
    rule: Mapped[str] = mapped_column(String(32))
    severity: Mapped[str] = mapped_column(String(16))
    category: Mapped[str] = mapped_column(String(16))
    engine: Mapped[str] = mapped_column(String(8))
    department: Mapped[str | None] = mapped_column(String(64))
    author: Mapped[str | None] = mapped_column(String(128))
    author_name: Mapped[str | None] = mapped_column(String(64))
    stage: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    is_present: Mapped[bool]
    verdict: Mapped[str | None] = mapped_column(String(16))
    assignee: Mapped[str | None] = mapped_column(String(128))
    due_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    content: Mapped[dict[str, Any]]
    __table_args__ = (
        Index(None, "record_id", "number"),
        Index(None, "rule", "number"),
        Index(None, "rule", "state", "number"),
        Index(None, "department", "number"),
        Index(None, "department", "state", "number"),
        Index(None, "severity", "state", "number"),
        Index(None, "state", "number"),
        Index(None, "stage", "state", "number"),
        Index(None, "author", "number"),
        Index(None, "assignee", "number"),
        Index(None, "created_at", "number"),
        Index("ix_findings_due_at", "due_at", "state", "number", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_findings_verdict", "rule", "record_id", "verdict",
              postgresql_where=text("verdict IS NOT NULL"), sqlite_where=text("verdict IS NOT NULL")),
    )  # fmt: skip


class FindingStepRow(Table):
    """One step in the work on a finding; kept for ever."""

    __tablename__ = "finding_steps"

    number: Mapped[int] = _number()
    finding: Mapped[int] = mapped_column(ForeignKey("findings.number"), index=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    before: Mapped[str | None] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    content: Mapped[dict[str, Any]]


class DismissalRow(Table):
    """A hint that somebody did not want to see again; ``key`` stands for rule and quote."""

    __tablename__ = "dismissals"

    number: Mapped[int] = _number()
    key: Mapped[str] = mapped_column(String(64))
    record_id: Mapped[str] = mapped_column(String(128))
    rule: Mapped[str] = mapped_column(String(32), index=True)
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("record_id", "key", "actor"),)


class FixRow(Table):
    """A hint whose writer mended what it was about; ``key`` stands for rule and quote."""

    __tablename__ = "fixes"

    number: Mapped[int] = _number()
    key: Mapped[str] = mapped_column(String(64))
    record_id: Mapped[str] = mapped_column(String(128))
    rule: Mapped[str] = mapped_column(String(32), index=True)
    actor: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("record_id", "key", "actor"),)


class RecallRow(Table):
    """A request to open a filed record again."""

    __tablename__ = "recalls"

    id: Mapped[str] = _id()
    record_id: Mapped[str] = mapped_column(ForeignKey("records.record_id"), index=True)
    version: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(String(64))
    requested_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    decided_at: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(Text)


class DraftRow(Table):
    """A draft as it stands."""

    __tablename__ = "drafts"

    id: Mapped[str] = _id()
    record_id: Mapped[str] = mapped_column(ForeignKey("records.record_id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16))
    version: Mapped[int]
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DraftVersionRow(Table):
    """What a draft said in one of its versions."""

    __tablename__ = "draft_versions"

    draft_id: Mapped[str] = mapped_column(ForeignKey("drafts.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]]
    saved_by: Mapped[str] = mapped_column(String(64))
    saved_at: Mapped[datetime]


class JobRow(Table):
    """A batch audit."""

    __tablename__ = "audits"

    number: Mapped[int] = _number()
    id: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(256))
    state: Mapped[str] = mapped_column(String(16))
    done: Mapped[int]
    total: Mapped[int | None]
    problem: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int]
    started_by: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class AccountRow(Table):
    """Somebody who signs in; without ``password`` only through OIDC (``subject``) or a token."""

    __tablename__ = "accounts"

    name: Mapped[str] = _id()
    display_name: Mapped[str] = mapped_column(String(64))
    department: Mapped[str | None] = mapped_column(String(64))
    password: Mapped[str | None] = mapped_column(String(256))
    must_change_password: Mapped[bool]
    subject: Mapped[str | None] = mapped_column(String(256), unique=True)
    is_disabled: Mapped[bool]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class GrantRow(Table):
    """A role of an account, until a moment or for ever."""

    __tablename__ = "role_grants"

    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"), primary_key=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    until: Mapped[datetime | None]


class TokenRow(Table):
    """A session or an API token, known by its SHA-256 only."""

    __tablename__ = "tokens"

    digest: Mapped[str] = _id()
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class AuditEntryRow(Table):
    """One entry of the audit log; ``seal`` covers the entry and the seal before it."""

    __tablename__ = "audit_log"

    number: Mapped[int] = mapped_column(RowNumber, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64), index=True)
    action: Mapped[str] = mapped_column(String(32))
    object_kind: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[str] = mapped_column(String(128))
    detail: Mapped[str] = mapped_column(String(512))
    seal: Mapped[bytes] = mapped_column(LargeBinary(32))
    __table_args__ = (Index(None, "object_kind", "object_id"),)


class AuditHeadRow(Table):
    """The end of the audit log, so that cutting it off shows."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entries: Mapped[int] = mapped_column(RowNumber)
    seal: Mapped[bytes] = mapped_column(LargeBinary(32))


class IdempotencyRow(Table):
    """A write that was asked for under a key, and its answer once there is one."""

    __tablename__ = "idempotency_keys"

    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    content_type: Mapped[str | None] = mapped_column(String(128))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)


class RuleSwitchRow(Table):
    """What the hospital changed about a rule in the workplace."""

    __tablename__ = "rule_switches"

    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    is_enabled: Mapped[bool]
    points: Mapped[float | None]
    version: Mapped[int]
    changed_by: Mapped[str] = mapped_column(String(64))
    changed_at: Mapped[datetime]
