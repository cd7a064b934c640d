"""知识库: clauses found by words and meaning; the hospital's own files added."""

from collections.abc import Mapping

import gradio as gr

from app.privacy.rights import Action
from app.qc.rule import LEVEL_TITLES
from app.service.desk import Desk
from app.ui.page import Opening, Page
from app.ui.panel import Fields, drawn, on_act, on_upload, panel
from retrieval.corpus import Level

_AT_ONCE = 8
_LEVELS: Mapping[Level, str] = dict(LEVEL_TITLES) | {"guideline": "指南摘要"}


def build() -> Opening:
    """Search, the answers, the files; who may add files can."""
    region = panel("bl-knowledge")
    with gr.Row(elem_classes="bl-upload-row", visible=False) as adding:
        button = gr.UploadButton(
            "添加本院文件…",
            file_types=[".md", ".txt", ".docx", ".pdf"],
            elem_classes=["bl-upload"],
            elem_id="bl-kb-upload",
        )
        gr.HTML(
            "<span class='bl-soft bl-small'>Markdown、文本、Word 或 PDF；同名文件会被替换。</span>",
            padding=False,
        )
    on_act(region, search, region)
    on_upload(button, add, region)
    return Opening(fill, [region, adding])


def fill(desk: Desk, query: Fields) -> list[object]:
    """The files."""
    return [_drawn(desk), gr.Row(visible=desk.may(Action.ADD_KNOWLEDGE))]


def search(desk: Desk, said: Fields) -> str:
    """The best clauses for a question."""
    query, document = said.get("query", "").strip(), said.get("document", "")
    hits = desk.search(query, k=_AT_ONCE, document=document or None)
    return _drawn(desk, query=query, document=document, hits=hits)


def add(desk: Desk, name: str, content: bytes) -> str:
    """Take a hospital's own file in."""
    document = desk.add_knowledge(name, content)
    return _drawn(desk, said=f"已收入《{document.name}》，共 {len(document.chunks)} 条，可以检索了。")


def _drawn(desk: Desk, query: str = "", document: str = "", hits: object = None, said: str = "") -> str:
    sources = desk.knowledge_documents()
    return drawn(
        "knowledge.html",
        query=query,
        document=document,
        documents=[source.name for source in sources],
        hits=hits,
        sources=sources,
        levels=_LEVELS,
        said=said,
    )


PAGE = Page("knowledge", "知识库", "规范、制度、指标的条款；本院制度可以加入。", (Action.SEARCH,), build)
