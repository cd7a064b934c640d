"""A report page: tables, links, nothing loaded, no script; every cell is escaped."""

from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup

from app.batch.tables import Cell, Link, Share, Table

_TEMPLATES = Path(__file__).with_name("templates")
_DASH = "—"


def render_page(title: str, tables: Sequence[Table], *, lines: Sequence[str] = (), back: str = "") -> str:
    """A page by itself.

    Args:
        title: of the page.
        tables: what it shows; their rows are read here.
        lines: what stands above the tables.
        back: where the way back leads; links of the tables are relative to the same folder.
    """
    base = back.rpartition("/")[0]
    return _template().render(
        title=title,
        lines=lines,
        back=back,
        tables=[table._replace(rows=list(table.rows)) for table in tables],
        shown=lambda cell: _shown(cell, f"{base}/" if base else ""),
    )


def first_rows(table: Table, limit: int) -> Table:
    """The first rows of a table; says so in its note where there are more."""
    rows = list(islice(table.rows, limit + 1))
    if len(rows) <= limit:
        return table._replace(rows=rows)
    return table._replace(rows=rows[:limit], note=f"{table.note}只列前 {limit} 行，全部见 report.xlsx。")


def _shown(cell: Cell, base: str) -> Markup:
    if isinstance(cell, Link):
        return Markup('<td><a href="{}">{}</a></td>').format(base + cell.href, cell.text)
    if isinstance(cell, Share):
        return _number(_DASH if cell.value is None else f"{cell.value:.1%}")
    if isinstance(cell, int | float):
        return _number(f"{cell:g}" if isinstance(cell, float) else str(cell))
    return Markup("<td>{}</td>").format(_DASH if cell is None else cell)


def _number(text: str) -> Markup:
    return Markup('<td class="number">{}</td>').format(text)


@cache
def _template() -> Template:
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True)
    return environment.get_template("page.html")
