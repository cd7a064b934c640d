"""A wrong command line in one Chinese sentence; the library's own words are English."""

import re

from typer.exceptions import TyperException

_TRANSLATIONS = (
    (re.compile(r"Missing (?:argument|option|parameter) '?\[?([^'\]]+)\]?'?\..*", re.S), r"缺少 \1"),
    (re.compile(r"Missing command\.?.*", re.S), "缺少子命令"),
    (re.compile(r"No such option: (\S+).*", re.S), r"没有选项 \1"),
    (re.compile(r"No such command '([^']+)'.*", re.S), r"没有命令 \1"),
    (re.compile(r"Got unexpected extra arguments? \((.+)\).*", re.S), r"多出了 \1"),
    (re.compile(r"Option '([^']+)' requires .*", re.S), r"选项 \1 缺少取值"),
    (
        re.compile(
            r"Invalid value for '?\[?([^'\]:]+)\]?'?(?: / '[^']+')?: .*?'([^']*)' is not one of ([^.]+)\.*",
            re.S,
        ),
        r"\1 的取值“\2”不在 \3 之内",
    ),
    (re.compile(r"Invalid value for '?\[?([^'\]:]+)\]?'?.*", re.S), r"\1 的取值不可用"),
)


def usage_sentence(error: TyperException) -> str:
    """What is wrong, and where to look."""
    said = error.format_message()
    problem = next((p.sub(to, said) for p, to in _TRANSLATIONS if p.fullmatch(said)), said)
    context = getattr(error, "ctx", None)
    return f"命令用法有误：{problem}；运行 {context.command_path if context else 'bingli'} --help 查看用法。"
