"""Prompts as files: ``prompts/<name>.md`` with front matter, a ``## system`` and a ``## user`` part."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import yaml
from jinja2 import Environment, StrictUndefined, Template, TemplateSyntaxError, UndefinedError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import UserError
from app.resources import PROMPTS

_FILE = re.compile(r"---\n(?P<front>.*?\n)---\n(?P<body>.*)", re.DOTALL)
_PART = re.compile(r"^## (system|user)[ \t]*\n", re.MULTILINE)
# The text goes to a model, not into a page: nothing is escaped.
_TEMPLATES = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701


class Message(NamedTuple):
    """One turn of the conversation that is sent; ``role`` is ``system`` or ``user``."""

    role: str
    content: str


class _FrontMatter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    version: int = Field(ge=1)
    description: str
    answer_schema: dict[str, Any] | None = Field(default=None, alias="schema")


@dataclass(frozen=True)
class Prompt:
    """A prompt file that has been read and found sound."""

    file: str
    name: str
    version: int
    description: str
    schema: dict[str, Any] | None
    system: str
    user: str

    @cached_property
    def key(self) -> str:
        """Changes whenever an answer could: ``name@version+hash`` over texts and schema."""
        content = f"{self.system}\0{self.user}\0{self.schema!r}"
        return f"{self.name}@{self.version}+{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    @cached_property
    def _templates(self) -> tuple[Template, Template]:
        return _TEMPLATES.from_string(self.system), _TEMPLATES.from_string(self.user)

    def messages(self, values: Mapping[str, object]) -> tuple[Message, Message]:
        """The system and the user turn with ``values`` filled in.

        Values are inserted as they are and never read as template or as a part heading.

        Raises:
            UserError: the prompt uses a value that is not among ``values``.
        """
        system, user = self._templates
        try:
            return Message("system", system.render(values)), Message("user", user.render(values))
        except UndefinedError as error:
            raise UserError(
                f"提示词 {self.file} 用到了没有提供的值（{error.message}），请改正该文件。"
            ) from error


def load_prompt(name: str, folder: Path = PROMPTS) -> Prompt:
    """Read ``<name>.md`` of ``folder``.

    Raises:
        UserError: the file is missing or unsound; the sentence names the file and the field.
    """
    path = folder / f"{name}.md"
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"不能读取提示词 {path}（{error}），请检查该文件。") from error
    file = _FILE.fullmatch(source)
    if not file:
        raise _unsound(path, "文件开头应是两行 --- 之间的说明")
    front = _front_matter(path, file["front"])
    if front.name != name:
        raise _unsound(path, f"name 是“{front.name}”，应与文件名一致")
    prompt = Prompt(
        file=path.name,
        name=front.name,
        version=front.version,
        description=front.description,
        schema=front.answer_schema,
        **_parts(path, file["body"]),
    )
    _require_templates(path, prompt)
    return prompt


def _front_matter(path: Path, text: str) -> _FrontMatter:
    try:
        front = _FrontMatter.model_validate(yaml.safe_load(text))
        jsonschema.Draft202012Validator.check_schema(front.answer_schema or {})
    except yaml.YAMLError as error:
        raise _unsound(path, f"说明不是有效的 YAML：{' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "说明"
        raise _unsound(path, f"{field}：{first['msg']}") from error
    except jsonschema.SchemaError as error:
        raise _unsound(path, f"schema：{error.message}") from error
    return front


def _parts(path: Path, body: str) -> dict[str, str]:
    before, *pieces = _PART.split(body)
    names, texts = pieces[::2], pieces[1::2]
    if before.strip() or names != ["system", "user"]:
        raise _unsound(path, "正文应先是 ## system、后是 ## user，各一段，前面没有别的文字")
    parts = {name: text.strip() for name, text in zip(names, texts, strict=True)}
    for name, text in parts.items():
        if not text:
            raise _unsound(path, f"## {name} 没有内容")
    return parts


def _require_templates(path: Path, prompt: Prompt) -> None:
    for part in ("system", "user"):
        try:
            _TEMPLATES.parse(getattr(prompt, part))
        except TemplateSyntaxError as error:
            raise _unsound(path, f"## {part} 第 {error.lineno} 行：{error.message}") from error


def _unsound(path: Path, reason: str) -> UserError:
    return UserError(f"提示词 {path} 有误（{reason}），请改正该文件。")
