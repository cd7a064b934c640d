"""规则: every rule, what it looks for and why; switched and weighed by the QC office."""

import gradio as gr

from app.errors import UserError
from app.privacy.rights import Action
from app.qc.render.rule_docs import FAMILY_TITLES
from app.service.desk import Desk
from app.service.views import RuleWork
from app.ui.page import Opening, Page
from app.ui.panel import Fields, drawn, on_act, panel

_ASKED = ("text", "family", "severity", "only")


def build() -> Opening:
    """The list beside the rule that is open."""
    asked, chosen = gr.State({}), gr.State(None)
    with gr.Row(elem_classes="bl-columns"):
        with gr.Column(scale=4, min_width=280):
            rules = panel("bl-rules")
        with gr.Column(scale=7, min_width=280):
            detail = panel("bl-rule")
    on_act(rules, turn, [rules, detail, asked, chosen], [asked, chosen])
    on_act(detail, change, [detail, rules], [asked])
    return Opening(fill, [rules, detail, asked, chosen])


def fill(desk: Desk, query: Fields) -> list[object]:
    """All rules, and the one that the address names."""
    chosen = query.get("rule")
    return [_list(desk, {}, chosen), _detail(desk, chosen), {}, chosen]


def turn(desk: Desk, said: Fields, asked: Fields, chosen: str | None) -> list[object]:
    """Filter the list, or open a rule."""
    if said["act"] == "open":
        return [_list(desk, asked, said["code"]), _detail(desk, said["code"]), asked, said["code"]]
    asked = {name: said.get(name, "").strip() for name in _ASKED}
    return [_list(desk, asked, chosen), gr.skip(), asked, chosen]


def change(desk: Desk, said: Fields, asked: Fields) -> list[object]:
    """Switch a rule, or give it other points."""
    code = said["code"]
    desk.change_rule(code, said.get("is_enabled") == "yes", _points(said.get("points")), int(said["version"]))
    return [_detail(desk, code, "已保存。"), _list(desk, asked, code)]


def _points(written: str | None) -> float | None:
    if not written:
        return None
    try:
        return float(written)
    except ValueError:
        raise UserError(f"扣分“{written}”不是数字，请填 0 到 100。") from None


def _list(desk: Desk, asked: Fields, chosen: str | None) -> str:
    every = desk.rules()
    plain = dict.fromkeys(_ASKED, "") | dict(asked)
    text = plain["text"].lower()
    only = {"off": lambda w: not w.is_enabled, "changed": lambda w: w.is_changed, "refused": _is_refused}
    shown = [
        work
        for work in every
        if (text in work.rule.code.lower() or text in work.rule.title.lower())
        and work.rule.code.startswith(plain["family"])
        and plain["severity"] in ("", work.rule.severity)
        and (plain["only"] not in only or only[plain["only"]](work))
    ]
    return drawn(
        "rules_list.html",
        rules=shown,
        total=len(every),
        asked=plain,
        families=FAMILY_TITLES,
        chosen=chosen,
        is_refused=_is_refused,
    )


def _is_refused(work: RuleWork) -> bool:
    return work.feedback is not None and work.feedback.is_mostly_refused


def _detail(desk: Desk, code: str | None, said: str = "") -> str:
    if not code:
        return drawn("rule_detail.html", page=None)
    page = desk.rule_page(code)
    work = next(work for work in desk.rules() if work.rule.code == code)
    return drawn(
        "rule_detail.html",
        page=page,
        each=work,
        feedback=work.feedback,
        may_change=desk.may(Action.CHANGE_RULES),
        said=said,
    )


PAGE = Page("rules", "规则", "查什么、为什么、正反例；质控人员可停用、改分。", (Action.READ_RULES,), build)
