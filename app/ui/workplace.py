"""The workplace as a whole: its pages, put together and mounted in the service."""

import warnings
from datetime import UTC, datetime

import gradio as gr
from fastapi import FastAPI
from gradio.components.navbar import Navbar

from app.errors import UserError
from app.privacy.rights import ROLE_TITLES, Account
from app.service.authentication import account_name, csrf_token
from app.ui.page import Page
from app.ui.pages import PAGES
from app.ui.panel import asset, desk_of, drawn, panel, sent_by, told
from app.ui.theme import theme

_NOT_ALLOWED = "您的角色不能使用本页，可用的页面见上方；需要开通请联系管理员。"
_LIGHT = "() => { document.body.classList.remove('dark'); document.documentElement.lang = 'zh-CN'; }"


def mount_workplace(app: FastAPI) -> None:
    """Put the workplace at ``/ui``; whoever is not signed in gets 401 there."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="SSR mode is not supported")
        _mount(app)


def _mount(app: FastAPI) -> None:
    """The style sheet goes to ``head``: what is given as ``css`` is rewritten selector by selector, and damaged."""
    gr.mount_gradio_app(
        app,
        blocks(),
        path="/ui",
        auth_dependency=account_name,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        mcp_server=False,
        theme=theme(),
        head=f"<style>{asset('workplace.css')}{asset('editor.css')}</style>",
        js=_LIGHT,
    )


def blocks() -> gr.Blocks:
    """All pages."""
    first, *others = PAGES
    whole = gr.Blocks(
        title="bingli 病历", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)
    )
    with whole:
        _lay_out(whole, first)
    for page in others:
        with whole.route(page.title, f"/{page.path}"):
            _lay_out(whole, page)
    whole.queue(default_concurrency_limit=None, api_open=False)
    return whole


def _lay_out(whole: gr.Blocks, page: Page) -> None:
    Navbar(visible=False)
    head = panel("bl-head")
    with gr.Column(visible=False) as body:
        opening = page.build()
    outputs = [head, body, *opening.outputs]

    def open_page(request: gr.Request) -> list[object]:
        desk = told(lambda: desk_of(request))
        filled = [gr.skip() for _ in opening.outputs]
        problem = "" if page.is_for(desk.account) else _NOT_ALLOWED
        if not problem:
            try:
                filled = list(opening.fill(desk, dict(request.query_params)))
            except UserError as error:
                problem = str(error)
        return [
            _head(page, desk.account, csrf_token(sent_by(request)), problem),
            gr.Column(visible=not problem),
            *filled,
        ]

    whole.load(open_page, None, outputs, queue=False, api_visibility="private", show_progress="hidden")


def _head(page: Page, account: Account, csrf: str, problem: str) -> str:
    now = datetime.now(UTC)
    return drawn(
        "head.html",
        pages=[other for other in PAGES if other.is_for(account)],
        current=page,
        account=account,
        roles=[title for role, title in ROLE_TITLES.items() if role in account.roles(now)],
        csrf=csrf,
        problem=problem,
    )
