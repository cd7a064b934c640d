"""Clauses, rules, and how well the rules do."""

import tempfile
from pathlib import Path

from app.errors import UserError
from app.privacy.rights import Action
from app.qc.render.rule_docs import RulePage, rule_page
from app.qc.rule import Basis, Rule
from app.review.feedback import RuleFeedback, feedback
from app.service.desk.base import Base
from app.service.evaluating import Evaluated, evaluate
from app.service.views import RuleWork
from app.storage.rule_switches import RuleSwitch
from retrieval.corpus import Document
from retrieval.search import Hit


class Library(Base):
    """What is checked, and what it rests on."""

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

    def _rule_work(self, rule: Rule, switch: RuleSwitch | None, heard: RuleFeedback | None) -> RuleWork:
        used, own = self._parts.checker.rules.get(rule.code), switch.points if switch else None
        return RuleWork(
            rule=rule,
            is_enabled=used is not None,
            points=used.points if used else rule.points if own is None else own,
            is_changed=switch is not None,
            version=switch.version if switch else 0,
            feedback=heard,
        )
