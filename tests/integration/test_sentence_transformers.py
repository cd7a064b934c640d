"""Real sentence-transformers models, tiny and random: loading, shapes, and the traps of their vocabularies."""

from pathlib import Path

import numpy as np
import pytest

from app.errors import UserError
from retrieval.embedding_models import FolderEmbedder, FolderReranker

torch = pytest.importorskip("torch", reason="需要 pip install 'bingli[embeddings]'")
transformers = pytest.importorskip("transformers", reason="需要 pip install 'bingli[embeddings]'")
pytest.importorskip("sentence_transformers", reason="需要 pip install 'bingli[embeddings]'")

PASSAGES = ["抢救结束后六小时内据实补记。", "入院八小时内完成首次病程记录。", "抢救记录由参加抢救的医师写。"]
CHARACTERS = sorted(set("".join(PASSAGES)) | set("患者入院后完善检查，予抗感染治疗。什么时候"))
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_bert(folder: Path, vocabulary: list[str], *, labels: int = 0) -> Path:
    """A two-layer BERT of random weights; with ``labels``, a cross-encoder."""
    words = [*SPECIAL, *vocabulary]
    tokenizer = transformers.BertTokenizer(vocab={word: number for number, word in enumerate(words)})
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        num_labels=labels or 2,
    )
    torch.manual_seed(1)
    kind = transformers.BertForSequenceClassification if labels else transformers.BertModel
    kind(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def embedder(tmp_path_factory) -> FolderEmbedder:
    return FolderEmbedder(write_bert(tmp_path_factory.mktemp("models") / "Tiny BERT", CHARACTERS))


@pytest.fixture(scope="module")
def reranker(tmp_path_factory) -> FolderReranker:
    return FolderReranker(write_bert(tmp_path_factory.mktemp("models") / "reranker", CHARACTERS, labels=1))


def test_passages_are_normalised_vectors_in_order(embedder: FolderEmbedder) -> None:
    vectors = embedder.passages(PASSAGES)
    assert (vectors.shape, vectors.dtype) == ((3, 32), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert np.allclose(vectors[1], embedder.passages(PASSAGES[1:2])[0], atol=1e-5)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)


def test_a_query_is_one_vector(embedder: FolderEmbedder) -> None:
    vector = embedder.query(PASSAGES[0])
    assert vector.shape == (32,)
    assert float(vector @ embedder.passages(PASSAGES[:1])[0]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", ["", "抢" * 500, "\ud800坏字符", "\0", "𬌗"])
def test_no_text_is_too_odd(embedder: FolderEmbedder, reranker: FolderReranker, text: str) -> None:
    assert np.isfinite(embedder.passages([text])).all()
    assert np.isfinite(reranker.scores(text, [text])).all()


def test_the_name_is_that_of_the_weights(embedder: FolderEmbedder, tmp_path: Path) -> None:
    same = FolderEmbedder(write_bert(tmp_path / "a" / "tiny-bert", CHARACTERS))
    other = FolderEmbedder(write_bert(tmp_path / "b" / "tiny-bert", CHARACTERS[:-1]))
    assert embedder.name == same.name
    assert embedder.name != other.name
    assert embedder.name.startswith("tiny-bert-")


def test_every_passage_is_scored_and_the_order_is_reproducible(reranker: FolderReranker) -> None:
    scores = reranker.scores("抢救", PASSAGES)
    assert len(set(scores)) == 3
    assert reranker.scores("抢救", PASSAGES[::-1]) == pytest.approx(scores[::-1], abs=1e-5)
    assert reranker.scores("抢救", []) == []


def test_a_classifier_is_no_reranker(tmp_path: Path) -> None:
    classifier = FolderReranker(write_bert(tmp_path / "classes", CHARACTERS, labels=3))
    with pytest.raises(UserError, match="重排"):
        classifier.scores("抢救", PASSAGES)


def test_a_vocabulary_without_chinese_is_refused(tmp_path: Path) -> None:
    english = FolderEmbedder(write_bert(tmp_path / "english", ["the", "patient", "，"]))
    with pytest.raises(UserError, match=r"english.*UNK"):
        english.query("抢救")


@pytest.mark.parametrize("kind", [FolderEmbedder, FolderReranker])
def test_a_folder_without_a_model_is_refused(tmp_path: Path, kind) -> None:
    with pytest.raises(UserError, match="没有模型"):
        kind(tmp_path)


def test_a_broken_model_is_one_sentence(tmp_path: Path) -> None:
    broken = write_bert(tmp_path / "broken", CHARACTERS)
    (broken / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"不能载入模型 .*broken"):
        FolderEmbedder(broken).query("抢救")
