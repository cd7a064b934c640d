"""Audits by a really started Ray: the same results as local processes, and no record lost with its worker."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from app.batch.audit import audit
from app.batch.pool import checked
from app.batch.sources import Source, sources_of
from app.batch.worker import Checked, Problem
from app.errors import UserError
from app.settings import Settings

# Before Ray is imported: it reads them once. With a token given, it writes none into the home folder.
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
pytest.importorskip("ray", reason="需要 pip install 'bingli[cluster]'")
START_ATTEMPTS = 3
pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

REPORTS = ("results.jsonl", "errors.jsonl", "summary.json", "report.html")
NOTE = "主诉：咳嗽3天。\n现病史：患者3天前受凉后咳嗽，未治疗。\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster(NamedTuple):
    """A running cluster: its address for a machine that belongs to it, and for any other."""

    address: str
    client_address: str


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head node of two workers, as ``ray start`` starts one."""
    log = tmp_path_factory.mktemp("ray") / "log"
    for _ in range(START_ATTEMPTS):
        process, address, client_address = _start_head(log)
        try:
            if _opens(address, process) and _opens(client_address, process):
                yield Cluster(address, f"ray://{client_address}")
                return
        finally:
            process.terminate()
            process.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    pytest.fail(log.read_text()[-2000:])


def _start_head(log: Path) -> tuple["subprocess.Popen[bytes]", str, str]:
    address, client_address = (f"127.0.0.1:{free_port()}" for _ in range(2))
    options = {
        "--port": address.split(":")[1],
        "--ray-client-server-port": client_address.split(":")[1],
        "--node-ip-address": "127.0.0.1",
        "--num-cpus": 2,
        "--include-dashboard": "false",
        "--object-store-memory": 100_000_000,
    }
    command = [
        str(Path(sys.executable).with_name("ray")),
        "start",
        "--head",
        "--block",
        "--disable-usage-stats",
    ]
    command += [f"{name}={value}" for name, value in options.items()]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    return process, address, client_address


def _opens(address: str, process: "subprocess.Popen[bytes]") -> bool:
    """Wait until somebody listens; false where Ray has given up, as it does after 30 s on a busy machine."""
    host, port = address.split(":")
    while process.poll() is None:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


@pytest.fixture
def stays(tmp_path: Path, examples: Path) -> Path:
    """The example records, a folder of texts, and a file that is no record."""
    folder = tmp_path / "病历"
    folder.mkdir()
    for file in examples.glob("*.json"):
        (folder / file.name).write_bytes(file.read_bytes())
    text_folder(folder, "文书")
    (folder / "坏.json").write_text("{", "utf-8")
    return folder


def text_folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "入院记录.txt").write_text(NOTE, "utf-8")
    return folder


def run(given: Path, out: Path, settings: Settings) -> None:
    audit(str(given), out, settings, use_model=False, workers=2, resume=False, on_progress=lambda size: None)


def test_a_cluster_does_not_change_the_results(
    stays: Path, tmp_path: Path, settings: Settings, cluster: Cluster
) -> None:
    run(stays, tmp_path / "here", settings)
    run(stays, tmp_path / "there", settings.model_copy(update={"cluster": cluster.client_address}))
    for name in REPORTS:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    assert len((tmp_path / "there" / "results.jsonl").read_bytes().splitlines()) == 5


@pytest.mark.parametrize(("deaths", "joins"), [(2, True), (3, False)])
def test_a_server_that_dies_at_its_start_is_asked_for_again(
    deaths: int,
    joins: bool,
    tmp_path: Path,
    settings: Settings,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text_folder(tmp_path / "病历", "甲")
    die_at_start(monkeypatch, deaths)
    on_cluster = settings.model_copy(update={"cluster": cluster.client_address})
    with nullcontext() if joins else pytest.raises(UserError, match="连不上 Ray 集群"):
        run(tmp_path / "病历", tmp_path / "out", on_cluster)
    monkeypatch.undo()
    run(tmp_path / "病历", tmp_path / "again", settings.model_copy(update={"cluster": cluster.address}))


def die_at_start(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let the first servers that the cluster starts for us be dead when we speak to them."""
    from ray.util.client.worker import Worker as Client

    left = iter(range(times))
    really = Client._server_init

    def _server_init(self: Client, *given: object) -> None:
        if next(left, None) is not None:
            raise ConnectionAbortedError("Initialization failure from server")
        really(self, *given)

    monkeypatch.setattr(Client, "_server_init", _server_init)


class DeadlySource(Source):
    """Ends the process that unpacks it."""

    def __reduce__(self):
        return os._exit, (3,)


def test_a_record_that_ends_every_worker_is_a_problem_and_the_others_are_checked(
    stays: Path, settings: Settings, cluster: Cluster
) -> None:
    found = list(sources_of(str(stays)))
    found[1] = DeadlySource(*found[1])
    on_cluster = settings.model_copy(update={"cluster": cluster.address})
    answers = [answer for _, answer in checked(found, on_cluster, use_model=False, workers=2)]
    assert isinstance(answers[1], Problem)
    assert answers[1].kind == "failed"
    assert [type(answer) for answer in answers].count(Checked) == len(answers) - 2


def test_the_record_of_a_killed_worker_is_checked_again(
    tmp_path: Path, settings: Settings, cluster: Cluster
) -> None:
    folders = [text_folder(tmp_path / "病历", name) for name in "甲乙丙"]
    found = list(sources_of(str(tmp_path / "病历")))
    pipe = folders[1] / "入院记录.txt"
    pipe.unlink()
    os.mkfifo(pipe)  # whoever reads it waits for a writer
    killer = threading.Thread(target=_kill_the_reader, args=(pipe,), daemon=True)
    killer.start()
    on_cluster = settings.model_copy(update={"cluster": cluster.address})
    answered = list(checked(found, on_cluster, use_model=False, workers=2))
    killer.join(60)
    assert not killer.is_alive()
    assert [source.place for source, _ in answered] == [source.place for source in found]
    assert all(isinstance(answer, Checked) for _, answer in answered)


def test_a_ray_of_this_machine_ends_with_the_audit(stays: Path, tmp_path: Path, settings: Settings) -> None:
    run(stays, tmp_path / "here", settings)
    run(stays, tmp_path / "ray", settings.model_copy(update={"cluster": "local"}))
    assert (tmp_path / "here" / "results.jsonl").read_bytes() == (
        tmp_path / "ray" / "results.jsonl"
    ).read_bytes()


def test_a_cluster_that_does_not_answer_is_one_sentence(
    stays: Path, tmp_path: Path, settings: Settings
) -> None:
    nobody = settings.model_copy(update={"cluster": f"ray://127.0.0.1:{free_port()}"})
    with pytest.raises(UserError, match="连不上 Ray 集群"):
        run(stays, tmp_path / "out", nobody)


def _kill_the_reader(pipe: Path) -> None:
    with pipe.open("wb"):  # waits for the reader
        reader = next(pid for pid in _processes() if pid != os.getpid() and _has_open(pid, pipe))
        pipe.unlink()
        pipe.write_text(NOTE, "utf-8")
        os.kill(reader, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _has_open(pid: int, path: Path) -> bool:
    try:
        return any(descriptor.resolve() == path for descriptor in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
