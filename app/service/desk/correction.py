"""Findings as work."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from app.errors import UserError
from app.privacy.rights import Action, Scope, may, person_key
from app.review.feedback import RuleFeedback, feedback, labels
from app.review.transitions import STEP_TITLES, Step, open_steps, transition
from app.service.desk.base import PAGE, Base, Target
from app.service.explaining import explain
from app.service.views import Explanation, FindingCard, NextStep
from app.storage.findings import FindingFilter, FindingWork
from app.storage.paging import Page
from app.storage.states import State


class Correction(Base):
    """The findings that the account may see, and the steps it may take."""

    def findings(
        self, wanted: FindingFilter | None = None, cursor: str | None = None, limit: int = PAGE
    ) -> Page[FindingCard]:
        """The findings that the account may see, the newest first.

        Raises:
            Denied: it may see none.
        """
        limits = self._bounds(Action.READ_FINDINGS)
        page = self._parts.findings.page(wanted or FindingFilter(), cursor, limit, limits)
        return self._cards(page)

    def overdue(self, cursor: str | None = None, limit: int = PAGE) -> Page[FindingCard]:
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
            self.require(way.right, Target("finding", finding_id, scope, _no_finding(finding_id)))
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

    def _finding_scope(self, finding_id: str) -> Scope:
        self.require(Action.READ_FINDINGS)
        scope = self._parts.findings.scope(finding_id)
        self.require(Action.READ_FINDINGS, Target("finding", finding_id, scope, _no_finding(finding_id)))
        return scope

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


def _no_finding(finding_id: str) -> str:
    return f"没有缺陷 {finding_id}，请核对编号。"
