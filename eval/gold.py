"""Stays with the key facts that their discharge record must hold."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.drafting.normal import normalise
from app.errors import UserError
from app.records.model import MedicalRecord
from app.records.readers import read_record
from app.yaml_data import read_yaml

STAYS = Path(__file__).parent / "data" / "stays"
_GOLD = ".gold.yaml"


class Fact(BaseModel):
    """A key fact.

    Attributes:
        what: its name for a reader.
        says: what a text must say together to state it; ``甲|乙`` is satisfied by either.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str = Field(min_length=1)
    says: tuple[str, ...] = Field(min_length=1)

    def is_told_by(self, texts: Iterable[str]) -> bool:
        """Whether one of ``texts``, in comparable form, says all of it."""
        wanted = [[normalise(either) for either in part.split("|")] for part in self.says]
        return any(all(any(w in text for w in either) for either in wanted) for text in texts)


class _GoldFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    facts: tuple[Fact, ...]


class GoldStay(NamedTuple):
    """A stay and its key facts; ``facts`` is empty where nobody listed any."""

    name: str
    record: MedicalRecord
    facts: tuple[Fact, ...]


def load_stays(paths: Sequence[Path]) -> list[GoldStay]:
    """The stays of files and folders; ``NN.gold.yaml`` beside ``NN.json`` lists the key facts.

    Raises:
        UserError: there is none, or one cannot be read.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise UserError(f"{'、'.join(map(str, paths))} 中没有病历（*.json），请检查路径。")
    return [GoldStay(file.stem, read_record(file), _facts(file.with_suffix(_GOLD))) for file in files]


def _facts(file: Path) -> tuple[Fact, ...]:
    if not file.is_file():
        return ()
    try:
        return _GoldFile.model_validate(read_yaml(file)).facts
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(f"{file} 的 {place} 不对，应为 facts 列表，每条有 what 和 says。") from error


def omitted(facts: Iterable[Fact], sections: Iterable[Sequence[str]]) -> tuple[Fact, ...]:
    """The facts that no sentence, and no two neighbours in one section, state."""
    texts = [text for sentences in sections for text in _windows([normalise(s) for s in sentences])]
    return tuple(fact for fact in facts if not fact.is_told_by(texts))


def _windows(sentences: Sequence[str]) -> list[str]:
    return [*sentences, *(one + other for one, other in pairwise(sentences))]
