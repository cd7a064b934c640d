"""How quick the service is (``make bench``): hints while one writes, and many writers at once.

A real server (``bingli serve`` without a model) and real HTTP on loopback. Every request carries a changed note, so
that no answer comes from a cache. Writers pause between requests as people do; the server and the clients share the
machine, whose load is printed beside the figures.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from app.privacy.rights import Account, Grant, Role
from app.resources import ROOT
from app.settings import Settings
from app.storage.accounts import AccountStore, TokenKind
from app.storage.database import open_database

HINT_P95_MILLISECONDS = 50.0
LOAD_P95_MILLISECONDS = 500.0
NOTE_CHARACTERS = 3000

_RUN = "import sys; from app.cli.main import run; sys.argv = ['bingli', *sys.argv[1:]]; run()"
_EXAMPLE = ROOT / "examples" / "02-神经内科-脑梗死.json"
_MORE = (
    "患者诉夜间睡眠可，双侧呼吸音清，未闻及干湿啰音，腹软，无压痛，双下肢无水肿，继续目前治疗，观察病情变化。"
)
_WARMING = 10


class Latency(NamedTuple):
    """Milliseconds of requests that were answered, and how many were not.

    ``cpu_ms`` is the server's processor time a request, which does not depend on what else the machine does; ``None``
    where the system does not tell.
    """

    title: str
    n: int
    p50_ms: float
    p95_ms: float
    worst_ms: float
    errors: int
    requests_a_second: float
    cpu_ms: float | None


class Bench(NamedTuple):
    """What was measured; ``load`` is the load average of the last minute before and after."""

    start_seconds: float
    latencies: tuple[Latency, ...]
    load: tuple[float, float]
    cores: int

    def as_json(self) -> dict[str, Any]:
        """Everything, with the aims it is measured against."""
        aims = {"hint_p95_ms": HINT_P95_MILLISECONDS, "load_p95_ms": LOAD_P95_MILLISECONDS}
        return self._asdict() | {"latencies": [each._asdict() for each in self.latencies], "aims": aims}


class _Server(NamedTuple):
    url: str
    headers: Mapping[str, str]
    start_seconds: float
    process: int

    def cpu_seconds(self) -> float | None:
        """Processor time that the server has used so far."""
        path = Path(f"/proc/{self.process}/stat")
        if not path.exists():
            return None
        fields = path.read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bench(hints: int, writers: int, seconds: float, pause_seconds: float) -> Bench:
    """Measure.

    Args:
        hints: requests one after another.
        writers: how many write at once.
        seconds: for how long they do.
        pause_seconds: the mean time between two requests of one writer.
    """
    before = os.getloadavg()[0]
    stay = json.loads(_EXAMPLE.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as server:
        with httpx.Client(base_url=server.url, headers=server.headers, timeout=60, trust_env=False) as client:
            saved = client.put(f"/v1/records/{stay['record_id']}", json=stay)
            saved.raise_for_status()
            alone = _one_after_another(server, client, "单份 3000 字文书", hints, None)
            within = _one_after_another(server, client, "3000 字文书，对照全部病历", hints, stay["record_id"])
        many = asyncio.run(_at_once(server, writers, seconds, pause_seconds))
        return Bench(
            server.start_seconds, (alone, within, many), (before, os.getloadavg()[0]), os.cpu_count() or 1
        )


def note(number: int) -> str:
    """An admission note of ``NOTE_CHARACTERS`` characters, unlike every other number's."""
    stay = json.loads(_EXAMPLE.read_text("utf-8"))
    text: str = next(d["text"] for d in stay["documents"] if d["type"] == "入院记录")
    head, heading, rest = text.partition("既往史")
    filling = f"第{number}次补充：" + _MORE * 60
    return head + filling[: NOTE_CHARACTERS - len(text)] + "\n" + heading + rest


def _one_after_another(
    server: _Server, client: httpx.Client, title: str, n: int, record_id: str | None
) -> Latency:
    def ask(number: int) -> bool:
        body = {"text": note(number), "type": "入院记录", "record_id": record_id, "document_id": "D01"}
        return client.post("/v1/hints", json=body).status_code == 200

    for number in range(_WARMING):
        ask(number)
    before, begun = server.cpu_seconds(), time.perf_counter()
    times = []
    errors = 0
    for number in range(_WARMING, _WARMING + n):
        sent = time.perf_counter()
        errors += not ask(number)
        times.append(time.perf_counter() - sent)
    return _latency(title, times, errors, time.perf_counter() - begun, before, server.cpu_seconds())


