"""``bingli calibrate``: thresholds from labels."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.evaluate_facts import IndicatorFormat
from app.cli.output import Format, say, with_progress


def calibrate(
    labels: Annotated[
        Path, typer.Argument(help="带标注的条目（每行一个 JSON）", metavar="LABELS", show_default=False)
    ],
    indicators: Annotated[Path, typer.Option("--indicators", help="条目所用的指标文件", show_default=False)],
    label_format: Annotated[
        IndicatorFormat, typer.Option("--format", help="标注的格式")
    ] = IndicatorFormat.CMQCIC,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="写入的文件夹（缺省：数据文件夹的 calibration，优先于程序自带的）"),
    ] = None,
    output_format: Annotated[Format, typer.Option("--format-out", help="输出格式")] = Format.TEXT,
    model: Annotated[str | None, typer.Option("--model", help="模型名称或 OpenAI 协议服务的网址")] = None,
    no_model: Annotated[bool, typer.Option("--no-model", help="只校准不用语言模型的判断")] = False,
) -> None:
    """用标注校准专科指标的判断，留一个指标在外做交叉验证；标注太少时拒绝。

    中断后重新运行，模型已答过的不再问。

    例：bingli calibrate 条目.jsonl --format cmqcic --indicators 指标.json
    """
    from datetime import datetime

    from app.qc.calibration import store_calibration
    from app.qc.specialty.fitting import calibrate as fit
    from app.qc.specialty.indicator import load_indicators
    from app.qc.specialty.judging import DETECTORS, WITH_MODEL, calibration_folder
    from app.qc.specialty.opening import open_judge
    from app.records.model import CHINA_TIME
    from app.settings import load_settings
    from eval.facts import examples, load_items, require_indicators

    items, defined = load_items(labels), load_indicators(indicators)
    require_indicators(items, defined)
    settings = load_settings(model=model)
    with open_judge(settings, defined, use_model=not no_model) as judge:
        learnt = examples(judge, items)
        shown = with_progress(learnt, "读取", len(items))
        name, engine = (WITH_MODEL, judge.engine) if judge.engine else (DETECTORS, DETECTORS)
        calibration = fit(name, engine or DETECTORS, list(shown), datetime.now(CHINA_TIME).date())
    path = (out or calibration_folder(settings)) / f"{name}.json"
    store_calibration(calibration, path)
    scores = calibration.cross_validated
    if output_format is Format.JSON:
        say(calibration.model_dump_json(include={"name", "engine", "n", "groups", "cross_validated"}))
        return
    say(
        f"{path}：{calibration.n} 条、{calibration.groups} 个指标；在未见过的指标上，"
        f"条目正确率 {scores.right / scores.n:.3f}，事实正确率 {scores.fact_right / max(1, scores.fact_n):.3f}。"
    )
