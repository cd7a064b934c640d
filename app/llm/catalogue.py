"""The models bingli knows, and what has become of their files on this machine."""

import contextlib
import hashlib
import json
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter

from app.errors import UserError
from app.settings import Settings
from app.yaml_data import read_yaml

_CATALOGUE = Path(__file__).with_name("models.yaml")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HubSource(_Entry):
    """Where the official release stands on the model hub; ``revision`` is a commit, not a branch."""

    repository: str
    revision: str


class PackageSource(_Entry):
    """Python packages that carry the file in consecutive parts of ``part_bytes`` (the last one shorter)."""

    name: str = Field(description="with {number} for 1 … count")
    version: str
    count: PositiveInt
    part_bytes: PositiveInt

    def requirement(self, number: int) -> str:
        """The pinned requirement of part ``number``, counted from 1."""
        return f"{self.name.format(number=number)}=={self.version}"


class ModelSpec(_Entry):
    """One model file: what it is, how it is recognised (``bytes``, ``sha256``), where it comes from."""

    name: str
    title: str
    file: str = Field(pattern=r"^[\w.-]+$")
    bytes: PositiveInt
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str
    hub: HubSource | None = None
    packages: PackageSource | None = None


class ModelState(StrEnum):
    """What stands in the model folder; the values are read by machines, ``models list`` translates them."""

    VERIFIED = "verified"
    PARTIAL = "partial"
    ABSENT = "absent"
    CORRUPT = "corrupt"


class _Stamp(NamedTuple):
    """Proof that a file of this size and modification time was once hashed to ``sha256``."""

    sha256: str
    bytes: int
    mtime_ns: int


@cache
def catalogue() -> dict[str, ModelSpec]:
    """Every known model by its name."""
    entries = read_yaml(_CATALOGUE)
    return {spec.name: spec for spec in TypeAdapter(tuple[ModelSpec, ...]).validate_python(entries)}


def model_spec(name: str) -> ModelSpec:
    """The model called ``name``.

    Raises:
        UserError: the catalogue has no such model.
    """
    try:
        return catalogue()[name]
    except KeyError:
        raise UserError(f"模型目录中没有“{name}”，可用的有：{'、'.join(catalogue())}。") from None


def model_folder(settings: Settings) -> Path:
    """Where model files are kept."""
    return settings.data_dir / "models"


def partial_file(spec: ModelSpec, folder: Path) -> Path:
    """Where the file grows until its checksum has been verified."""
    return folder / f"{spec.file}.part"


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_state(spec: ModelSpec, folder: Path) -> ModelState:
    """What has become of the model in ``folder``.

    A file whose size and modification time agree with the stamp left by an earlier verification is not
    read again; any other file of the right size is hashed (about a second per gigabyte).

    Raises:
        OSError: the file cannot be read.
    """
    path = folder / spec.file
    if not path.is_file():
        return ModelState.PARTIAL if partial_file(spec, folder).is_file() else ModelState.ABSENT
    if path.stat().st_size != spec.bytes:
        return ModelState.CORRUPT
    if _read_stamp(path) == _stamp_of(spec, path):
        return ModelState.VERIFIED
    if file_sha256(path) != spec.sha256:
        return ModelState.CORRUPT
    write_stamp(spec, path)
    return ModelState.VERIFIED


def write_stamp(spec: ModelSpec, path: Path) -> None:
    """Remember that ``path`` has been verified; a folder that cannot be written only costs a rehash."""
    with contextlib.suppress(OSError):
        _stamp_path(path).write_text(json.dumps(_stamp_of(spec, path)._asdict()), encoding="utf-8")


def _stamp_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified.json")


def _stamp_of(spec: ModelSpec, path: Path) -> _Stamp:
    status = path.stat()
    return _Stamp(spec.sha256, status.st_size, status.st_mtime_ns)


def _read_stamp(path: Path) -> _Stamp | None:
    try:
        return _Stamp(**json.loads(_stamp_path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
