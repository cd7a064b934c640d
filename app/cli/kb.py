"""``bingli kb``: search the knowledge base, add files to it, list it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import EXIT_FAILED, Format, progress_console, say, warn
from app.errors import UserError
from app.settings import load_settings

if TYPE_CHECKING:
    from retrieval.index import Progress
    from retrieval.search import Hit, KnowledgeBase

kb_app = typer.Typer(no_args_is_help=True, help="知识库：检索法规条款，加入本院文件。")

LEVEL_NAMES = {
    "national": "国家",
    "provincial": "省级或惯例",
    "hospital": "本院",
    "inferred": "推论",
    "guideline": "指南摘要",
}


FormatOption = Annotated[Format, typer.Option("--format", help="输出格式；程序读取用 json。")]


@kb_app.command(
    epilog="例：bingli kb search 抢救记录几小时内补记 · bingli kb search 主要诊断怎么选 --document 首页规范 -k 3"
)
def search(
    query: Annotated[str, typer.Argument(metavar="问题", help="用自己的话写。")],
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="最多给出几条。")] = 5,
    document: Annotated[
        str | None, typer.Option("--document", help="只在这份文件里找（全称或简称）。")
    ] = None,
    output_format: FormatOption = Format.TEXT,
) -> None:
    """按意思和字词检索条款。"""
    kb = _knowledge_base()
    with _progress() as progress:
        kb.update_index(progress)
    hits = kb.search(query, k, document)
    if output_format is Format.JSON:
        _print_json({"query": query, "hits": [_hit_object(hit) for hit in hits]})
    elif not hits:
        warn("没有找到相关的条款。")
    else:
        say("\n\n".join(_hit_text(number, hit) for number, hit in enumerate(hits, start=1)))


@kb_app.command(epilog="例：bingli kb add 本院病历管理办法.docx 质控会议纪要.pdf")
def add(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="文件…", help="txt、md、docx 或 pdf；同名文件视为同一份，替换旧的。"),
    ],
) -> None:
    """加入本院的文件，级别为“本院”。"""
    kb = _knowledge_base()
    failed = False
    for file in files:
        try:
            added = kb.add(file)
        except UserError as error:
            failed = True
            warn(str(error))
        else:
            say(f"{added.name}：已加入，共 {len(added.chunks)} 段。")
    with _progress() as progress:
        kb.update_index(progress)
    if failed:
        raise typer.Exit(EXIT_FAILED)


@kb_app.command(name="list", epilog="例：bingli kb list --format json")
def list_(output_format: FormatOption = Format.TEXT) -> None:
    """列出知识库里的文件。"""
    documents = _knowledge_base().documents
    if output_format is Format.JSON:
        _print_json(
            [
                {
                    "document": document.name,
                    "aliases": document.aliases,
                    "level": document.level,
                    "chunks": len(document.chunks),
                }
                for document in documents
            ]
        )
        return
    for document in documents:
        say(
            f"{LEVEL_NAMES[document.level]}\t{len(document.chunks)} 条\t{document.name}（{document.aliases[0]}）"
        )


def _knowledge_base() -> "KnowledgeBase":
    from retrieval.opening import open_knowledge

    return open_knowledge(load_settings())


@contextmanager
def _progress() -> "Iterator[Progress | None]":
    """A bar on stderr while vectors are made; nothing where stderr is no terminal."""
    if not progress_console.is_terminal:
        yield None
        return
    from rich.progress import Progress as Bar

    with Bar(console=progress_console, transient=True) as bar:
        task = bar.add_task("建立知识库索引", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def _hit_text(number: int, hit: "Hit") -> str:
    chunk = hit.chunk
    page = f" 第{chunk.page}页" if chunk.page is not None else ""
    reported = "，据转述" if chunk.reported else ""
    head = f"{number}. {chunk.document}{page} {chunk.clause}　{chunk.title}［{LEVEL_NAMES[chunk.level]}{reported}］"
    return f"{head}\n   {chunk.text}"


def _hit_object(hit: "Hit") -> dict[str, object]:
    return {
        **hit.chunk.model_dump(),
        "score": round(hit.score, 6),
        "lexical_rank": hit.lexical_rank,
        "dense_rank": hit.dense_rank,
    }


def _print_json(value: object) -> None:
    say(json.dumps(value, ensure_ascii=False, indent=2))
