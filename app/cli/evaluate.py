"""``bingli eval``: the evaluations."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.evaluate_drafts import evaluate_claims, evaluate_drafts, evaluate_retrieval
from app.cli.evaluate_facts import evaluate_facts
from app.cli.evaluate_tokens import evaluate_tokens
from app.cli.options import Model
from app.cli.output import Format, say, with_progress, write_json_lines

if TYPE_CHECKING:
    from eval.intervals import Interval
    from eval.qc import Evaluation, Judged

eval_app = typer.Typer(help="评测：用带标注的资料量出质控做得怎样。", no_args_is_help=True)
eval_app.command("facts")(evaluate_facts)
eval_app.command("tokens")(evaluate_tokens)
eval_app.command("drafts")(evaluate_drafts)
eval_app.command("claims")(evaluate_claims)
eval_app.command("retrieval")(evaluate_retrieval)

EVALUATIONS = {
    "qc": "入院记录内涵质控（chip2025 格式：病历与专家标注的缺陷）",
    "facts": "专科质控指标（cmqcic 格式：短病历、事实、逻辑规则与 Yes/No 标注）",
    "tokens": "模型词元：各规则共用事实，与一条规则一个提示词（chip2025 格式的病历）",
    "drafts": "出院记录草稿（病历与关键事实；与整份病历一次生成对照）",
    "claims": "陈述核对（陈述、出处原文与标注）",
    "retrieval": "条款检索（自带问句）",
}


class NoteFormat(StrEnum):
    """The formats of labelled notes."""

    CHIP2025 = "chip2025"


@eval_app.command("list")
def list_evaluations() -> None:
    """列出可用的评测。

    例：bingli eval list
    """
    for name, title in EVALUATIONS.items():
        say(f"{name}  {title}")


@eval_app.command("qc")
def evaluate_qc(
    file: Annotated[
        Path, typer.Argument(help="带标注的入院记录（JSON）", metavar="FILE", show_default=False)
    ],
    note_format: Annotated[NoteFormat, typer.Option("--format", help="资料的格式")] = NoteFormat.CHIP2025,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", help="另把每份病历查出的条目写入此文件，每份一行 JSON"),
    ] = None,
    output_format: Annotated[Format, typer.Option("--format-out", help="输出格式")] = Format.JSON,
    profile: Annotated[str | None, typer.Option("--profile", help="评分方案（缺省 chip2025）")] = None,
    model: Model = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="不使用语言模型；需要它的判断记为“无法判定”")
    ] = False,
) -> None:
    """评测入院记录内涵质控：逐条的查准率、查全率和 F1，以及微平均和宏平均。

    例：bingli eval qc 入院记录.json --format chip2025 --no-model --format-out text
    """
    import json

    from app.assembly import open_checker
    from app.settings import load_settings
    from eval.qc import PROFILE, evaluate, judge, load_notes

    notes = load_notes(file)
    with open_checker(
        load_settings(profile=profile or PROFILE, model=model), use_model=not no_model
    ) as checker:
        judged = list(with_progress(judge(checker, notes), "检查", len(notes)))
    evaluation = evaluate(notes, judged)
    if predictions is not None:
        _write_predictions(predictions, judged)
    if output_format is Format.JSON:
        say(json.dumps(evaluation.as_json(), ensure_ascii=False))
    else:
        say(_table(evaluation))


def _write_predictions(path: Path, judged: "Iterable[Judged]") -> None:
    write_json_lines(
        path, ({"record_id": each.record_id, "rule_ids": list(each.predicted)} for each in judged)
    )


def _table(evaluation: "Evaluation") -> str:
    from eval.metrics import macro_f1, micro

    lines = [f"{'条目':<14}{'n':>5}{'F1':>7}  {'查准率（95% 区间）':<20}{'查全率（95% 区间）'}"]
    for item, counts in evaluation.counts.items():
        precision = _with_interval(counts.precision, counts.precision_interval(), counts.tp + counts.fp)
        recall = _with_interval(counts.recall, counts.recall_interval(), counts.n)
        lines.append(f"{item:<16}{counts.n:>5}{counts.f1:>7.2f}  {precision:<26}{recall}")
    whole = micro(evaluation.counts)
    lines += [
        "",
        f"病历 {evaluation.n_records} 份；微平均 F1 {whole.f1:.3f}"
        f"（查准率 {whole.precision:.3f}，查全率 {whole.recall:.3f}）；"
        f"宏平均 F1 {macro_f1(evaluation.counts):.3f}；无法判定 {evaluation.undetermined} 项",
    ]
    return "\n".join(lines)


def _with_interval(share: float, interval: "Interval", n: int) -> str:
    return f"{share:.2f}（{interval.low:.2f}–{interval.high:.2f}）" if n else "—"
