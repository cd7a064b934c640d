import json
import os
from pathlib import Path

import pytest

from app.batch import sources
from app.batch.sources import reread, sources_of, total_bytes
from app.errors import UserError


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "b.json").write_text('{"record_id": "B"}', "utf-8")
    (tmp_path / "a.jsonl").write_text('{"record_id": "1"}\n\n  \n{"record_id": "2"}', "utf-8")
    (tmp_path / "说明.md").write_text("不是病历", "utf-8")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "入院记录.txt").write_text("主诉：咳嗽3天。", "utf-8")
    return tmp_path


def test_a_folder_gives_files_lines_and_text_folders_in_order(folder):
    found = list(sources_of(str(folder)))
    assert [s.place for s in found] == ["a.jsonl 第 1 行", "a.jsonl 第 4 行", "b.json", "c"]
    assert [s.sequence for s in found] == [0, 1, 2, 3]
    assert [s.content for s in found] == [
        b'{"record_id": "1"}\n', b'{"record_id": "2"}', b'{"record_id": "B"}', None,
    ]  # fmt: skip


def test_a_glob_gives_the_files_that_match(folder):
    assert [s.place for s in sources_of(f"{folder}/*.json")] == [f"{folder}/b.json"]


def test_a_record_is_read_again_where_it_stood(folder):
    for source in sources_of(str(folder / "a.jsonl")):
        assert reread(source.path, source.offset, source.size, source.digest) == source.content


@pytest.mark.parametrize("change", [b'{"record_id": "X"}\n', b""])
def test_a_record_that_changed_is_not_read_again(folder, change):
    (source,) = sources_of(str(folder / "b.json"))
    source.path.write_bytes(change)
    assert reread(source.path, source.offset, source.size, source.digest) is None


def test_the_same_content_has_the_same_identity_wherever_the_folder_is(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "b.json").write_bytes((folder / "b.json").read_bytes())
    (here,) = sources_of(str(folder / "b.json"))
    (there,) = sources_of(str(other))
    assert (here.place, here.digest) == (there.place, there.digest)


@pytest.mark.parametrize(
    ("given", "sentence"), [("没有", "找不到"), ("没有*.json", "没有与"), ("空", "里没有")]
)
def test_nothing_there(tmp_path, given, sentence):
    (tmp_path / "空").mkdir()
    with pytest.raises(UserError, match=sentence):
        sources_of(str(tmp_path / given))


def test_a_line_that_is_too_long_is_a_problem_and_the_next_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST_BYTES", 40)
    path = tmp_path / "x.jsonl"
    long = json.dumps({"record_id": "长" * 30}, ensure_ascii=False)
    path.write_text(f'{long}\n{{"record_id": "2"}}\n', "utf-8")
    first, second = sources_of(str(path))
    assert "超过" in first.problem
    assert first.content is None
    assert second.content == b'{"record_id": "2"}\n'
    assert reread(path, second.offset, second.size, second.digest) == second.content


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_a_problem(folder):
    (folder / "b.json").chmod(0)
    assert any("无法读取" in s.problem for s in sources_of(str(folder)))


def test_progress_counts_the_bytes_read(folder):
    blank_lines = len("\n  \n")
    assert total_bytes(str(folder)) == sum(s.size for s in sources_of(str(folder))) + blank_lines
