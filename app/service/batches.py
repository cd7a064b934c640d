"""Batch audits in the background: each in a process of its own, its progress kept in the database."""

import json
import multiprocessing
import os
import shutil
import threading
import zipfile
from collections.abc import Mapping
from io import BytesIO
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from app.batch.audit import audit
from app.batch.report import SUMMARY
from app.batch.sources import LINES_SUFFIXES, total_bytes
from app.errors import Conflict, NotFound, UserError
from app.settings import Settings, go_offline
from app.storage.jobs import AuditJob, JobState, JobStore

RESULT_FILES: Mapping[str, str] = {
    "report.html": "text/html; charset=utf-8",
    "report.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "summary.json": "application/json",
    "results.jsonl": "application/x-ndjson",
    "errors.jsonl": "application/x-ndjson",
}
"""What a finished audit gives, by media type."""

_FOLDER = "audits"
_PAGES = "report"
_SUFFIXES = (".json", *LINES_SUFFIXES, ".txt")
_CHUNK = 1 << 20
_END_SECONDS = 5.0


class _Progress(NamedTuple):
    """What the working process tells: bytes done so far, or how it ended."""

    done: int
    is_over: bool = False
    problem: str = ""


class Batches:
    """The audits of this service, one after another in the order in which they were started."""

    def __init__(self, settings: Settings, jobs: JobStore) -> None:
        """Keep their files in the data folder."""
        self._settings = settings
        self._jobs = jobs
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._running: dict[str, BaseProcess | None] = {}
        self._is_closed = False

    def recover(self) -> None:
        """Count as stopped what an earlier run of the service left unfinished; it can be resumed."""
        self._jobs.stop_unfinished()

    @property
    def jobs(self) -> JobStore:
        """The audits as they are kept."""
        return self._jobs

    def start(self, name: str, content: bytes, by: str) -> AuditJob:
        """Audit what was uploaded: a record, a JSONL file, or a ZIP of records.

        Raises:
            UserError: nothing of the kind is in it.
        """
        job = self._jobs.add(PurePosixPath(name).name or "上传", by)
        folder = self._folder(job.id)
        try:
            given = _unpack(name, content, folder / "input", self._settings.largest_upload_mib << 20)
        except UserError:
            shutil.rmtree(folder, ignore_errors=True)
            self._jobs.finish(job.id, JobState.FAILED, "上传的文件不能用")
            raise
        self._follow(job.id, given, resume=False)
        return job

    def resume(self, job_id: str) -> AuditJob:
        """Take up an audit that was stopped; what is done stays done.

        Raises:
            NotFound: there is no such audit.
            Conflict: it runs, or is finished.
        """
        job = self._jobs.get(job_id)
        with self._guard:
            is_running = job_id in self._running
        if is_running or job.state not in (JobState.STOPPED, JobState.FAILED):
            raise Conflict("这个批量质控任务正在进行或已经完成，不需要继续。")
        given = self._folder(job_id) / "input"
        if not given.is_dir():
            raise Conflict("这个批量质控任务的上传文件已不在，请重新上传。")
        self._jobs.report(job_id, job.done, job.total)
        self._follow(job_id, given, resume=(self._folder(job_id) / "result").is_dir())
        return self._jobs.get(job_id)

    def file(self, job_id: str, name: str) -> Path:
        """A file that an audit made; pages of its report are ``report/NAME.html``.

        Raises:
            NotFound: there is no such audit or file.
        """
        self._jobs.get(job_id)
        result = self._folder(job_id) / "result"
        path = result / name
        parts = PurePosixPath(name).parts
        is_page = len(parts) == 2 and parts[0] == _PAGES and name.endswith(".html")
        if not (name in RESULT_FILES or is_page) or ".." in parts or not path.is_file():
            raise NotFound(f"任务 {job_id} 没有文件 {name}，请等它完成，或核对文件名。")
        return path

    def files(self, job_id: str) -> tuple[str, ...]:
        """The names of the files that are there."""
        result = self._folder(job_id) / "result"
        return tuple(name for name in RESULT_FILES if (result / name).is_file())

    def summary(self, job_id: str) -> dict[str, Any] | None:
        """The summary of a finished audit."""
        path = self._folder(job_id) / "result" / SUMMARY
        read: dict[str, Any] | None = json.loads(path.read_text("utf-8")) if path.is_file() else None
        return read

    def close(self) -> None:
        """Stop what runs; it can be resumed."""
        self._is_closed = True
        with self._guard:
            processes = [process for process in self._running.values() if process]
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(_END_SECONDS)

    def _folder(self, job_id: str) -> Path:
        return self._settings.data_dir / _FOLDER / job_id

    def _follow(self, job_id: str, given: Path, *, resume: bool) -> None:
        with self._guard:
            self._running[job_id] = None
        arguments = (job_id, given, resume)
        threading.Thread(target=self._run, args=arguments, name=f"audit-{job_id}", daemon=True).start()

    def _run(self, job_id: str, given: Path, resume: bool) -> None:
        with self._turn:
            if self._is_closed:
                return
            total = total_bytes(str(given))
            self._jobs.report(job_id, 0, total)
            context = multiprocessing.get_context("spawn")
            receiving, sending = context.Pipe(duplex=False)
            out = self._folder(job_id) / "result"
            process = context.Process(
                target=_work, args=(str(given), out, self._settings, resume, sending), name=f"audit-{job_id}"
            )
            process.start()
            sending.close()
            with self._guard:
                self._running[job_id] = process
            ended = self._watch(job_id, receiving, total)
            process.join()
        with self._guard:
            del self._running[job_id]
        if self._is_closed:
            return
        if ended is None:
            self._jobs.finish(job_id, JobState.FAILED, "审核进程异常退出，可以继续这个任务")
        else:
            self._jobs.finish(
                job_id, JobState.FAILED if ended.problem else JobState.DONE, ended.problem or None
            )

    def _watch(self, job_id: str, receiving: Connection, total: int) -> _Progress | None:
        """Keep the progress until the end; ``None`` when the process ends without a word."""
        try:
            while True:
                told: _Progress = receiving.recv()
                if told.is_over:
                    return told
                if not self._is_closed:
                    self._jobs.report(job_id, min(told.done, total), total)
        except EOFError:
            return None


