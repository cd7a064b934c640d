import json
import os
import re
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest

from app.batch.audit import audit
from app.batch.pool import checked
from app.batch.sources import Source, sources_of
from app.batch.worker import Problem
from app.errors import UserError

FIRST_COURSE = (
    "病例特点：老年男性，咳嗽咳痰3天，伴发热，体温38.6℃，右下肺可闻及湿啰音。\n初步诊断：社区获得性肺炎\n"
    "拟诊讨论：患者急性起病，发热、咳嗽、咳黄痰，右下肺湿啰音，胸部影像见斑片影，考虑肺部感染，病原以细菌可能性大，"
    "需与肺结核、肺癌阻塞性肺炎相鉴别，结核多有低热盗汗，肿瘤多有消瘦和痰中带血，目前均不支持。\n诊疗计划：抗感染，完善痰培养。"
)

OTHER_FIRST_COURSE = (
    "病例特点：青年女性，受凉后高热2天，左胸刺痛，左下肺叩诊浊音。\n初步诊断：社区获得性肺炎\n"
    "拟诊讨论：青年女性受凉后骤起高热、胸痛，左下肺实变体征明显，血象以中性粒细胞为主，符合典型的大叶性表现，首先考虑肺炎链球菌；"
    "支原体感染多为干咳少痰而体征轻，与本例不合，肺栓塞的危险因素未见，暂可除外。\n诊疗计划：青霉素类静脉用药。"
)


def run(given, out, settings, *, workers=1, resume=False, on_progress=lambda _: None):
    return audit(
        str(given),
        Path(out),
        settings,
        use_model=False,
        workers=workers,
        resume=resume,
        on_progress=on_progress,
    )


def record_ids(out: Path) -> list[str]:
    return [json.loads(line)["record_id"] for line in (out / "results.jsonl").read_text("utf-8").splitlines()]


def problems(out: Path) -> list[tuple[str, str]]:
    shown = (json.loads(line) for line in (out / "errors.jsonl").read_text("utf-8").splitlines())
    return [(problem["source"], problem["kind"]) for problem in shown]


def test_every_record_is_in_exactly_one_file(jsonl, stay, tmp_path, settings):
    given = jsonl(stay("A"), "不是 JSON", "[1]", stay("B"), stay("A"), {"record_id": ""}, name="x.jsonl")
    statistics = run(given, tmp_path / "out", settings)
    assert record_ids(tmp_path / "out") == ["A", "B"]
    assert problems(tmp_path / "out") == [
        ("x.jsonl 第 2 行", "unreadable"), ("x.jsonl 第 3 行", "unreadable"),
        ("x.jsonl 第 5 行", "duplicate"), ("x.jsonl 第 6 行", "unreadable"),
    ]  # fmt: skip
    assert statistics.whole().records == 2
    assert statistics.whole().duplicates == 1


