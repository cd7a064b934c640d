"""What every command shares: printing, exit statuses, opening the parts of the program."""

import sys
from enum import StrEnum

import typer
from rich.console import Console

EXIT_FOUND = 1
EXIT_FAILED = 2

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
