"""Putting the parts together from the settings: the one place where folders, model and rules meet."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from app.labelling.labeller import Labeller
from app.llm.client import LanguageModel
from app.llm.prompts import load_prompt
from app.qc.catalogue import Catalogue, load_catalogue
from app.qc.engine import Checker
from app.qc.facts.answering import FactAnswerer, FactPrompts
from app.qc.guidance import Guidance
from app.qc.indicators import load_indicators
from app.qc.render.rule_docs import Reference
from app.qc.render.text import ClauseText
from app.qc.rule import Basis, Rule
from app.qc.scoring import load_profile
from app.qc.specialty.asking import Asker, indicator_prompts
from app.qc.specialty.judging import IndicatorJudge, calibration_folder
from app.qc.specialty.opening import ANSWER_CACHE as INDICATOR_CACHE
from app.qc.specialty.rules import indicator_rules
from app.qc.specialty.store import stored_indicators
from app.qc.verdicts import calibrated_facts, load_verdicts
from app.resources import CORPUS, RULES
from app.settings import Settings
from app.storage.cache import ContentCache
from app.terms.table import load_terms_table

ANSWER_CACHE = "answers.sqlite"


def open_rules(settings: Settings) -> Mapping[str, Rule]:
    """The rules of the chosen profile, by code."""
    return load_profile(RULES / "profiles", settings.profile).applied_to(whole_catalogue(settings).rules)


def whole_catalogue(settings: Settings, asker: Asker | None = None) -> Catalogue:
    """The bundled rules and facts, and the imported indicators as rules; these ask ``asker`` (or nobody).

    Facts have the thresholds that the hospital's own calibration gives them.
    """
    bundled = load_catalogue(RULES)
    indicators = stored_indicators(settings)
    judge = IndicatorJudge(indicators, asker, calibration_folder(settings))
    rules = {**bundled.rules, **indicator_rules(indicators, judge)}
    verdicts = load_verdicts(calibration_folder(settings))
    return Catalogue(dict(sorted(rules.items())), calibrated_facts(bundled.facts, verdicts, settings.model))


def guidance(settings: Settings) -> Guidance:
    """What guidelines, and the hospital's own files, say on a diagnosis."""
    from retrieval.search import KnowledgeBase

    return Guidance(CORPUS, KnowledgeBase(settings.data_dir / "kb").own_passage)


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
def open_checker(
    settings: Settings, *, use_model: bool, model: LanguageModel | None = None
) -> Iterator[Checker]:
    """A checker; with ``use_model``, it asks ``model``, or one that is started on entry and stopped on exit.

    Raises:
        ModelUnavailable: the model is not there, or cannot be started.
    """
    profile = load_profile(RULES / "profiles", settings.profile)
    with ExitStack() as stack:
        if use_model and model is None:
            from app.llm.engines import open_model

            model = stack.enter_context(open_model(settings))
        cache = asker = None
        if model:
            cache = stack.enter_context(ContentCache(settings.data_dir / ANSWER_CACHE))
            indicator_cache = stack.enter_context(ContentCache(settings.data_dir / INDICATOR_CACHE))
            asker = Asker(model, indicator_prompts(), indicator_cache)
        catalogue = whole_catalogue(settings, asker)
        answerer = FactAnswerer(catalogue.facts, model, fact_prompts(), cache)
        yield Checker(
            catalogue,
            profile,
            answerer,
            Labeller.of(settings),
            load_terms_table(settings),
            guidance(settings),
            load_verdicts(calibration_folder(settings)),
        )


def rule_reference(settings: Settings) -> Reference:
    """What pages about rules draw on: every rule as the catalogue has it, and what each profile makes of it."""
    catalogue = whole_catalogue(settings)
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
