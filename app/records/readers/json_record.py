"""Reader of ``bingli/record/1`` JSON."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.errors import UserError
from app.records.model import RECORD_FORMAT, MedicalRecord
from app.records.readers.text_file import read_text

_PROBLEMS = {
    "missing": "缺少必填字段",
    "string_type": "应为文字",
    "literal_error": "取值不在规定范围内",
    "string_too_short": "不能为空",
    "bool_type": "应为 true 或 false",
    "tuple_type": "应为数组",
    "dict_type": "应为对象",
    "model_type": "应为对象",
    "float_parsing": "应为数字",
    "float_type": "应为数字",
    "int_parsing": "应为整数",
}


def read_json(path: Path) -> tuple[MedicalRecord, tuple[str, ...]]:
    """One record, and one warning if it has unknown fields.

    Raises:
        UserError: no JSON, no object, or not a record; names the field.
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} 不是有效的 JSON（第 {error.lineno} 行第 {error.colno} 列），请检查文件是否完整。"
        ) from error
    except RecursionError as error:
        raise UserError(f"{path} 的 JSON 嵌套过深，不是病历。") from error
    return parse_record(content, str(path))


def parse_record(content: object, where: str) -> tuple[MedicalRecord, tuple[str, ...]]:
    """A record from parsed JSON; ``where`` names its source in errors.

    Raises:
        UserError: not a record; names the field.
    """
    if not isinstance(content, dict):
        raise UserError(f"{where} 的顶层不是 JSON 对象，应是一份 {RECORD_FORMAT} 病历。")
    context: dict[str, Any] = {}
    try:
        record = MedicalRecord.model_validate(content, context=context)
    except ValidationError as error:
        raise UserError(f"{where} 不是有效的病历：{describe(error)}") from error
    unknown = sorted(context.get("unknown_fields", ()))
    return record, ((f"有未知字段，已原样保留在 extra：{'、'.join(unknown)}",) if unknown else ())


def describe(error: ValidationError) -> str:
    """The first problem of a validation error in one Chinese sentence, without the value at fault."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    problem = _PROBLEMS.get(first["type"], first["msg"].removeprefix("Value error, "))
    others = f"（另有 {error.error_count() - 1} 处）" if error.error_count() > 1 else ""
    return f"字段 {place or '（整体）'}：{problem}{others}，请更正后再试。"