def _work(given: str, out: Path, settings: Settings, resume: bool, sending: Connection) -> None:
    """The audit itself, in its own process."""
    go_offline()
    done = 0

    def on_progress(size: int) -> None:
        nonlocal done
        done += size
        sending.send(_Progress(done))

    use_model = settings.model.startswith(("http://", "https://"))
    workers = max(1, (os.cpu_count() or 2) - 1)
    try:
        audit(
            given, out, settings, use_model=use_model, workers=workers, resume=resume, on_progress=on_progress
        )
        sending.send(_Progress(done, is_over=True))
    except UserError as error:
        sending.send(_Progress(done, is_over=True, problem=str(error)))


def _unpack(name: str, content: bytes, folder: Path, most_bytes: int) -> Path:
    folder.mkdir(parents=True)
    if zipfile.is_zipfile(BytesIO(content)):
        _unzip(content, folder, most_bytes)
    else:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in _SUFFIXES:
            raise UserError(f"{name} 不是 .json、.jsonl 或 .zip 文件，请转换后再上传。")
        (folder / f"records{suffix}").write_bytes(content)
    total_bytes(str(folder))
    return folder


def _unzip(content: bytes, folder: Path, most_bytes: int) -> None:
    """Only files of records, each under a name of its own below ``folder``."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > most_bytes:
            raise UserError(f"压缩包展开后超过 {most_bytes >> 20} MiB，请分批上传。")
        for entry in archive.infolist():
            path = PurePosixPath(entry.filename)
            if (
                entry.is_dir()
                or path.suffix.lower() not in _SUFFIXES
                or path.is_absolute()
                or ".." in path.parts
            ):
                continue
            target_path = folder / _name_of(path)
            target_path.parent.mkdir(exist_ok=True)
            with archive.open(entry) as source, target_path.open("wb") as target:
                shutil.copyfileobj(source, target, _CHUNK)


def _name_of(path: PurePosixPath) -> Path:
    """Where a file of an archive goes: texts of one stay stay together in their folder, records stand side by side."""
    return Path(*path.parts[-2:]) if path.suffix.lower() == ".txt" else Path("-".join(path.parts))
