import re
from collections import Counter

import pytest

from app.errors import UserError
from app.resources import CORPUS
from retrieval.clauses import ClauseTable, clause_key
from retrieval.corpus import load_corpus


@pytest.fixture(scope="module")
def documents():
    return load_corpus(CORPUS)


@pytest.fixture(scope="module")
def chunks(documents):
    return [chunk for document in documents for chunk in document.chunks]


def test_the_corpus_has_the_documents_that_rules_cite(documents, chunks):
    assert len(chunks) >= 200
    table = ClauseTable(documents)
    for short in (
        "规范",
        "要点",
        "首页规范",
        "首页说明",
        "首页指标",
        "指标",
        "电子病历规范",
        "病历管理规定",
        "标识办法",
        "标识国标",
    ):
        assert table.document(short), short


def test_ids_and_clauses_are_unique_in_every_way_they_are_written(documents, chunks):
    assert [i for i, n in Counter(chunk.id for chunk in chunks).items() if n > 1] == []
    for document in documents:
        keys = Counter(clause_key(chunk.clause) for chunk in document.chunks)
        assert [key for key, n in keys.items() if n > 1 or not key] == [], document.name


def test_every_digest_is_readable_and_bounded(chunks):
    for chunk in chunks:
        assert re.fullmatch(r"[a-z0-9-]+", chunk.id)
        assert 15 <= len(chunk.text) <= 600, chunk.id
        assert chunk.text.endswith("。"), chunk.id
        assert "待核" not in chunk.text, chunk.id
        assert (chunk.reported and chunk.level == "national") or not chunk.reported, chunk.id


def test_all_27_indicators_name_numerator_and_denominator(documents):
    indicators = ClauseTable(documents).document("指标").chunks
    assert len(indicators) == 27
    assert all(re.fullmatch(r"MER-(HR|TL|ME|D&T|TQ)-\d\d", chunk.clause) for chunk in indicators)
    assert all("分子是" in chunk.text and "分母是" in chunk.text for chunk in indicators)


def test_local_conventions_are_not_shown_as_national(documents):
    levels = {document.name: {chunk.level for chunk in document.chunks} for document in documents}
    assert levels["常见误读：省、院惯例而非国家规定"] == {"provincial"}
    assert levels["时限与口径约定（由明文推出）"] == {"inferred"}


@pytest.mark.parametrize(
    ("source", "clause", "found"),
    [
        ("病历书写基本规范", "第二十二条（八）", "blsx-22-8"),
        ("规范", "第二十二条(八)", "blsx-22-8"),
        ("规范", "第22条（8）", "blsx-22-8"),
        ("规范", "22（八）", "blsx-22-8"),
        ("《病历书写基本规范》", " 第二十二条 （八） ", "blsx-22-8"),
        ("规范", "第十八条（五）1", "blsx-18-5"),
        ("规范", "第十八条（三）5", "blsx-18-3-5"),
        ("规范", "第十八条", "blsx-18"),
        ("规范", "第二十二条", "blsx-22"),
        ("规范", "第二十二条首段", "blsx-22"),
        ("规范", "第二十二条（五）（六）（七）", "blsx-22-5"),
        ("规范", "第五条、第六条", "blsx-5"),
        ("规范", "第十条第二款", "blsx-10-2"),
        ("规范", "第三十七条", "blsx-34"),
        ("医疗质量安全核心制度要点", "七（二）4", "hxzd-7-2-4"),
        ("要点", "五（二）7", "hxzd-5-2"),
        ("要点", "八", "hxzd-8-1"),
        ("病案管理质量控制指标", "MER-TQ-07", "zb-tq-07"),
        ("病案管理质量控制指标(2021年版)", "MER-D&T-05", "zb-dt-05"),
        ("指标", "MER-TQ-07 ③", "zb-tq-07"),
        ("首页说明", "二（十九）", "sysm-2-19"),
        ("首页说明", "附件2 二（十九）", "sysm-2-19"),
        ("GB 45438-2025", "附录E", "gb45438-e"),
        ("民法典", "第1259条", "mfd-1259"),
        ("电子病历规范", "第二十四条", "dzbl-23"),
        ("规范", "第九十九条", None),
        ("规范", "", None),
        ("没有这份文件", "第一条", None),
    ],
)
def test_a_cited_clause_is_found_however_it_is_written(documents, source, clause, found):
    chunk = ClauseTable(documents).find(source, clause)
    assert (chunk.id if chunk else None) == found


GOOD = "document: 某规范\nshort_name: 某\nlevel: national\nclauses:\n"
ENTRY = "  - {id: a-1, clause: 第一条, title: 题目, text: 这是一条长度足够、自成一体的条款摘要。}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", ["x.yaml", "行不是有效的 YAML", "YAML"]),
        ("", ["x.yaml", "全文"]),
        (GOOD + ENTRY.replace("a-1", "编号"), ["x.yaml", "第 1 条（编号）", "id"]),
        (GOOD + ENTRY.replace("title: 题目, ", ""), ["第 1 条（a-1）", "title", "没有填写"]),
        (GOOD + ENTRY + ENTRY.replace("a-1", "a-2"), ["x.yaml", "第一条", "a-2", "两次"]),
        (GOOD + ENTRY + ENTRY.replace("第一条", "第二条"), ["x.yaml", "a-1", "用过"]),
        (GOOD + ENTRY.replace("题目", "题目, level: town"), ["a-1", "level"]),
        (GOOD + ENTRY.replace("题目", "题目, source: 甲"), ["a-1", "source", "不认识"]),
        (GOOD + ENTRY.replace("这是一条长度足够、自成一体的条款摘要。", "太短。"), ["a-1", "text", "太短"]),
        ("short_name: 某\nlevel: national\nclauses:\n" + ENTRY, ["x.yaml", "document", "没有填写"]),
    ],
)
def test_a_broken_corpus_file_is_named_with_clause_and_field(tmp_path, text, said):
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        load_corpus(tmp_path)
    for word in said:
        assert word in str(raised.value)
