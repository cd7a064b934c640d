"""批量质控: many records at once, with progress, results and reports."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gradio as gr

from app.privacy.rights import Action
from app.service.desk import Desk
from app.storage.jobs import JOB_STATE_TITLES, JobState
from app.ui.page import Opening, Page
from app.ui.panel import QUIET, Fields, desk_of, drawn, on_act, on_upload, panel, told

_RUNNING = (JobState.WAITING, JobState.RUNNING)
_EVERY_SECONDS = 1.5
_COMMONEST = 10
_FILES = {
    "report.html": "报告（网页）",
    "report.xlsx": "报告（Excel）",
    "results.jsonl": "逐份结果",
    "errors.jsonl": "未能检查的",
}


class Tile(NamedTuple):
    """One figure."""

    title: str
    value: str


class Table(NamedTuple):
    """Some figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def build() -> Opening:
    """Upload, the jobs, and the result of the one chosen."""
    chosen = gr.State(None)
    with gr.Row(elem_classes="bl-upload-row"):
        button = gr.UploadButton(
            "上传病历并开始质控…",
            file_types=[".json", ".jsonl", ".zip"],
            variant="primary",
            elem_classes=["bl-upload"],
            elem_id="bl-batch-upload",
        )
        gr.HTML(
            "<span class='bl-soft bl-small'>JSON（一份病历）、JSONL（每行一份）或 ZIP。病历在本机检查，不进入病历库。</span>",
            padding=False,
        )
    jobs = panel("bl-jobs")
    clock = gr.Timer(_EVERY_SECONDS, active=False)
    on_upload(button, start, [jobs, clock, chosen])
    on_act(jobs, choose, [jobs, clock, chosen], [chosen])

    def tick(request: gr.Request, current: str | None) -> Any:  # noqa: ANN401
        return told(lambda: show(desk_of(request), current))

    clock.tick(tick, [chosen], [jobs, clock, chosen], **QUIET)
    return Opening(fill, [jobs, clock, chosen])


def fill(desk: Desk, query: Fields) -> list[object]:
    """The jobs, and the one that the address names."""
    return show(desk, query.get("audit"))


def start(desk: Desk, name: str, content: bytes) -> list[object]:
    """Audit the uploaded file."""
    return show(desk, desk.start_audit(name, content).id)


def choose(desk: Desk, said: Fields, chosen: str | None) -> list[object]:
    """Open a finished job, or take up a stopped one."""
    if said["act"] == "resume":
        desk.resume_audit(said["id"])
    return show(desk, said["id"])


def show(desk: Desk, chosen: str | None) -> list[object]:
    """The jobs as they stand; the clock ticks on while one of them runs."""
    jobs = desk.audits()
    job = desk.audit_job(chosen) if chosen else None
    summary = job.summary if job and job.state is JobState.DONE else None
    page = drawn(
        "jobs.html",
        jobs=jobs,
        job_states=JOB_STATE_TITLES,
        chosen=chosen,
        job=job,
        summary=summary,
        files=[(name, title) for name, title in _FILES.items() if job and name in job.files],
        tiles=_tiles(summary) if summary else (),
        tables=_tables(summary) if summary else (),
    )
    return [page, gr.Timer(active=any(job.state in _RUNNING for job in jobs)), chosen]


def _tiles(summary: Mapping[str, Any]) -> list[Tile]:
    grades = summary["grades"]
    mean, judged = summary["mean_score"], summary["judged_share"]
    return [
        Tile("份病历", str(summary["records"])),
        Tile("平均得分", "—" if mean is None else f"{mean:.1f}"),
        *(Tile(f"{grade}级", str(grades.get(grade, 0))) for grade in ("甲", "乙", "丙")),
        Tile("可判定比例", "—" if judged is None else f"{judged:.0%}"),
        Tile("未能检查", str(sum(summary["problems"].values()))),
    ]


def _tables(summary: Mapping[str, Any]) -> list[Table]:
    common = sorted(
        (rule for rule in summary["rules"] if rule["defect"]),
        key=lambda rule: (-rule["defect"], rule["code"]),
    )
    defects = [
        (
            f"{rule['code']} {rule['title']}",
            str(rule["defect"]),
            str(rule["defect"] + rule["pass"]),
            f"{rule['defect_share']:.0%}",
        )
        for rule in common[:_COMMONEST]
    ]
    departments = [
        (
            each["department"] or "未注明",
            str(each["records"]),
            _number(each["mean_score"]),
            *(str(each["grades"].get(grade, 0)) for grade in ("甲", "乙", "丙")),
        )
        for each in summary["departments"]
    ]
    return [
        Table("最常见的缺陷", ("规则", "有缺陷", "可判定", "占比"), defects),
        Table("各科室", ("科室", "份数", "平均得分", "甲级", "乙级", "丙级"), departments),
    ]


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f}"


PAGE = Page("batch", "批量质控", "成批检查、评分、定级，随时看进度。", (Action.AUDIT_BATCH,), build)
