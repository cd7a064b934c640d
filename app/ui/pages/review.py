"""质控审核: findings as work, each in its record, with what it rests on and what may be done."""

from typing import NamedTuple

import gradio as gr

from app.errors import UserError
from app.privacy.rights import Action
from app.qc.render.marked import place
from app.records.model import Evidence, MedicalRecord
from app.review.recall import RECALL_STATE_TITLES, RecallState
from app.review.transitions import STEP_TITLES, Step
from app.service.desk import Desk
from app.service.views import FindingCard
from app.storage.findings import PROGRAM, RAISED, RETURNED, VANISHED, FindingFilter
from app.storage.states import OPEN_STATES, State
from app.ui.logic import in_words
from app.ui.marked import Mark, Piece, pieces
from app.ui.page import Opening, Page
from app.ui.panel import Fields, document_label, drawn, on_act, panel

_AT_ONCE = 30
_PROGRAM_STEPS = {RAISED: "发现", VANISHED: "复查已不再发现", RETURNED: "复查再次发现"}


class Note(NamedTuple):
    """A note of the record, in pieces.

    Attributes:
        is_open: whether evidence of the finding lies in it.
        is_main: whether it is the note that the finding is about.
    """

    label: str
    pieces: list[Piece]
    is_open: bool
    is_main: bool


def build() -> Opening:
    """The queue beside the finding that is open."""
    asked, chosen = gr.State({"state": "open"}), gr.State(None)
    with gr.Row(elem_classes="bl-columns"):
        with gr.Column(scale=3, min_width=280):
            queue = panel("bl-queue")
        with gr.Column(scale=8, min_width=280):
            detail = panel("bl-finding")
    on_act(queue, turn, [queue, detail, asked, chosen], [asked, chosen])
    on_act(detail, work_on, [detail, queue], [asked])
    return Opening(fill, [queue, detail, asked, chosen])


def fill(desk: Desk, query: Fields) -> list[object]:
    """The queue, and the finding that the address names."""
    asked = {"state": "open"} | {name: query[name] for name in ("record_id", "rule") if name in query}
    chosen = query.get("finding")
    return [_queue(desk, asked, chosen), _detail(desk, chosen), asked, chosen]


def turn(desk: Desk, said: Fields, asked: Fields, chosen: str | None) -> list[object]:
    """Filter, turn the page, open a finding, or decide about a recall."""
    if said["act"] == "recall":
        _recall(desk, said)
        return [_queue(desk, asked, chosen), _detail(desk, chosen), asked, chosen]
    if said["act"] == "open":
        chosen = said["id"]
        return [_queue(desk, asked, chosen), _detail(desk, chosen), asked, chosen]
    if said["act"] == "more":
        asked = {**asked, "cursor": said["cursor"]}
    else:
        names = ("state", "severity", "stage", "record_id", "rule", "department")
        asked = {name: said.get(name, "").strip() for name in names}
    return [_queue(desk, asked, chosen), gr.skip(), asked, chosen]


def work_on(desk: Desk, said: Fields, asked: Fields) -> list[object]:
    """Take a step with the open finding."""
    _DOES[said["act"]](desk, said)
    return [_detail(desk, said["id"]), _queue(desk, asked, said["id"])]


def _step(desk: Desk, said: Fields) -> None:
    assignee = said.get("assignee", "").strip()
    desk.act(
        said["id"],
        Step(said["step"]),
        int(said["version"]),
        reason=said.get("reason", ""),
        evidence=said.get("evidence", ""),
        assignee=assignee or None,
    )


def _rewrite(desk: Desk, said: Fields) -> None:
    """Save the changed note; the check that follows closes the finding if it is mended."""
    work = desk.finding(said["id"])
    record = desk.record(work.record_id)
    text = said["text"].replace("\r\n", "\n")
    changed = tuple(
        document.model_copy(update={"text": text}) if document.id == work.finding.document_id else document
        for document in record.documents or ()
    )
    if changed == record.documents:
        raise UserError("文书没有改动，请改正后再保存。")
    desk.save_record(
        record.model_copy(update={"documents": changed}), work.stage, version=int(said["record"])
    )
    after = desk.finding(said["id"])
    if after.is_present and any(way.step is Step.CORRECT for way in after.actions):
        desk.act(after.id, Step.CORRECT, after.version)


def _ask_recall(desk: Desk, said: Fields) -> None:
    desk.request_recall(desk.finding(said["id"]).record_id, said.get("reason", ""))


