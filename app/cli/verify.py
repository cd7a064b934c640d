"""``bingli verify``: claims against their sources."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Model
from app.cli.output import Format, say

if TYPE_CHECKING:
    from app.drafting.verify import Judge
    from app.settings import Settings


def verify(
    claims: Annotated[Path, typer.Argument(help="JSONL 文件", show_default=False)],
    summary: Annotated[
        bool, typer.Option("--summary", help="只给汇总：条数、未判条数、准确率、分类")
    ] = False,
    output_format: Annotated[Format, typer.Option("--format", help="汇总的格式")] = Format.TEXT,
    no_model: Annotated[bool, typer.Option("--no-model", help="不用语言模型，只用规则和字面重合")] = False,
    model: Model = None,
) -> None:
    """逐条核对陈述与其出处原文，每条输出一行 JSON。

    CLAIMS.jsonl 每行一个对象：id、claim（陈述）、sources（出处原文的列表），
    可有 label（supported / not_supported / not_addressed）和 kind（类别）。

    例：bingli verify claims.jsonl --summary --format json
    """
    import json

    from app.drafting.claims import read_claims, verify_claims
    from app.settings import load_settings
    from eval.claims import Evaluation

    settings = load_settings(model=model)
    listed = read_claims(claims)
    verified = []
    with open_judge(settings, no_model=no_model) as judge:
        for result in verify_claims(listed, judge):
            verified.append(result)
            if not summary:
                say(json.dumps(result.as_json(), ensure_ascii=False))
    if summary:
        found = Evaluation(tuple(verified))
        as_json = output_format is Format.JSON
        say(json.dumps(found.summary(), ensure_ascii=False) if as_json else found.as_text())


@contextmanager
def open_judge(settings: "Settings", *, no_model: bool) -> "Iterator[Judge | None]":
    """A judge that asks the model of ``settings``, or ``None`` with ``no_model``."""
    if no_model:
        yield None
        return
    from app.drafting.entailment import ModelJudge
    from app.llm.engines import open_model
    from app.storage.cache import ContentCache

    with open_model(settings) as language_model, ContentCache(settings.data_dir / "drafts.sqlite") as cache:
        yield ModelJudge(language_model, cache)
