"""Pages about rules, generated from the rules themselves: for a terminal, as Markdown and as HTML."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, Template

from app.qc.engine import KIND_TITLES, Checker
from app.qc.examples import example_record
from app.qc.facts.fact import Fact
from app.qc.indicators import Indicator
from app.qc.render.text import ClauseText, basis_text, no_clause
from app.qc.rule import CATEGORY_TITLES, SEVERITY_TITLES, ExampleInput, Rule
from app.qc.scoring import Profile
from app.yaml_data import read_yaml

FAMILY_TITLES: Mapping[str, str] = {
    "F": "文书有无、要素、时限与签名",
    "L": "逻辑与一致性",
    "N": "内涵",
    "P": "病案首页",
    "S": "专科与单病种",
}
_HERE = Path(__file__).parent
_SLOT = re.compile(r"\{[a-z_]+[^}]*\}")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|])")


class Block(NamedTuple):
    """A part of a page: paragraphs, a list, or a table."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


class RulePage(NamedTuple):
    """What is said about one rule."""

    rule: Rule
    method: str
    blocks: tuple[Block, ...]

    @property
    def heading(self) -> str:
        """Code and title."""
        return f"{self.rule.code} {self.rule.title}"


class Reference(NamedTuple):
    """What pages about rules draw on besides the rules.

    Attributes:
        checker: all rules of the catalogue; runs their examples.
        facts: the facts of rules that rest on facts.
        profiles: each with the rules as it changes them.
        indicators: those that rules feed.
        clause_text: gives what a cited clause says.
    """

    checker: Checker
    facts: Mapping[str, Fact]
    profiles: tuple[tuple[Profile, Mapping[str, Rule]], ...]
    indicators: tuple[Indicator, ...]
    clause_text: ClauseText = no_clause


def rule_page(rule: Rule, reference: Reference) -> RulePage:
    """The page of one rule; runs its examples."""
    method = _method(rule, reference.facts)
    blocks = (
        Block(
            "查什么",
            (f"{rule.title}。发现时说：{_without_slots(rule.message)}", *_asked(rule, reference.facts)),
        ),
        Block("为什么", tuple(_reasons_for(rule, reference.clause_text))),
        Block("怎样计数", tuple(_counting(rule, reference.indicators))),
        Block("需要的数据", tuple(_data(rule))),
        Block("不适用", _outcomes_of(rule, rule.examples.not_applicable, reference.checker)),
        Block("无法判定", _undetermined(rule, reference.checker)),
        Block("不合格的例子", tuple(_failing(rule, reference.checker))),
        Block("合格的例子", tuple(_example(example) for example in rule.examples.passing)),
        _points(rule, reference.profiles),
        Block("给书写医师", (rule.suggestion,)),
        Block("给质控科", tuple(_for_the_office(rule, method))),
    )
    return RulePage(rule, method, tuple(block for block in blocks if block.lines or block.rows))


def render_rule_text(page: RulePage) -> str:
    """The page for a terminal."""
    lines = [page.heading, _facts_line(page)]
    for block in page.blocks:
        bullet = "   · " if len(block.lines) > 1 else "   "
        lines += ["", block.title]
        lines += [bullet + line.replace("\n", "\n" + " " * len(bullet)) for line in block.lines]
        lines += ["   " + "    ".join(cells) for cells in block.rows]
    return "\n".join(lines) + "\n"


def render_rule_markdown(page: RulePage) -> str:
    """The page as Markdown."""
    parts = [f"# {_plain(page.heading)}", _facts_line(page)]
    for block in page.blocks:
        parts.append(f"## {block.title}")
        if len(block.lines) == 1 and "\n" not in block.lines[0]:
            parts.append(_plain(block.lines[0]))
        elif block.lines:
            parts.append("\n".join("- " + _plain(line).replace("\n", "  \n  ") for line in block.lines))
        if block.rows:
            parts.append(_markdown_table(block.columns, block.rows))
    return "\n\n".join([*parts, "[全部规则](index.md)"]) + "\n"


