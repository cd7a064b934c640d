"""Options that several commands share."""

from typing import Annotated

import typer

Profile = Annotated[str | None, typer.Option("--profile", help="评分方案（缺省 national）")]
Model = Annotated[str | None, typer.Option("--model", help="模型名称或 OpenAI 协议服务的网址")]
NoModel = Annotated[bool, typer.Option("--no-model", help="不使用语言模型；需要它的规则为“无法判定”")]
