"""What the service opens once, at its start, and everything at its desk works with."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property

from app.assembly import clause_texts, open_checker, rule_reference
from app.drafting.drafter import DRAFT_CACHE, Drafter
from app.hints.hinter import Hinter
from app.hints.recent import Recent
from app.labelling.labeller import Labeller
from app.privacy.audit_log import AuditLog
from app.privacy.deidentify import Deidentifier
from app.privacy.keys import audit_key, kept_key
from app.privacy.rights import Account
from app.qc.catalogue import Catalogue, load_catalogue
from app.qc.engine import Checker
from app.qc.render.rule_docs import Reference
from app.qc.render.text import ClauseText
from app.qc.scoring import Profile, RuleChange, load_profile
from app.records.model import MedicalRecord
from app.resources import RULES
from app.review.loop import ReviewLoop
from app.review.recall import RecallDesk
from app.service.batches import Batches
from app.service.metrics import Metrics
from app.service.model import SharedModel
from app.settings import Settings
from app.storage.accounts import AccountStore
from app.storage.cache import ContentCache
from app.storage.database import Database, open_database
from app.storage.dismissals import DismissalStore
from app.storage.drafts import DraftStore
from app.storage.findings import FindingStore
from app.storage.fixes import FixStore
from app.storage.idempotency import IdempotencyStore
from app.storage.jobs import JobStore
from app.storage.records import RecordStore
from app.storage.results import ResultStore
from app.storage.rule_switches import RuleSwitch, RuleSwitchStore
from retrieval.opening import open_knowledge
from retrieval.search import KnowledgeBase

_STAYS_KEPT = 500
_SEEN_KEPT = 10_000
_CARDS = "cards.sqlite"


class Parts:
    """The open parts of the service; get them from ``open_parts``."""

    def __init__(
        self, settings: Settings, database: Database, checker: Checker, model: SharedModel, stack: ExitStack
    ) -> None:
        """Work with what is open; ``stack`` closes what is opened later."""
        self.settings = settings
        self.database = database
        self.model = model
        self.accounts = AccountStore(database)
        self.records = RecordStore(database)
        self.results = ResultStore(database)
        self.findings = FindingStore(database)
        self.drafts = DraftStore(database)
        self.dismissals = DismissalStore(database)
        self.fixes = FixStore(database)
        self.idempotency = IdempotencyStore(database)
        self.switches = RuleSwitchStore(database)
        self.recalls = RecallDesk(database)
        self.reviews = ReviewLoop(database, settings.correction_days)
        self.deidentifier = Deidentifier(kept_key(settings.data_dir / "deid.key"))
        self.log = AuditLog(database, audit_key(settings))
        self.batches = Batches(settings, JobStore(database))
        self.metrics = Metrics()
        self.cards = stack.enter_context(ContentCache(settings.data_dir / _CARDS))
        self._stack = stack
        self.knowledge_lock = threading.Lock()
        self._lock = threading.Lock()
        self._drafting = threading.Lock()
        self._stays: Recent[MedicalRecord] = Recent(_STAYS_KEPT)
        self._seen: Recent[bool] = Recent(_SEEN_KEPT)
        self._base = checker
        self._asking: Checker | None = None
        self._drafter: Drafter | None = None
        self._apply_switches()

    def account(self, name: str) -> Account:
        """An account with its rights as they are now.

        Raises:
            NotFound: there is none.
        """
        return self.accounts.get(name)

    @property
    def checker(self) -> Checker:
        """Judges without a model, by the rules as they are switched now."""
        return self._checker

    @property
    def hinter(self) -> Hinter:
        """Gives hints by the rules as they are switched now."""
        return self._hinter

    def asking_checker(self) -> Checker | None:
        """Judges with the model; ``None`` without one."""
        model = self.model.get()
        with self._lock:
            if model is None:
                return None
            if self._asking is None:
                opened = open_checker(self.settings, use_model=True, model=model)
                self._asking = self._stack.enter_context(opened)
            return _with_rules(self._asking, self._profile, self.catalogue)

    @contextmanager
    def drafter(self, *, use_model: bool) -> Iterator[Drafter]:
        """Drafts with the model, one call at a time; in the words of the record without one."""
        model = self.model.get() if use_model else None
        if model is None:
            yield Drafter(Labeller.of(self.settings), None, None)
            return
        with self._drafting:
            if self._drafter is None:
                from app.drafting.entailment import ModelJudge
                from app.drafting.write import Narrator

                cache = self._stack.enter_context(ContentCache(self.settings.data_dir / DRAFT_CACHE))
                narrator, judge = Narrator(model, cache), ModelJudge(model, cache)
                self._drafter = Drafter(Labeller.of(self.settings), narrator, judge)
            yield self._drafter

    def stay(self, record_id: str) -> MedicalRecord:
        """A kept record as it is, read once a version.

        Raises:
            NotFound: there is none.
        """
        version = self.records.version(record_id)
        key = f"{record_id}\x1f{version}"
        known = self._stays.get(key)
        if known is None:
            known = self.records.get(record_id, version)
            self._stays.put(key, known)
        return known

    @cached_property
    def catalogue(self) -> Catalogue:
        """Every rule and fact, as they are shipped."""
        return load_catalogue(RULES)

    @cached_property
    def reference(self) -> Reference:
        """What pages about rules draw on."""
        return rule_reference(self.settings)

    @cached_property
    def clause_text(self) -> ClauseText:
        """What clauses say."""
        return clause_texts(self.settings)

    @cached_property
    def knowledge(self) -> KnowledgeBase:
        """The knowledge base."""
        return open_knowledge(self.settings)

    def is_first(self, what: str) -> bool:
        """Whether this is asked for the first time, as far as one remembers."""
        is_new = self._seen.get(what) is None
        self._seen.put(what, True)
        return is_new

    def switch_rule(self, switch: RuleSwitch, by: str) -> RuleSwitch:
        """Keep a change of a rule; it holds from now on.

        Raises:
            Conflict: somebody else changed the rule meanwhile.
        """
        saved = self.switches.save(switch, by)
        self._apply_switches()
        return saved

    def _apply_switches(self) -> None:
        profile = load_profile(RULES / "profiles", self.settings.profile)
        self._profile = _switched(profile, self.switches.all())
        self._checker = _with_rules(self._base, self._profile, self.catalogue)
        self._hinter = Hinter(self._checker, most=self.settings.hints_at_once, clause_text=self.clause_text)


@contextmanager
def open_parts(settings: Settings, *, use_model: bool = True) -> Iterator[Parts]:
    """Open everything; what runs is ended and everything closed on exit.

    Raises:
        UserError: the database, the rules or a key cannot be used.
    """
    with ExitStack() as stack:
        database = open_database(settings)
        stack.callback(database.close)
        checker = stack.enter_context(open_checker(settings, use_model=False))
        model = SharedModel(settings, is_used=use_model)
        stack.callback(model.close)
        parts = Parts(settings, database, checker, model, stack)
        stack.callback(parts.batches.close)
        yield parts


def _switched(profile: Profile, switches: Mapping[str, RuleSwitch]) -> Profile:
    changes = {
        code: profile.rules.get(code, RuleChange()).model_copy(
            update={"enabled": switch.is_enabled}
            | ({} if switch.points is None else {"points": switch.points})
        )
        for code, switch in switches.items()
    }
    return profile.model_copy(update={"rules": {**profile.rules, **changes}})


def _with_rules(checker: Checker, profile: Profile, catalogue: Catalogue) -> Checker:
    """The checker with the rules of a changed profile."""
    other = checker.limited_to(())
    known = catalogue.rules.keys()
    changes = {code: change for code, change in profile.rules.items() if code in known}
    other.rules = profile.model_copy(update={"rules": changes}).applied_to(catalogue.rules)
    other.profile = profile
    return other
