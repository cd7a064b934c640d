"""Who may do what: one table of roles and actions, read by ``may``."""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from app.records.model import MedicalRecord, Moment


class Role(StrEnum):
    """What somebody is in the hospital, as far as the program cares."""

    PHYSICIAN = "physician"
    HEAD = "head"
    QC = "qc"
    EVALUATOR = "evaluator"
    ADMINISTRATOR = "administrator"


ROLE_TITLES: Mapping[Role, str] = {
    Role.PHYSICIAN: "医师",
    Role.HEAD: "科室主任",
    Role.QC: "质控人员",
    Role.EVALUATOR: "评测人员",
    Role.ADMINISTRATOR: "管理员",
}


class Action(StrEnum):
    """What rights are asked for."""

    READ_RECORD = "read_record"
    WRITE_RECORD = "write_record"
    CHECK = "check"
    HINT = "hint"
    DISMISS = "dismiss"
    DRAFT = "draft"
    REVIEW_DRAFT = "review_draft"
    READ_FINDINGS = "read_findings"
    CORRECT = "correct"
    APPEAL = "appeal"
    DECIDE = "decide"
    ASSIGN = "assign"
    RECALL_REQUEST = "recall_request"
    RECALL_APPROVE = "recall_approve"
    AUDIT_BATCH = "audit_batch"
    SEARCH = "search"
    ADD_KNOWLEDGE = "add_knowledge"
    READ_RULES = "read_rules"
    CHANGE_RULES = "change_rules"
    EVALUATE = "evaluate"
    MANAGE_ACCOUNTS = "manage_accounts"
    READ_AUDIT_LOG = "read_audit_log"


ACTION_TITLES: Mapping[Action, str] = {
    Action.READ_RECORD: "查看病历",
    Action.WRITE_RECORD: "保存病历",
    Action.CHECK: "检查病历",
    Action.HINT: "书写提示",
    Action.DISMISS: "忽略提示",
    Action.DRAFT: "起草文书",
    Action.REVIEW_DRAFT: "审阅草稿",
    Action.READ_FINDINGS: "查看缺陷",
    Action.CORRECT: "整改缺陷",
    Action.APPEAL: "申诉",
    Action.DECIDE: "裁定",
    Action.ASSIGN: "分派缺陷",
    Action.RECALL_REQUEST: "申请召回病历",
    Action.RECALL_APPROVE: "批准召回病历",
    Action.AUDIT_BATCH: "批量质控",
    Action.SEARCH: "检索知识库",
    Action.ADD_KNOWLEDGE: "添加知识库文件",
    Action.READ_RULES: "查看规则",
    Action.CHANGE_RULES: "修改规则",
    Action.EVALUATE: "评测",
    Action.MANAGE_ACCOUNTS: "管理账号",
    Action.READ_AUDIT_LOG: "查看操作日志",
}


class Reach(IntEnum):
    """How far a right goes; a wider reach is a larger number."""

    NONE = 0
    DEIDENTIFIED = 1
    OWN = 2
    DEPARTMENT = 3
    ALL = 4


_NO, _TEXT, _OWN, _DEP, _ALL = Reach.NONE, Reach.DEIDENTIFIED, Reach.OWN, Reach.DEPARTMENT, Reach.ALL

# The columns are physician, head, qc, evaluator, administrator, as Role lists them.
MATRIX: Mapping[Action, tuple[Reach, Reach, Reach, Reach, Reach]] = {
    Action.READ_RECORD:     (_OWN, _DEP, _ALL, _TEXT, _NO),
    Action.WRITE_RECORD:    (_OWN, _DEP, _ALL, _NO,   _NO),
    Action.CHECK:           (_OWN, _DEP, _ALL, _TEXT, _NO),
    Action.HINT:            (_OWN, _DEP, _ALL, _NO,   _NO),
    Action.DISMISS:         (_OWN, _DEP, _ALL, _NO,   _NO),
    Action.DRAFT:           (_OWN, _DEP, _NO,  _NO,   _NO),
    Action.REVIEW_DRAFT:    (_OWN, _DEP, _NO,  _NO,   _NO),
    Action.READ_FINDINGS:   (_OWN, _DEP, _ALL, _TEXT, _NO),
    Action.CORRECT:         (_OWN, _DEP, _NO,  _NO,   _NO),
    Action.APPEAL:          (_OWN, _DEP, _NO,  _NO,   _NO),
    Action.DECIDE:          (_NO,  _NO,  _ALL, _NO,   _NO),
    Action.ASSIGN:          (_NO,  _DEP, _ALL, _NO,   _NO),
    Action.RECALL_REQUEST:  (_OWN, _DEP, _NO,  _NO,   _NO),
    Action.RECALL_APPROVE:  (_NO,  _NO,  _ALL, _NO,   _NO),
    Action.AUDIT_BATCH:     (_NO,  _NO,  _ALL, _NO,   _NO),
    Action.SEARCH:          (_ALL, _ALL, _ALL, _ALL,  _ALL),
    Action.ADD_KNOWLEDGE:   (_NO,  _NO,  _ALL, _NO,   _ALL),
    Action.READ_RULES:      (_ALL, _ALL, _ALL, _ALL,  _ALL),
    Action.CHANGE_RULES:    (_NO,  _NO,  _ALL, _NO,   _NO),
    Action.EVALUATE:        (_NO,  _NO,  _ALL, _ALL,  _NO),
    Action.MANAGE_ACCOUNTS: (_NO,  _NO,  _NO,  _NO,   _ALL),
    Action.READ_AUDIT_LOG:  (_NO,  _NO,  _ALL, _NO,   _ALL),
}  # fmt: skip