async def _at_once(server: _Server, writers: int, seconds: float, pause_seconds: float) -> Latency:
    """Writers who began at different moments, each sending its note after every pause."""
    times: list[float] = []
    errors = 0
    before = server.cpu_seconds()
    ends = time.perf_counter() + seconds

    async def write(number: int, client: httpx.AsyncClient) -> None:
        nonlocal errors
        await asyncio.sleep(pause_seconds * number / writers)
        turn = 0
        while time.perf_counter() < ends:
            body = {"text": note(number * 1000 + turn), "type": "入院记录"}
            sent = time.perf_counter()
            try:
                answer = await client.post("/v1/hints", json=body)
                times.append(time.perf_counter() - sent)
                errors += answer.status_code != 200
            except httpx.HTTPError:
                errors += 1
            turn += 1
            await asyncio.sleep(max(0.0, pause_seconds - (time.perf_counter() - sent)))

    limits = httpx.Limits(max_connections=writers, max_keepalive_connections=writers)
    async with httpx.AsyncClient(
        base_url=server.url, headers=server.headers, timeout=60, limits=limits, trust_env=False
    ) as client:
        await asyncio.gather(*(write(number, client) for number in range(writers)))
    title = f"{writers} 人同时书写，各每 {pause_seconds:g} 秒一次"
    return _latency(title, times, errors, seconds, before, server.cpu_seconds())


def _latency(
    title: str, seconds: Sequence[float], errors: int, whole: float, before: float | None, after: float | None
) -> Latency:
    ordered = sorted(seconds)
    n = len(ordered)
    half, most, worst = (ordered[round(share * (n - 1))] * 1000 for share in (0.5, 0.95, 1))
    cpu = None if before is None or after is None else (after - before) * 1000 / n
    return Latency(title, n, half, most, worst, errors, n / whole, cpu)


@contextmanager
def _served(folder: Path) -> Iterator[_Server]:
    """A server of its own with one account of the QC office."""
    settings = Settings(data_dir=folder)
    with open_database(settings) as database:
        accounts = AccountStore(database)
        for name, role in (("admin", Role.ADMINISTRATOR), ("bench", Role.QC)):
            accounts.save(Account(name=name, display_name=name, grants=(Grant(role=role),)))
        token = accounts.open_token("bench", TokenKind.API, timedelta(hours=1))
    environment = {
        **os.environ,
        "BINGLI_DATA_DIR": str(folder),
        "BINGLI_REQUESTS_PER_MINUTE": "1000000",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-W", "ignore", "-c", _RUN, "serve", "--port", "0", "--no-model"]
    begun = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        try:
            said = process.stdout.readline() if process.stdout else ""
            url = said.partition("：")[2].partition("（")[0].strip()
            headers = {"Authorization": f"Bearer {token}"}
            yield _Server(url, headers, time.perf_counter() - begun, process.pid)
        finally:
            process.terminate()


def table(found: Bench) -> str:
    """The measurements as a table for a person."""
    lines = [
        f"服务启动 {found.start_seconds:.1f} 秒；{found.cores} 核，负载 {found.load[0]:.1f} → {found.load[1]:.1f}",
        "",
        f"{'':<30}{'次数':>6}{'p50':>9}{'p95':>9}{'最长':>9}{'失败':>6}{'每秒':>7}{'处理器/次':>9}",
    ]
    lines += [
        f"{each.title:<30}{each.n:>6}{each.p50_ms:>9.1f}{each.p95_ms:>9.1f}{each.worst_ms:>9.1f}"
        f"{each.errors:>6}{each.requests_a_second:>7.1f}"
        f"{'—' if each.cpu_ms is None else format(each.cpu_ms, '.1f'):>9}"
        for each in found.latencies
    ]
    lines += [
        "",
        f"单位毫秒；目标：单份 p95 ≤ {HINT_P95_MILLISECONDS:g}，多人 p95 ≤ {LOAD_P95_MILLISECONDS:g} 且无失败",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print a table, and write the numbers where ``--out`` says."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench_service")
    parser.add_argument("--hints", type=int, default=100)
    parser.add_argument("--writers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--pause", type=float, default=5.0)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    found = bench(given.hints, given.writers, given.seconds, given.pause)
    sys.stdout.write(table(found) + "\n")
    if given.out:
        given.out.write_text(json.dumps(found.as_json(), ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
