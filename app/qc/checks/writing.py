"""How documents are written: whether they say anything, when they were finished, and how neatly."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice

from pydantic import ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import Check, DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, undetermined
from app.records.model import Document, DocumentType, Span
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import is_blank
from app.text.times import find_dates

_CHINESE = regex(r"[\u4e00-\u9fff]")
_HEAD_CHARACTERS = 60
_ENOUGH = 400
_TIME_SECTIONS = frozenset(
    ("记录时间", "就诊时间", "入院日期", "出院日期", "死亡日期", "抢救时间", "抢救结束时间", "手术日期", "手术结束时间",
     "操作时间", "会诊时间", "申请时间", "讨论日期", "转科日期", "交班日期", "接班日期", "小结日期", "输血时间")
)  # fmt: skip
_HALF_DAY = regex(
    r"(?:上午|下午|中午|傍晚|晚上|晚|[AP]\.?M\.?)\s*(?:0?\d|1[0-2])\s*(?:[:时点](?!\d{0,1}\*)|$)"
    r"|(?<!\d)(?:0?\d|1[0-2]):\d{2}\s*[AP]\.?M\b",
    re.IGNORECASE,
)
_HAN_DATE = regex(
    r"[一二三四五六七八九十]{1,2}月[一二三四五六七八九十]{1,3}[日号]|[二〇零一三四五六七八九]{4}年"
    r"|[一二三四五六七八九十]{1,3}时[一二三四五六七八九十零]{1,3}分"
)
_DATE_WITHOUT_YEAR = regex(
    r"(?:(?<=[\s:])|^)(?:0?[1-9]|1[0-2])(?:\s*月\s*\d{1,2}\s*[日号]|[-/]\d{1,2}(?=\s+\d{1,2}:))(?!\d)"
)
_HEAD = regex(rf"[^。;,\n]{{0,{_HEAD_CHARACTERS}}}")
_PLACEHOLDER = regex(
    r"(?<![A-Za-z0-9,])(?:[Xx]{2,}|×{2,})(?![A-Za-z0-9])|_{3,}|\{(?:\s*|[^{}\n]{0,12}[\u4e00-\u9fff][^{}\n]{0,12})\}|[【\[][^【】\[\]\n]{0,6}(?:请|待)(?:填写|输入|选择|补充)[^【】\[\]\n]{0,10}[】\]]"
    r"|请(?:填写|输入|选择)(?=(?:内容|日期|时间|数值|结果|体征|诊断|项目)?(?:[,。;:\s】\])]|$))|【\s*】"
)
_BOX = "□"
_SUSPICIOUS = ("XX", "xx", "Xx", "xX", "××", "___", "{", "【", "[", "请填", "请输", "请选", _BOX)
_TICKED = regex("[☑☒√✓✔■●]")
_SIGNING_LINE = regex(r"签名|签字|签章|日期|年[\s_]{0,8}月|指印|手印|关系|电话|证件|身份证")
_QUOTED = r"[“\"「][^”\"」\n]{0,60}[”\"」]"
_ITEM = regex(r"(?:(?<=[\s,;。:)])|^)\(?(\d{1,2})(?:[.)、](?!\d(?!型))|\))\s*(?=[^\d\s]|\d型)", re.MULTILINE)
_PUNCTUATION = regex(r"[,。;:、!?()]")


def _title(document: Document) -> str:
    return document.title or document.kind


class DocumentEmpty(DocumentCheck, name="document_empty"):
    """A document that says nothing beyond its title, headings and signature.

    Attributes:
        minimum_characters: the fewest Chinese characters that count as content.
    """

    minimum_characters: int = Field(default=10, ge=1)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        count = 0
        for body in self._bodies(case.reading(document)):
            characters = _CHINESE.finditer(body, 0, _ENOUGH)
            count += sum(1 for _ in islice(characters, self.minimum_characters))
            if count >= self.minimum_characters:
                return PASSED
        if document.extra.get("scanned") is True:
            return undetermined("扫描件没有文本")
        return defect(Hit.at(document, document=_title(document), count=count))

    def _bodies(self, reading: Reading) -> Iterator[str]:
        title = _title(reading.document)
        seen = Span(-1, -1)
        for section in reading.sections:
            if section.name == "签名" or section.body == seen:
                continue
            seen = section.body
            body = (
                section.body.of(reading.document.text).replace(title, "").replace(reading.document.kind, "")
            )
            if not is_blank(body):
                yield body


class CompletionTimeMissing(Check, name="completion_time_missing"):
    """A document that says neither as data nor in its text when it was finished.

    Where no document of the record has a time as data, the source does not deliver times.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge every document and combine."""
        documents = case.documents_of(*applies_to)
        if documents and not any(_has_time(d) for d in documents):
            return undetermined("来源没有提供文书完成时间")
        return combine((self._rule_on(d) for d in documents), none_reason="没有文书")

    def _rule_on(self, document: Document) -> Ruling:
        if _has_time(document) or find_dates(document.text[:_HEAD_CHARACTERS]):
            return PASSED
        if find_dates(document.text[-_HEAD_CHARACTERS:]):
            return PASSED
        return defect(Hit.at(document, document=_title(document)))


def _has_time(document: Document) -> bool:
    return document.written_at is not None or any(s.signed_at for s in document.signatures or ())


class TimeFormat(DocumentCheck, name="time_format"):
    """A time of record on the 12-hour clock, in Chinese numerals, or without a year that nothing else gives.

    Times of record are those before the first stop of the first line and of sections such as 记录时间 and 手术日期; the history may
    tell times as it likes.
    """

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        reading = case.reading(document)
        spans = list(self._spans(reading))
        for pattern, problem in self._patterns(document):
            for span in spans:
                match = pattern.search(reading.half, *span)
                if match and "*" not in match.group():
                    return defect(
                        Hit.at(document, Span(*match.span()), document=_title(document), problem=problem)
                    )
        return PASSED

    def _spans(self, reading: Reading) -> Iterator[Span]:
        head = _HEAD.match(reading.half)
        yield Span(0, head.end() if head else 0)
        for section in reading.sections:
            if section.name in _TIME_SECTIONS:
                yield Span(section.body.start, min(section.body.end, section.body.start + _HEAD_CHARACTERS))

    def _patterns(self, document: Document) -> Iterator[tuple[re.Pattern[str], str]]:
        yield _HALF_DAY, "没有采用24小时制"
        yield _HAN_DATE, "没有用阿拉伯数字"
        if not _has_time(document) and document.event_at is None:
            yield _DATE_WITHOUT_YEAR, "没有年份"


class PlaceholderLeft(DocumentCheck, name="placeholder_left"):
    """A placeholder of the template, or a choice of boxes with none ticked, left in the text.

    Lines to be signed by hand, and karyotypes such as 46,XX, do not count.
    """

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        half = case.reading(document).half
        if not any(mark in half for mark in _SUSPICIOUS):
            return PASSED
        spans = [span for span in self._placeholders(half) if not self._is_for_hand(half, span)]
        if not spans:
            return PASSED
        return defect(Hit.at(document, *spans[:5], document=_title(document), count=len(spans)))

    def _placeholders(self, half: str) -> Iterator[Span]:
        yield from (Span(*match.span()) for match in _PLACEHOLDER.finditer(half))
        start = half.find(_BOX)
        while start >= 0:
            line = _line_around(half, start)
            if not _TICKED.search(half, *line):
                yield Span(start, line.end)
            start = half.find(_BOX, line.end)

    def _is_for_hand(self, half: str, span: Span) -> bool:
        return (
            _SIGNING_LINE.search(half, *_line_around(half, span.start)) is not None
            and half[span.start] == "_"
        )


def _line_around(text: str, position: int) -> Span:
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    return Span(start, end if end >= 0 else len(text))


class WrongWords(DocumentCheck, name="wrong_words"):
    """Misspelt or unaccepted words; those in quotation marks are the patient's own.

    Attributes:
        words: each wrong form to the right one.
        inside: longer words, right as they stand, that contain a wrong form by chance (自己行走, 治愈后).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    words: Mapping[str, str] = Field(min_length=1)
    inside: tuple[str, ...] = ()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return regex("|".join(re.escape(word) for word in self.words))

    @cached_property
    def _excused(self) -> re.Pattern[str]:
        return regex("|".join((_QUOTED, *(re.escape(word) for word in self.inside))))

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        half = case.reading(document).half
        found = [Span(*match.span()) for match in self._pattern.finditer(half)]
        if found:
            excused = [Span(*match.span()) for match in self._excused.finditer(half)]
            found = [span for span in found if not any(stretch.contains(span) for stretch in excused)]
        if not found:
            return PASSED
        changes = dict.fromkeys(f"“{span.of(half)}”应为“{self.words[span.of(half)]}”" for span in found)
        return defect(Hit.at(document, *found[:5], document=_title(document), changes="，".join(changes)))


