from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.records.model import Span
from app.text.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("咳嗽3天。发热1天！", ["咳嗽3天。", "发热1天！"]),
        ("肺炎？；高血压", ["肺炎？；", "高血压"]),
        ("甲\n\n 乙 \n", ["甲", "乙"]),
        ("体温36.5℃，血压128/78mmHg。", ["体温36.5℃，血压128/78mmHg。"]),
        ("（无发热；无咳嗽）入院。", ["（无发热；无咳嗽）入院。"]),
        ("1.患者男性。2.头痛；(3)呕吐", ["1.患者男性。", "2.头痛；", "(3)呕吐"]),
        ("1.\n患者男性。", ["1.\n患者男性。"]),
        ("诊断“肺炎；胸膜炎”。出院", ["诊断“肺炎；胸膜炎”。", "出院"]),
        ("（未闭合；的括号", ["（未闭合；", "的括号"]),
        ("。。", ["。。"]),
        ("　\n ", []),
        ("", []),
    ],
)
def test_sentences(text: str, quotes: list[str]) -> None:
    assert [sentence.quote for sentence in split_sentences(text)] == quotes


def test_a_long_clause_is_cut_at_commas_only() -> None:
    clause = "双肺呼吸音清，未闻及干湿性啰音，"
    found = split_sentences(clause * 20)
    assert len(found) > 2
    assert all(len(sentence.quote) <= 100 and sentence.quote.endswith("，") for sentence in found)
    assert len(split_sentences("长" * 300)) == 1


def test_a_comma_in_a_number_or_bracket_is_no_place_to_cut() -> None:
    text = "字" * 95 + "1,000，" + "（甲，乙）" + "字" * 30 + "。"
    assert [sentence.quote for sentence in split_sentences(text)] == [
        "字" * 95 + "1,000，",
        "（甲，乙）" + "字" * 30 + "。",
    ]


def test_within() -> None:
    text = "甲。乙。丙。"
    assert [(s.start, s.quote) for s in split_sentences(text, Span(2, 4))] == [(2, "乙。")]


_TEXT = st.text(alphabet="患者，。；：\n \u3000℃3a𬌗*（）【1.、？", max_size=400)


@given(_TEXT)
def test_sentences_lie_in_order_in_the_text_and_leave_nothing_out(text: str) -> None:
    found = split_sentences(text)
    assert all(text[s.start : s.end] == s.quote == s.quote.strip() != "" for s in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert "".join("".join(s.quote.split()) for s in found) == "".join(text.split())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["（", "（）", "字", "，", "（，", "1.", "“", "1,", "。", "【】，"])
def test_long_repetitions_take_linear_time(piece: str) -> None:
    split_sentences(piece * 20_000)
