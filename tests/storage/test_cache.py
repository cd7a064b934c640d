"""The content cache: what is put is got, by every process, and damage is never an error."""

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.resources import ROOT
from app.storage.cache import ContentCache, content_key

KEY = content_key("text", "model@1", "prompt@1")
WRITER = """
import sys
from pathlib import Path
from app.storage.cache import ContentCache
with ContentCache(Path(sys.argv[1])) as cache:
    for number in range(50):
        cache.put(f"{sys.argv[2]}-{number}", number)
"""


@pytest.mark.parametrize("value", [True, 0, "𬌗\n", [1, 2.5, "三"], {"v": "T", "s": []}, ""])
def test_a_value_outlives_the_cache_that_stored_it(tmp_path: Path, value: object) -> None:
    with ContentCache(tmp_path / "cache.sqlite") as cache:
        assert cache.get(KEY) is None
        cache.put(KEY, "older")
        cache.put(KEY, value)
    with ContentCache(tmp_path / "cache.sqlite") as cache:
        assert cache.get(KEY) == value
        assert cache.get(content_key("other")) is None


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    with ContentCache(folder / "cache.sqlite") as cache:
        cache.put(KEY, 1)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("ab",), ("ab", "")),
        (("a", "b"), ("b", "a")),
        (("a",), (b"a",)),
        (("1:a",), ("1", "a")),
        ((), ("",)),
    ],
)
def test_different_contents_have_different_keys(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert content_key(*one) != content_key(*other)


@given(st.lists(st.text()), st.lists(st.text()))
def test_keys_agree_exactly_when_contents_do(one: list[str], other: list[str]) -> None:
    assert (content_key(*one) == content_key(*other)) == (one == other)


def test_a_key_is_a_checksum_and_takes_any_text() -> None:
    assert len(content_key("患者\ud800")) == 64
    assert "患者" not in content_key("患者")


def test_a_file_that_is_no_database_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(b"not a database" * 100)
    with ContentCache(path) as cache:
        cache.put(KEY, 1)
        assert cache.get(KEY) == 1
    (aside,) = tmp_path.glob("cache.sqlite.corrupt-*")
    assert aside.read_bytes().startswith(b"not a database")


def test_damage_found_while_reading_begins_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ContentCache(path) as cache:
        for number in range(500):
            cache.put(f"{number}", "x" * 100)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with ContentCache(path) as cache:
        assert cache.get("7") is None
        cache.put("7", "new")
        assert cache.get("7") == "new"
    assert list(tmp_path.glob("cache.sqlite.corrupt-*"))


def test_a_value_that_is_no_json_is_no_value(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ContentCache(path) as cache:
        cache.put(KEY, 1)
        with sqlite3.connect(path) as other:
            other.execute("UPDATE answers SET value = '{'")
        other.close()
        assert cache.get(KEY) is None


def test_a_full_disk_loses_the_value_and_nothing_else(tmp_path: Path) -> None:
    with ContentCache(tmp_path / "cache.sqlite") as cache:
        cache.put(KEY, 1)
        pages = cache._connection.execute("PRAGMA page_count").fetchone()[0]
        cache._connection.execute(f"PRAGMA max_page_count={pages}")
        cache.put("large", "x" * 100_000)
        assert cache.get("large") is None
        assert cache.get(KEY) == 1


def test_a_place_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="缓存"):
        ContentCache(tmp_path / "file" / "cache.sqlite")


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    with ContentCache(tmp_path / "cache.sqlite") as cache, pytest.raises(TypeError):
        cache.put(KEY, object())


def test_threads_share_one_cache(tmp_path: Path) -> None:
    with ContentCache(tmp_path / "cache.sqlite") as cache:
        threads = [threading.Thread(target=cache.put, args=(f"{n}", n)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [cache.get(f"{n}") for n in range(20)] == list(range(20))


def test_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    commands = [[sys.executable, "-c", WRITER, str(path), name] for name in ("a", "b", "c")]
    running = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    assert [process.wait() for process in running] == [0, 0, 0]
    with ContentCache(path) as cache:
        assert all(cache.get(f"{name}-{n}") == n for name in "abc" for n in range(50))


def test_what_one_process_stores_outlives_another_that_looks_in_between(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ContentCache(path) as first, ContentCache(path) as second:
        first.put("before", 1)
        looked = subprocess.run([sys.executable, "-c", WRITER, str(path), "other"], cwd=ROOT, check=False)
        assert looked.returncode == 0
        second.put("after", 2)
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as reader:
            kept = {key for (key,) in reader.execute("SELECT key FROM answers")}
    assert {"before", "after", "other-0"} <= kept