class Untidy(DocumentCheck, name="untidy"):
    """Diagnoses numbered twice or with a gap, a paragraph that stands twice, or one without punctuation.

    Attributes:
        minimum_repeated: shortest paragraph that counts as repeated, in Chinese characters.
        minimum_unpunctuated: shortest paragraph that needs punctuation, in Chinese characters.
    """

    minimum_repeated: int = Field(default=20, ge=1)
    minimum_unpunctuated: int = Field(default=60, ge=1)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        reading = case.reading(document)
        hits = [*self._numbering(reading), *self._paragraphs(reading)]
        return defect(*hits) if hits else PASSED

    def _numbering(self, reading: Reading) -> Iterator[Hit]:
        for section in reading.sections:
            if not section.name.endswith("诊断") or section.name == "病理诊断":
                continue
            previous = 0
            for match in _ITEM.finditer(reading.half, *section.body):
                number = int(match[1])
                if number not in (1, previous + 1):
                    what = "重复" if number <= previous else "跳号"
                    yield Hit.at(
                        reading.document,
                        Span(*match.span(1)),
                        section=section.name,
                        document=_title(reading.document),
                        problem=f"{section.name}编号{what}（{number}）",
                    )
                    break
                previous = number

    def _paragraphs(self, reading: Reading) -> Iterator[Hit]:
        seen: set[str] = set()
        start = 0
        for line in reading.half.split("\n"):
            span, start = Span(start, start + len(line)), start + len(line) + 1
            if len(line) < self.minimum_repeated:
                continue
            problem = ""
            content = line.strip()
            if content in seen and len(_CHINESE.findall(content)) >= self.minimum_repeated:
                problem = "同一段落重复出现"
            elif not _PUNCTUATION.search(line) and len(_CHINESE.findall(line)) >= self.minimum_unpunctuated:
                problem = "整段没有标点"
            seen.add(content)
            if problem:
                yield Hit.at(reading.document, span, document=_title(reading.document), problem=problem)
