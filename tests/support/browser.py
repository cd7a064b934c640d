"""The real service in a thread and a real browser before it, for tests of the workplace.

with live_service(tmp_path) as service, browsing() as browser:
    page = signed_in(browser, service, "qc")
"""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from playwright.sync_api import Browser, Page, StorageState, expect, sync_playwright

from app.privacy.rights import Account, Grant, Role
from app.records.model import CHINA_TIME, MedicalRecord
from app.service.application import create_app
from app.service.desk import Desk
from app.service.parts import Parts
from app.settings import Settings
from app.storage.states import Stage

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "correct horse battery"
EXAMPLES = Path(__file__).parents[2] / "examples"
SURGEON, NEUROLOGIST = "U233", "U149"
RUNNING = "ZY2026-RUNNING"

_PEOPLE = (
    ("administrator", "系统管理员", None, Role.ADMINISTRATOR),
    ("qc", "宋知远", "质控科", Role.QC),
    ("evaluator", "评测人员甲", None, Role.EVALUATOR),
    ("head", "周行简", "普外科", Role.HEAD),
    (SURGEON, "祁远山", "普外科", Role.PHYSICIAN),
    (NEUROLOGIST, "庾景行", "神经内科", Role.PHYSICIAN),
)
_FIRST_NOTE = (
    "{written}　首次病程记录\n"
    "贾春来，男，58岁，因“右上腹痛2天，加重6小时”于{admitted}由急诊入院。\n"
    "病例特点：\n1. 进食油腻后起病，持续胀痛，阵发加重，向右肩放射，伴恶心、低热。\n"
    "2. 高血压5年，规律服药。\n3. 体温37.9℃，右上腹压痛，Murphy征阳性，无反跳痛。\n"
    "4. 白细胞12.6×10^9/L；超声：胆囊结石，胆囊壁增厚。\n"
    "拟诊讨论：\n初步诊断：胆囊结石伴急性胆囊炎；高血压。\n"
    "诊断依据：典型诱因、右上腹体征、白细胞升高和超声所见一致。\n"
    "鉴别诊断：急性胰腺炎，淀粉酶正常，暂不支持；消化性溃疡穿孔，无腹膜炎体征，不支持。\n"
    "诊疗计划：禁食、补液、抗感染；完善MRCP；请上级医师查房决定手术时机。\n"
)
_START_SECONDS = 120.0


class LiveService(NamedTuple):
    """A service that listens on loopback."""

    url: str
    parts: Parts
    sessions: dict[str, StorageState]

    def desk(self, name: str) -> Desk:
        """The desk of an account, without a browser."""
        return Desk(self.parts, self.parts.account(name))


@contextmanager
def live_service(folder: Path, **settings: Any) -> Iterator[LiveService]:
    """The service with one account a role, the example records, and one stay that has just begun."""
    app = create_app(Settings(data_dir=folder / "data", **settings), use_model="model" in settings)
    port = _free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        ends = time.monotonic() + _START_SECONDS
        while not server.started and thread.is_alive() and time.monotonic() < ends:
            thread.join(0.05)
        assert server.started, "the service did not start"
        service = LiveService(f"http://127.0.0.1:{port}", app.state.parts, {})
        _furnish(service)
        yield service
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--lang=zh-CN"],
            env={**os.environ, "LANGUAGE": "zh_CN"},
        )
        expect.set_options(timeout=60_000)
        yield browser
        browser.close()


def signed_in(browser: Browser, service: LiveService, name: str, path: str = "", width: int = 1280) -> Page:
    """A page of ``name``; who signs in for the first time does so by typing."""
    state = service.sessions.get(name)
    context = browser.new_context(
        base_url=service.url,
        locale="zh-CN",
        viewport={"width": width, "height": 860},
        storage_state=state,
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    if state is None:
        sign_in(page, name, PASSWORD)
        page.locator(".bl-title h1").wait_for()
        service.sessions[name] = context.storage_state()
    visit(page, path)
    return page


def sign_in(page: Page, name: str, password: str) -> None:
    """Fill in the form and send it."""
    page.goto("/login")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")


def visit(page: Page, path: str) -> None:
    """Open a page of the workplace and wait until it is filled."""
    page.goto(f"/ui/{path}")
    page.locator(".bl-title h1").wait_for()


def picture(page: Page, name: str, *, whole: bool = False) -> None:
    """Keep what the page looks like as ``ui-NAME.png``, where SCREENSHOTS names a folder."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.wait_for_timeout(400)
        page.screenshot(path=Path(folder) / f"ui-{name}.png", full_page=whole)


def example(beginning: str) -> dict[str, Any]:
    """The example record whose file name begins so."""
    read: dict[str, Any] = json.loads(next(EXAMPLES.glob(f"{beginning}*.json")).read_text("utf-8"))
    return read


def _furnish(service: LiveService) -> None:
    for name, title, department, role in _PEOPLE:
        account = Account(name=name, display_name=title, department=department, grants=(Grant(role=role),))
        service.parts.accounts.save(account, password=PASSWORD)
    desk = service.desk("qc")
    for file in sorted(EXAMPLES.glob("*.json")):
        desk.save_record(MedicalRecord.model_validate_json(file.read_bytes()), Stage.FINAL)
    desk.save_record(MedicalRecord.model_validate(_just_in()), Stage.RUNNING)


def _just_in() -> dict[str, Any]:
    """A patient admitted three hours ago, with a first course note and no admission note yet."""
    admitted = datetime.now(CHINA_TIME).replace(second=0, microsecond=0) - timedelta(hours=3)
    written = admitted + timedelta(hours=1)
    return {
        "record_id": RUNNING,
        "coverage": ["documents", "orders", "signatures"],
        "patient": {"name": "贾春来", "sex": "男", "age": "58岁"},
        "encounter": {"department": "普外科", "bed": "21", "admitted_at": admitted.isoformat()},
        "documents": [
            {
                "id": "D01",
                "type": "首次病程记录",
                "text": _FIRST_NOTE.format(
                    admitted=f"{admitted:%Y-%m-%d %H:%M}", written=f"{written:%Y-%m-%d %H:%M}"
                ),
                "written_at": written.isoformat(),
                "author": {"id": SURGEON, "name": "祁远山", "title": "住院医师", "licensed": True},
                "signatures": [{"name": "祁远山", "role": "记录者", "signed_at": written.isoformat()}],
            }
        ],
        "orders": [],
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
