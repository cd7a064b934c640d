"""What every command shares: printing, progress, exit statuses."""

import json
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import typer
from rich.console import Console

from app.errors import UserError

EXIT_FOUND = 1
EXIT_FAILED = 2

_Item = TypeVar("_Item")

progress_console = Console(stderr=True, highlight=False, soft_wrap=True)


class Format(StrEnum):
    """How a command prints its answer."""

    TEXT = "text"
    JSON = "json"


def say(line: str) -> None:
    """A line of the answer, on stdout."""
    typer.echo(line)


def warn(line: str) -> None:
    """A line beside the answer, on stderr."""
    typer.echo(line, err=True)


def stdout_is_terminal() -> bool:
    """Whether a person reads stdout."""
    return sys.stdout.isatty()


def with_progress(items: Iterable[_Item], title: str, total: int) -> Iterable[_Item]:
    """The items, with a bar on stderr while they come; no bar unless a person reads stderr."""
    from rich.progress import track

    return track(items, title, total, console=progress_console, disable=not progress_console.is_terminal)


def write_json_lines(path: Path, objects: Iterable[Mapping[str, object]]) -> None:
    """Write one JSON object a line.

    Raises:
        UserError: the file cannot be written.
    """
    lines = (json.dumps(each, ensure_ascii=False) for each in objects)
    try:
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    except OSError as error:
        raise UserError(f"{path} 无法写入（{error.strerror}），请检查路径和权限。") from error
