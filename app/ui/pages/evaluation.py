"""评测: how well the assistant does on labelled notes, with intervals."""

import gradio as gr

from app.privacy.rights import Action
from app.qc.intervals import Interval
from app.service.desk import Desk
from app.ui.page import Opening, Page
from app.ui.panel import Fields, drawn, on_upload, panel
from eval.metrics import Counts, macro_f1, micro

FORMAT = "chip2025"


def build() -> Opening:
    """Upload, and the figures."""
    with gr.Row(elem_classes="bl-upload-row"):
        button = gr.UploadButton(
            "上传标注并评测…",
            file_types=[".json", ".jsonl"],
            variant="primary",
            elem_classes=["bl-upload"],
            elem_id="bl-labels-upload",
        )
        gr.HTML(
            "<span class='bl-soft bl-small'>入院记录内涵质控（chip2025 格式）。只上传去标识的资料。</span>",
            padding=False,
        )
    region = panel("bl-evaluation")
    on_upload(button, measure, region)
    return Opening(fill, [region])


def fill(desk: Desk, query: Fields) -> list[object]:
    """What to upload."""
    return [drawn("evaluation.html", evaluation=None)]


def measure(desk: Desk, name: str, content: bytes) -> str:
    """Check every note and compare with its labels."""
    found = desk.evaluation(name, content, FORMAT).as_json()
    counts = {item: Counts(row["tp"], row["fp"], row["fn"]) for item, row in found["rules"].items()}
    return drawn(
        "evaluation.html",
        name=name,
        evaluation=found,
        counts=counts,
        whole=micro(counts),
        macro=macro_f1(counts),
        interval=_told,
    )


def _told(interval: Interval) -> str:
    return f"{interval.low:.2f}–{interval.high:.2f}"


PAGE = Page("evaluation", "评测", "用带标注的资料量出查准率、查全率。", (Action.EVALUATE,), build)
