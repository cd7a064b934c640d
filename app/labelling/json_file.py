"""The label of bingli's JSON files: the top-level field ``label``.

Canonical content: the object without ``label.AIGC``, keys sorted, no white space, ASCII only. So the seal
covers the notice and every other value, not the way the file is laid out. Keys that stand twice are kept in
the canonical form, so that adding a second value to a key is seen.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from app.errors import UserError
from app.labelling.found import Found, read_back
from app.labelling.label import Label, notice_among, sealed
from app.labelling.text import decode


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object as written: in order, and with keys that stand twice."""

    def all(self, name: str) -> Iterator[Any]:
        return (value for key, value in self if key == name)

    def without(self, name: str) -> "_Members":
        return _Members((key, value) for key, value in self if key != name)


def read(data: bytes) -> Found:
    """Find the label of one JSON object.

    Raises:
        UserError: no valid JSON object.
    """
    members = _parse(data)
    labels = [value for value in members.all("label") if isinstance(value, _Members)]
    copies = [copy for holder in (*labels, members) for copy in holder.all("AIGC")]
    notices = [notice for label in labels for notice in label.all("notice") if isinstance(notice, str)]
    shown = _Members(
        (name, value.without("AIGC") if name == "label" and isinstance(value, _Members) else value)
        for name, value in members
    )
    return Found(
        copies=tuple(map(_canonical, copies)), notice=notice_among(notices), content=_canonical(shown)
    )


def write(data: bytes, label: Label, key: bytes) -> bytes:
    """Label the JSON object in ``data``; an old label is replaced.

    Raises:
        UserError: no valid JSON object.
        LabelError: the label does not read back whole.
    """
    _parse(data)
    return _dump(labelled(json.loads(decode(data)), label, key))


def labelled(content: Mapping[str, Any], label: Label, key: bytes) -> dict[str, Any]:
    """A copy of ``content`` with ``label``, sealed over it, as its field ``label``.

    Args:
        content: JSON values only (``model_dump(mode="json")``), finite numbers.
        label: what to write; its integrity value is made anew.
        key: secret of the integrity value.

    Raises:
        LabelError: the label does not read back whole.
    """
    unsealed = {**content, "label": {"notice": label.notice}}
    final = sealed(label, key, read(_dump(unsealed)).content)
    complete = {**content, "label": final.model_dump()}
    read_back(read, _dump(complete), final, key)
    return complete


def _parse(data: bytes) -> _Members:
    try:
        value = json.loads(decode(data), object_pairs_hook=_Members, parse_constant=_refuse)
    except RecursionError as error:
        raise UserError("JSON 嵌套太深，请检查文件。") from error
    except json.JSONDecodeError as error:
        raise UserError(
            f"不是有效的 JSON（第 {error.lineno} 行第 {error.colno} 列），请检查文件是否完整。"
        ) from error
    except ValueError as error:
        raise UserError("JSON 中有过大的整数，请更正文件。") from error
    if not isinstance(value, _Members):
        raise UserError("JSON 顶层不是对象，请给出检查结果、草稿或病历文件。")
    return value


def _refuse(constant: str) -> NoReturn:
    raise UserError(f"JSON 中有不允许的数值 {constant}，请更正文件。")


def _canonical(value: object) -> str:
    if isinstance(value, _Members):
        members = sorted((json.dumps(name), _canonical(member)) for name, member in value)
        return "{" + ",".join(f"{name}:{member}" for name, member in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    return json.dumps(value)


def _dump(value: Mapping[str, Any]) -> bytes:
    return (
        json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False).encode(errors="backslashreplace")
        + b"\n"
    )
