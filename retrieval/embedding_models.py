"""Embedding and reranking models of the hospital's choice, from folders, through sentence-transformers.

Nothing is ever downloaded: a model is a folder as ``SentenceTransformer.save`` or the model hub lays it out.
"""

# mypy: disable-error-code="import-not-found,import-untyped,unused-ignore"
import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import UserError
from retrieval.embedding import Vectors

_PROBE = "患者入院后完善检查，予抗感染治疗。"
_SAMPLE_BYTES = 1 << 20


class _FolderModel:
    """A model of one kind, loaded when first used. Safe to share among threads: calls take turns."""

    _kind: str

    def __init__(self, folder: Path) -> None:
        """Use the model of ``folder``.

        Raises:
            UserError: there is no model in it.
        """
        _require_model(folder)
        self._folder = folder
        self._turn = threading.Lock()

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401 - optional package
        return _load(self._kind, self._folder)


class FolderEmbedder(_FolderModel):
    """A bi-encoder (bge-m3, multilingual-e5, gte …); queries and passages get the prompts that it came with."""

    _kind = "SentenceTransformer"

    @cached_property
    def name(self) -> str:
        """The folder's name and a hash of what is in it: other weights, other vectors."""
        return _model_name(self._folder)

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages: ``(n, dimension)``, float32, L2-normalised."""
        with self._turn:
            return _float32(self._model.encode_document(_encodable(texts), normalize_embeddings=True))

    def query(self, text: str) -> Vectors:
        """The vector of a query: ``(dimension,)``, float32, L2-normalised."""
        with self._turn:
            vectors = _float32(self._model.encode_query(_encodable([text]), normalize_embeddings=True))
        vector: Vectors = vectors[0]
        return vector


class FolderReranker(_FolderModel):
    """A cross-encoder (bge-reranker …) that reads question and passage together."""

    _kind = "CrossEncoder"

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """How well each passage answers the query; higher is better, and only the order means anything."""
        if not passages:
            return []
        (question,) = _encodable([query])
        pairs = [(question, passage) for passage in _encodable(passages)]
        with self._turn:
            scores = np.asarray(self._model.predict(pairs, show_progress_bar=False), dtype=np.float32)
        if scores.shape != (len(passages),):
            raise UserError(f"{self._folder} 给出的不是一个相关分，不能用来重排，请换一个重排模型。")
        return [float(score) for score in scores]


def _load(kind: str, folder: Path) -> Any:  # noqa: ANN401 - optional package
    try:
        import sentence_transformers
        from safetensors import SafetensorError
    except ImportError as error:
        raise UserError(
            "还没有安装 sentence-transformers，请运行 pip install 'bingli[embeddings]'。"
        ) from error
    load: Callable[..., Any] = getattr(sentence_transformers, kind)
    try:
        model = load(str(folder.resolve()), local_files_only=True)
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"不能载入模型 {folder}（{reason}），请检查文件夹是否完整。") from error
    _require_chinese(model.tokenizer, folder)
    return model


def _require_chinese(tokenizer: Any, folder: Path) -> None:  # noqa: ANN401 - optional package
    """A vocabulary that was not read, or has no Chinese, makes every text [UNK] and every vector alike."""
    unknown = getattr(tokenizer, "unk_token_id", None)
    identifiers = tokenizer(_PROBE, add_special_tokens=False)["input_ids"]
    if not identifiers or identifiers.count(unknown) * 2 > len(identifiers):
        raise UserError(
            f"模型 {folder} 的词表读不出中文（多为 [UNK]），请换中文或多语言模型，或检查词表文件。"
        )


def _require_model(folder: Path) -> None:
    if not any((folder / file).is_file() for file in ("modules.json", "config.json")):
        raise UserError(f"{folder} 里没有模型（缺 config.json），请检查路径；模型须事先下载到本机。")


def _model_name(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb") as opened:
            digest.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
            digest.update(opened.read(_SAMPLE_BYTES))
    slug = re.sub(r"[^a-z0-9.]+", "-", folder.resolve().name.lower()).strip("-.") or "model"
    return f"{slug[:60]}-{digest.hexdigest()[:12]}"


def _encodable(texts: Sequence[str]) -> list[str]:
    """Without lone surrogates, which no tokenizer takes."""
    return [text.encode("utf-8", "replace").decode("utf-8") for text in texts]


def _float32(vectors: Any) -> Vectors:  # noqa: ANN401 - whatever numpy can read
    return np.asarray(vectors, dtype=np.float32)
