"""A region of a page drawn from an escaping template; what is clicked or filled in there comes back as one event."""

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.drafting.draft import STATE_NAMES, VERDICT_NAMES
from app.errors import UserError
from app.qc.render.text import basis_text
from app.qc.rule import CATEGORY_TITLES, SEVERITY_TITLES
from app.records.model import CHINA_TIME, Document
from app.service.authentication import caller_of, parts_of
from app.service.desk import Desk
from app.storage.records import RecordSummary
from app.storage.states import STAGE_TITLES, STATE_TITLES

HERE = Path(__file__).parent
Fields = Mapping[str, str]
"""What the clicked element or the submitted form says: its ``data-`` attributes and its fields."""

logger = logging.getLogger(__name__)

QUIET: Mapping[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def panel(name: str) -> gr.HTML:
    """A region whose value is HTML from ``drawn``; ``name`` is its id on the page.

    An element with ``data-act`` that is clicked, or a form with ``data-act`` that is submitted, triggers ``act``.
    The value is set as it is, once, and never read as a template, so that braces in a note stay braces.
    """
    return gr.HTML(
        "",
        elem_id=name,
        elem_classes=["bl-region"],
        html_template='<div class="bl-panel"></div>',
        js_on_load=asset("panel.js"),
        apply_default_css=False,
    )


def on_act(region: gr.HTML, handler: Callable[..., Any], outputs: Any, inputs: Any = ()) -> Any:  # noqa: ANN401  # gradio's own types
    """Answer the region's events by ``handler(desk, fields, *inputs)``; its user errors become a notice."""

    def run(request: gr.Request, event: gr.EventData, *values: Any) -> Any:  # noqa: ANN401
        return told(lambda: handler(desk_of(request), event._data or {}, *values))

    event = region.act(run, list(inputs), outputs, trigger_mode="multiple", concurrency_limit=None, **QUIET)
    say_answered(event, f"#{region.elem_id} .bl-panel")
    return event


def on_stream(region: gr.HTML, handler: Callable[..., Iterator[Any]], outputs: Any) -> Any:  # noqa: ANN401
    """Answer by a handler that yields one state of the outputs after another."""

    def run(request: gr.Request, event: gr.EventData) -> Iterator[Any]:
        states = iter(handler(desk_of(request), event._data or {}))
        while (state := told(lambda: next(states, None))) is not None:
            yield state

    event = region.act(run, None, outputs, trigger_mode="multiple", concurrency_limit=None, **QUIET)
    say_answered(event, f"#{region.elem_id} .bl-panel")
    return event


def say_answered(event: Any, selector: str) -> None:  # noqa: ANN401
    """Tell an element of the page, by the event ``answered``, that the answer is there or has failed."""
    for over in (event.then, event.failure):
        over(None, js=f"() => document.querySelector('{selector}').dispatchEvent(new Event('answered'))")


def on_upload(button: gr.UploadButton, handler: Callable[..., Any], outputs: Any, inputs: Any = ()) -> Any:  # noqa: ANN401
    """Answer an upload by ``handler(desk, name, content, *inputs)``; ``name`` is the file's own.

    Gradio's copy of the file is removed at once: it may hold records.
    """

    def run(request: gr.Request, path: str, *values: Any) -> Any:  # noqa: ANN401
        file = Path(path)
        content = file.read_bytes()
        file.unlink()
        return told(lambda: handler(desk_of(request), file.name, content, *values))

    return button.upload(run, [button, *inputs], outputs, concurrency_limit=None, **QUIET)


def told(work: Callable[[], Any]) -> Any:  # noqa: ANN401
    """The result of ``work``; what goes wrong is said in Chinese and shows nothing of the inside."""
    try:
        return work()
    except UserError as error:
        raise _notice(str(error)) from error
    except Exception as error:
        logger.error("a page failed: %s at %s", type(error).__name__, _origin(error))
        raise _notice("程序内部出错，操作没有完成；请重试，仍不行请联系管理员。") from None


def _origin(error: Exception) -> str:
    """File and line that raised; the message itself may quote a record and is not logged."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"


def _notice(text: str) -> gr.Error:
    """A notice on the page; gradio shows it as HTML, so it is escaped."""
    return gr.Error(escape(text), duration=8, print_exception=False)


def desk_of(request: gr.Request | Request) -> Desk:
    """The desk of whoever sent the request, with the rights of this moment.

    Raises:
        UserError: nobody is signed in.
    """
    sent = sent_by(request)
    caller = caller_of(sent)
    if caller is None:
        raise UserError("登录已失效，请刷新页面后重新登录。")
    return Desk(parts_of(sent), caller.account)


def sent_by(request: gr.Request | Request) -> Request:
    """The request as it came in: events hand it over wrapped, calls of the browser's half of a region do not."""
    sent = request.request if isinstance(request, gr.Request) else request
    if sent is None:
        raise UserError("请求不完整，请刷新页面。")
    return sent


def record_label(summary: RecordSummary) -> str:
    """A stay in a list one chooses from."""
    since = f"{summary.admitted_at.astimezone(CHINA_TIME):%m-%d}入院" if summary.admitted_at else None
    bed = f"{summary.bed}床" if summary.bed else None
    parts = (bed, summary.patient_name, summary.main_diagnosis, since, summary.record_id)
    return "　".join(part for part in parts if part)


def document_label(document: Document) -> str:
    """A note in a list one chooses from."""
    at = document.completed_at or document.event_at
    return (document.title or document.type) + (f"（{at.astimezone(CHINA_TIME):%m-%d %H:%M}）" if at else "")


def drawn(template: str, **values: Any) -> str:  # noqa: ANN401
    """A template of this package with values; every text is escaped."""
    return _environment().get_template(template).render(**values)


def asset(name: str) -> str:
    """The text of a script or style sheet of this package."""
    return (HERE / "assets" / name).read_text("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": _moment,
        "basis": basis_text,
        "percent": _percent,
    }
    environment.globals |= {
        "severities": SEVERITY_TITLES,
        "categories": CATEGORY_TITLES,
        "verdicts": VERDICT_NAMES,
        "sentence_states": STATE_NAMES,
        "stages": STAGE_TITLES,
        "states": STATE_TITLES,
    }
    return environment


def _moment(value: Any, form: str = "%m-%d %H:%M") -> str:  # noqa: ANN401
    return f"{value.astimezone(CHINA_TIME):{form}}" if value else "—"


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value * 100:.0f}%"
