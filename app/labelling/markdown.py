"""The label of Markdown: a mapping ``AIGC`` in the YAML front matter, the notice as first line of the body.

Canonical content: the body, that is, everything after the front matter, with line feeds as line ends and no
empty lines around it. Other keys of the front matter stay as they are and are not sealed.
"""

import json
import re
from typing import NamedTuple

import yaml

from app.errors import UserError
from app.labelling.found import Found, read_back
from app.labelling.label import Label, notice_among, sealed
from app.labelling.text import decode, with_first_line

_FRONT_MATTER = re.compile(
    r"\A---[ \t]*\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
_OLD_LABEL = re.compile(r"^AIGC[ \t]*:.*\n(?:[ \t]+.*\n|[ \t]*\n)*", re.MULTILINE)


class _Parts(NamedTuple):
    front_matter: str
    body: str


def read(data: bytes) -> Found:
    """Find the label.

    Raises:
        UserError: no text, or the front matter is no YAML.
    """
    parts = _parts(decode(data))
    return Found(
        copies=_copies(parts.front_matter),
        notice=notice_among(line.strip("> *_") for line in parts.body.splitlines()),
        content=parts.body.strip("\n"),
    )


def write(data: bytes, label: Label, key: bytes) -> bytes:
    """Label the text in ``data``; an old label is replaced.

    Raises:
        UserError: no text, or the front matter is no YAML.
        LabelError: the label does not read back whole.
    """
    parts = _parts(decode(data))
    _copies(parts.front_matter)
    line = f"> {label.notice}" if label.notice else ""
    body = with_first_line(parts.body, line).strip("\n") + "\n"
    final = sealed(label, key, body.strip("\n"))
    others = _OLD_LABEL.sub("", parts.front_matter)
    mapping = "".join(f'  {name}: "{value}"\n' for name, value in final.AIGC.model_dump().items())
    written = f"---\n{others}AIGC:\n{mapping}---\n\n{body}".encode()
    return read_back(read, written, final, key)


def _parts(text: str) -> _Parts:
    match = _FRONT_MATTER.match(text)
    return _Parts(match["yaml"], text[match.end() :]) if match else _Parts("", text)


def _copies(front_matter: str) -> tuple[str, ...]:
    """Every value of the key ``AIGC``; the node tree is read because a loaded mapping hides double keys."""
    try:
        root = yaml.compose(front_matter, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UserError("开头的 YAML 元数据（两行 --- 之间）格式有误，请更正。") from error
    if not isinstance(root, yaml.MappingNode):
        return ()
    return tuple(_as_json(value) for name, value in root.value if name.value == "AIGC")


def _as_json(node: yaml.Node) -> str:
    if not isinstance(node, yaml.MappingNode):
        return json.dumps(node.value) if isinstance(node, yaml.ScalarNode) else "[]"
    members = (f"{json.dumps(name.value)}:{_as_json(value)}" for name, value in node.value)
    return "{" + ",".join(members) + "}"
