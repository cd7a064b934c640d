"""出院小结: a draft beside its sources, decided about sentence by sentence."""

import queue
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import gradio as gr

from app.drafting.draft import Citation, Draft, DraftSection, DraftSentence
from app.drafting.export.view import DraftView
from app.drafting.review import Place, sentence_at
from app.errors import UserError
from app.privacy.rights import Action
from app.records.model import Evidence, MedicalRecord
from app.service.desk import Desk
from app.storage.drafts import StoredDraft
from app.storage.records import RecordFilter, RecordSummary
from app.ui.page import Opening, Page
from app.ui.panel import Fields, drawn, on_act, on_stream, panel

_AT_ONCE = 50
_AROUND = 60
_FORMATS = (
    ("docx", "Word"),
    ("pdf", "PDF"),
    ("html", "网页"),
    ("md", "Markdown"),
    ("json", "JSON"),
    ("fhir.json", "FHIR"),
)


class Shown(NamedTuple):
    """A source in its surroundings."""

    where: str
    before: str
    quote: str
    after: str


def build() -> Opening:
    """The patients beside the draft of the one chosen."""
    with gr.Row(elem_classes="bl-columns"):
        with gr.Column(scale=3, min_width=260):
            stays = panel("bl-stays")
        with gr.Column(scale=10, min_width=280):
            desk = panel("bl-draft")
    on_act(stays, turn, [stays, desk])
    on_stream(desk, work_on, desk)
    return Opening(fill, [stays, desk])


def fill(desk: Desk, query: Fields) -> list[object]:
    """The patients, and the draft that the address names."""
    if "draft" in query:
        stored = desk.stored_draft(query["draft"])
        return [_stays(desk, "", stored.record_id), _drawn(desk, stored.record_id, stored)]
    record_id = query.get("record")
    return [
        _stays(desk, "", record_id),
        _latest(desk, record_id) if record_id else drawn("draft.html", summary=None),
    ]


def turn(desk: Desk, said: Fields) -> list[object]:
    """Look for a patient, or open one's newest draft."""
    if said["act"] == "find":
        return [_stays(desk, said.get("text", "").strip(), None), gr.skip()]
    return [_stays(desk, "", said["id"]), _latest(desk, said["id"])]


def work_on(desk: Desk, said: Fields) -> Iterator[str]:
    """Draft, show a sentence's sources, or decide about it."""
    if said["act"] == "write":
        yield from _write(desk, said["id"])
        return
    stored = desk.stored_draft(said["id"])
    place = Place(said.get("section", ""), int(said.get("number", 0)))
    version = int(said.get("version", 0))
    if said["act"] == "add":
        stored = desk.review_sentence(stored.id, version, place.section, -1, "written", text=said["text"])
        place = Place(place.section, len(_section(stored.draft, place.section).sentences) - 1)
    elif said["act"] == "accept_rest":
        stored = desk.accept_rest(stored.id, version)
    elif said["act"] == "decide":
        stored = _decide(desk, stored, version, place, said)
    yield _drawn(desk, stored.record_id, stored, place if place.section else None)


def _decide(desk: Desk, stored: StoredDraft, version: int, place: Place, said: Fields) -> StoredDraft:
    """The one field holds the new words of an edit, or the reason of a rejection."""
    text = said.get("text", "").strip()
    is_changed = text != sentence_at(stored.draft, place).text
    match said["state"]:
        case "edited" if is_changed:
            return desk.review_sentence(stored.id, version, *place, "edited", text=text)
        case "rejected":
            reason = text if is_changed else ""
            return desk.review_sentence(stored.id, version, *place, "rejected", reason=reason)
        case "accepted":
            return desk.review_sentence(stored.id, version, *place, "accepted")
    raise UserError("句子没有改动；照用请点“接受”，要改请先改写文字。")


