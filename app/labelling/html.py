"""The label of HTML: ``<meta name="AIGC" content='…'>`` in the head, the notice as first thing in the body.

Canonical content: the text of the body in order, a line feed for every tag that is not inline, white space
left out (how much of it is shown is the browser's affair). Scripts, styles and templates are not text. What
attributes and style sheets do is not sealed.
"""

import re
from html import escape
from html.parser import HTMLParser

from app.errors import UserError
from app.labelling.found import Found, read_back
from app.labelling.label import Label, LabelError, notice_among, sealed, to_json
from app.labelling.text import decode

_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_BODY = re.compile(r"<body(?:\s[^>]*)?>", re.IGNORECASE)
_OLD_META = re.compile(r"""\n?<meta\s+name=["']?AIGC["']?\s(?:"[^"]*"|'[^']*'|[^>"'])*>""", re.IGNORECASE)
_UNSEEN = frozenset({"head", "script", "style", "template", "title"})
_INLINE = frozenset({"a", "abbr", "b", "em", "i", "mark", "small", "span", "strong", "sub", "sup", "u"})


class _Page(HTMLParser):
    """Collects implicit labels and the visible lines of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[str] = []
        self.lines: list[str] = [""]
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "meta" and (values.get("name") or "").lower() == "aigc":
            self.copies.append(values.get("content") or "")
        self._unseen = 0 if tag == "body" else self._unseen + (tag in _UNSEEN)
        self._break_line(tag)

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(self._unseen - (tag in _UNSEEN), 0)
        self._break_line(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.lines[-1] += data

    def _break_line(self, tag: str) -> None:
        if not self._unseen and tag not in _INLINE:
            self.lines.append("")


def read(data: bytes) -> Found:
    """Find the label.

    Raises:
        UserError: no text.
    """
    page = _page(decode(data))
    return Found(
        copies=tuple(page.copies),
        notice=notice_among(page.lines),
        content="\n".join("".join(line.split()) for line in page.lines),
    )


def write(data: bytes, label: Label, key: bytes) -> bytes:
    """Label the page in ``data``; an old label is replaced.

    Raises:
        UserError: the page has no ``<head>`` or no ``<body>``.
        LabelError: the label does not read back whole.
    """
    page = _OLD_META.sub("", decode(data))
    if _page(page).copies:
        raise LabelError("页面里旧的 AIGC 标识写法特殊，无法替换，请先删去它再导出。")
    if label.notice and label.notice not in (line.strip() for line in _page(page).lines):
        page = _inserted(page, _BODY, f'\n<p class="ai-notice" role="note">{escape(label.notice)}</p>')
    final = sealed(label, key, read(page.encode()).content)
    value = escape(to_json(final.AIGC), quote=False).replace("'", "&#39;")
    return read_back(
        read, _inserted(page, _HEAD, f"\n<meta name=\"AIGC\" content='{value}'>").encode(), final, key
    )


def _page(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    return page


def _inserted(page: str, after: re.Pattern[str], what: str) -> str:
    place = after.search(page)
    if not place:
        raise UserError("网页没有 <head> 或 <body>，放不下生成内容标识，请给出完整的网页。")
    return page[: place.end()] + what + page[place.end() :]
