"""The bundled corpus: digests, in our own words, of the clauses that rules and findings rest on.

One YAML file a document; digests of clinical guidelines are in the folder ``guidelines``. A file that breaks the
schema is refused with the file, the clause and the field.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import UserError
from app.yaml_data import read_yaml

_REASONS = {
    "missing": "没有填写",
    "extra_forbidden": "不认识这个字段",
    "string_type": "应为文字",
    "string_too_short": "太短",
    "string_too_long": "太长",
    "string_pattern_mismatch": "只能用小写字母、数字和连字符",
    "literal_error": "不是可用的取值",
}

Level = Literal["national", "provincial", "hospital", "inferred", "guideline"]
Aspect = Literal["history", "examination", "tests", "diagnosis", "treatment", "discharge"]
GUIDELINES = "guidelines"


class Chunk(BaseModel):
    """One passage that search returns and findings cite.

    ``reported``: the national text was read only as others report it, so it must not be shown as a verbatim
    quotation. ``file``, ``page`` (from 1; pdf only), ``start`` and ``end`` (code points in the extracted text
    of the page or file, end exclusive) are set for passages of added files alone.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    document: str
    clause: str
    title: str
    text: str
    level: Level
    reported: bool = False
    file: str | None = None
    page: int | None = None
    start: int | None = None
    end: int | None = None

    @property
    def words(self) -> str:
        """What search by words reads: the passage with its document, clause and title."""
        return f"{self.document} {self.clause} {self.title}\n{self.text}"

    @property
    def meaning(self) -> str:
        """What search by meaning reads: names of documents and clause numbers only blur a vector."""
        return f"{self.title}。{self.text}"


class Document(NamedTuple):
    """A document of the knowledge base: its names, and its chunks in order."""

    name: str
    aliases: tuple[str, ...]
    level: Level
    chunks: tuple[Chunk, ...]
    also: dict[str, str]


class Scope(BaseModel):
    """What a guideline is about; patterns are searched.

    Attributes:
        diagnoses: in the canonical name of a diagnosis,
        not_diagnoses: unless this is found in it.
        age_from: the patient is at least this old, in years.
        age_below: the patient is younger, in years.
        rules: the whole code of a rule on its topic, whatever the diagnosis.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    diagnoses: str | None = None
    not_diagnoses: str | None = None
    age_from: float | None = None
    age_below: float | None = None
    rules: str | None = None


class GuidelineDigest(NamedTuple):
    """A digest of a guideline: its scope, and its passages by what of the record they speak of."""

    name: str
    scope: Scope
    passages: dict[Aspect, Chunk]


class _Clause(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    clause: Annotated[str, Field(min_length=1, max_length=40)]
    title: Annotated[str, Field(min_length=2, max_length=40)]
    text: Annotated[str, Field(min_length=15, max_length=600)]
    level: Level | None = None
    reported: bool | None = None
    aspect: Aspect | None = None
    also: tuple[str, ...] = ()


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    document: Annotated[str, Field(min_length=2, max_length=60)]
    short_name: Annotated[str, Field(min_length=1, max_length=20)]
    aliases: tuple[str, ...] = ()
    number: str | None = None
    effective: str | None = None
    level: Level
    reported: bool = False
    issuer: str | None = None
    year: int | None = None
    digest: str | None = None
    scope: Scope | None = None
    clauses: Annotated[tuple[_Clause, ...], Field(min_length=1)]

    def chunk(self, entry: _Clause) -> Chunk:
        return Chunk(
            id=entry.id,
            document=self.document,
            clause=entry.clause,
            title=entry.title,
            text=entry.text,
            level=entry.level or self.level,
            reported=self.reported if entry.reported is None else entry.reported,
        )


def load_corpus(folder: Path) -> tuple[Document, ...]:
    """Read every ``*.yaml`` of a folder and of its folder of guidelines, in the order of the file names.

    ``Document.also`` maps further clauses that a digest covers to the id of its chunk.

    Raises:
        UserError: a file is no YAML, breaks the schema, or repeats an id or a clause; the sentence names the
            file, the clause and the field.
    """
    files = [*sorted(folder.glob("*.yaml")), *sorted((folder / GUIDELINES).glob("*.yaml"))]
    documents = tuple(_document(file, _read(file)) for file in files)
    owners: dict[str, Path] = {}
    for file, document in zip(files, documents, strict=True):
        for chunk in document.chunks:
            if chunk.id in owners:
                raise UserError(
                    f"知识库语料 {file.name} 的条款编号 {chunk.id} 已在 {owners[chunk.id].name} 中用过，请改用别的编号。"
                )
            owners[chunk.id] = file
    return documents


def load_guidelines(folder: Path) -> tuple[GuidelineDigest, ...]:
    """Read the guidelines of a corpus.

    Raises:
        UserError: as ``load_corpus``.
    """
    sources = (_read(file) for file in sorted((folder / GUIDELINES).glob("*.yaml")))
    return tuple(
        GuidelineDigest(
            source.document,
            source.scope or Scope(),
            {entry.aspect: source.chunk(entry) for entry in source.clauses if entry.aspect},
        )
        for source in sources
    )


def _read(file: Path) -> _Document:
    try:
        raw = read_yaml(file)
    except yaml.MarkedYAMLError as error:
        line = f"第 {error.problem_mark.line + 1} 行" if error.problem_mark else ""
        raise UserError(f"知识库语料 {file.name} {line}不是有效的 YAML，请更正。") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"知识库语料 {file.name} 不是 UTF-8 编码的 YAML，请更正。") from error
    try:
        return _Document.model_validate(raw)
    except ValidationError as error:
        raise UserError(_where_invalid(file, raw, error)) from error


def _document(file: Path, source: _Document) -> Document:
    seen: set[str] = set()
    for entry in source.clauses:
        for clause in (entry.clause, *entry.also):
            if clause in seen:
                raise UserError(
                    f"知识库语料 {file.name} 的条款“{clause}”（{entry.id}）写了两次，请合并或改正条号。"
                )
            seen.add(clause)
    return Document(
        name=source.document,
        aliases=(source.short_name, *source.aliases, *([source.number] if source.number else [])),
        level=source.level,
        chunks=tuple(source.chunk(entry) for entry in source.clauses),
        also={clause: entry.id for entry in source.clauses for clause in entry.also},
    )


def _where_invalid(file: Path, raw: Any, error: ValidationError) -> str:  # noqa: ANN401 - whatever the YAML holds
    first = error.errors()[0]
    place = first["loc"]
    clause = ""
    if len(place) > 1 and place[0] == "clauses" and isinstance(place[1], int):
        entry = raw["clauses"][place[1]]
        name = entry.get("id") or entry.get("clause") if isinstance(entry, dict) else None
        clause = f" 第 {place[1] + 1} 条（{name or '无编号'}）"
        place = place[2:]
    reason = _REASONS.get(first["type"], first["msg"])
    field = ".".join(str(part) for part in place) or "全文"
    return f"知识库语料 {file.name}{clause} 的 {field} 不合要求（{reason}），请更正。"
