"""``bingli eval facts``: how well specialty indicators are judged."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Model
from app.cli.output import Format, say, with_progress, write_json_lines
from app.errors import UserError

if TYPE_CHECKING:
    from eval.facts import Evaluation, Judged


class IndicatorFormat(StrEnum):
    """The formats of notes labelled by indicator."""

    CMQCIC = "cmqcic"


def evaluate_facts(
    file: Annotated[
        Path, typer.Argument(help="带标注的条目（每行一个 JSON）", metavar="FILE", show_default=False)
    ],
    indicators: Annotated[
        Path, typer.Option("--indicators", help="指标文件（事实和逻辑规则）", show_default=False)
    ],
    item_format: Annotated[
        IndicatorFormat, typer.Option("--format", help="资料的格式")
    ] = IndicatorFormat.CMQCIC,
    output_format: Annotated[Format, typer.Option("--format-out", help="输出格式")] = Format.JSON,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="另把每条的判断写入此文件，每条一行 JSON")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option("--folds", min=2, help="交叉验证：分成几份，每份由其余各份拟合的校准判断"),
    ] = None,
    leave_indicator_out: Annotated[
        bool,
        typer.Option(
            "--leave-indicator-out", help="交叉验证：每个指标由其余指标拟合的校准判断（对新指标的估计）"
        ),
    ] = False,
    model: Model = None,
    no_model: Annotated[bool, typer.Option("--no-model", help="不使用语言模型，只按病历文字判断")] = False,
) -> None:
    """评测专科质控指标：按事实和逻辑规则判断每条病历是否达到指标。

    例：bingli eval facts 条目.jsonl --format cmqcic --indicators 指标.json --no-model

    例：bingli eval facts 条目.jsonl --indicators 指标.json --leave-indicator-out --format-out text
    """
    import json

    from app.qc.specialty.opening import open_judge
    from app.settings import load_settings
    from eval.facts import Evaluation, judge, judge_unseen, load_labelled

    items, defined = load_labelled(file, indicators)
    if folds is not None and leave_indicator_out:
        raise UserError("--folds 与 --leave-indicator-out 只能用一个。")
    with open_judge(load_settings(model=model), defined, use_model=not no_model) as judge_of:
        unseen = folds is not None or leave_indicator_out
        verdicts = judge_unseen(judge_of, items, folds) if unseen else judge(judge_of, items)
        judged = tuple(with_progress(verdicts, "判断", len(items)))
    if predictions is not None:
        _write_predictions(predictions, judged)
    evaluation = Evaluation(judged)
    if output_format is Format.JSON:
        say(json.dumps(evaluation.as_json(), ensure_ascii=False))
    else:
        say(_table(evaluation))


def _write_predictions(path: Path, judged: "Iterable[Judged]") -> None:
    said = {True: "Yes", False: "No", None: "undetermined"}
    write_json_lines(
        path,
        (
            {"unique_id": each.item.indicator, "label": each.item.label, "predicted": said[each.value]}
            for each in judged
        ),
    )


def _table(evaluation: "Evaluation") -> str:
    whole = evaluation.as_json()
    lines = [f"{'n':>4} {'正确率':<5} {'95% 区间':<11} {'无法判定':<4} 指标"]
    lines += [
        f"{row['n']:>4}  {row['accuracy']:.2f}  {row['interval'][0]:.2f}–{row['interval'][1]:.2f}"
        f"  {row['undetermined']:>8}  {name}"
        for name, row in whole["by_indicator"].items()
    ]
    low, high = whole["interval"]
    wide_low, wide_high = whole["interval_by_indicator"]
    confusion = whole["confusion"]
    lines += [
        "",
        f"条目 {whole['n']} 条；正确率 {whole['accuracy']:.3f}（95% 区间 {low:.3f}–{high:.3f}，"
        f"按指标聚类 {wide_low:.3f}–{wide_high:.3f}）；"
        f"无法判定 {whole['undetermined']} 条（按判错计）",
        f"标注为是：判是 {confusion['yes_as_yes']}、判否 {confusion['yes_as_no']}；"
        f"标注为否：判否 {confusion['no_as_no']}、判是 {confusion['no_as_yes']}",
        f"事实 {whole['fact_n']} 项，正确率 {whole['fact_accuracy']:.3f}；有语言模型参与 {whole['by_model']} 条",
    ]
    return "\n".join(lines)
