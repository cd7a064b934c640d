import pytest

from app.assembly import fact_prompts
from app.labelling.labeller import Labeller
from app.qc.catalogue import Catalogue, load_catalogue
from app.qc.engine import Checker
from app.qc.facts.answering import FactAnswerer
from app.qc.scoring import load_profile
from app.resources import RULES


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The bundled rules and facts."""
    return load_catalogue(RULES)


@pytest.fixture
def checker(catalogue, settings) -> Checker:
    """The bundled rules under the national profile, without a model."""
    answerer = FactAnswerer(catalogue.facts, None, fact_prompts(), None)
    return Checker(catalogue, load_profile(RULES / "profiles", "national"), answerer, Labeller.of(settings))
