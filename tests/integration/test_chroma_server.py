"""The knowledge base on a really started Chroma server, and the search that a reranker puts in order."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from app.errors import UserError
from app.settings import Settings
from retrieval.opening import open_knowledge
from retrieval.search import KnowledgeBase

CORPUS = """
document: 示例规范
short_name: 示例
level: hospital
clauses:
  - {id: a-1, clause: 第一条, title: 抢救记录, text: 抢救结束后六小时内据实补记，并注明补记的时间。}
  - {id: a-2, clause: 第二条, title: 首次病程记录, text: 入院八小时内由值班医师完成首次病程记录。}
  - {id: a-3, clause: 第三条, title: 会诊记录, text: 会诊医师写明会诊意见、姓名和会诊的时间。}
"""


class CountedCharacters:
    """An embedder without a model: like texts have like vectors."""

    name = "counted-characters"

    def __init__(self) -> None:
        self.embedded = 0

    def passages(self, texts: Sequence[str]) -> np.ndarray:
        self.embedded += len(texts)
        return np.stack([self.query(text) for text in texts])

    def query(self, text: str) -> np.ndarray:
        vector = np.full(257, 1e-3, dtype=np.float32)
        for character in text:
            vector[ord(character) % 257] += 1
        return vector / np.linalg.norm(vector)


class LongestFirst:
    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        return [float(len(passage)) for passage in passages]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("chroma")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    chroma = Path(sys.executable).with_name("chroma")
    command = [chroma, "run", "--path", folder / "data", "--host", "127.0.0.1", "--port", port]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_until_open(int(port), process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.yaml").write_text(CORPUS, "utf-8")
    return folder


@pytest.mark.server
def test_the_server_keeps_the_vectors_and_nothing_else_does(
    server: str, corpus: Path, tmp_path: Path
) -> None:
    embedder = CountedCharacters()
    kb = KnowledgeBase(tmp_path / "kb", embedder, corpus, server_url=server)
    assert kb.search("抢救以后多久补记", k=1, method="dense")[0].chunk.id == "a-1"
    assert embedder.embedded == 3
    assert not (tmp_path / "kb").exists()

    elsewhere = CountedCharacters()
    other = KnowledgeBase(tmp_path / "other", elsewhere, corpus, server_url=server)
    assert other.search("会诊意见", k=1, method="dense")[0].chunk.id == "a-3"
    assert elsewhere.embedded == 0


@pytest.mark.server
def test_a_clause_that_is_gone_is_forgotten_by_the_server(server: str, corpus: Path, tmp_path: Path) -> None:
    KnowledgeBase(tmp_path / "kb", CountedCharacters(), corpus, server_url=server).update_index()
    text = (corpus / "a.yaml").read_text("utf-8")
    (corpus / "a.yaml").write_text("".join(text.splitlines(keepends=True)[:-1]), "utf-8")
    assert KnowledgeBase(tmp_path / "kb", CountedCharacters(), corpus, server_url=server).update_index() == (
        0,
        1,
    )


@pytest.mark.server
def test_the_folder_and_the_server_find_the_same(server: str, corpus: Path, tmp_path: Path) -> None:
    found = [
        [
            hit.chunk.id
            for hit in KnowledgeBase(tmp_path / "kb", CountedCharacters(), corpus, server_url=url).search(
                "记录的时间"
            )
        ]
        for url in (server, None)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.0.0.1:99999", "http://"])
def test_a_server_that_does_not_answer_is_one_sentence(corpus: Path, tmp_path: Path, url: str) -> None:
    kb = KnowledgeBase(tmp_path / "kb", CountedCharacters(), corpus, server_url=url)
    with pytest.raises(UserError, match="BINGLI_CHROMA_URL"):
        kb.search("抢救")


def test_a_reranker_puts_all_but_a_named_clause_in_order(corpus: Path, tmp_path: Path) -> None:
    kb = KnowledgeBase(tmp_path / "kb", CountedCharacters(), corpus, reranker=LongestFirst())
    by_length = ["a-1", "a-3", "a-2"]
    assert [hit.chunk.id for hit in kb.search("首次病程记录")] == sorted(
        by_length, key=lambda identifier: -len(next(c.meaning for c in kb.chunks if c.id == identifier))
    )
    assert kb.search("第二条")[0].chunk.id == "a-2"
    assert [hit.chunk.id for hit in kb.search("首次病程记录", k=1, method="lexical")] == ["a-2"]


@pytest.mark.parametrize("setting", ["embedder", "reranker"])
def test_a_model_folder_that_is_none_is_named(settings: Settings, tmp_path: Path, setting: str) -> None:
    with pytest.raises(UserError, match="没有模型"):
        open_knowledge(settings.model_copy(update={setting: tmp_path / "nothing"}))


def test_the_embedded_models_need_no_setting(settings: Settings) -> None:
    assert open_knowledge(settings).clause("规范", "第二十二条（八）") is not None


def _wait_until_open(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < until
