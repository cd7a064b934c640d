"""The note editor: marks in the text, hints beside it, both while one types; drawn in the browser, asked here."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr
from pydantic import ValidationError

from app.errors import UserError
from app.hints.hint import HintRequest
from app.records.model import DOCUMENT_TYPES
from app.service.desk import Desk
from app.storage.paging import LARGEST_PAGE
from app.storage.records import RecordFilter
from app.ui.panel import QUIET, asset, desk_of, document_label, record_label, say_answered, told

Answer = Mapping[str, Any]
"""What goes to the browser; ``error`` holds a Chinese sentence where something could not be done."""


def editor() -> gr.HTML:
    """The editor; its browser half is ``assets/editor.js``.

    What it asks is answered by ``records``, ``documents``, ``document``, ``hints`` and ``dismiss``; its event
    ``pause`` asks for the model's hints, which come back through the property ``streamed``.
    """
    region = gr.HTML(
        "",
        elem_id="bl-writing",
        elem_classes=["bl-region"],
        html_template=asset("editor.html"),
        js_on_load=asset("editor.js"),
        apply_default_css=False,
        server_functions=[served(ask) for ask in (records, documents, document, hints, dismiss)],
        types=list(DOCUMENT_TYPES),
        streamed={"turn": 0, "hints": [], "is_done": True},
    )
    event = region.pause(_stream, None, region, trigger_mode="multiple", concurrency_limit=None, **QUIET)
    say_answered(event, f"#{region.elem_id} .bl-editor")
    return region


def served(ask: Callable[[Desk, Answer], Answer]) -> Callable[..., Answer]:
    """``ask`` as the browser calls it; a user's error is told in the answer."""

    def run(asked: list[Answer], request: gr.Request) -> Answer:
        try:
            return ask(desk_of(request), _first(asked))
        except UserError as error:
            return {"error": str(error)}

    run.__name__ = ask.__name__
    return run


def records(desk: Desk, asked: Answer) -> Answer:
    """The patients whom the account may write about, those in hospital first."""
    found = desk.records(RecordFilter(), limit=LARGEST_PAGE).items
    return {"records": [{"id": s.record_id, "label": record_label(s)} for s in found if not s.is_locked]}


def documents(desk: Desk, asked: Answer) -> Answer:
    """The notes of a stay."""
    record_id = _text(asked, "record_id")
    found = (desk.record(record_id).documents or ()) if record_id else ()
    return {"documents": [{"id": d.id, "label": document_label(d)} for d in found]}


def document(desk: Desk, asked: Answer) -> Answer:
    """One note of a stay.

    Raises:
        UserError: there is no such note.
    """
    found = desk.record(str(asked.get("record_id"))).documents_by_id.get(str(asked.get("document_id")))
    if found is None:
        raise UserError("病历里没有这份文书，请刷新页面。")
    return {"text": found.text, "type": found.kind}


def hints(desk: Desk, asked: Answer) -> Answer:
    """What code finds amiss in the note, at once."""
    return desk.hints(request_of(asked)).model_dump(mode="json")


def dismiss(desk: Desk, asked: Answer) -> Answer:
    """Let a hint not return."""
    desk.dismiss(
        str(asked.get("rule", "")),
        str(asked.get("quote", "")),
        str(asked.get("reason", "")),
        _text(asked, "record_id"),
    )
    return {}


def _stream(request: gr.Request, event: gr.EventData) -> Iterator[Any]:
    """What the model finds in a pause of the writing, each hint as soon as it stands."""
    asked = event._data or {}
    turn, found = asked.get("turn", 0), []
    hints = told(lambda: desk_of(request).model_hints(request_of(asked)))
    while (hint := told(lambda: next(hints, None))) is not None:
        found.append(hint.model_dump(mode="json"))
        yield gr.HTML(streamed={"turn": turn, "hints": found, "is_done": False})
    yield gr.HTML(streamed={"turn": turn, "hints": found, "is_done": True})


def request_of(asked: Answer) -> HintRequest:
    """The request for hints that the browser's words make.

    Raises:
        UserError: they make none.
    """
    given = {
        name: value
        for name, value in asked.items()
        if name in HintRequest.model_fields and value not in ("", None)
    }
    try:
        return HintRequest.model_validate({"text": "", **given})
    except ValidationError as error:
        raise UserError(f"提示请求不可用（{error.errors()[0]['msg']}），请刷新页面。") from error


def _first(asked: object) -> Answer:
    return (
        asked[0]
        if isinstance(asked, list) and asked and isinstance(asked[0], dict)
        else asked
        if isinstance(asked, dict)
        else {}
    )


def _text(asked: Answer, name: str) -> str | None:
    return str(asked[name]) if asked.get(name) else None
