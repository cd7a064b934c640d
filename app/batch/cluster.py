"""Records checked by a Ray cluster, given back in the order of the input.

Each worker is an actor with the rules loaded once, and holds one record at a time: when a worker or its machine
dies, exactly one record is checked again, on a new worker; if that dies too, it is the record's doing.
"""

# mypy: disable-error-code="import-not-found,import-untyped,unused-ignore"
import os
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.assembly import open_checker
from app.batch.pool import Answer, Answered, ended_its_process
from app.batch.sources import Source
from app.batch.worker import Worker
from app.errors import UserError
from app.settings import Settings, go_offline

LOCAL = "local"
_AHEAD_PER_WORKER = 8
_ATTEMPTS = 2
_JOIN_ATTEMPTS = 3
_CONNECT_SECONDS = 5.0
_LOOPBACK = "127.0.0.1"


def checked_on_cluster(
    sources: Iterable[Source], settings: Settings, address: str, *, use_model: bool, workers: int | None
) -> Iterator[Answered]:
    """Check the sources on the cluster at ``address``; one result whatever the cluster.

    Folders of text files are read by the workers, so they must lie where every machine of the cluster sees them;
    records in JSON travel.

    Args:
        sources: the records.
        settings: reach the workers as they are.
        address: ``ray://host:port``; ``host:port`` on a machine of the cluster; or ``local`` for a Ray of this
            machine that ends with the audit.
        use_model: needs a model server by URL, which every machine reaches.
        workers: how many; one a core of the cluster at most, and where ``None``.

    Raises:
        UserError: Ray is not installed, or the cluster does not answer.
    """
    with _connected(address) as ray:
        cores = int(ray.cluster_resources()["CPU"])
        crew = _Crew(ray, settings, use_model=use_model, size=min(workers or cores, cores))
        try:
            yield from crew.run(sources)
        finally:
            crew.stop()


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    _bring_token()
    try:
        import ray
    except ImportError as error:
        raise UserError("还没有安装 Ray，请运行 pip install 'bingli[cluster]'。") from error
    if address != LOCAL:
        _require_open(address)
    place: dict[str, Any] = (
        {"_node_ip_address": _LOOPBACK, "include_dashboard": False} if address == LOCAL else {}
    )
    try:
        _join(ray, address, **place)
        yield ray
    finally:
        ray.shutdown()


def _join(ray: Any, address: str, **place: Any) -> None:  # noqa: ANN401
    """Connect, and again where the cluster's server for this client died at its start.

    About one in fourteen does: Ray forks it while other threads talk (ray-project/ray, issue 63202).
    """
    for attempt in range(1, _JOIN_ATTEMPTS + 1):
        try:
            ray.init(address=address, configure_logging=False, log_to_driver=False, **place)
            return
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            if attempt == _JOIN_ATTEMPTS or not isinstance(error, ConnectionAbortedError):
                raise _unreachable(address, error) from error
            ray.shutdown()


def _bring_token() -> None:
    """Ray's own programs demand a token where one is kept, and its clients bring it only when they are told to."""
    kept = Path.home() / ".ray" / "auth_token"
    if os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} or kept.exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _require_open(address: str) -> None:
    """Ray itself would try for half a minute."""
    place = urlsplit(address if "://" in address else f"//{address}")
    try:
        socket.create_connection((place.hostname or "", place.port or 10001), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:200]
    return UserError(
        f"连不上 Ray 集群 {address}（{reason}），请检查地址，以及 Ray 和 Python 的版本是否一致。"
    )


@dataclass(slots=True)
class _Task:
    source: Source
    attempts: int = 0
    answer: Answer | None = None


class _Crew:
    """The workers, and which record each has in hand."""

    def __init__(self, ray: Any, settings: Settings, *, use_model: bool, size: int) -> None:  # noqa: ANN401
        self._ray = ray
        self._actor = ray.remote(_Actor)
        self._given = (settings, use_model)
        self._size = size
        self._idle = [self._hire(cores=1) for _ in range(size)]
        self._busy: dict[Any, tuple[_Task, Any]] = {}

    def _hire(self, cores: int) -> Any:  # noqa: ANN401 - a handle of Ray
        return self._actor.options(num_cpus=cores).remote(*self._given)

    def run(self, sources: Iterable[Source]) -> Iterator[Answered]:
        """Check the sources, a few records a worker ahead of the oldest that is not done.

        Raises:
            UserError: a worker cannot open rules or model.
        """
        waiting: deque[_Task] = deque()
        for source in sources:
            task = _Task(source)
            waiting.append(task)
            self._start(task)
            while waiting[0].answer is None and len(waiting) >= self._size * _AHEAD_PER_WORKER:
                self._collect()
            yield from _finished(waiting)
        while waiting:
            self._collect()
            yield from _finished(waiting)

    def stop(self) -> None:
        """Dismiss everybody."""
        for actor in (*self._idle, *(actor for _, actor in self._busy.values())):
            self._ray.kill(actor)

    def _start(self, task: _Task) -> None:
        while not self._idle:
            self._collect()
        actor = self._idle.pop()
        task.attempts += 1
        self._busy[actor.check.remote(task.source)] = (task, actor)

    def _collect(self) -> None:
        """Wait for one record, and take its answer; hire anew where its worker has died."""
        (done,), _ = self._ray.wait(list(self._busy))
        task, actor = self._busy.pop(done)
        try:
            task.answer = self._ray.get(done)
            self._idle.append(actor)
        except self._ray.exceptions.RayActorError:
            # The dead one's core may be gone with its machine: one that asks for none cannot wait for ever.
            self._idle.append(self._hire(cores=0))
            if task.attempts < _ATTEMPTS:
                self._start(task)
            else:
                task.answer = ended_its_process(task.source)
        except self._ray.exceptions.RayTaskError as error:
            raise UserError(f"集群上的进程不能开始工作：{error.cause}") from error


class _Actor:
    """A worker on some machine of the cluster; rules and model are opened at its first record."""

    def __init__(self, settings: Settings, use_model: bool) -> None:
        self._given = (settings, use_model)
        self._open = ExitStack()
        self._worker: Worker | None = None

    def check(self, source: Source) -> Answer:
        if self._worker is None:
            go_offline()
            settings, use_model = self._given
            self._worker = Worker(self._open.enter_context(open_checker(settings, use_model=use_model)))
        return self._worker.check(source)


def _finished(waiting: "deque[_Task]") -> Iterator[Answered]:
    while waiting and (answer := waiting[0].answer) is not None:
        yield Answered(waiting.popleft().source, answer)
