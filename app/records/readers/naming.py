"""Recognising a document's type from a file name or a heading."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from app.records.model import DocumentType, document_type
from app.yaml_data import read_yaml

_NAMES_FILE = Path(__file__).with_name("document_names.yaml")
_NUMBERING = re.compile(r"^[\d\s._\-、（）()]+|[\d\s._\-、（）()]+$")


@cache
def _types_by_name() -> Mapping[str, DocumentType]:
    names: dict[str, DocumentType] = {}
    for canonical, aliases in read_yaml(_NAMES_FILE).items():
        kind = document_type(canonical)
        names |= {
            name.lower(): kind
            for name in (canonical, canonical.replace("(", "（").replace(")", "）"), *aliases)
        }
    return dict(sorted(names.items(), key=lambda item: -len(item[0])))


def type_of_name(name: str) -> DocumentType | None:
    """The type that a file name (without suffix) stands for, ignoring numbering such as ``01-``."""
    bare = _NUMBERING.sub("", name).strip().lower() or name.strip().lower()
    return _types_by_name().get(bare) or _types_by_name().get(name.strip().lower())


def type_in_heading(line: str) -> DocumentType | None:
    """The type whose (longest) name stands in a heading line."""
    heading = re.sub(r"\s+", "", line).lower()
    return next(
        (kind for name, kind in _types_by_name().items() if name in heading and not name.isascii()), None
    )
