"""``bingli mcp``: the MCP server."""

from app.cli.options import Model, NoModel, Profile


def mcp(
    profile: Profile = None,
    model: Model = None,
    no_model: NoModel = False,
) -> None:
    """在标准输入输出上提供 MCP 工具：检查、解释规则、检索、起草、核对。

    例：bingli mcp --no-model
    """
    from app.service.mcp import serve_stdio
    from app.settings import load_settings

    serve_stdio(load_settings(profile=profile, model=model), use_model=not no_model)
