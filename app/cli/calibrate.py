"""``bingli calibrate``: thresholds from labels."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Model
from app.cli.output import Format, say, warn, with_progress
from app.errors import UserError

if TYPE_CHECKING:
    from app.qc.calibration import Calibration, Price
    from app.settings import Settings


class LabelFormat(StrEnum):
    """The formats of labels."""

    BINGLI = "bingli"
    CMQCIC = "cmqcic"


def calibrate(
    labels: Annotated[
        Path, typer.Argument(help="标注（每行一个 JSON）", metavar="LABELS", show_default=False)
    ],
    indicators: Annotated[
        Path | None, typer.Option("--indicators", help="条目所用的指标文件（cmqcic 格式需要）")
    ] = None,
    label_format: Annotated[
        LabelFormat | None,
        typer.Option("--format", help="标注的格式；缺省：给了指标文件为 cmqcic，否则为 bingli"),
    ] = None,
    answer_from: Annotated[
        float,
        typer.Option("--answer-from", min=0.5, max=0.99, help="事实的把握达到多少才作答，否则“无法判定”"),
    ] = 0.8,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="写入的文件夹（缺省：数据文件夹的 calibration，优先于程序自带的）"),
    ] = None,
    output_format: Annotated[Format, typer.Option("--format-out", help="输出格式")] = Format.TEXT,
    model: Model = None,
    no_model: Annotated[bool, typer.Option("--no-model", help="只校准不用语言模型的判断")] = False,
) -> None:
    """用标注校准判断，打印弃权的代价；标注太少时拒绝，并说明还差多少。

    bingli 格式：每行一条人的判定（rule、fact、record_id、probability 或 features、label），整改流程导出的标注即是；
    按事实或规则各拟合一个小的逻辑回归，以病历为单位交叉验证。cmqcic 格式：专科指标的条目，留一个指标在外做交叉验证，
    中断后重新运行，模型已答过的不再问。

    例：bingli calibrate 标注.jsonl

    例：bingli calibrate 条目.jsonl --format cmqcic --indicators 指标.json
    """
    from app.qc.specialty.judging import calibration_folder
    from app.settings import load_settings

    settings = load_settings(model=model)
    folder = out or calibration_folder(settings)
    if (label_format or (LabelFormat.CMQCIC if indicators else LabelFormat.BINGLI)) is LabelFormat.BINGLI:
        _calibrate_verdicts(labels, settings, answer_from, folder, output_format)
        return
    if indicators is None:
        raise UserError("cmqcic 格式的条目要用 --indicators 给出指标文件。")
    calibration, path = _calibrate_indicators(labels, indicators, settings, folder, use_model=not no_model)
    scores = calibration.cross_validated
    if output_format is Format.JSON:
        say(
            calibration.model_dump_json(include={"name", "engine", "n", "groups", "cross_validated", "price"})
        )
        return
    say(
        f"{path}：{calibration.n} 条、{calibration.groups} 个指标；在未见过的指标上，"
        f"条目正确率 {scores.right / scores.n:.3f}，事实正确率 {scores.fact_right / max(1, scores.fact_n):.3f}。"
    )
    say(_price_table(calibration.price, "指标"))


def _calibrate_indicators(
    labels: Path, indicators: Path, settings: "Settings", folder: Path, *, use_model: bool
) -> "tuple[Calibration, Path]":
    from datetime import datetime

    from app.qc.calibration import store_calibration
    from app.qc.specialty.fitting import calibrate as fit
    from app.qc.specialty.judging import DETECTORS, WITH_MODEL
    from app.qc.specialty.opening import open_judge
    from app.records.model import CHINA_TIME
    from eval.facts import examples, is_usable, load_labelled

    items, defined = load_labelled(labels, indicators)
    with open_judge(settings, defined, use_model=use_model) as judge:
        learnt = list(with_progress(examples(judge, items), "读取", len(items)))
        usable = [each for each in learnt if is_usable(judge, each)]
        if len(usable) < len(learnt):
            reason = next(each.observed.reason for each in learnt if not is_usable(judge, each))
            warn(f"{len(learnt) - len(usable)} 条没有参与校准：{reason}。再次运行只问这些。")
        name, engine = (WITH_MODEL, judge.engine) if judge.engine else (DETECTORS, DETECTORS)
        calibration = fit(name, engine, usable, datetime.now(CHINA_TIME).date())
    path = folder / f"{name}.json"
    store_calibration(calibration, path)
    return calibration, path


def _calibrate_verdicts(
    labels: Path, settings: "Settings", answer_from: float, folder: Path, output_format: Format
) -> None:
    import json
    from datetime import datetime

    from app.qc.verdicts import Label, fit_verdicts, store_verdicts
    from app.records.model import CHINA_TIME
    from eval.labelled import Shape, parsed, validated

    shape = Shape("bingli", "类型不对", "rule、record_id、probability（或 features）和 label", "标注")
    whole = parsed(labels)
    given = validated(labels, whole if isinstance(whole, list) else [whole], Label, shape)
    today = datetime.now(CHINA_TIME).date()
    fitted = fit_verdicts(given, model=settings.model, answer_from=answer_from, on=today)
    path = store_verdicts(fitted.verdicts, folder)
    if output_format is Format.JSON:
        done = [json.loads(each.model_dump_json(exclude={"fit"})) for each in fitted.verdicts]
        refused = [each._asdict() for each in fitted.too_little]
        say(json.dumps({"fitted": done, "too_little": refused}, ensure_ascii=False))
        return
    for each in fitted.verdicts:
        say(f"{each.target}：{each.n} 条标注（是 {each.positive}）、{each.records} 份病历。")
        say(_price_table(each.price, "病历"))
    for short in fitted.too_little:
        say(f"{short.target}：未校准，{short.lacking}。")
    say(f"已写入 {path}。")


def _price_table(price: "Iterable[Price]", grouped_by: str) -> str:
    lines = [f"  把握不低于  作答的比例  作答的正确率（95% 区间，按{grouped_by}聚类；交叉验证）"]
    for each in price:
        accuracy = (
            f"{each.accuracy:.3f}（{each.low:.3f}–{each.high:.3f}）" if each.accuracy is not None else "—"
        )
        lines.append(f"  {each.certainty:<10.2f}  {each.answered:<10.1%}  {accuracy}")
    return "\n".join(lines)
