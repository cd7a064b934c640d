"""Putting the parts together from the settings: the one place where folders, model and rules meet."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from app.labelling.labeller import Labeller
from app.llm.prompts import load_prompt
from app.qc.catalogue import load_catalogue
from app.qc.engine import Checker
from app.qc.facts.answering import FactAnswerer, FactPrompts
from app.qc.indicators import load_indicators
from app.qc.render.rule_docs import Reference
from app.qc.render.text import ClauseText
from app.qc.rule import Basis, Rule
from app.qc.scoring import load_profile
from app.resources import RULES
from app.settings import Settings
from app.storage.cache import ContentCache
from app.terms.table import load_terms_table

ANSWER_CACHE = "answers.sqlite"


def open_rules(settings: Settings) -> Mapping[str, Rule]:
    """The rules of the chosen profile, by code."""
    return load_profile(RULES / "profiles", settings.profile).applied_to(load_catalogue(RULES).rules)


def fact_prompts() -> FactPrompts:
    """The bundled prompts that ask facts."""
    return FactPrompts(load_prompt("fact"), load_prompt("fact_evidence"))


def clause_texts(settings: Settings) -> ClauseText:
    """What the clauses of the knowledge base say."""
    from retrieval.search import KnowledgeBase

    knowledge = KnowledgeBase(settings.data_dir / "kb")

    def text(basis: Basis) -> str | None:
        chunk = knowledge.clause(basis.source, basis.clause) if basis.clause else None
        return chunk.text if chunk else None

    return text


@contextmanager
def open_checker(settings: Settings, *, use_model: bool) -> Iterator[Checker]:
    """A checker; with ``use_model``, its model is started on entry and stopped on exit.

    Raises:
        ModelUnavailable: the model is not there, or cannot be started.
    """
    catalogue = load_catalogue(RULES)
    profile = load_profile(RULES / "profiles", settings.profile)
    with ExitStack() as stack:
        model = None
        if use_model:
            from app.llm.engines import open_model

            model = stack.enter_context(open_model(settings))
        cache = stack.enter_context(ContentCache(settings.data_dir / ANSWER_CACHE)) if model else None
        answerer = FactAnswerer(catalogue.facts, model, fact_prompts(), cache)
        yield Checker(catalogue, profile, answerer, Labeller.of(settings), load_terms_table(settings))


def rule_reference(settings: Settings) -> Reference:
    """What pages about rules draw on: every rule as the catalogue has it, and what each profile makes of it."""
    catalogue = load_catalogue(RULES)
    names = sorted(path.stem for path in (RULES / "profiles").glob("*.yaml"))
    profiles = [load_profile(RULES / "profiles", name) for name in names]
    unchanged = load_profile(RULES / "profiles", settings.profile).model_copy(update={"rules": {}})
    answerer = FactAnswerer(catalogue.facts, None, fact_prompts(), None)
    return Reference(
        Checker(catalogue, unchanged, answerer, Labeller.of(settings), load_terms_table(settings)),
        catalogue.facts,
        tuple((profile, profile.applied_to(catalogue.rules)) for profile in profiles),
        load_indicators(RULES / "indicators.yaml"),
        clause_texts(settings),
    )


def run_rule_examples(settings: Settings) -> tuple[list[str], int]:
    """Run every rule's examples without a model; give the failures in words, and how many were run."""
    from app.qc.examples import run_examples

    with open_checker(settings, use_model=False) as checker:
        rules = load_catalogue(RULES).rules.values()
        runs = [run for rule in rules for run in run_examples(rule, checker)]
    return [str(run) for run in runs if not run.is_right], len(runs)
