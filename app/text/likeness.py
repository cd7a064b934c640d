"""How alike two texts are.

The likeness of two contents is 2·LCS ÷ (length + length), LCS being the length of their longest common
subsequence: symmetric, 1.0 for equal contents, 0.95 where about one character in twenty was changed.
"""

import re
from dataclasses import dataclass
from functools import cache, cached_property

from rapidfuzz.distance import LCSseq

from app.records.model import Span
from app.text.lexicons import load_terms
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.width import half_width

SHINGLE = 4
_CONTENT = regex(r"[\u4e00-\u9fffA-Za-z0-9]+")
_WORDS = regex(r"[\u4e00-\u9fff]+")
_VARIABLE = regex(
    r"(?=[\d体脉呼血心TPRBHS副主住医签记护])(?:"
    r"\d{4}\s?[-年/.]\s?\d{1,2}\s?[-月/.]\s?\d{1,2}\s?日?(?:\s*\d{1,2}\s?[:时]\s?\d{0,2}分?)?"
    r"|(?<!\d)\d{1,2}月\d{1,2}日(?:\s*\d{1,2}[:时]\d{0,2}分?)?|(?<!\d)\d{1,2}:\d{2}(?!\d)"
    r"|(?:体温|脉搏|呼吸|血压|心率|(?<![A-Za-z])(?:T|P|R|BP|HR|SpO[2₂]))\s*[::为]?\s*[\d*./-]+\s*(?:℃|次/分|mmHg|%)?"
    r"|(?:副?主任|主治|住院)医师(?:首次|术后)?查房(?:记录)?"
    r"|(?:医师|医生|签名|记录者|护士)(?:签名|签字)?\s*:\s*\S+)"
)
_NOT_BODY = frozenset(
    ("姓名", "性别", "年龄", "民族", "婚姻状况", "出生地", "职业", "住址", "联系电话", "科别", "病房", "床号", "住院号", "页码",
     "入院日期", "出院日期", "住院天数", "记录时间", "病史陈述者", "签名", "生命体征", "参加人员", "主持人", "讨论日期")
)  # fmt: skip


@dataclass(frozen=True)
class Content:
    """What counts of a text when it is compared."""

    text: str

    @cached_property
    def shingles(self) -> frozenset[str]:
        """Its overlapping pieces of four characters."""
        return frozenset(map("".join, zip(*(self.text[start:] for start in range(SHINGLE)), strict=False)))


def content_of(text: str) -> Content:
    """The characters that count: no punctuation, times, vital signs, signatures, tables and fixed wording."""
    half = half_width(text)
    lines = (line for line in half.split("\n") if not _is_table_line(line))
    bare = _fixed().sub("", _VARIABLE.sub("", "\n".join(lines)))
    return Content("".join(_CONTENT.findall(bare)))


def body_content(reading: Reading) -> Content:
    """The content of a document without its head and its signature."""
    text = reading.document.text
    bodies = dict.fromkeys(s.body for s in reading.sections if s.name not in _NOT_BODY)
    return content_of("\n".join(body.of(text) for body in bodies))


def section_content(reading: Reading, body: Span) -> Content:
    """The content of one stretch of a document."""
    return content_of(body.of(reading.document.text))


@cache
def _fixed() -> re.Pattern[str]:
    return regex("|".join(re.escape(t) for t in sorted(load_terms("fixed_wording"), key=len, reverse=True)))


def _is_table_line(line: str) -> bool:
    """A line of a table: cells parted by bars or tabs, or hardly a word of Chinese in it."""
    if line.count("|") >= 2 or line.count("\t") >= 2:
        return True
    if not 12 <= len(line) <= 80:
        return False
    return sum(map(len, _WORDS.findall(line))) * 4 < len(line)


def likeness(a: Content, b: Content, floor: float) -> float:
    """The likeness of two contents; below ``floor`` it may come back as 0."""
    if a.text == b.text:
        return 1.0 if a.text else 0.0
    total = len(a.text) + len(b.text)
    if 2 * min(len(a.text), len(b.text)) < floor * total:
        return 0.0
    found = 2 * LCSseq.similarity(a.text, b.text, score_cutoff=int(floor * total / 2)) / total
    return found if found >= floor else 0.0


def share_within(part: Content, whole: Content) -> float:
    """The share of the pieces of ``part`` that ``whole`` holds too, 0–1."""
    return len(part.shingles & whole.shingles) / len(part.shingles) if part.shingles else 0.0
