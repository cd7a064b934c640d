"""Copied text: passages that are the same, or nearly, where they must not be.

Likeness is that of ``app.text.likeness``: texts are compared without heads, signatures, times, vital signs, tables
and fixed wording.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import combinations, groupby, pairwise

from pydantic import Field

from app.qc.case import Case, course_moment
from app.qc.checks.base import Check, DocumentCheck
from app.qc.copying_index import peer_discussion, read_discussion, same_discussion
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Span
from app.text.likeness import Content, body_content, content_of, likeness, section_content, share_within
from app.text.patterns import regex
from app.text.quantities import VitalSign
from app.text.reading import Reading
from app.text.sections import Section

_COPY = 0.9  # the likeness from which most rules take one note for a copy of another


class Contents:
    """The contents of one case, each worked out once."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._sections: dict[tuple[str, Span], Content] = {}
        self._likeness: dict[tuple[str, str, float], float] = {}

    def likeness(self, first: Document, second: Document, floor: float) -> float:
        """How alike the bodies of two documents are; below ``floor`` it may come back as 0."""
        key = (first.id, second.id, min(floor, _COPY))
        if key not in self._likeness:
            self._likeness[key] = likeness(self.body(first), self.body(second), key[2])
        return self._likeness[key]

    def body(self, document: Document) -> Content:
        """The content of a document without head and signature."""
        return self._case.reading(document).remembered(body_content)

    def section(self, document: Document, section: Section) -> Content:
        """The content of one section."""
        key = (document.id, section.body)
        if key not in self._sections:
            self._sections[key] = section_content(self._case.reading(document), section.body)
        return self._sections[key]


def _contents(case: Case) -> Contents:
    return case.remembered(Contents)


def _title(document: Document) -> str:
    return document.title or document.kind


def _dated(document: Document) -> str:
    """The title with the day the document stands for, where it has one."""
    moment = document.event_at or document.completed_at
    return f"{moment:%m-%d}的{_title(document)}" if moment else _title(document)


def _sections(reading: Reading, names: Iterable[str]) -> list[Section]:
    wanted = frozenset(names)
    return [s for s in reading.sections if s.name in wanted and s.body.start < s.body.end]


