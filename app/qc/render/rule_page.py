"""A rule as a page of text, generated from the rule itself."""

from collections.abc import Iterator

import yaml

from app.qc.render.text import basis_text
from app.qc.rule import CATEGORY_TITLES, SEVERITY_TITLES, ExampleInput, Rule


def render_rule(rule: Rule) -> str:
    """What the rule finds, why, how to mend it, and its examples."""
    return "\n".join(_lines(rule)) + "\n"


def _lines(rule: Rule) -> Iterator[str]:
    points = f"扣 {rule.points:g} 分" if rule.points else "不扣分"
    yield f"{rule.code} {rule.title}"
    yield f"类别 {CATEGORY_TITLES[rule.category]}    级别 {SEVERITY_TITLES[rule.severity]}    {points}"
    if rule.applies_to:
        yield f"适用文书  {'、'.join(rule.applies_to)}"
    yield f"需要数据  {'、'.join(rule.needs)}"
    yield f"发现时说  {rule.message}"
    yield f"怎样改正  {rule.suggestion}"
    yield f"依据      {'；'.join(basis_text(basis) for basis in rule.basis)}"
    yield "不合格的例子"
    yield from (_example(example) for example in rule.examples.fail)
    yield "合格的例子"
    yield from (_example(example) for example in rule.examples.passing)


def _example(example: ExampleInput) -> str:
    if isinstance(example, str):
        return "   " + example.replace("\n", "\n   ")
    return "   " + yaml.safe_dump(
        example, allow_unicode=True, default_flow_style=None, width=200
    ).strip().replace("\n", "\n   ")
