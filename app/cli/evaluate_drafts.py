"""``bingli eval drafts``, ``claims`` and ``retrieval``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Model
from app.cli.output import Format, say, with_progress

if TYPE_CHECKING:
    from app.settings import Settings
    from eval.drafts import Tools

_Model = Model
_OutputFormat = Annotated[Format, typer.Option("--format-out", help="输出格式")]


def evaluate_drafts(
    stays: Annotated[
        list[Path] | None,
        typer.Argument(
            help="病历文件或文件夹；缺省用自带的十份虚构病历", metavar="STAYS…", show_default=False
        ),
    ] = None,
    output_format: _OutputFormat = Format.JSON,
    keep: Annotated[
        Path | None,
        typer.Option("--out", help="另把每份草稿和对照写入此文件夹，供人阅读", show_default=False),
    ] = None,
    model: _Model = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="不用语言模型：诊疗经过照录原文，没有对照")
    ] = False,
) -> None:
    """评测出院记录草稿：无据的句子、引文、遗漏、逐字、用时，并与整份病历一次生成对照。

    病历旁同名的 .gold.yaml 列出必须写到的关键事实；没有的，不计遗漏。

    例：bingli eval drafts --format-out text --out 草稿

    bingli eval drafts examples --no-model
    """
    import json

    from app.settings import load_settings
    from eval.drafts import Evaluation, evaluate_stays
    from eval.gold import STAYS, load_stays

    loaded = load_stays(stays or [STAYS])
    with _tools(load_settings(model=model), use_model=not no_model) as tools:
        scores = list(with_progress(evaluate_stays(loaded, tools, keep), "起草", len(loaded)))
    evaluation = Evaluation(scores)
    if output_format is Format.JSON:
        say(json.dumps(evaluation.as_json(), ensure_ascii=False))
    else:
        say(evaluation.as_text())


@contextmanager
def _tools(settings: "Settings", *, use_model: bool) -> "Iterator[Tools]":
    from app.drafting.drafter import DRAFT_CACHE, open_drafter
    from app.drafting.entailment import ModelJudge
    from app.storage.cache import ContentCache
    from eval.drafts import Tools

    if not use_model:
        with open_drafter(settings, use_model=False) as drafter:
            yield Tools(drafter)
        return
    from app.llm.engines import open_model

    with (
        open_model(settings) as language_model,
        ContentCache(settings.data_dir / DRAFT_CACHE) as cache,
        open_drafter(settings, use_model=True, model=language_model) as drafter,
    ):
        yield Tools(drafter, ModelJudge(language_model, cache), language_model, cache)


def evaluate_claims(
    claims: Annotated[
        Path, typer.Argument(help="JSONL 文件，每行有 label", metavar="CLAIMS", show_default=False)
    ],
    output_format: _OutputFormat = Format.JSON,
    model: _Model = None,
    no_model: Annotated[bool, typer.Option("--no-model", help="不用语言模型，只用规则和字面重合")] = False,
) -> None:
    """评测陈述核对：每类陈述的准确率、区间和判定对照表；未判的不算对也不算错。

    例：bingli eval claims 陈述.jsonl --no-model --format-out text
    """
    import json

    from app.cli.verify import open_judge
    from app.drafting.claims import read_claims
    from app.settings import load_settings
    from eval.claims import Evaluation, evaluate

    listed = read_claims(claims)
    with open_judge(load_settings(model=model), no_model=no_model) as judge:
        evaluation: Evaluation = evaluate(listed, judge)
    if output_format is Format.JSON:
        say(json.dumps(evaluation.as_json(), ensure_ascii=False))
    else:
        say(evaluation.as_text())


def evaluate_retrieval(output_format: _OutputFormat = Format.JSON) -> None:
    """评测条款检索：自带问句在 BM25、向量、融合三种方法下的召回和平均倒数排名。

    例：bingli eval retrieval --format-out text
    """
    import json

    from app.settings import load_settings
    from eval.retrieval import evaluate_retrieval as evaluate
    from eval.retrieval import load_questions
    from retrieval.opening import open_knowledge

    report = evaluate(open_knowledge(load_settings()), load_questions())
    if output_format is Format.JSON:
        say(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        say(report.as_text())