class SectionCopied(Check, name="section_copied"):
    """A section of one document repeats a section of another, or another of the same document.

    Attributes:
        sections: names of the copy's section, in the rule's document types; each is judged.
        source_types: types of the document copied from; empty: the same document.
        source_sections: names of the section copied from.
        limit: the likeness from which it counts.
        contained: from this share of the source's pieces found in the copy it counts too, however long the copy.
        minimum_characters: shorter sections are not judged.
    """

    sections: tuple[str, ...] = Field(min_length=1)
    source_types: tuple[DocumentType, ...] = ()
    source_sections: tuple[str, ...] = Field(min_length=1)
    limit: float = Field(default=0.95, gt=0, le=1)
    contained: float | None = Field(default=None, gt=0, le=1)
    minimum_characters: int = Field(default=30, ge=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge every pair of copy and source."""
        copies = case.documents_of(*applies_to)
        if not copies:
            return not_applicable(f"没有{'、'.join(applies_to)}")
        rulings = [self._judge(case, copy) for copy in copies]
        return combine(rulings, none_reason="没有可比对的段落")

    def _judge(self, case: Case, copy: Document) -> Ruling:
        sources = case.documents_of(*self.source_types) if self.source_types else (copy,)
        mine = _sections(case.reading(copy), self.sections)
        theirs = [(d, s) for d in sources for s in _sections(case.reading(d), self.source_sections)]
        if not mine or not theirs:
            return undetermined(f"没有可比对的{self.sections[0]}或{self.source_sections[0]}")
        pairs = (
            (section, d, s) for section in mine for d, s in theirs if (copy, section.body) != (d, s.body)
        )
        rulings = (self._compare(case, copy, section, d, s) for section, d, s in pairs)
        return combine(rulings, none_reason="没有可比对的段落")

    def _compare(
        self, case: Case, copy: Document, section: Section, source: Document, from_section: Section
    ) -> Ruling:
        contents = _contents(case)
        text, original = contents.section(copy, section), contents.section(source, from_section)
        if min(len(text.text), len(original.text)) < self.minimum_characters:
            return not_applicable(f"{section.name}不足{self.minimum_characters}字")
        alike = likeness(text, original, self.limit)
        share = share_within(original, text) if self.contained else 0.0
        if alike < self.limit and share < (self.contained or 1.1):
            return PASSED
        evidence = (copy.evidence(section.body), source.evidence(from_section.body))
        shown = f"{max(alike, share):.0%}"
        details = {"similarity": shown, "source": from_section.name, "section": section.name}
        return defect(Hit(copy.id, section.name, evidence, details))


class DocumentsIdentical(Check, name="documents_identical"):
    """Two documents of the rule's types say the same; each copy is reported once, with the first it repeats.

    Attributes:
        limit: the likeness from which it counts.
        minimum_characters: shorter documents are not judged.
    """

    limit: float = Field(default=0.95, gt=0, le=1)
    minimum_characters: int = Field(default=30, ge=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge every pair."""
        judged = [
            d
            for d in case.documents_of(*applies_to)
            if len(_contents(case).body(d).text) >= self.minimum_characters
        ]
        if len(judged) < 2:
            return not_applicable("可比对的文书不足两份")
        hits: dict[str, Hit] = {}
        for first, second in combinations(judged, 2):
            if second.id in hits:
                continue
            alike = _contents(case).likeness(first, second, self.limit)
            if alike >= self.limit:
                hits[second.id] = self._hit(first, second, alike)
        return defect(*hits.values()) if hits else PASSED

    def _hit(self, first: Document, second: Document, alike: float) -> Hit:
        evidence = tuple(d.evidence(Span(0, len(d.text))) for d in (second, first))
        names = {"first": _dated(first), "second": _dated(second)}
        return Hit(second.id, None, evidence, {**names, "similarity": f"{alike:.0%}"})


class PassageRepeated(Check, name="passage_repeated"):
    """A document says again, nearly whole, what certain sections of another say.

    Attributes:
        source_types: types of the document copied from.
        source_sections: the sections copied from, taken together.
        limit: the share of the source's pieces found in the copy from which it counts.
        minimum_characters: a shorter source is not judged.
        only_first: judge only the earliest document of the rule's types.
    """

    source_types: tuple[DocumentType, ...] = Field(min_length=1)
    source_sections: tuple[str, ...] = Field(min_length=1)
    limit: float = Field(default=0.9, gt=0, le=1)
    minimum_characters: int = Field(default=60, ge=1)
    only_first: bool = False

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each document against the first source."""
        copies = sorted(
            case.documents_of(*applies_to), key=lambda d: (d.completed_at is None, str(d.completed_at))
        )
        sources = case.documents_of(*self.source_types)
        if not copies or not sources:
            return not_applicable("没有可比对的两份文书")
        source = sources[0]
        sections = _sections(case.reading(source), self.source_sections)
        original = content_of("\n".join(s.body.of(source.text) for s in sections))
        if len(original.text) < self.minimum_characters:
            return not_applicable(f"{self.source_sections[0]}不足{self.minimum_characters}字")
        rulings = (
            self._judge(case, copy, source, sections, original)
            for copy in (copies[:1] if self.only_first else copies)
        )
        return combine(rulings, none_reason="没有可比对的文书")

    def _judge(
        self, case: Case, copy: Document, source: Document, sections: Sequence[Section], original: Content
    ) -> Ruling:
        share = share_within(original, _contents(case).body(copy))
        if share < self.limit:
            return PASSED
        evidence = (copy.evidence(Span(0, len(copy.text))), *(source.evidence(s.body) for s in sections))
        details = {"document": _title(copy), "source": _title(source), "similarity": f"{share:.0%}"}
        return defect(Hit(copy.id, None, evidence, details))


class SuccessorsAlike(Check, name="successors_alike"):
    """Of two neighbouring documents of one type (交班与接班, 转出与转入, two 阶段小结) the later repeats the earlier.

    Attributes:
        sections: the sections compared, taken together.
        limit: the likeness from which it counts.
        minimum_characters: shorter texts are not judged.
    """

    sections: tuple[str, ...] = Field(min_length=1)
    limit: float = Field(default=0.9, gt=0, le=1)
    minimum_characters: int = Field(default=40, ge=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each pair of neighbours."""
        rulings = []
        for kind in applies_to:
            documents = sorted(case.documents_of(kind), key=lambda d: str(d.completed_at or d.event_at or ""))
            rulings += [self._judge(case, earlier, later) for earlier, later in pairwise(documents)]
        return combine(rulings, none_reason="没有可比对的两份记录")

    def _judge(self, case: Case, earlier: Document, later: Document) -> Ruling:
        mine, theirs = (_sections(case.reading(d), self.sections) for d in (later, earlier))
        text, original = (
            content_of("\n".join(s.body.of(d.text) for s in sections))
            for d, sections in ((later, mine), (earlier, theirs))
        )
        if min(len(text.text), len(original.text)) < self.minimum_characters:
            return not_applicable(f"可比对的段落不足{self.minimum_characters}字")
        alike = likeness(text, original, self.limit)
        if alike < self.limit:
            return PASSED
        evidence = (later.evidence(mine[0].body), earlier.evidence(theirs[0].body))
        details = {"first": _dated(earlier), "second": _dated(later), "similarity": f"{alike:.0%}"}
        return defect(Hit(later.id, mine[0].name, evidence, details))


class VitalsRepeated(Check, name="vitals_repeated"):
    """Several course notes in a row give exactly the same temperature, pulse, respiration and blood pressure.

    Attributes:
        least: how many in a row count.
    """

    least: int = Field(default=3, ge=2)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the notes in time order."""
        notes = [d for d in case.course_documents if d.kind in applies_to]
        signs = [(d, case.reading(d), _vitals(case.reading(d))) for d in notes]
        if any(values is None for _, _, values in signs):
            return undetermined("生命体征被脱敏")
        complete = [(d, r, values) for d, r, values in signs if values and len(values) == len(_SIGNS)]
        if len(complete) < self.least:
            return not_applicable(f"写全生命体征的病程不足{self.least}份")
        hits = []
        for values, group in groupby(complete, key=lambda each: _values(each[2])):
            run = [(d, v) for d, _, v in group if v]
            if len(run) >= self.least and not self._on_chart(case, [d for d, _ in run], dict(values)):
                hits.append(self._hit(run))
        return defect(*hits) if hits else PASSED

    def _on_chart(self, case: Case, notes: Sequence[Document], values: Mapping[str, float]) -> bool:
        """Whether the chart shows the same on every one of those days."""
        days = {course_moment(d).date() for d in notes}
        same = {
            v.at.date()
            for v in case.record.vitals or ()
            if v.at and (v.temperature, v.pulse) == (values.get("temperature"), values.get("pulse"))
        }
        return bool(same) and days <= same

    def _hit(self, run: Sequence[tuple[Document, Mapping[str, VitalSign]]]) -> Hit:
        evidence = tuple(
            d.evidence(Span(min(s.span.start for s in v.values()), max(s.span.end for s in v.values())))
            for d, v in run
        )
        return Hit(run[-1][0].id, None, evidence, {"count": len(run)})


_SIGNS = ("temperature", "pulse", "respiration", "systolic", "diastolic")


def _vitals(reading: Reading) -> dict[str, VitalSign] | None:
    """The first of each sign; ``None`` where one is masked."""
    found: dict[str, VitalSign] = {}
    for sign in reading.vital_signs:
        if sign.masked:
            return None
        if sign.name in _SIGNS and sign.value is not None:
            found.setdefault(sign.name, sign)
    return found


def _values(signs: Mapping[str, VitalSign] | None) -> tuple[tuple[str, float], ...]:
    return tuple((name, sign.value or 0.0) for name, sign in sorted((signs or {}).items()))


class CourseNotSummed(DocumentCheck, name="course_not_summed"):
    """Most sentences of a summary stand word for word in the course notes, or it pastes the admission note.

    Attributes:
        sections: where the summary tells the course.
        limit: the share of copied sentences from which it counts.
        least_sentences: a summary with fewer sentences is not judged.
        least_days: a shorter stay is not judged.
    """

    sections: tuple[str, ...] = ("诊疗经过",)
    limit: float = Field(default=0.6, gt=0, le=1)
    least_sentences: int = Field(default=3, ge=1)
    least_days: float = Field(default=2, ge=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one summary."""
        stay = case.record.encounter
        if (
            stay.admitted_at
            and case.ended_at
            and case.ended_at - stay.admitted_at <= timedelta(days=self.least_days)
        ):
            return not_applicable(f"住院不超过{self.least_days:g}日")
        reading = case.reading(document)
        sections = _sections(reading, self.sections)
        sentences = [s for section in sections for s in reading.sentences_of(section)]
        long = [(s, content_of(s.quote).text) for s in sentences]
        judged = [(s, content) for s, content in long if len(content) >= 12]
        if len(judged) < self.least_sentences:
            return not_applicable("诊疗经过的句子太少")
        sources = [d for d in case.documents_of(*_COURSE_SOURCES) if d is not document]
        if not sources:
            return not_applicable("没有可比对的病程")
        contents = _contents(case)
        noted = "\n".join(contents.body(d).text for d in sources)
        copied = [(s, content) for s, content in judged if content in noted]
        if len(copied) < self.limit * len(judged):
            return PASSED
        source = next(d for d in sources if copied[0][1] in contents.body(d).text)
        evidence = tuple(document.evidence(Span(s.start, s.end)) for s, _ in copied)
        details = {"copied": len(copied), "all": len(judged), "source": _dated(source)}
        return defect(Hit(document.id, sections[0].name, evidence, details))


_COURSE_SOURCES: tuple[DocumentType, ...] = (
    "入院记录", "再次或多次入院记录", "首次病程记录", "日常病程记录", "上级医师查房记录", "阶段小结", "转科记录", "交接班记录",
    "术后首次病程记录", "手术记录", "抢救记录",
)  # fmt: skip


class CopiedAcrossPatients(Check, name="copied_across_patients"):
    """The discussion of the first course note is that of another patient of the department with the same disease.

    The other patients' discussions come in ``record.extra["peers"]`` (``app.qc.copying_index.with_peers``), which
    a batch audit fills; a record checked alone has none and is not judged.

    Attributes:
        limit: the likeness from which it counts.
        minimum_characters: a shorter discussion is not judged.
    """

    limit: float = Field(default=0.95, gt=0, le=1)
    minimum_characters: int = Field(default=60, ge=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record against its peers."""
        peers = case.record.extra.get("peers")
        if not isinstance(peers, list):
            return not_applicable("单份检查不与其他患者比对，由批量审核判定")
        case.asks_for("首次病程记录")
        mine = read_discussion(case.record, self.minimum_characters)
        if mine is None:
            return undetermined("没有可比对的拟诊讨论、科室或主要诊断")
        if not peers:
            return undetermined("没有同科同病的其他病历可比对")
        others = [
            peer_discussion(mine.kin, str(p.get("record_id", "")), str(p.get("discussion", "")))
            for p in peers
            if isinstance(p, dict)
        ]
        same = next((other for other in others if same_discussion(mine, other, self.limit)), None)
        if same is None:
            return PASSED
        document = next(d for d in case.documents if d.id == mine.place.document_id)
        alike = likeness(mine.content, same.content, self.limit)
        details = {"similarity": f"{alike:.0%}", "other": same.place.record_id}
        return defect(Hit(document.id, "拟诊讨论", (document.evidence(mine.place.span),), details))


_DAY_AFTER = regex(r"术后第\s?(?P<day>\d{1,3})\s?[天日]")
_PASSAGE = 40


class CopiedError(Check, name="copied_error"):
    """A passage copied from an earlier note carries what is plainly wrong for the day it was pasted into.

    Judged by code alone: a note that repeats an earlier one of another day nearly word for word, including the
    same count of days after the operation (术后第3天), although the operation's date gives another count.

    Attributes:
        limit: the likeness from which two notes are a copy.
    """

    limit: float = Field(default=0.9, gt=0, le=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge every later note that copies an earlier one."""
        notes = [d for d in case.course_documents if d.kind in applies_to]
        contents = _contents(case)
        judged = [d for d in notes if len(contents.body(d).text) >= _PASSAGE]
        copies = [
            (first, second)
            for first, second in combinations(judged, 2)
            if contents.likeness(first, second, self.limit) >= self.limit
        ]
        if not copies:
            return not_applicable("没有雷同的病程")
        if not any(_DAY_AFTER.search(case.reading(copy).half) for _, copy in copies):
            return undetermined("雷同段落中没有代码可以核对的内容")
        hits = [hit for first, copy in copies for hit in _wrong_days(case, first, copy)]
        return defect(*hits) if hits else PASSED


def _wrong_days(case: Case, first: Document, copy: Document) -> Iterator[Hit]:
    """The first count of days that was true of the earlier note and cannot be of the later one."""
    operated = {p.started_at.date() for p in case.record.procedures or () if p.started_at}
    then, now = course_moment(first).date(), course_moment(copy).date()
    counts = {(now - day).days for day in operated if day <= now}
    if then == now or not counts:
        return
    source = {m["day"]: Span(*m.span()) for m in _DAY_AFTER.finditer(case.reading(first).half)}
    for match in _DAY_AFTER.finditer(case.reading(copy).half):
        said = int(match["day"])
        was_true = any((then - day).days == said for day in operated)
        if was_true and match["day"] in source and all(abs(said - count) > 1 for count in counts):
            places = (copy.evidence(Span(*match.span())), first.evidence(source[match["day"]]))
            true = "、".join(map(str, sorted(counts)))
            yield Hit(copy.id, None, places, {"copy": _dated(copy), "source": _dated(first), "true": true})
            return
