"""Word lists of the field, kept as data in ``app/text/lexicons/``.

A list is either a plain file (``name.txt``: one term a line, ``#`` starts a comment) or a mapping
(``name.yaml``: head term to its synonyms or members).
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.yaml_data import read_yaml

_FOLDER = Path(__file__).with_name("lexicons")


@cache
def load_tree(name: str) -> dict[str, dict[str, Any]]:
    """The parsed YAML of ``name.yaml``, for lexicons with a shape of their own.

    Raises:
        FileNotFoundError: there is no such list.
    """
    parsed: dict[str, dict[str, Any]] = read_yaml(_FOLDER / f"{name}.yaml")
    return parsed


@cache
def load_mapping(name: str) -> Mapping[str, tuple[str, ...]]:
    """Head term to synonyms or members, in file order; the head itself is not repeated among them.

    Raises:
        FileNotFoundError: there is no such mapping.
    """
    return MappingProxyType({head: tuple(members) for head, members in load_tree(name).items()})


@cache
def load_terms(name: str) -> tuple[str, ...]:
    """Every term of a list once, in file order; of a mapping, the heads and all they stand for.

    Raises:
        FileNotFoundError: there is no such list.
    """
    path = _FOLDER / f"{name}.txt"
    if path.exists():
        lines = (line.split("#", 1)[0].strip() for line in path.read_text("utf-8").splitlines())
        return tuple(dict.fromkeys(line for line in lines if line))
    mapping = load_mapping(name)
    return tuple(dict.fromkeys(term for head, members in mapping.items() for term in (head, *members)))


@cache
def heads_by_term(name: str) -> Mapping[str, str]:
    """Every term of a mapping to its head term (a head to itself); the first head wins."""
    heads: dict[str, str] = {}
    for head, members in load_mapping(name).items():
        for term in (head, *members):
            heads.setdefault(term, head)
    return MappingProxyType(heads)
