"""How well the knowledge base answers users' questions: BM25, dense vectors, and both fused."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.yaml_data import read_yaml
from eval.intervals import Interval, wilson
from retrieval.search import KnowledgeBase, Method

QUESTIONS = Path(__file__).parent / "data" / "retrieval_questions.yaml"
DEPTH = 10


class Question(BaseModel):
    """A question in a user's words, and the ids of the chunks that answer it: any one of them counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(min_length=1)
    expects: tuple[str, ...] = Field(min_length=1)


class Recall(NamedTuple):
    """The share of questions answered, with its 95 % Wilson interval."""

    value: float
    interval: Interval

    def as_json(self) -> dict[str, Any]:
        """Rounded to four digits."""
        return {
            "value": round(self.value, 4),
            "interval": [round(self.interval.low, 4), round(self.interval.high, 4)],
        }

    def as_text(self) -> str:
        """The same for a reader."""
        return f"{self.value:.3f}（{self.interval.low:.2f}–{self.interval.high:.2f}）"


class MethodScores(NamedTuple):
    """One method's scores; ``mrr`` counts an answer below rank 10 as not found; ``missed``: not among the first 5."""

    recall_at_1: Recall
    recall_at_5: Recall
    mrr: float
    missed: tuple[str, ...]


class RetrievalReport(NamedTuple):
    """The scores of every method over the same ``n`` questions."""

    n: int
    methods: dict[Method, MethodScores]

    def as_json(self) -> dict[str, Any]:
        """The object that ``bingli eval retrieval`` prints; shares are rounded to four digits."""
        return {
            "n": self.n,
            "methods": {
                method: {
                    "recall_at_1": scores.recall_at_1.as_json(),
                    "recall_at_5": scores.recall_at_5.as_json(),
                    "mrr": round(scores.mrr, 4),
                    "missed": list(scores.missed),
                }
                for method, scores in self.methods.items()
            },
        }

    def as_text(self) -> str:
        """The same for a reader."""
        lines = [f"问句 {self.n} 个", "方法　recall@1（95% 区间）　recall@5（95% 区间）　MRR"]
        lines += [
            f"{method}　{scores.recall_at_1.as_text()}　{scores.recall_at_5.as_text()}　{scores.mrr:.3f}"
            for method, scores in self.methods.items()
        ]
        return "\n".join(lines)


def load_questions(file: Path = QUESTIONS) -> tuple[Question, ...]:
    """The questions that come with bingli.

    Raises:
        pydantic.ValidationError: the file breaks the schema.
    """
    raw = read_yaml(file)
    return TypeAdapter(tuple[Question, ...]).validate_python(raw)


def evaluate_retrieval(kb: KnowledgeBase, questions: Sequence[Question]) -> RetrievalReport:
    """Ask every question of every method.

    Raises:
        ValueError: a question expects a chunk that the knowledge base does not hold.
        UserError: the index cannot be used.
    """
    known = {chunk.id for chunk in kb.chunks}
    unknown = {identifier for question in questions for identifier in question.expects} - known
    if unknown:
        raise ValueError(f"expected chunks that do not exist: {sorted(unknown)}")
    methods: tuple[Method, ...] = get_args(Method)
    return RetrievalReport(len(questions), {method: _scores(kb, questions, method) for method in methods})


def first_answer(found: Sequence[str], expects: Sequence[str]) -> int | None:
    """The rank, from 1, of the first expected id."""
    return next((rank for rank, identifier in enumerate(found, start=1) if identifier in expects), None)


def _scores(kb: KnowledgeBase, questions: Sequence[Question], method: Method) -> MethodScores:
    ranks = {
        question.query: first_answer(
            [hit.chunk.id for hit in kb.search(question.query, DEPTH, method=method)], question.expects
        )
        for question in questions
    }
    return MethodScores(
        recall_at_1=_recall(ranks.values(), 1),
        recall_at_5=_recall(ranks.values(), 5),
        mrr=sum(1 / rank for rank in ranks.values() if rank) / max(len(ranks), 1),
        missed=tuple(query for query, rank in ranks.items() if rank is None or rank > 5),
    )


def _recall(ranks: Iterable[int | None], within: int) -> Recall:
    ranks = list(ranks)
    found = sum(rank is not None and rank <= within for rank in ranks)
    return Recall(found / max(len(ranks), 1), wilson(found, len(ranks)))
