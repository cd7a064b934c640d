"""``bingli serve`` as its users meet it: a process on a free loopback port."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

from tests.support.model_server import ModelServer, Reply
from tests.support.service import NOTE, stay

pytestmark = pytest.mark.server

RUN = "import sys; from app.cli.main import run; sys.argv = ['bingli', *sys.argv[1:]]; run()"
NEW_PASSWORD = "a password of my own"


class Started:
    """A running service, with a client that is signed in as its first administrator."""

    def __init__(self, process, url, one_time_password):
        self.process = process
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=120, trust_env=False)
        self._choose_password(one_time_password)

    def _choose_password(self, given):
        form = {"name": "admin", "password": given, "csrf": self.form_csrf("/login")}
        assert self.client.post("/login", data=form).headers["location"] == "/password"
        change = {
            "old": given,
            "new": NEW_PASSWORD,
            "again": NEW_PASSWORD,
            "csrf": self.form_csrf("/password"),
        }
        assert self.client.post("/password", data=change).status_code == 303

    def form_csrf(self, path):
        return self.client.get(path).text.split('name="csrf" value="')[1].split('"')[0]

    def caller(self, name, role, department=None):
        """A client with a token of a new account."""
        csrf = {"X-CSRF-Token": self.form_csrf("/password")}
        account = {"name": name, "display_name": name, "department": department, "grants": [{"role": role}]}
        made = self.client.post("/v1/accounts", json=account, headers=csrf)
        assert made.status_code == 201, made.text
        opened = self.client.post(f"/v1/accounts/{name}/tokens", json={"title": "test"}, headers=csrf)
        headers = {"Authorization": f"Bearer {opened.json()['token']}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, trust_env=False)


@contextmanager
def served(folder, *arguments):
    environment = {**os.environ, "BINGLI_DATA_DIR": str(folder / "data"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-W", "ignore", "-c", RUN, "serve", "--port", "0", *arguments]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            password = (
                next(line for line in process.stderr if "一次性口令" in line).rsplit("：", 1)[1].strip()
            )
            threading.Thread(target=process.stderr.read, daemon=True).start()
            url = process.stdout.readline().split("：", 1)[1].split("（")[0].strip()
            yield Started(process, url, password)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("served"), "--no-model") as started:
        yield started


def events(response):
    """Name and data of each server-sent event."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event:"):
            name = line.partition(":")[2].strip()
        elif line.startswith("data:"):
            yield name, json.loads(line.partition(":")[2])


def test_a_first_start_leads_from_the_one_time_password_to_work(service):
    assert service.url.startswith("http://127.0.0.1:")
    assert service.client.get("/v1/me").json()["account"]["name"] == "admin"
    assert service.client.get("/readyz").json()["status"] == "ok"
    physician = service.caller("doctor", "physician", "消化内科")
    saved = physician.put("/v1/records/ZY-1", json=stay("ZY-1", author="doctor"))
    assert saved.status_code == 200
    hints = physician.post("/v1/hints", json={"text": NOTE, "type": "入院记录", "record_id": "ZY-1"}).json()
    assert hints["hints"]
    assert all(NOTE[h["start"] : h["end"]] == h["quote"] for h in hints["hints"] if h["start"] is not None)


def test_pages_are_behind_the_door(service):
    bare = httpx.Client(base_url=service.url, trust_env=False, timeout=120)
    asked = bare.get("/ui/?page=2", headers={"Accept": "text/html"})
    assert asked.status_code == 303
    assert asked.headers["location"].startswith("/login?next=/ui/")
    assert service.client.get("/ui/", headers={"Accept": "text/html"}).status_code == 200


def test_an_audit_tells_its_progress_and_gives_its_report(service, examples):
    qc = service.caller("auditor", "qc")
    lines = "\n".join(json.dumps(stay(f"ZY-B{n}"), ensure_ascii=False) for n in range(5))
    started = qc.post("/v1/audits", files={"file": ("一批.jsonl", lines.encode())})
    assert started.status_code == 202
    address = f"/v1/audits/{started.json()['id']}"
    with qc.stream("GET", f"{address}/events") as response:
        told = list(events(response))
    assert told[-1][0] == "end"
    assert told[-1][1]["state"] == "done"
    assert told[-1][1]["summary"]["records"] == 5
    report = qc.get(f"{address}/files/report.html")
    assert "sandbox" in report.headers["content-security-policy"]
    assert qc.get(f"{address}/files/../../bingli.sqlite").status_code == 404
    assert qc.get(f"{address}/files/report.xlsx").content[:2] == b"PK"


def test_who_hangs_up_in_the_middle_of_a_stream_breaks_nothing(service, tmp_path):
    doctor = service.caller("leaver", "physician", "消化内科")
    body = json.dumps({"text": NOTE, "type": "入院记录"}).encode()
    host, port = service.url.removeprefix("http://").rstrip("/").split(":")
    head = (
        f"POST /v1/hints/stream HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Authorization: {doctor.headers['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    for sent in (len(body) // 2, len(body)):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + body[:sent])
    assert doctor.post("/v1/hints", json={"text": NOTE, "type": "入院记录"}).status_code == 200
    assert service.client.get("/healthz").json()["status"] == "ok"


def test_the_port_taken_is_told_in_one_sentence(service, tmp_path):
    port = service.url.rstrip("/").rsplit(":", 1)[1]
    environment = {**os.environ, "BINGLI_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", RUN, "serve", "--port", port]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"不能监听 127.0.0.1:{port}" in done.stderr


def test_without_accounts_other_machines_are_not_let_in(tmp_path):
    environment = {**os.environ, "BINGLI_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", RUN, "serve", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 2
    assert "还没有账号" in done.stderr


def test_the_model_s_hints_follow_as_events_and_a_stop_lets_answers_end(tmp_path):
    """The double answers 否 to every fact: what is asked of the model is then missing from the note."""

    def answers(request):
        return Reply('"否"' if request["max_tokens"] < 20 else "[1]")

    with ModelServer(answers) as model, served(tmp_path, "--model", model.url) as service:
        doctor = service.caller("doctor", "physician", "消化内科")
        course = "病例特点：患者男，52岁，反复上腹痛2月。\n诊断依据：上腹痛。\n鉴别诊断：与胆囊炎鉴别。\n诊疗计划：完善检查。"
        note = {"text": course, "type": "首次病程记录", "is_finished": True}
        with doctor.stream("POST", "/v1/hints/stream", json=note) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            told = list(events(response))
        assert next(name for name, _ in told) == "hints"
        assert told[-1][0] == "end"
        by_model = [data for name, data in told if name == "hint"]
        assert all(hint["engine"] == "llm" and hint["ai_label"] for hint in by_model)
        assert by_model or model.requests == []

        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(60) in (0, -signal.SIGTERM)
        assert time.monotonic() - began < 60
