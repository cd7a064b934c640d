"""Reading files of labelled material: a JSON list, or one object a line."""

import json
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from app.errors import UserError
from app.records.readers.text_file import read_text

_Entry = TypeVar("_Entry", bound=BaseModel)


class Shape(NamedTuple):
    """A format of labelled material, in the words of its error sentences.

    Attributes:
        name: of the format.
        fault: what may be wrong with a field that is there.
        fields: what every entry has.
        entries: what the entries are called.
    """

    name: str
    fault: str
    fields: str
    entries: str


def parsed(path: Path) -> Any:  # noqa: ANN401  # any JSON value
    """The whole file as JSON, or else the list of its lines as JSON.

    Raises:
        UserError: the file cannot be read, or is neither.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as whole:
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError:
            raise UserError(
                f"{path} 不是 JSON（第 {whole.lineno} 行第 {whole.colno} 列有误），请检查文件。"
            ) from whole


def validated(path: Path, entries: object, model: type[_Entry], shape: Shape) -> tuple[_Entry, ...]:
    """The entries of a file as ``model``.

    Raises:
        UserError: naming entry and field of the first that is not of the format; or there is no entry.
    """
    try:
        read: tuple[_Entry, ...] = TypeAdapter(tuple[model, ...]).validate_python(entries)  # type: ignore[valid-type]
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        number = f"第 {int(place[0]) + 1} 条" if place else "顶层"
        field = ".".join(map(str, place[1:])) or "整条"
        raise UserError(
            f"{path} 不是 {shape.name} 格式：{number}的 {field} 缺失或{shape.fault}，每条应有 {shape.fields}。"
        ) from error
    if not read:
        raise UserError(f"{path} 中没有{shape.entries}，请检查文件是否完整。")
    return read
