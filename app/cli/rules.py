"""``bingli rules``: the rules."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.import_rules import import_rules, remove_rules
from app.cli.output import Format, say
from app.errors import UserError

rules_app = typer.Typer(help="查看规则。", no_args_is_help=True)
rules_app.command("import")(import_rules)
rules_app.command("remove")(remove_rules)


@rules_app.command("list")
def list_rules(
    output_format: Annotated[Format, typer.Option("--format", help="输出格式")] = Format.TEXT,
    profile: Annotated[str | None, typer.Option("--profile", help="评分方案")] = None,
) -> None:
    """列出全部规则。

    例：bingli rules list --format json
    """
    import json

    from app.assembly import open_rules
    from app.qc.rule import CATEGORY_TITLES, SEVERITY_TITLES
    from app.settings import load_settings

    rules = open_rules(load_settings(profile=profile)).values()
    if output_format is Format.JSON:
        keys = ("code", "title", "severity", "points")
        say(
            json.dumps(
                [{**{k: getattr(r, k) for k in keys}, "category": r.category} for r in rules],
                ensure_ascii=False,
            )
        )
        return
    for rule in rules:
        say(
            f"{rule.code}  {CATEGORY_TITLES[rule.category]}  {SEVERITY_TITLES[rule.severity]:　<4}  {rule.points:>4g} 分  {rule.title}"
        )


@rules_app.command("explain")
def explain_rule(code: Annotated[str, typer.Argument(help="规则编号，例如 F-202")]) -> None:
    """说明一条规则：查什么、依据、怎样计数、例子、分值，给书写医师和质控科的话。

    例：bingli rules explain F-202
    """
    from app.assembly import rule_reference
    from app.qc.render.rule_docs import render_rule_text, rule_page
    from app.settings import load_settings

    reference = rule_reference(load_settings())
    rule = reference.checker.rules.get(code.upper())
    if rule is None:
        raise UserError(f"没有规则 {code}，请用 bingli rules list 查看全部编号。")
    say(render_rule_text(rule_page(rule, reference)))


@rules_app.command("docs")
def write_rule_docs(
    out: Annotated[Path, typer.Option("--out", help="存放规则页的文件夹", metavar="DIR", show_default=False)],
) -> None:
    """为每条规则生成一页 Markdown 和一页 HTML，连同目录。

    例：bingli rules docs --out 规则说明
    """
    from app.assembly import rule_reference
    from app.qc.render.rule_docs import rule_page, write_docs
    from app.settings import load_settings

    reference = rule_reference(load_settings())
    pages = (rule_page(rule, reference) for rule in reference.checker.rules.values())
    try:
        n = write_docs(out, pages)
    except OSError as error:
        raise UserError(f"无法写入文件夹 {out}（{error.strerror}），请检查路径、权限和磁盘空间。") from error
    say(f"{n} 条规则的说明已写入 {out / 'index.html'}")


@rules_app.command("test")
def test_rules() -> None:
    """运行每条规则自带的正反例。

    例：bingli rules test
    """
    from app.assembly import run_rule_examples
    from app.settings import load_settings

    failures, total = run_rule_examples(load_settings())
    for failure in failures:
        say(failure)
    if failures:
        raise UserError(f"{total} 个例子中有 {len(failures)} 个与预期不符，请更正规则或例子。")
    say(f"{total} 个例子全部符合预期。")