def test_the_workers_do_not_change_the_results(jsonl, stay, tmp_path, settings):
    given = jsonl(*(stay(f"R{n}") for n in range(20)), "坏行")
    run(given, tmp_path / "one", settings, workers=1)
    run(given, tmp_path / "two", settings, workers=2)
    for name in ("results.jsonl", "errors.jsonl", "summary.json", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_run_stopped_by_the_user_goes_on(jsonl, stay, tmp_path, settings):
    given = jsonl(*(stay(f"R{n}") for n in range(9)))
    seen = 0

    def stop_after_four(_: int) -> None:
        nonlocal seen
        seen += 1
        if seen == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(given, tmp_path / "out", settings, on_progress=stop_after_four)
    assert record_ids(tmp_path / "out") == ["R0", "R1", "R2", "R3"]
    run(given, tmp_path / "out", settings, resume=True)
    run(given, tmp_path / "whole", settings)
    for name in ("results.jsonl", "summary.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


SCRIPT = """
import sys
from pathlib import Path
from app.batch.audit import audit
from app.settings import Settings
if __name__ == "__main__":
    given, out, data = sys.argv[1:]
    audit(given, Path(out), Settings(data_dir=Path(data)), use_model=False, workers=2, resume=True,
          on_progress=lambda _: print("x", flush=True))
"""


def test_a_run_killed_loses_and_doubles_nothing(jsonl, stay, tmp_path, settings):
    given = jsonl(*(stay(f"R{n}") for n in range(60)))
    script = tmp_path / "run.py"
    script.write_text(SCRIPT, "utf-8")
    command = [sys.executable, str(script), given, str(tmp_path / "out"), str(settings.data_dir)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        for _ in range(10):
            process.stdout.readline()
        process.kill()
    results = tmp_path / "out" / "results.jsonl"
    assert 0 < len(results.read_bytes().splitlines()) < 60
    results.write_bytes(results.read_bytes()[:-7])
    run(given, tmp_path / "out", settings, resume=True)
    assert record_ids(tmp_path / "out") == [f"R{n}" for n in range(60)]
    assert problems(tmp_path / "out") == []


class DeadlySource(Source):
    """Ends the process that unpacks it."""

    def __reduce__(self):
        return os._exit, (3,)


def test_a_record_that_ends_its_process_is_a_problem_and_the_others_are_checked(jsonl, stay, settings):
    found = list(sources_of(jsonl(stay("A"), stay("B"), stay("C"))))
    found[1] = DeadlySource(*found[1])
    answers = [answer for _, answer in checked(found, settings, use_model=False, workers=2)]
    assert [getattr(answer, "kind", "checked") for answer in answers] == ["checked", "failed", "checked"]
    assert isinstance(answers[1], Problem)
    assert "异常退出" in answers[1].reason


def test_other_rules_are_not_mixed(jsonl, stay, tmp_path, settings):
    given = jsonl(stay("A"))
    run(given, tmp_path / "out", settings)
    with pytest.raises(UserError, match="评分方案、规则与这次不同"):
        run(given, tmp_path / "out", settings.model_copy(update={"profile": "grade-90-70"}), resume=True)


def test_reports_show_and_escape(jsonl, stay, tmp_path, settings):
    text = "主诉：<script>alert(1)</script>。\n现病史：=1+1"
    documents = [{"id": "D1", "type": "入院记录", "text": text, "written_at": "2026-03-03 10:00"}]
    given = jsonl(stay("=HYPERLINK(1)", documents=documents), "坏行")
    run(given, tmp_path / "out", settings)
    pages = [tmp_path / "out" / "report.html", *(tmp_path / "out" / "report").glob("*.html")]
    for page in pages:
        html = page.read_text("utf-8")
        assert "<script" not in html
        assert "</html>" in html
    assert "&lt;script&gt;" in (tmp_path / "out" / "report" / "record-001.html").read_text("utf-8")
    book = openpyxl.load_workbook(tmp_path / "out" / "report.xlsx")
    assert book.sheetnames[:6] == ["概况", "病历得分", "缺陷明细", "规则统计", "科室", "国家指标"]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    assert book["病历得分"]["A2"].value == "=HYPERLINK(1)"


def test_every_link_of_every_page_leads_somewhere(jsonl, stay, tmp_path, settings):
    given = jsonl(*(stay(f"R{n}") for n in range(3)))
    run(given, tmp_path / "out", settings)
    pages = [tmp_path / "out" / "report.html", *(tmp_path / "out" / "report").glob("*.html")]
    for page in pages:
        html = page.read_text("utf-8")
        for href in re.findall(r'href="([^"]+)"', html):
            target, _, anchor = href.partition("#")
            assert not target or (page.parent / target).exists(), (page, href)
            assert not anchor or f'id="{anchor}"' in html, (page, href)


def test_discussions_copied_between_patients_are_found_once(jsonl, stay, tmp_path, settings):
    copied = [{"id": "D1", "type": "首次病程记录", "text": FIRST_COURSE, "written_at": "2026-03-01 10:00"}]
    own = [{**copied[0], "text": OTHER_FIRST_COURSE}]
    given = jsonl(
        stay("A", documents=copied), stay("B", documents=copied), stay("C", documents=own), stay("D")
    )
    for resume in (False, True):
        run(given, tmp_path / "out", settings, resume=resume)
        results = [
            json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()
        ]
        found = [[f["rule"] for f in r["findings"]].count("L-504") for r in results]
        assert found == [1, 1, 0, 0]
        outcomes = [r["outcomes"]["L-504"] for r in results]
        assert outcomes == ["defect", "defect", "pass", "not_applicable"]
    evidence = next(f for f in results[0]["findings"] if f["rule"] == "L-504")["evidence"][0]
    assert FIRST_COURSE[evidence["start"] : evidence["end"]] == evidence["quote"]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    copying = next(i for i in summary["indicators"] if i["code"] == "MER-TQ-07")
    assert copying["numerator"] == 2
