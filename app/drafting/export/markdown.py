"""The draft as Markdown: every sentence with links to the numbered sources below."""

import re

from app.drafting.draft import Draft
from app.drafting.export.view import MISSING_HEADING, SOURCES_HEADING, Block, DraftView, Line
from app.labelling import markdown as markdown_label
from app.labelling.label import Label
from app.records.model import MedicalRecord

_ACTIVE = re.compile(r"[\\`*_{}\[\]<>#|~!&]")
_LEADING = re.compile(r"^(\s*)(\d+)([.)])|^(\s*)([-+=])", re.MULTILINE)


def render(draft: Draft, record: MedicalRecord, key: bytes) -> bytes:
    """The labelled text; ``draft``'s label is taken over, sealed anew over what this file shows."""
    view = DraftView(draft, record)
    parts = [
        f"# {view.title}", plain(view.patient_line), plain(view.date_line),
        *(_block(block) for block in view.blocks),
    ]  # fmt: skip
    if view.missing:
        parts += [
            f"## {MISSING_HEADING}",
            "\n".join(f"- {plain(m.what)}　{plain(m.where)}" for m in view.missing),
        ]
    parts += [f"## {SOURCES_HEADING}", _sources(view), view.notice]
    text = "\n\n".join(part for part in parts if part) + "\n"
    return markdown_label.write(text.encode(), Label.model_validate(draft.label), key)


def plain(text: str) -> str:
    """The text in one line, with nothing that Markdown or HTML would act upon."""
    escaped = _ACTIVE.sub(lambda m: f"\\{m[0]}", " ".join(text.split(" ")).replace("\n", " "))
    return _LEADING.sub(lambda m: f"{m[1]}{m[2]}\\{m[3]}" if m[2] else f"{m[4]}\\{m[5]}", escaped)


def _block(block: Block) -> str:
    if block.is_list:
        body = "\n".join(f"- {_line(line)}" for line in block.lines)
    else:
        body = "\n\n".join("".join(map(_line, lines)) for lines in block.paragraphs)
    return f"## {plain(block.name)}\n\n{body}"


def _line(line: Line) -> str:
    return plain(line.text) + "".join(f"[^{number}]" for number in line.numbers)


def _sources(view: DraftView) -> str:
    return "\n".join(
        f"[^{s.number}]: {plain(s.where)}{f'：“{plain(s.quote)}”' if s.quote else ''}" for s in view.sources
    )
