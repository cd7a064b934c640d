"""What every desk rests on: rights asked, the log written."""

from datetime import UTC, datetime
from typing import NamedTuple

from app.errors import Denied, NotFound
from app.privacy.rights import ACTION_TITLES, Account, Action, Bounds, Scope, bounds, may
from app.qc.result import Report
from app.qc.rule import Rule
from app.records.model import MedicalRecord
from app.service.parts import Parts

PAGE = 50
"""How many items a page has unless asked."""


class Target(NamedTuple):
    """What is acted on, for rights and the audit log; ``missing`` is said to whom it is not there."""

    kind: str
    id: str
    scope: Scope | None = None
    missing: str = ""


class Base:
    """The account, and the rights and the log of what it does."""

    def __init__(self, parts: Parts, account: Account) -> None:
        """Work with ``parts`` in the name of ``account``."""
        self._parts = parts
        self.account = account

    def may(self, action: Action, record_id: str | None = None) -> bool:
        """Whether the account may do this to a kept record, or (``None``) to anything at all.

        Raises:
            NotFound: there is no such record.
        """
        scope = self._parts.records.scope(record_id) if record_id is not None else None
        return may(self.account, action, scope, datetime.now(UTC))

    def require(self, action: Action, target: Target | None = None) -> None:
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
        self.require(action, Target("record", record_id, scope, f"没有病案 {record_id}，请核对编号。"))

    def _is_stored(self, record_id: str) -> bool:
        try:
            self._parts.records.scope(record_id)
        except NotFound:
            return False
        return True

    def _judged(self, record: MedicalRecord, *, use_model: bool) -> Report:
        checker = (self._parts.asking_checker() if use_model else None) or self._parts.checker
        report = checker.check(record)
        for finding in report.result.findings:
            self._parts.metrics.findings.labels(finding.severity).inc()
        return report

    def _rule(self, code: str) -> Rule:
        rule = self._parts.catalogue.rules.get(code)
        if rule is None:
            raise NotFound(f"没有规则 {code}，请核对编号。")
        return rule

    def _log(self, action: str, kind: str, object_id: str, detail: str = "") -> None:
        self._parts.log.write(self.account.name, action, kind, object_id, detail)
