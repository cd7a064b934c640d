"""The label of Word documents: the custom property ``AIGC``, and the notice as first and as last paragraph.

Canonical content: the text of the body, then of footnotes, endnotes and comments: paragraphs and table cells
in order, each ended by its own control character. Headers and footers are left out, because a word processor
rewrites the page numbers in them at every save; so are pictures.
"""

from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from app.labelling.found import Found, read_back
from app.labelling.label import Label, notice_among, sealed, to_json
from app.labelling.ooxml import WORD, Parts, label_copies, pack, to_bytes, unpack, with_label, xml_of

_DOCUMENT = "word/document.xml"
_NOTES = ("word/footnotes.xml", "word/endnotes.xml", "word/comments.xml")
_W = f"{{{WORD}}}"
_PARAGRAPH = f"{_W}p"
_TEXT = f"{_W}t"
_WRITTEN = {f"{_W}tab": "\t", f"{_W}br": "\v", f"{_W}cr": "\v", f"{_W}noBreakHyphen": "-"}
_ENDS = {_PARAGRAPH: "\n", f"{_W}tc": "\x1f", f"{_W}tr": "\x1e"}


def read(data: bytes) -> Found:
    """Find the label.

    Raises:
        UserError: a damaged file or no Word document.
    """
    return _found(unpack(data))


def write(data: bytes, label: Label, key: bytes) -> bytes:
    """Label the document in ``data``; an old label is replaced.

    Raises:
        UserError: a damaged file or no Word document.
        LabelError: the label does not read back whole.
    """
    parts = unpack(data)
    document = xml_of(parts, _DOCUMENT)
    if label.notice:
        _place_notice(document.find(f"{_W}body"), label.notice)
    parts[_DOCUMENT] = to_bytes(document)
    final = sealed(label, key, _found(parts).content)
    return read_back(read, pack(with_label(parts, to_json(final.AIGC))), final, key)


def _found(parts: Parts) -> Found:
    body = _text(xml_of(parts, _DOCUMENT))
    notes = (_text(xml_of(parts, name)) for name in _NOTES if name in parts)
    return Found(
        copies=label_copies(parts),
        notice=notice_among(body.splitlines()),
        content="".join((body, *(note for note in notes if note.strip()))),
    )


def _text(root: Any) -> str:  # noqa: ANN401 - lxml has no types
    pieces: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            pieces.append(_ENDS.get(element.tag, ""))
        elif element.tag == _TEXT:
            pieces.append(element.text or "")
        else:
            pieces.append(_WRITTEN.get(element.tag, ""))
    return "".join(pieces)


def _place_notice(body: Any, notice: str) -> None:  # noqa: ANN401
    blocks = [block for block in body if block.tag != f"{_W}sectPr"]
    if not blocks or _text(blocks[0]).strip() != notice:
        body.insert(0, _notice_paragraph(notice))
    if len(blocks) < 1 or _text(blocks[-1]).strip() != notice:
        _append(body, _notice_paragraph(notice))


def _append(body: Any, paragraph: Any) -> None:  # noqa: ANN401
    """Put the paragraph at the end, before the page settings, which must stay last."""
    settings = body.find(f"{_W}sectPr")
    if settings is None:
        body.append(paragraph)
    else:
        settings.addprevious(paragraph)


def _notice_paragraph(notice: str) -> Any:  # noqa: ANN401
    paragraph = etree.Element(_PARAGRAPH, nsmap={"w": WORD})
    properties = etree.SubElement(paragraph, f"{_W}pPr")
    etree.SubElement(properties, f"{_W}jc", {f"{_W}val": "center"})
    run = etree.SubElement(paragraph, f"{_W}r")
    etree.SubElement(run, _TEXT).text = notice
    return paragraph