def render_rule_html(page: RulePage) -> str:
    """The page as HTML: nothing loaded, no script, every text escaped."""
    return _template("rule.html").render(page=page, facts=_facts_line(page))


def render_index_markdown(pages: Sequence[RulePage]) -> str:
    """The list of all rules as Markdown."""
    parts = ["# 规则", f"共 {len(pages)} 条。"]
    for family, rows in _families(pages):
        linked = tuple((f"[{code}]({code}.md)", *rest) for code, *rest in rows)
        table = ["| " + " | ".join(_INDEX_COLUMNS) + " |", "|" + "---|" * len(_INDEX_COLUMNS)]
        table += ["| " + " | ".join((code, *map(_plain, rest))) + " |" for code, *rest in linked]
        parts += [f"## {family}", "\n".join(table)]
    return "\n\n".join(parts) + "\n"


def render_index_html(pages: Sequence[RulePage]) -> str:
    """The list of all rules as HTML."""
    return _template("rules.html").render(
        families=list(_families(pages)), columns=_INDEX_COLUMNS, n=len(pages)
    )


def write_docs(folder: Path, pages: Iterable[RulePage]) -> int:
    """Write every page and the index as Markdown and HTML; gives the number of rules.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = list(pages)
    for page in written:
        (folder / f"{page.rule.code}.md").write_text(render_rule_markdown(page), "utf-8")
        (folder / f"{page.rule.code}.html").write_text(render_rule_html(page), "utf-8")
    (folder / "index.md").write_text(render_index_markdown(written), "utf-8")
    (folder / "index.html").write_text(render_index_html(written), "utf-8")
    return len(written)


_INDEX_COLUMNS = ("规则", "缺陷", "级别", "分值", "判定")


def _families(pages: Sequence[RulePage]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    for letter, title in FAMILY_TITLES.items():
        rows: list[tuple[str, ...]] = [
            (p.rule.code, p.rule.title, SEVERITY_TITLES[p.rule.severity], f"{p.rule.points:g}", p.method)
            for p in pages
            if p.rule.code.startswith(letter)
        ]
        if rows:
            yield f"{letter} {title}", rows


def _method(rule: Rule, facts: Mapping[str, Fact]) -> str:
    if any(facts[name].ask_model for name in rule.fact_names):
        return "程序与语言模型"
    return "程序"


def _facts_line(page: RulePage) -> str:
    rule = page.rule
    points = f"扣 {rule.points:g} 分" if rule.points else "不扣分"
    parts = [CATEGORY_TITLES[rule.category], SEVERITY_TITLES[rule.severity], points, f"由{page.method}判定"]
    if rule.applies_to:
        parts.append(f"适用于{'、'.join(rule.applies_to)}")
    return " · ".join(parts)


def _without_slots(message: str) -> str:
    return _SLOT.sub("…", message)


def _asked(rule: Rule, facts: Mapping[str, Fact]) -> Iterator[str]:
    for name in rule.fact_names:
        yield f"先弄清事实：{facts[name].question}"


def _reasons_for(rule: Rule, clause_text: ClauseText) -> Iterator[str]:
    for basis in rule.basis:
        said = clause_text(basis)
        yield basis_text(basis) + (f"：{said}" if said else "")


def _counting(rule: Rule, indicators: Iterable[Indicator]) -> Iterator[str]:
    yield "分母：适用本规则、且判得出通过或缺陷的病历；分子：其中有这一缺陷的病历。不适用和无法判定的不计。"
    for indicator in indicators:
        if rule.code in indicator.rules:
            yield f"国家指标 {indicator.code} {indicator.title} 由本规则参与得出。"
    if rule.supersedes:
        yield f"同时发现 {'、'.join(rule.supersedes)} 时只扣本条。"


def _data(rule: Rule) -> Iterator[str]:
    yield "、".join(KIND_TITLES[kind] for kind in rule.needs) or "没有特别要求"


def _outcomes_of(rule: Rule, examples: Iterable[ExampleInput], checker: Checker) -> tuple[str, ...]:
    reports = (checker.check_rule(rule, example_record(rule, example)) for example in examples)
    reasons = (report.reasons.get(rule.code, "") for report in reports)
    return tuple(dict.fromkeys(reason for reason in reasons if reason))


def _undetermined(rule: Rule, checker: Checker) -> tuple[str, ...]:
    kinds = "、".join(KIND_TITLES[kind] for kind in rule.needs)
    lacking = (f"未提供{kinds}数据",) if kinds else ()
    return tuple(dict.fromkeys((*lacking, *_outcomes_of(rule, rule.examples.undetermined, checker))))


def _failing(rule: Rule, checker: Checker) -> Iterator[str]:
    for example in rule.examples.fail:
        findings = checker.check_rule(rule, example_record(rule, example)).result.findings
        said = "".join(f"\n→ {finding.message}" for finding in findings[:1])
        yield _example(example) + said


def _example(example: ExampleInput) -> str:
    if isinstance(example, str):
        return example.strip()
    return "\n".join(_lines_of(example))


def _lines_of(value: Mapping[str, Any]) -> Iterator[str]:
    for name, content in value.items():
        title = _field_titles().get(name, name)
        if isinstance(content, list) and content and isinstance(content[0], Mapping):
            yield from (f"{title}：{_flat(entry)}" for entry in content)
        elif isinstance(content, list):
            yield f"{title}：{'、'.join(map(_flat, content)) or '无'}"
        else:
            yield f"{title}：{_flat(content)}"


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return "，".join(
            f"{_field_titles().get(name, name)} {_flat(content)}" for name, content in value.items()
        )
    if isinstance(value, list):
        return "、".join(
            f"（{_flat(entry)}）" if isinstance(entry, Mapping) else _flat(entry) for entry in value
        )
    if isinstance(value, bool):
        return "是" if value else "否"
    return "无" if value is None else str(value).strip()


def _points(rule: Rule, profiles: Iterable[tuple[Profile, Mapping[str, Rule]]]) -> Block:
    rows = []
    for profile, rules in profiles:
        changed = rules.get(rule.code)
        if changed is None:
            rows.append((profile.title, "不启用", "—", "—"))
            continue
        is_veto = changed.severity == "veto"
        effect = profile.veto_of(rule.code)
        points = effect.deduct if is_veto else changed.points
        cap = f"不得高于{effect.cap}级" if is_veto and effect.cap else "—"
        rows.append((profile.title, SEVERITY_TITLES[changed.severity], f"扣 {points:g} 分", cap))
    return Block("各评分方案的分值", (), ("评分方案", "级别", "扣分", "等级封顶"), tuple(rows))


def _for_the_office(rule: Rule, method: str) -> Iterator[str]:
    if method == "程序":
        yield "结论由程序按时间、结构化数据或文字直接得出；有异议时，先核对来源系统的数据。"
    else:
        yield "有的事实由语言模型回答，标有“由AI生成”；扣分前请对照原文核实，判错的在申诉中改判。"
    if rule.severity == "veto":
        yield "单项否决会改变病历等级；定级前请人工复核一遍。"
    if rule.severity == "hint":
        yield "只作提示，不扣分，须人工确认。"
    levels = {basis.level for basis in rule.basis}
    if "inferred" in levels:
        yield "判断口径中有推论，国家文件没有写明；质控员可以否决这一发现，并留下记录。"
    if levels & {"provincial", "hospital"}:
        yield "依据中有地方或医院的约定，与本院规定不同时，在评分方案里改分值、参数或停用。"
    if rule.parameters:
        names = "、".join(rule.parameters)
        yield f"可调的参数（评分方案 rules.{rule.code}.parameters）：{names}。"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", text)


def _markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(map(_plain, row)) + " |" for row in rows)])


@cache
def _field_titles() -> Mapping[str, str]:
    titles: dict[str, str] = read_yaml(_HERE / "field_titles.yaml")
    return titles


@cache
def _template(name: str) -> Template:
    return Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True).get_template(name)