def _recall(desk: Desk, said: Fields) -> None:
    desk.decide_recall(
        said["recall"],
        int(said["version"]),
        is_approved=said["verdict"] == "yes",
        answer=said.get("answer", ""),
    )


_DOES = {"step": _step, "rewrite": _rewrite, "ask_recall": _ask_recall, "recall": _recall}


def _filter(asked: Fields) -> FindingFilter:
    chosen = asked.get("state") or ""
    states = OPEN_STATES if chosen == "open" else (State(chosen),) if chosen else ()
    plain = {
        name: asked.get(name) or None for name in ("severity", "stage", "record_id", "rule", "department")
    }
    return FindingFilter(states=states, **plain)


def _queue(desk: Desk, asked: Fields, chosen: str | None) -> str:
    wanted = _filter(asked)
    page = desk.findings(wanted, cursor=asked.get("cursor") or None, limit=_AT_ONCE)
    counts = desk.finding_counts(wanted.model_copy(update={"states": ()}))
    seen = {
        "severity": "",
        "stage": "",
        "state": "",
        "record_id": "",
        "rule": "",
        "department": "",
        "cursor": "",
    }
    recalls = desk.recalls() if desk.may(Action.RECALL_APPROVE) else ()
    asked = seen | dict(asked)
    return drawn("queue.html", page=page, counts=counts, asked=asked, chosen=chosen, recalls=recalls)


def _detail(desk: Desk, finding_id: str | None) -> str:
    if not finding_id:
        return drawn("finding.html", work=None)
    work = desk.finding(finding_id)
    record, summary = desk.record(work.record_id), desk.record_summary(work.record_id)
    steps = {way.step for way in work.actions}
    document = record.documents_by_id.get(work.finding.document_id or "")
    explanation = desk.explain(finding_id)
    recalls = desk.recalls_of(work.record_id)
    questions = {fact.name: fact.question for fact in explanation.facts} if explanation else {}
    return drawn(
        "finding.html",
        work=work,
        summary=summary,
        record_version=summary.version,
        document=document,
        where=_where(record, work),
        place_of=lambda evidence: place(record, evidence.document_id, None),
        clause=desk.clause_text(work.finding.basis[0]),
        explanation=explanation,
        logic=lambda text: in_words(text, questions),
        steps=[(way.step.value, way.title) for way in work.actions],
        needs_reason=[way.title for way in work.actions if way.needs_reason],
        may_appeal=Step.APPEAL in steps,
        may_assign=Step.ASSIGN in steps,
        may_correct_text=Step.CORRECT in steps and document is not None and not summary.is_locked,
        recalls=recalls,
        is_recall_waiting=any(recall.state is RecallState.WAITING for recall in recalls),
        recall_states=RECALL_STATE_TITLES,
        may_request_recall=desk.may(Action.RECALL_REQUEST, work.record_id),
        may_decide_recall=desk.may(Action.RECALL_APPROVE, work.record_id),
        actor=lambda name: "程序" if name == PROGRAM else name,
        action=lambda name: _PROGRAM_STEPS.get(name) or STEP_TITLES.get(name, name),
        notes=_notes(record, work),
    )


def _where(record: MedicalRecord, work: FindingCard) -> str:
    known = work.finding.document_id in record.documents_by_id
    return place(record, work.finding.document_id if known else None, work.finding.section)


def _notes(record: MedicalRecord, work: FindingCard) -> list[Note]:
    marks: dict[str, list[Mark]] = {}
    for evidence in work.finding.evidence:
        if _holds(record, evidence):
            mark = Mark(evidence.start, evidence.end, work.finding.severity, is_now=True)
            marks.setdefault(evidence.document_id, []).append(mark)
    main = work.finding.document_id
    return [
        Note(
            document_label(document),
            pieces(document.text, marks.get(document.id, [])),
            is_open=document.id in marks or document.id == main,
            is_main=document.id == (main if main in marks else next(iter(marks), main)),
        )
        for document in record.documents or ()
    ]


def _holds(record: MedicalRecord, evidence: Evidence) -> bool:
    """Whether the words still stand there; the record may have changed since the check."""
    document = record.documents_by_id.get(evidence.document_id)
    return document is not None and document.text[evidence.start : evidence.end] == evidence.quote


PAGE = Page(
    "review", "质控审核", "缺陷逐条处理：分派、整改、申诉、裁定、关闭。", (Action.READ_FINDINGS,), build
)
