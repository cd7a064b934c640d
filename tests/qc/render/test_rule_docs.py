import re

import pytest

from app.assembly import rule_reference
from app.qc.render.rule_docs import (
    Block,
    RulePage,
    render_index_html,
    render_index_markdown,
    render_rule_html,
    render_rule_markdown,
    render_rule_text,
    rule_page,
    write_docs,
)
from app.settings import Settings


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return rule_reference(Settings(data_dir=tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def late(reference) -> RulePage:
    """The page of the rule on late first course notes."""
    return rule_page(reference.checker.rules["F-202"], reference)


def lines_of(page: RulePage, title: str) -> str:
    return "\n".join(line for block in page.blocks if block.title == title for line in block.lines)


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("查什么", "首次病程记录超过8小时完成"),
        ("为什么", "病历书写基本规范第二十二条（一）［国家］"),
        ("怎样计数", "分母：适用本规则"),
        ("需要的数据", "文书"),
        ("不适用", "没有首次病程记录"),
        ("无法判定", "未提供文书数据"),
        ("不合格的例子", "入院 2026-05-06 08:00\n文书：完成 2026-05-06 16:05\n→ "),
        ("合格的例子", "完成 2026-05-06 16:00"),
        ("给书写医师", "入院8小时内"),
        ("给质控科", "由程序"),
    ],
)
def test_a_page_says(late, title, said):
    assert said in lines_of(late, title)


def test_points_by_profile(late):
    rows = {row[0]: row[1:] for block in late.blocks for row in block.rows}
    assert rows["全国通用"] == ("重要", "扣 3 分", "—")
    assert len(rows) >= 4


def test_vetoes_and_disabled_rules_by_profile(reference):
    missing = {
        r[0]: r[1:] for b in rule_page(reference.checker.rules["F-101"], reference).blocks for r in b.rows
    }
    assert missing["90/70分数线（丙级条目）"] == ("单项否决", "扣 10 分", "不得高于丙级")
    long = {
        r[0]: r[1:] for b in rule_page(reference.checker.rules["N-102"], reference).blocks for r in b.rows
    }
    assert long["全国通用"] == ("不启用", "—", "—")


def test_every_rule_has_a_page_in_every_form(reference):
    for rule in reference.checker.rules.values():
        page = rule_page(rule, reference)
        titles = [block.title for block in page.blocks]
        assert {"查什么", "为什么", "无法判定", "不合格的例子", "给书写医师", "给质控科"} <= set(titles), (
            rule.code
        )
        assert "{" not in lines_of(page, "查什么"), rule.code
        assert page.heading in render_rule_text(page)


def test_pages_link_to_each_other_and_hold_no_script(reference, tmp_path):
    rules = [reference.checker.rules[code] for code in ("F-101", "F-202", "N-105")]
    assert write_docs(tmp_path, (rule_page(rule, reference) for rule in rules)) == 3
    for path in tmp_path.iterdir():
        text = path.read_text("utf-8")
        assert "<script" not in text
        for target in re.findall(r'href="([^"#]+)"|\]\(([^)]+)\)', text):
            assert (tmp_path / (target[0] or target[1])).exists(), (path, target)


def test_record_text_is_escaped(late):
    page = late._replace(blocks=(Block("例子", ("<script>x</script> | *y*",)),))
    assert "&lt;script&gt;" in render_rule_html(page)
    assert "\\<script\\>x" in render_rule_markdown(page)
    assert "\\*y\\*" in render_rule_markdown(page)


def test_the_index_lists_rules_by_family(reference):
    pages = [rule_page(reference.checker.rules[code], reference) for code in ("F-101", "N-105")]
    for index in (render_index_html(pages), render_index_markdown(pages)):
        assert index.index("文书有无") < index.index("F-101") < index.index("N 内涵") < index.index("N-105")
