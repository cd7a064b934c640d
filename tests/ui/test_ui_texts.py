"""What the templates make of values: Chinese words, and every text escaped."""

import pytest

from app.qc.catalogue import load_catalogue
from app.resources import RULES
from app.ui.logic import in_words
from app.ui.panel import drawn

TITLES = {"a": "写了诱因？", "b": "写了部位？", "c": "是外伤？"}


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("a", "“写了诱因？”为是"),
        ("not a", "“写了诱因？”为否"),
        ("not a and b", "“写了诱因？”为否 且 “写了部位？”为是"),
        ("not a and (b or c)", "“写了诱因？”为否 且 （“写了部位？”为是 或 “是外伤？”为是）"),
        ("not (a or b)", "并非（“写了诱因？”为是 或 “写了部位？”为是）"),
        ("unknown", "“unknown”为是"),
    ],
)
def test_a_condition_is_told_in_words(condition, words):
    assert in_words(condition, TITLES) == words


def test_every_condition_of_the_catalogue_can_be_told():
    rules = load_catalogue(RULES).rules.values()
    conditions = [text for rule in rules for text in (rule.defect_when, rule.applies_when) if text]
    assert conditions
    assert all("为" in in_words(text, {}) for text in conditions)


def test_templates_escape_what_they_show():
    evil = "<script>alert(1)</script>"
    page = drawn(
        "knowledge.html", query=evil, document="", documents=[evil], hits=[], sources=[], levels={}, said=evil
    )
    assert evil not in page
    assert page.count("&lt;script&gt;") == 3
