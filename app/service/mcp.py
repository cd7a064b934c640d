"""The tools of bingli for assistants that speak MCP: check, explain, search, draft, verify.

The server runs as its user, sees only what it is sent, and reads no stored record.
"""

import os
import select
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from typing import Annotated, Any, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field, ValidationError

from app.assembly import open_checker, rule_reference
from app.drafting.drafter import DRAFT_CACHE, open_drafter
from app.drafting.entailment import ModelJudge
from app.drafting.verify import verify as verify_claim
from app.errors import UserError
from app.qc.engine import Checker
from app.qc.render.rule_docs import Reference, render_rule_text, rule_page
from app.qc.result import Report
from app.records.model import DocumentType, MedicalRecord, document_type
from app.records.readers.note import note_record
from app.service.model import SharedModel
from app.service.views import ReportView
from app.settings import Settings
from app.storage.cache import ContentCache
from retrieval.opening import open_knowledge

_INSTRUCTIONS = (
    "中文住院病历的质控与起草工具。病历用 bingli/record/1 的 JSON 给出；单份文书用文本和类型给出。"
    "带 ai_label 或 label 的内容由语言模型生成，须经医师审核确认。"
)
_LAST_ANSWER_SECONDS = 2.0
_T = TypeVar("_T")

Record = Annotated[dict[str, Any], Field(description="一份病历，bingli/record/1 的 JSON 对象")]


class Tools:
    """The tools, with what they work with; parts open when a tool first needs them, and stay as they were then."""

    def __init__(self, settings: Settings, model: SharedModel, stack: ExitStack) -> None:
        """Work by ``settings``; ``stack`` closes what is opened."""
        self._settings = settings
        self._model = model
        self._stack = stack
        self._checkers: dict[bool, Checker] = {}
        self._knowledge = open_knowledge(settings)

    def check(
        self,
        record: Annotated[
            dict[str, Any] | None, Field(description="一份病历，bingli/record/1 的 JSON 对象")
        ] = None,
        text: Annotated[str | None, Field(description="或者：单份文书的全文")] = None,
        type: Annotated[str, Field(description="单份文书的类型")] = "入院记录",  # noqa: A002
    ) -> dict[str, Any]:
        """检查一份病历或单份文书：缺陷、原文证据、依据、修改建议、得分和等级。"""
        return _told(lambda: ReportView.of(self._report(record, text, type)).model_dump(mode="json"))

    def explain(self, code: Annotated[str, Field(description="规则编号，如 N-107")]) -> str:
        """解释一条规则：查什么、为什么、怎样计数、例子、分值。"""
        return _told(lambda: self._explained(code))

    def search(
        self,
        query: Annotated[str, Field(description="问题，用自己的话写")],
        k: Annotated[int, Field(ge=1, le=20, description="最多几条")] = 5,
        document: Annotated[str | None, Field(description="只在这份文件里找")] = None,
    ) -> list[dict[str, Any]]:
        """检索病历书写与质控的法规条款。"""
        found = _told(lambda: self._knowledge.search(query, k, document))
        return [{**hit.chunk.model_dump(mode="json"), "score": round(hit.score, 6)} for hit in found]

    def draft(
        self,
        record: Record,
        document_type: Annotated[
            DocumentType | None, Field(description="起草哪种文书；缺省按离院情况选择")
        ] = None,
    ) -> dict[str, Any]:
        """起草出院记录等文书：每句都有出处；漏写的列在 missing 中。草稿须经医师审核。"""
        return _told(lambda: self._drafted(_record(record), document_type))

    def verify(
        self,
        claim: Annotated[str, Field(description="一句陈述")],
        sources: Annotated[list[str], Field(description="它的出处原文")],
    ) -> dict[str, Any]:
        """核对一句陈述是否有出处支持：数字、日期、药名、侧别、否定由程序比对，其余由模型判断。"""
        return _told(lambda: self._verified(claim, sources))

    def _report(self, record: dict[str, Any] | None, text: str | None, kind: str) -> Report:
        if (record is None) == (text is None):
            raise UserError("record 和 text 必须且只能给出一个，请更正。")
        stay = _record(record) if record is not None else note_record(text or "", document_type(kind), "文书")
        return self._checker().check(stay)

    def _checker(self) -> Checker:
        """Opened once with and once without the model, which may come later than the first check."""
        model = self._model.get()
        has_model = model is not None
        if has_model not in self._checkers:
            opened = open_checker(self._settings, use_model=has_model, model=model)
            self._checkers[has_model] = self._stack.enter_context(opened)
        return self._checkers[has_model]

    def _explained(self, code: str) -> str:
        rule = self._reference.checker.rules.get(code)
        if rule is None:
            raise UserError(f"没有规则 {code}，请用 check 结果中的编号。")
        return render_rule_text(rule_page(rule, self._reference))

    @cached_property
    def _reference(self) -> Reference:
        return rule_reference(self._settings)

    def _drafted(self, record: MedicalRecord, kind: DocumentType | None) -> dict[str, Any]:
        model = self._model.get()
        with open_drafter(self._settings, use_model=model is not None, model=model) as drafter:
            return drafter.draft(record, kind).draft.model_dump(mode="json")

    def _verified(self, claim: str, sources: list[str]) -> dict[str, Any]:
        result = verify_claim(claim, sources, self._judge())
        return {"verdict": result.verdict, "reason": result.reason, "checks": list(result.check_names)}

    def _judge(self) -> ModelJudge | None:
        model = self._model.get()
        return ModelJudge(model, self._cache) if model else None

    @cached_property
    def _cache(self) -> ContentCache:
        return self._stack.enter_context(ContentCache(self._settings.data_dir / DRAFT_CACHE))


def mcp_server(tools: Tools) -> MCPServer[Any]:
    """The server with its tools."""
    server: MCPServer[Any] = MCPServer("bingli", title="bingli 病历", instructions=_INSTRUCTIONS)
    for tool in (tools.check, tools.explain, tools.search, tools.draft, tools.verify):
        server.add_tool(tool)
    return server


def serve_stdio(settings: Settings, *, use_model: bool) -> None:
    """Serve on standard input and output until the client goes; a tool that still runs then is broken off."""
    with ExitStack() as stack:
        model = SharedModel(settings, is_used=use_model)
        stack.callback(model.close)
        _end_with_client(model)
        mcp_server(Tools(settings, model, stack)).run("stdio")


def _end_with_client(model: SharedModel) -> None:
    """Watch whether the client is still there: threads that run tools cannot be stopped but with the process."""
    if not hasattr(select, "poll"):
        return
    watched = os.dup(sys.stdin.fileno())

    def watch() -> None:
        poll = select.poll()
        poll.register(watched, 0)  # a hang-up is reported unasked
        poll.poll()
        time.sleep(_LAST_ANSWER_SECONDS)
        model.close()
        os._exit(0)

    threading.Thread(target=watch, name="end-with-client", daemon=True).start()


def _record(given: dict[str, Any]) -> MedicalRecord:
    try:
        return MedicalRecord.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "整个对象"
        raise UserError(f"record 的 {field} 缺失或类型不对，请按 bingli/record/1 更正。") from error


def _told(work: Callable[[], _T]) -> _T:
    """What ``work`` gives; a user's mistake is told to the client in its sentence."""
    try:
        return work()
    except UserError as error:
        raise ToolError(str(error)) from error
