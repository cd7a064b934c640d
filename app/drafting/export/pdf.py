"""The draft as PDF on A4 with embedded Chinese fonts: selectable text, page numbers, numbered sources at its end."""

import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from fpdf import FPDF
from fpdf.fonts import TTFFont
from pylopdf_fonts_zh_cn import sans_path, serif_path

from app.drafting.draft import Draft
from app.drafting.export.view import (
    MISSING_HEADING,
    SIGNATURE,
    SOURCES_HEADING,
    Block,
    DraftView,
    Line,
    MarkPiece,
)
from app.labelling import pdf as pdf_label
from app.labelling.label import Label
from app.records.model import MedicalRecord

_BODY, _HEADING = "serif", "sans"
_SIZE, _SMALL, _TITLE = 11.0, 9.0, 18.0
"""Font sizes in points."""
_LEADING = 0.6
"""Height of a line in mm for each point of its size."""
_MARGIN, _INDENT = 22.0, 6.0
"""In mm."""
_RAISED = 0.62
"""Size of a superscript relative to the text."""
_UNBROKEN = re.compile(r"[（“《［(\[]*(?:[A-Za-z0-9.,:/%^×~\-]+|.)[，。；：、！？）”》％℃］)\]]*", re.DOTALL)
"""What a line break must not divide: a number or Latin word, and punctuation with what it belongs to."""


class _Run(NamedTuple):
    """Text of one style; a raised one is the mark of ``line``, whose numbers lead to their sources."""

    text: str
    font: str = _BODY
    is_raised: bool = False
    line: Line | None = None


def render(draft: Draft, record: MedicalRecord, key: bytes) -> bytes:
    """The labelled document; ``draft``'s label is taken over, sealed anew over what the pages show."""
    view = DraftView(draft, record)
    sheet = _Sheet(view)
    if view.notice:
        sheet.centred(view.notice, _SMALL)
    sheet.centred(view.title, _TITLE, _HEADING)
    sheet.paragraph([_Run(view.patient_line)])
    sheet.paragraph([_Run(view.date_line)])
    for block in view.blocks:
        _block(sheet, block)
    sheet.signature()
    if view.missing:
        sheet.heading(MISSING_HEADING)
        for missing in view.missing:
            sheet.paragraph([_Run(f"{missing.what}　{missing.where}")], size=_SMALL)
    sheet.heading(SOURCES_HEADING)
    for source in view.sources:
        quote = f"：“{source.quote}”" if source.quote else ""
        sheet.source(source.number, f"[{source.number}] {source.where}{quote}")
    if view.notice:
        sheet.centred(view.notice, _SMALL)
    return pdf_label.write(bytes(sheet.output()), Label.model_validate(draft.label), key)


def _block(sheet: "_Sheet", block: Block) -> None:
    name = _Run(f"{block.name}：", _HEADING)
    if not block.is_list:
        sheet.paragraph([name, *_paragraph(block.paragraphs[0])], above=2)
        for lines in block.paragraphs[1:]:
            sheet.paragraph(_paragraph(lines))
        return
    sheet.keep_with_next()
    sheet.paragraph([name], above=2)
    for line in block.lines:
        sheet.paragraph(_runs(line), indent=_INDENT)


def _paragraph(lines: Iterable[Line]) -> list[_Run]:
    return [run for line in lines for run in _runs(line)]


def _runs(line: Line) -> list[_Run]:
    return [_Run(line.text), *([_Run(line.mark, is_raised=True, line=line)] if line.mark else [])]


