import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.batch.sources import Source
from app.batch.store import ERRORS, RESULTS, Store
from app.batch.worker import Checked, Problem
from app.errors import UserError

MARKS = {"评分方案": "national"}


def source(number: int, content: str = "") -> Source:
    return Source(f"第 {number} 行", Path("x.jsonl"), 0, b"", f"{number}{content}", 1, "", number)


def answer(record_id: str, score: float = 90.0) -> Checked:
    line = json.dumps({"record_id": record_id, "filler": "病" * 40}, ensure_ascii=False)
    return Checked(
        line, record_id, "内科", "2026-03", True, score, "甲", 1.0, 1.0, 1.0, "", (0, 0, 0, 0), "p", "n", "{}", False, None
    )  # fmt: skip


def answer_to(number: int) -> Checked | Problem:
    """Every fifth record cannot be read."""
    return Problem("unreadable", f"第 {number} 行不是病历。") if number % 5 == 4 else answer(f"R{number}")


def work(store: Store, numbers: range) -> None:
    for number in numbers:
        if not store.is_done(source(number)):
            store.add(source(number), answer_to(number))


def lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text("utf-8").splitlines()


def expected(n: int) -> tuple[list[str], list[str]]:
    results = [answer(f"R{i}").result for i in range(n) if i % 5 != 4]
    return results, [f"第 {i} 行" for i in range(n) if i % 5 == 4]


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 12),
    stops=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 300), st.integers(0, 200)), max_size=3),
)
def test_no_record_is_lost_or_doubled_by_stops(n, stops):
    """A stop leaves the folder as it is at one instant, and may cut the files anywhere."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "0"
        for number, (done, cut_results, cut_errors) in enumerate(stops, 1):
            snapshot = Path(root) / str(number)
            with Store(folder, MARKS, resume=True) as store:
                work(store, range(min(done, n)))
                shutil.copytree(folder, snapshot)
            for name, cut in ((RESULTS, cut_results), (ERRORS, cut_errors)):
                path = snapshot / name
                content = path.read_bytes()
                path.write_bytes(content[: max(0, len(content) - cut)])
            folder = snapshot
        with Store(folder, MARKS, resume=True) as store:
            work(store, range(n))
            store.put_in_order()
        results, problems = expected(n)
        assert lines(folder, RESULTS) == results
        assert [json.loads(line)["source"] for line in lines(folder, ERRORS)] == problems


def test_a_stop_between_writing_anew_and_swapping_is_mended(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    with Store(folder, MARKS, resume=False) as store:
        work(store, range(4))

        def stopped(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Path, "replace", stopped)
        with pytest.raises(KeyboardInterrupt):
            store.rewrite(RESULTS, lambda place, line: line + b" ")
        monkeypatch.undo()
        snapshot = shutil.copytree(folder, tmp_path / "snapshot")
    with Store(snapshot, MARKS, resume=True) as store:
        work(store, range(4))
        store.put_in_order()
    assert lines(snapshot, RESULTS) == [answer(f"R{i}").result + " " for i in range(4)]


def test_a_changed_source_is_done_again_and_a_vanished_one_is_dropped(tmp_path):
    with Store(tmp_path, MARKS, resume=False) as store:
        work(store, range(3))
    with Store(tmp_path, MARKS, resume=True) as store:
        assert store.is_done(source(0))
        assert not store.is_done(source(1, "改过"))
        store.add(source(1, "改过"), answer("R1b"))
        store.put_in_order()
    assert [json.loads(line)["record_id"] for line in lines(tmp_path, RESULTS)] == ["R0", "R1b"]


def test_a_repeated_id_is_a_problem_of_the_later_record(tmp_path):
    with Store(tmp_path, MARKS, resume=False) as store:
        for number in (0, 1):
            store.add(source(number), answer("同号"))
        store.put_in_order()
        assert [entry.place for entry in store.entries()] == ["第 0 行"]
        (failure,) = store.failures()
    assert (failure.problem, failure.record_id) == ("duplicate", "同号")
    assert "第 0 行" in failure.reason


def test_an_id_is_no_longer_repeated_once_the_first_record_is_mended(tmp_path):
    with Store(tmp_path, MARKS, resume=False) as store:
        for number in (0, 1):
            store.add(source(number), answer("同号"))
    with Store(tmp_path, MARKS, resume=True) as store:
        for changed, record_id in ((source(0, "改过"), "新号"), (source(1), "同号")):
            assert not store.is_done(changed)
            store.add(changed, answer(record_id))
        store.put_in_order()
        assert not list(store.failures())
    assert [json.loads(line)["record_id"] for line in lines(tmp_path, RESULTS)] == ["新号", "同号"]


def test_an_unfinished_run_is_not_overwritten(tmp_path):
    with Store(tmp_path, MARKS, resume=False) as store:
        work(store, range(2))
    with pytest.raises(UserError, match=r"没有做完的审核.*--resume"):
        Store(tmp_path, MARKS, resume=False)
    assert len(lines(tmp_path, RESULTS)) == 2


def test_a_finished_run_is_begun_anew(tmp_path):
    with Store(tmp_path, MARKS, resume=False) as store:
        work(store, range(2))
        store.mark_finished()
    with Store(tmp_path, MARKS, resume=False):
        pass
    assert lines(tmp_path, RESULTS) == []


def test_results_of_other_settings_are_not_mixed(tmp_path):
    with Store(tmp_path, MARKS, resume=False):
        pass
    with pytest.raises(UserError, match="评分方案与这次不同"):
        Store(tmp_path, {"评分方案": "grade-90-70"}, resume=True)


def test_two_runs_do_not_write_one_folder(tmp_path):
    with Store(tmp_path, MARKS, resume=False), pytest.raises(UserError, match="另一个审核正在写入"):
        Store(tmp_path, MARKS, resume=True)


def test_a_state_that_is_no_state_is_named(tmp_path):
    (tmp_path / "state.sqlite").write_text("不是数据库" * 100, "utf-8")
    with pytest.raises(UserError, match=r"state\.sqlite 不是审核的进度文件"):
        Store(tmp_path, MARKS, resume=True)
