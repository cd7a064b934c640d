"""``bingli mcp``: the MCP server."""

from typing import Annotated

import typer


def mcp(
    profile: Annotated[str | None, typer.Option("--profile", help="评分方案（缺省 national）")] = None,
    model: Annotated[str | None, typer.Option("--model", help="模型名称或 OpenAI 协议服务的网址")] = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="不使用语言模型；需要它的规则为“无法判定”")
    ] = False,
) -> None:
    """在标准输入输出上提供 MCP 工具：检查、解释规则、检索、起草、核对。

    例：bingli mcp --no-model
    """
    from app.service.mcp import serve_stdio
    from app.settings import load_settings

    serve_stdio(load_settings(profile=profile, model=model), use_model=not no_model)
