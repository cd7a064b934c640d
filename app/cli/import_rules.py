"""``bingli rules import``: a hospital's own specialty indicators."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import say, warn


def import_rules(
    file: Annotated[Path, typer.Argument(help="指标文件（JSON）", metavar="FILE", show_default=False)],
) -> None:
    """导入专科质控指标（事实和逻辑规则），逐条检查，并试跑所附的例子。

    例：bingli rules import 指标.json
    """
    from app.qc.specialty.judging import IndicatorJudge
    from app.qc.specialty.store import import_indicators
    from app.settings import load_settings

    indicators = import_indicators(file, load_settings())
    judge = IndicatorJudge(indicators, None)
    for name, indicator in indicators.items():
        say(f"{name}：事实 {len(indicator.facts)} 项，规则 {len(indicator.logical_rules)} 条")
        for number, example in enumerate(indicator.examples, start=1):
            if judge.decide(name, example.note).value is not example.reached:
                warn(f"{name}：第 {number} 个例子的判断与所附结论不同（未用语言模型）。")
    say(f"已导入 {len(indicators)} 个指标。")
