"""``bingli rules import`` and ``remove``: a hospital's own specialty indicators."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import say, warn


def import_rules(
    file: Annotated[Path, typer.Argument(help="指标文件（JSON）", metavar="FILE", show_default=False)],
) -> None:
    """导入专科质控指标（事实和逻辑规则），逐条检查，试跑所附的例子；导入后即参与检查和审核。

    每个指标成为一条 S-0 开头的规则，缺省只提示、不扣分；文件或评分方案可以另行规定。

    例：bingli rules import 指标.json
    """
    from app.qc.specialty.eligibility import subject_of
    from app.qc.specialty.judging import IndicatorJudge, calibration_folder
    from app.qc.specialty.store import import_indicators
    from app.settings import load_settings

    settings = load_settings()
    indicators = import_indicators(file, settings)
    judge = IndicatorJudge(indicators, None, calibration_folder(settings))
    for name, indicator in indicators.items():
        say(
            f"{indicator.code} {name}：事实 {len(indicator.facts)} 项，规则 {len(indicator.logical_rules)} 条；"
            f"用于{subject_of(name, indicator)}"
        )
        for number, example in enumerate(indicator.examples, start=1):
            if judge.decide(name, example.note).value is not example.reached:
                warn(f"{name}：第 {number} 个例子的判断与所附结论不同（未用语言模型）。")
    say(f"已导入 {len(indicators)} 个指标。")


def remove_rules(
    indicator: Annotated[
        str, typer.Argument(help="指标的名称，或规则编号（S-001）", metavar="NAME", show_default=False)
    ],
) -> None:
    """删去导入的一个专科质控指标；随程序自带的规则不能删，在评分方案里停用。

    例：bingli rules remove S-001
    """
    from app.qc.specialty.store import remove_indicator
    from app.settings import load_settings

    say(f"已删去 {remove_indicator(indicator, load_settings())}。")
