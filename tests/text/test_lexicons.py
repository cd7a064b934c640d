from pathlib import Path

import pytest

import app.text.lexicons as lexicons
from app.text.lexicons import heads_by_term, load_mapping, load_terms, load_tree
from app.text.width import half_width

PLAIN = ("denials", "not_sides", "operations", "sites")
MAPPINGS = (
    "symptoms",
    "general_condition",
    "triggers",
    "chronic_diseases",
    "drug_classes",
    "drug_groups",
    "units",
)


@pytest.mark.parametrize("name", PLAIN + MAPPINGS)
def test_every_term_is_a_word_in_half_width_form(name: str) -> None:
    for term in load_terms(name):
        assert term == half_width(term).strip() != ""


@pytest.mark.parametrize("name", PLAIN)
def test_no_line_of_a_plain_list_is_repeated(name: str) -> None:
    lines = (Path(lexicons.__file__).with_name("lexicons") / f"{name}.txt").read_text("utf-8").splitlines()
    terms = [line for line in lines if line and not line.startswith("#")]
    assert sorted(terms) == sorted(load_terms(name))


@pytest.mark.parametrize("name", ["symptoms", "chronic_diseases", "units"])
def test_a_term_has_one_meaning(name: str) -> None:
    terms = [term for head, members in load_mapping(name).items() for term in (head, *members)]
    assert {term for term in terms if terms.count(term) > 1} == set()


def test_groups_name_known_classes() -> None:
    classes = load_mapping("drug_classes")
    assert [
        name for members in load_mapping("drug_groups").values() for name in members if name not in classes
    ] == []


@pytest.mark.parametrize(
    ("name", "term", "head"),
    [
        ("symptoms", "发烧", "发热"),
        ("symptoms", "发热", "发热"),
        ("chronic_diseases", "房颤", "心房颤动"),
        ("drug_classes", "阿莫西林", "青霉素类"),
        ("drug_classes", "头孢曲松", "头孢菌素类"),
        ("general_condition", "胃纳", "食欲"),
        ("units", "ug", "μg"),
    ],
)
def test_heads(name: str, term: str, head: str) -> None:
    assert heads_by_term(name)[term] == head


def test_inner_sections_are_known_sections() -> None:
    lexicon = load_tree("sections")
    known = set(lexicon["names"])
    assert set(lexicon["inner"]) <= known
    assert {name for inner in lexicon["inner"].values() for name in inner} <= known
    assert {name for forms in lexicon["in_documents"].values() for name in forms.values()} <= known


def test_an_unknown_list_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        load_terms("no_such_list")
