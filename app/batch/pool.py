"""Records checked on several cores, or by a cluster, given back in the order of the input."""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from app.assembly import open_checker
from app.batch.sources import Source
from app.batch.worker import Checked, Problem, Worker, check_in_process, start_process
from app.settings import Settings

_AHEAD_PER_WORKER = 8

Answer = Checked | Problem


class Answered(NamedTuple):
    """A source and what came of it."""

    source: Source
    answer: Answer


def checked(
    sources: Iterable[Source], settings: Settings, *, use_model: bool, workers: int | None
) -> Iterator[Answered]:
    """Check the sources; the order of the input is kept, so that a run has one result whatever the workers.

    At most a few sources a worker are in memory at any time. A record that ends its process (memory, a
    fault of a library) is a ``Problem``; the run goes on with a new process. ``workers``: one a core of this
    machine, or of the cluster that the settings name, where ``None``.

    Raises:
        UserError: rules, model or cluster cannot be used.
    """
    if settings.cluster:
        from app.batch.cluster import checked_on_cluster

        yield from checked_on_cluster(
            sources, settings, settings.cluster, use_model=use_model, workers=workers
        )
        return
    workers = workers or os.cpu_count() or 1
    if workers == 1:
        with open_checker(settings, use_model=use_model) as checker:
            worker = Worker(checker)
            yield from (Answered(source, worker.check(source)) for source in sources)
        return
    pool = _Pool(settings, use_model=use_model, workers=workers)
    try:
        yield from pool.run(sources)
    finally:
        pool.stop()


class _Pool:
    def __init__(self, settings: Settings, *, use_model: bool, workers: int) -> None:
        self._start = (settings, use_model)
        self._workers = workers
        self._executor = self._new_executor()
        self._waiting: deque[tuple[Source, Future[Answer]]] = deque()

    def run(self, sources: Iterable[Source]) -> Iterator[Answered]:
        for source in sources:
            self._waiting.append((source, self._submit(source)))
            if len(self._waiting) >= self._workers * _AHEAD_PER_WORKER:
                yield self._first()
        while self._waiting:
            yield self._first()

    def stop(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _submit(self, source: Source) -> Future[Answer]:
        try:
            return self._executor.submit(check_in_process, source)
        except BrokenProcessPool as error:
            broken: Future[Answer] = Future()
            broken.set_exception(error)
            return broken

    def _first(self) -> Answered:
        source, future = self._waiting.popleft()
        try:
            return Answered(source, future.result())
        except BrokenProcessPool:
            return Answered(source, self._alone(source))

    def _alone(self, source: Source) -> Answer:
        """Check one source with nothing beside it: if the pool breaks again, it is this one's doing."""
        self._renew()
        try:
            answer = self._executor.submit(check_in_process, source).result()
        except BrokenProcessPool:
            self._renew()
            answer = ended_its_process(source)
        self._waiting = deque((s, f if _is_answered(f) else self._submit(s)) for s, f in self._waiting)
        return answer

    def _renew(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._new_executor()

    def _new_executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=start_process,
            initargs=self._start,
        )


def ended_its_process(source: Source) -> Problem:
    """What a record is told that its process did not outlive."""
    reason = f"检查 {source.place} 的进程异常退出（可能是内存不足），请单独检查这份病历。"
    return Problem("failed", reason)


def _is_answered(future: Future[Answer]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
