"""The dense index: a Chroma folder, or server, that always can be brought to hold exactly the given chunks.

A vector's id is the hash of the text it stands for. Bringing the index up to date is therefore set arithmetic:
what is missing is embedded, what is stale is deleted. Nothing is embedded twice, and a build that was killed goes
on where it stopped.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from app.errors import UserError
from retrieval.corpus import Chunk
from retrieval.embedding import Embedder

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

BATCH = 16
Progress = Callable[[int, int], None]


class Change(NamedTuple):
    """What an update did: how many vectors it embedded, and how many it deleted."""

    embedded: int
    deleted: int


class DenseIndex:
    """Vectors of chunks in a persistent Chroma folder, or on a server; opened at the first use."""

    def __init__(self, folder: Path, embedder: Embedder, server_url: str | None = None) -> None:
        """Keep the vectors in ``folder``, or on the Chroma server at ``server_url``, which serves this index only."""
        self._folder = folder
        self._embedder = embedder
        self._server_url = server_url

    def update(self, chunks: Sequence[Chunk], progress: Progress | None = None) -> Change:
        """Make the index hold exactly these chunks.

        Args:
            chunks: everything that is to be found.
            progress: told how many of how many new vectors are done, after every batch.

        Raises:
            UserError: the folder cannot be opened or written.
        """
        wanted = {vector_id(chunk): chunk for chunk in chunks}
        try:
            present = set(self._collection.get(include=[])["ids"])
            missing = [identifier for identifier in wanted if identifier not in present]
            for start in range(0, len(missing), BATCH):
                batch = missing[start : start + BATCH]
                self._upsert({identifier: wanted[identifier] for identifier in batch})
                if progress:
                    progress(start + len(batch), len(missing))
            stale = sorted(present - wanted.keys())
            if stale:
                self._collection.delete(ids=stale)
        except _failures() as error:
            raise self._unusable(error) from error
        return Change(len(missing), len(stale))

    def ranking(self, query: str, limit: int, document: str | None = None) -> list[str]:
        """Ids (``vector_id``) of the nearest chunks, best first; of one document where named.

        Raises:
            UserError: the folder cannot be read.
        """
        where: Any = {"document": document} if document is not None else None
        try:
            found = self._collection.query(
                query_embeddings=self._embedder.query(query)[None, :],
                n_results=limit,
                where=where,
                include=[],
            )
        except _failures() as error:
            raise self._unusable(error) from error
        return found["ids"][0]

    def _upsert(self, chunks: dict[str, Chunk]) -> None:
        self._collection.upsert(
            ids=list(chunks),
            embeddings=list(self._embedder.passages([chunk.meaning for chunk in chunks.values()])),
            metadatas=[{"document": chunk.document, "chunk": chunk.id} for chunk in chunks.values()],
        )

    @cached_property
    def _collection(self) -> "Collection":
        return self._client().get_or_create_collection(
            f"clauses-{self._embedder.name}",
            embedding_function=None,  # every call brings its vectors: a text alone would make Chroma download a model
            configuration={"hnsw": {"space": "cosine"}},
        )

    def _client(self) -> "ClientAPI":
        import chromadb
        from chromadb.config import Settings

        settings = Settings(anonymized_telemetry=False)
        if self._server_url is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            return chromadb.PersistentClient(path=self._folder, settings=settings)
        place = urlsplit(self._server_url)
        is_encrypted = place.scheme == "https"
        port = place.port or (443 if is_encrypted else 8000)
        return chromadb.HttpClient(place.hostname or "", port, ssl=is_encrypted, settings=settings)

    def _unusable(self, error: Exception) -> UserError:
        reason = " ".join(str(error).split())
        if self._server_url is not None:
            return UserError(
                f"Chroma 服务 {self._server_url} 用不了（{reason}），请检查 BINGLI_CHROMA_URL 和服务是否已启动。"
            )
        return UserError(
            f"知识库索引 {self._folder} 用不了（{reason}），请检查磁盘和权限，或删除该文件夹后重试（会自动重建）。"
        )


def vector_id(chunk: Chunk) -> str:
    """The id under which a chunk's vector is kept: it changes with the text, so that none is ever out of date."""
    return hashlib.sha256(f"{chunk.id}\n{chunk.meaning}".encode("utf-8", "replace")).hexdigest()[:32]


def _failures() -> tuple[type[Exception], ...]:
    from chromadb.errors import ChromaError

    # ValueError: an address that is none, or at which no Chroma answers.
    return ChromaError, sqlite3.Error, OSError, httpx.HTTPError, ValueError
