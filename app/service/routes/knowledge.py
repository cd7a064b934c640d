"""The knowledge base and the rules."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from app.qc.render.rule_docs import render_rule_html
from app.review.feedback import RuleFeedback
from app.service.authentication import SignedDesk
from app.service.idempotency import RepeatableRoute
from app.service.pages import SHUT_IN
from app.service.views import RuleWork
from retrieval.corpus import Chunk, Document

router = APIRouter(prefix="/v1", tags=["知识库与规则"], route_class=RepeatableRoute)


class FoundClause(BaseModel):
    """A clause that was found, with its fused score."""

    chunk: Chunk
    score: float


class KnowledgeDocument(BaseModel):
    """A document of the knowledge base."""

    name: str
    aliases: tuple[str, ...]
    level: str
    chunks: int


class RuleChanged(BaseModel):
    """How a rule is switched; ``points`` null leaves those of the profile."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"is_enabled": True, "points": 2, "version": 0}]}
    )

    is_enabled: bool
    points: float | None = Field(default=None, ge=0, le=100)
    version: int | None = Field(default=None, ge=0)


@router.get("/kb/search", summary="检索法规条款")
def search(
    desk: SignedDesk,
    q: Annotated[str, Query(min_length=1, max_length=500, description="用自己的话写")],
    k: Annotated[int, Query(ge=1, le=50)] = 5,
    document: Annotated[str | None, Query(description="只在这份文件里找")] = None,
) -> tuple[FoundClause, ...]:
    """The best clauses for a question, best first."""
    return tuple(FoundClause(chunk=hit.chunk, score=hit.score) for hit in desk.search(q, k, document))


@router.get("/kb/documents", summary="知识库里的文件")
def documents(desk: SignedDesk) -> tuple[KnowledgeDocument, ...]:
    """Every document."""
    return tuple(map(_document, desk.knowledge_documents()))


@router.post("/kb/documents", summary="加入本院的文件（txt、md、docx、pdf）", status_code=201)
def add_knowledge(desk: SignedDesk, file: Annotated[UploadFile, File()]) -> KnowledgeDocument:
    """Add a file, in place of an earlier one of the same name."""
    return _document(desk.add_knowledge(file.filename or "文件", file.file.read()))


@router.get("/rules", summary="全部规则")
def rules(desk: SignedDesk) -> tuple[RuleWork, ...]:
    """Every rule as it is switched here."""
    return desk.rules()


@router.get("/rules/feedback", summary="各规则的缺陷被接受、否决、忽略的次数")
def rule_feedback(desk: SignedDesk) -> tuple[RuleFeedback, ...]:
    """How people received each rule, the most refused first."""
    return desk.rule_feedback()


@router.get("/rules/{code}/page", summary="规则说明（HTML）", response_class=Response)
def rule_page(desk: SignedDesk, code: str) -> Response:
    """The page about a rule."""
    return Response(render_rule_html(desk.rule_page(code)), media_type="text/html", headers=SHUT_IN)


@router.put("/rules/{code}", summary="启用、停用规则，或改分值")
def change_rule(desk: SignedDesk, code: str, changed: RuleChanged) -> RuleWork:
    """Switch a rule for the whole hospital."""
    return desk.change_rule(code, changed.is_enabled, changed.points, changed.version)


@router.post("/evaluations/{format}", summary="评测：chip2025（带标注的入院记录）或 claims（陈述与出处）")
def evaluate(desk: SignedDesk, format: str, file: Annotated[UploadFile, File()]) -> dict[str, Any]:  # noqa: A002
    """Measure without the language model."""
    return desk.evaluation(file.filename or "文件", file.file.read(), format).as_json()


def _document(document: Document) -> KnowledgeDocument:
    return KnowledgeDocument(
        name=document.name, aliases=document.aliases, level=document.level, chunks=len(document.chunks)
    )