def _write(desk: Desk, record_id: str) -> Iterator[str]:
    """Draft in a thread of its own, and show every sentence as soon as it stands."""
    said: queue.Queue[Any] = queue.Queue()

    def write() -> None:
        try:
            said.put(desk.draft(record_id, on_sentence=said.put))
        except Exception as error:
            said.put(error)

    threading.Thread(target=write, daemon=True).start()
    sections: dict[str, list[DraftSentence]] = {}
    yield _in_progress(desk, record_id, sections)
    while True:
        found = [said.get()]
        while not said.empty():
            found.append(said.get())
        for one in found:
            if isinstance(one, Exception):
                raise one
            if isinstance(one, StoredDraft):
                yield _drawn(desk, record_id, one)
                return
            sections.setdefault(one.section, []).append(one.sentence)
        yield _in_progress(desk, record_id, sections)


def _section(draft: Draft, name: str) -> DraftSection:
    return next(section for section in draft.sections if section.name == name)


def _stays(desk: Desk, text: str, chosen: str | None) -> str:
    page = desk.records(RecordFilter(text=text or None), limit=_AT_ONCE)
    return drawn("stays.html", page=page, text=text, chosen=chosen)


def _latest(desk: Desk, record_id: str) -> str:
    return _drawn(desk, record_id, next(iter(desk.drafts(record_id)), None))


def _in_progress(desk: Desk, record_id: str, sections: dict[str, list[DraftSentence]]) -> str:
    done = sum(map(len, sections.values()))
    so_far = [DraftSection(name=name, sentences=tuple(found)) for name, found in sections.items()]
    return _page(
        desk.record_summary(record_id),
        draft={"sections": so_far, "missing": ()} if so_far else None,
        progress=f"正在起草，已写成 {done} 句；写成的句子随时可看，全部核对后才能审阅。",
    )


def _drawn(desk: Desk, record_id: str, stored: StoredDraft | None, place: Place | None = None) -> str:
    summary = desk.record_summary(record_id)
    others = desk.drafts(record_id)
    may_draft = desk.may(Action.DRAFT, record_id)
    if stored is None:
        return _page(summary, others=others, may_draft=may_draft)
    record = desk.record(record_id)
    view = DraftView(_in_one_piece(stored.draft), record)
    sentence = sentence_at(stored.draft, place) if place else None
    return _page(
        summary,
        others=others,
        may_draft=may_draft,
        stored=stored,
        draft=stored.draft,
        notice=view.notice,
        missing=view.missing,
        n_open=sum(not s.review for section in stored.draft.sections for s in section.sentences),
        may_review=desk.may(Action.REVIEW_DRAFT, record_id),
        chosen=tuple(place) if place else None,
        sentence=sentence,
        sources=[_shown(record, view, citation) for citation in sentence.citations] if sentence else [],
    )


def _page(summary: RecordSummary, **values: Any) -> str:  # noqa: ANN401
    plain: dict[str, Any] = {
        "stored": None,
        "draft": None,
        "notice": "",
        "missing": (),
        "n_open": 0,
        "may_draft": False,
        "may_review": False,
        "chosen": None,
        "sentence": None,
        "sources": [],
        "others": (),
        "progress": "",
    }
    return drawn("draft.html", summary=summary, formats=_FORMATS, **(plain | values))


def _in_one_piece(draft: Draft) -> Draft:
    """The draft as one section of undecided sentences, so that the view knows the sources of them all."""
    sentences = (s.model_copy(update={"review": ()}) for section in draft.sections for s in section.sentences)
    return draft.model_copy(update={"sections": (DraftSection(name="全部", sentences=tuple(sentences)),)})


def _shown(record: MedicalRecord, view: DraftView, citation: Citation) -> Shown:
    if isinstance(citation, Evidence) and citation.document_id in record.documents_by_id:
        text = record.documents_by_id[citation.document_id].text
        document = record.documents_by_id[citation.document_id]
        start, end = max(0, citation.start - _AROUND), citation.end + _AROUND
        before = ("…" if start else "") + text[start : citation.start].lstrip()
        after = text[citation.end : end].rstrip() + ("…" if end < len(text) else "")
        return Shown(view.document_name(document), before, citation.quote, after)
    source = next(source for source in view.sources if source.citation == citation)
    return Shown(source.where, "", source.quote or source.where, "")


PAGE = Page("discharge", "出院小结", "草稿逐句对照出处，接受、修改或弃用。", (Action.DRAFT,), build)
