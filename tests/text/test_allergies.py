import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.records.model import Document
from app.text.allergies import allergens_named, find_allergens, find_allergy_denials
from app.text.reading import Reading


def reading(text: str) -> Reading:
    return Reading(Document(id="D1", type="入院记录", text=text))


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("既往史：肌注“青霉素”后全身风团，此后未再用；否认食物过敏史。", ["青霉素"]),
        ("既往史：静滴左氧氟沙星后双上肢荨麻疹。", ["左氧氟沙星"]),
        ("过敏史：青霉素（皮疹）", ["青霉素"]),
        ("对磺胺类药物过敏", ["磺胺类药物"]),
        ("青霉素、头孢过敏", ["青霉素", "头孢"]),
        ("否认青霉素过敏史", []),
        ("青霉素皮试阴性，无过敏反应", []),
        ("父亲青霉素过敏", []),
        ("禁用青霉素类", []),
        ("口服阿莫西林3天，咳嗽减轻", []),
    ],
)
def test_allergens(text, terms):
    assert [allergen.term for allergen in find_allergens(reading(text))] == terms


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("否认食物、药物过敏史。", ["否认食物、药物过敏史"]),
        ("过敏史：无。", ["过敏史：无"]),
        ("无药物过敏史", ["无药物过敏史"]),
        ("否认其他药物过敏史", []),
        ("否认食物过敏史", []),
        ("否认青霉素过敏", []),
        ("药物过敏：青霉素", []),
    ],
)
def test_denials(text, quotes):
    assert [denial.span.of(text) for denial in find_allergy_denials(reading(text))] == quotes


def test_a_family_is_related_across_its_members():
    (allergen,) = allergens_named("阿莫西林")
    assert {"哌拉西林", "青霉素"} <= allergen.related
    assert "头孢曲松" not in allergen.related


@given(st.text(alphabet="青霉素头孢过敏史否认无皮试阳性后疹：，。“”\n", max_size=50))
def test_spans_lie_in_the_text(text):
    read = reading(text)
    for found in (*find_allergens(read), *find_allergy_denials(read)):
        assert 0 <= found.span.start < found.span.end <= len(text)