class Grant(BaseModel):
    """A role that somebody holds, for ever or until a moment (aware, exclusive)."""

    model_config = ConfigDict(frozen=True)

    role: Role
    until: Moment | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it is in force at ``now`` (aware)."""
        return self.until is None or now < self.until


class Account(BaseModel):
    """Somebody who signs in; ``name`` is what records give as the author's id (工号)."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")
    display_name: str = Field(min_length=1, max_length=64)
    department: str | None = Field(default=None, max_length=64)
    grants: tuple[Grant, ...] = ()
    is_disabled: bool = False
    version: int = 0

    def roles(self, now: datetime) -> frozenset[Role]:
        """The roles in force at ``now``; none once the account is disabled."""
        if self.is_disabled:
            return frozenset()
        return frozenset(grant.role for grant in self.grants if grant.holds(now))


class Scope(BaseModel):
    """What of a record decides who may have it.

    Attributes:
        people: who wrote, signed or answers for it, each as ``person_key`` gives them.
        is_deidentified: its text names nobody.
    """

    model_config = ConfigDict(frozen=True)

    department: str | None = None
    people: frozenset[str] = frozenset()
    is_deidentified: bool = False


class Bounds(NamedTuple):
    """What an account may see of many: anything that one of the parts admits.

    Attributes:
        is_unlimited: everything.
        department: everything of this department.
        person, named: records of this person; one known by name only counts in ``named_department`` alone.
        deidentified: every record whose text names nobody.
    """

    is_unlimited: bool = False
    department: str | None = None
    person: str | None = None
    named: str | None = None
    named_department: str | None = None
    deidentified: bool = False


EVERYTHING = Bounds(is_unlimited=True)

_CLINICAL_ROLES = frozenset({"记录者", "审核者", "主持人", "术者", "助手", "麻醉医师", "巡回护士"})


def person_key(*, id: str | None = None, name: str | None = None) -> str | None:  # noqa: A002
    """How a person of a record is known: by staff number where one is given, else by name."""
    if id:
        return f"id:{id}"
    return f"name:{name}" if name else None


def scope_of(record: MedicalRecord, *, is_deidentified: bool = False) -> Scope:
    """Who a record belongs to: its authors, its clinical signatories and the attending physician."""
    authors = [document.author for document in record.documents or () if document.author]
    known = {author.name for author in authors if author.id}
    signed = [
        signature.name
        for document in record.documents or ()
        for signature in document.signatures or ()
        if signature.role in _CLINICAL_ROLES and signature.name not in known
    ]
    attending = record.encounter.extra.get("attending")
    keys = [person_key(id=author.id, name=author.name) for author in authors]
    keys += [person_key(name=name) for name in signed]
    keys += [person_key(id=attending), person_key(name=attending)] if isinstance(attending, str) else []
    return Scope(
        department=record.encounter.department,
        people=frozenset(key for key in keys if key),
        is_deidentified=is_deidentified,
    )


def reaches(account: Account, action: Action, now: datetime) -> frozenset[Reach]:
    """How far the account's roles in force carry the action; empty when they do not at all."""
    columns = tuple(Role)
    found = {MATRIX[action][columns.index(role)] for role in account.roles(now)}
    return frozenset(found - {Reach.NONE})


def may(account: Account, action: Action, scope: Scope | None, now: datetime) -> bool:
    """Whether the account may do this to what ``scope`` describes.

    Args:
        scope: ``None`` asks whether there is anything at all that the account may do this to.
        now: aware; roles that have run out do not count.
    """
    found = reaches(account, action, now)
    if scope is None:
        return bool(found)
    return any(_covers(reach, account, scope) for reach in found)


def bounds(account: Account, action: Action, now: datetime) -> Bounds | None:
    """What the account may do this to, as a filter over many; ``None`` for nothing."""
    found = reaches(account, action, now)
    if not found:
        return None
    own = Reach.OWN in found
    return Bounds(
        is_unlimited=Reach.ALL in found,
        department=account.department if Reach.DEPARTMENT in found else None,
        person=person_key(id=account.name) if own else None,
        named=person_key(name=account.display_name) if own and account.department else None,
        named_department=account.department if own else None,
        deidentified=Reach.DEIDENTIFIED in found,
    )


def _covers(reach: Reach, account: Account, scope: Scope) -> bool:
    if reach is Reach.ALL:
        return True
    is_home = account.department is not None and account.department == scope.department
    if reach is Reach.DEPARTMENT:
        return is_home
    if reach is Reach.OWN:
        known = person_key(id=account.name) in scope.people
        return known or (is_home and person_key(name=account.display_name) in scope.people)
    return scope.is_deidentified
