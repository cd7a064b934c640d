import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.patterns import compiled, regex

PATTERNS = [
    "过敏|皮试",
    "(?:否认|无|未诉)[^。]{0,8}过敏(?:史)?",
    r"(?<![A-Za-z])(?:MRI?|CT)(?![A-Za-z])|核?磁共振",
    r"(?:\d{1,3}|[一二三])(?:天|周)前?",
    r"(?P<a>左|右)?侧?(?P<b>肢体|髋)",
    r"\s*无|患?者",
    "(?:无)?",
    "[^无]者",
    ".者",
    "(?=患)患者",
    "^患|者$",
    "(?i:ct)|胸片",
    r"(?>无+|否)认",
    "(?:无|患){2,3}",
    r"[\d*]{1,4}+(?=年)",
    "(?!患)[患者无]",
]
TEXTS = st.text(
    alphabet="患者无否认过敏史左右侧肢体髋核磁共振天周前年CTMRIct胸片一二三12*。，\n ", max_size=40
)


@pytest.mark.parametrize("text", PATTERNS)
@given(read=TEXTS)
def test_asking_for_the_first_character_changes_no_match(text, read):
    plain, quick = re.compile(text), compiled(text)
    assert [(m.span(), m.groupdict()) for m in quick.finditer(read)] == [
        (m.span(), m.groupdict()) for m in plain.finditer(read)
    ]


def test_the_first_character_is_asked_for_where_re_does_not():
    assert compiled("(?:血)?压|脉搏").pattern.startswith("(?=[")
    assert compiled("血压|脉搏").pattern == "血压|脉搏"


def test_flags_of_either_kind_hold():
    assert compiled("(?i)(?:x)?ct").search("CT")
    assert compiled("^无?患", re.MULTILINE).findall("者\n患") == ["患"]


def test_a_pattern_is_compiled_when_first_used():
    broken = regex("(过敏")
    with pytest.raises(re.error):
        broken.search("过敏")


def test_a_deferred_pattern_behaves_as_one():
    found = regex("(?P<side>左|右)侧")
    assert found.search("患者右侧肢体")["side"] == "右"
    assert found.sub("", "左侧肢体") == "肢体"
    assert found.pattern.endswith("侧)") or found.pattern.endswith("侧")
    assert found is regex("(?P<side>左|右)侧")