class _Sheet(FPDF):
    """Pages with the patient above and the page number below."""

    def __init__(self, view: DraftView) -> None:
        super().__init__(format="A4")
        self._view = view
        self._places: dict[int, int] = {}
        # fpdf2 and fontTools log what they leave out of the fonts; missing glyphs are replaced before.
        for name in ("fontTools", "fpdf"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self.add_font(_BODY, fname=serif_path())
        self.add_font(_HEADING, fname=sans_path())
        fonts = [font for font in self.fonts.values() if isinstance(font, TTFFont)]
        self._covered = frozenset.intersection(*(frozenset(font.cmap) for font in fonts))
        for font in fonts:
            font.ttfont.recalcBBoxes = False  # the boxes of the whole font hold for a part; saves seconds
        self.set_margins(_MARGIN, _MARGIN)
        self.set_auto_page_break(True, margin=_MARGIN)
        self.set_title(view.title)
        self.set_lang("zh-CN")
        self.set_creation_date(view.draft.created_at)
        self.add_page()

    def header(self) -> None:
        """Which document, whose."""
        self._in_margin(10, self._view.running_head)
        self.set_y(_MARGIN)

    def footer(self) -> None:
        """The notice and the page number."""
        self._in_margin(
            -15,
            f"{self._view.notice}{'　　' if self._view.notice else ''}第 {self.page_no()} 页　共 {{nb}} 页",
        )

    def _in_margin(self, y: float, text: str) -> None:
        self.set_y(y)
        self.set_font(_HEADING, size=8)
        self.set_text_color(110)
        self.cell(self.epw, 5, self._drawable(text), align="C")
        self.set_text_color(0)

    def centred(self, text: str, size: float, font: str = _BODY) -> None:
        """One line in the middle."""
        self.set_font(font, size=size)
        self.cell(
            self.epw, size * _LEADING + 1, self._drawable(text), align="C", new_x="LMARGIN", new_y="NEXT"
        )

    def heading(self, text: str) -> None:
        """A small heading."""
        self.keep_with_next()
        self.paragraph([_Run(text, _HEADING)], size=_SMALL, above=5)

    def keep_with_next(self) -> None:
        """A new page where a heading would stand alone at the foot of this one."""
        if self.will_page_break(3 * _SIZE * _LEADING):
            self.add_page()

    def signature(self) -> None:
        """The line to sign on."""
        self.ln(6)
        self.set_font(_BODY, size=_SIZE)
        self.cell(self.epw, _SIZE * _LEADING, SIGNATURE, align="R", new_x="LMARGIN", new_y="NEXT")

    def paragraph(
        self, runs: Sequence[_Run], *, size: float = _SIZE, indent: float = 0, above: float = 0
    ) -> None:
        """Text broken as Chinese is: anywhere but before closing punctuation, after opening, or inside a number."""
        self.ln(above)
        for line in self._broken(runs, size, self.epw - indent):
            self.set_x(self.l_margin + indent)
            for style, group in groupby(line, key=lambda run: (run.font, run.is_raised, run.line)):
                self._draw(_Run("".join(run.text for run in group), *style), size)
            self.ln(size * _LEADING)

    def _broken(self, runs: Iterable[_Run], size: float, width: float) -> Iterator[list[_Run]]:
        line: list[_Run] = []
        used = 0.0
        for piece in self._pieces(runs, size, width):
            needed = self._width(piece, size)
            if not line and piece.text.isspace():
                continue
            if line and used + needed > width:
                # The numbers of the sources stay with the word before them.
                carried = [line.pop()] if piece.is_raised and len(line) > 1 else []
                yield line
                line, used = carried, sum(self._width(run, size) for run in carried)
            line.append(piece)
            used += needed
        yield line

    def _pieces(self, runs: Iterable[_Run], size: float, width: float) -> Iterator[_Run]:
        for run in runs:
            text = self._drawable(run.text)
            for whole in [text] if run.is_raised else _UNBROKEN.findall(text):
                piece = run._replace(text=whole)
                fits = self._width(piece, size) <= width
                yield from (piece,) if fits else (run._replace(text=character) for character in whole)

    def _width(self, run: _Run, size: float) -> float:
        self.set_font(run.font, size=size * _RAISED if run.is_raised else size)
        return self.get_string_width(run.text)

    def _draw(self, run: _Run, size: float) -> None:
        rise = size * 0.12 if run.is_raised else 0.0
        self.y -= rise
        for piece in run.line.mark_pieces if run.line else (MarkPiece(run.text),):
            width = self._width(run._replace(text=piece.text), size)
            self.cell(width, size * _LEADING, piece.text, link=self._place_of(piece.number))
        self.y += rise

    def _place_of(self, number: int | None) -> int:
        """The link to a source's entry; 0 for none. The entry itself is set when it is drawn."""
        if number is None:
            return 0
        if number not in self._places:
            self._places[number] = self.add_link()
        return self._places[number]

    def source(self, number: int, text: str) -> None:
        """An entry of the list of sources, where the links to it lead."""
        self.set_link(self._place_of(number), y=self.y, page=self.page)
        self.paragraph([_Run(text)], size=_SMALL)

    def _drawable(self, text: str) -> str:
        """The text with nothing that the fonts cannot show: ⁹ becomes ^9, ₂ 2, a rare character its code point."""
        return "".join(map(self._glyphs, " ".join(text.splitlines())))

    def _glyphs(self, character: str) -> str:
        if ord(character) in self._covered:
            return character
        form = unicodedata.decomposition(character)
        if form.startswith(("<super>", "<sub>")):
            return ("^" if form.startswith("<super>") else "") + unicodedata.normalize("NFKC", character)
        if unicodedata.category(character) in ("Cc", "Cf"):
            return ""
        return f"［U+{ord(character):04X}］"
