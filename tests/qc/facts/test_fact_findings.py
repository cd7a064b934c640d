"""What a finding made of facts tells its reader."""

import pytest

from app.records.readers.json_record import parse_record


def findings(checker, rule, text):
    content = {
        "record_id": "R1",
        "documents": [{"id": "D1", "type": "入院记录", "title": "入院记录", "text": text}],
    }
    record = parse_record(content, "test")[0]
    result = checker.limited_to([rule]).check(record).result
    assert list(result.outcomes) == [rule]
    return result.findings


@pytest.mark.parametrize(
    ("rule", "text", "section", "said", "quotes"),
    [
        (
            "N-122",
            "既往史：高血压5年，服药控制。2年前行阑尾切除术。",
            "既往史",
            ["高血压没有写剂量", "阑尾切除术", "没有写麻醉方式"],
            ["高血压", "阑尾切除术"],
        ),
        (
            "N-112",
            "现病史：5年前行胃大部切除术，近日腹痛。\n既往史：否认手术史。",
            "既往史",
            ["胃大部切除术", "否认手术史"],
            ["胃大部切除术", "否认手术史"],
        ),
        (
            "N-106",
            "主诉：头痛2天。\n现病史：2天前淋雨后出现头部胀痛。",
            "现病史",
            ["头痛未写程度。"],
            ["头部胀痛"],
        ),
        ("N-105", "主诉：头痛2天。\n现病史：", "现病史", ["现病史为空"], ["现病史"]),
    ],
)
def test_it_names_what_is_missing_and_quotes_the_place(checker, rule, text, section, said, quotes):
    (finding,) = findings(checker, rule, text)
    assert finding.section == section
    assert [words for words in said if words not in finding.message] == []
    assert [evidence.quote for evidence in finding.evidence] == quotes
    assert finding.engine == "rule"


def test_only_the_facts_at_fault_are_shown(checker):
    (finding,) = findings(checker, "N-122", "既往史：高血压5年，口服氨氯地平5mg。2年前行阑尾切除术。")
    assert "高血压" not in finding.message
    assert [evidence.quote for evidence in finding.evidence] == ["阑尾切除术"]
