"""Evaluations that the evaluators' page runs: the same as ``bingli eval``, on an uploaded file."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from app.assembly import open_checker
from app.drafting.claims import read_claims
from app.errors import UserError
from app.settings import Settings
from eval import claims
from eval.qc import PROFILE, Evaluation, judge, load_notes
from eval.qc import evaluate as compare


class Evaluated(Protocol):
    """What an evaluation gives: an object of its own with figures as JSON."""

    def as_json(self) -> dict[str, Any]:
        """The figures as the command line prints them."""
        ...


def evaluate(settings: Settings, name: str, content: bytes, format: str) -> Evaluated:  # noqa: A002
    """Measure without a model.

    Raises:
        UserError: there is no such format, or the file is not of it.
    """
    if format not in _EVALUATIONS:
        raise UserError(f"没有评测格式“{format}”，可用的有：{'、'.join(_EVALUATIONS)}。")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(name).name or "上传的文件")
        path.write_bytes(content)
        try:
            return _EVALUATIONS[format](settings, path)
        except UserError as error:
            raise UserError(str(error).replace(str(path), path.name)) from error


def _notes(settings: Settings, path: Path) -> Evaluation:
    notes = load_notes(path)
    with open_checker(settings.model_copy(update={"profile": PROFILE}), use_model=False) as checker:
        return compare(notes, list(judge(checker, notes)))


def _claims(settings: Settings, path: Path) -> claims.Evaluation:
    return claims.evaluate(read_claims(path), None)


_EVALUATIONS: Mapping[str, Callable[[Settings, Path], Evaluated]] = {"chip2025": _notes, "claims": _claims}
