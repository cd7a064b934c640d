"""评测: how well the assistant does on labelled material, with intervals."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import gradio as gr

from app.privacy.rights import Action
from app.service.desk import Desk
from app.ui.page import Opening, Page
from app.ui.panel import Fields, drawn, on_upload, panel
from eval.metrics import Counts, macro_f1, micro


class Kind(NamedTuple):
    """Something that can be measured.

    Attributes:
        format: as the desk names it.
        button: what the upload button says.
        material: what to upload.
        suffixes: of the files.
        measure: gives the figures as HTML for the desk, the file's name and its content.
    """

    format: str
    button: str
    material: str
    suffixes: tuple[str, ...]
    measure: Callable[[Desk, str, bytes], str]


def build() -> Opening:
    """One upload for each kind, and the figures."""
    buttons = []
    with gr.Column(elem_classes="bl-uploads"):
        for kind in KINDS:
            with gr.Row(elem_classes="bl-upload-row"):
                buttons.append(
                    gr.UploadButton(
                        kind.button,
                        file_types=list(kind.suffixes),
                        variant="primary",
                        elem_classes=["bl-upload"],
                        elem_id=f"bl-{kind.format}-upload",
                    )
                )
                gr.HTML(f"<span class='bl-soft bl-small'>{kind.material}</span>", padding=False)
    region = panel("bl-evaluation")
    for kind, button in zip(KINDS, buttons, strict=True):
        on_upload(button, kind.measure, region)
    return Opening(fill, [region])


def fill(desk: Desk, query: Fields) -> list[object]:
    """What to upload."""
    return [drawn("evaluation.html", evaluation=None)]


def measure_notes(desk: Desk, name: str, content: bytes) -> str:
    """Check every note and compare with its labels."""
    found = desk.evaluation(name, content, "chip2025").as_json()
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


def measure_claims(desk: Desk, name: str, content: bytes) -> str:
    """Verify every claim and compare with its label."""
    found = desk.evaluation(name, content, "claims").as_json()
    return drawn("claims.html", name=name, whole=found, kinds=found["by_kind"], interval=_told)


def _told(interval: Sequence[float]) -> str:
    low, high = interval
    return f"{low:.2f}–{high:.2f}"


KINDS = (
    Kind(
        "chip2025",
        "上传入院记录标注…",
        "入院记录内涵质控（chip2025 格式）。只上传去标识的资料。",
        (".json", ".jsonl"),
        measure_notes,
    ),
    Kind(
        "claims",
        "上传陈述标注…",
        "陈述核对：每行一个 JSON，含 id、claim（陈述）、sources（出处原文）、label。只上传去标识的资料。",
        (".jsonl",),
        measure_claims,
    ),
)

PAGE = Page(
    "evaluation", "评测", "用带标注的资料，量出缺陷查得准不准、陈述核对得对不对。", (Action.EVALUATE,), build
)
