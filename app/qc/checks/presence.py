"""Whether documents, sections and required elements are there."""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cached_property
from itertools import islice
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import STAY_EVENT_TITLES, Case, StayEvent
from app.qc.checks.base import Check, DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import Document, DocumentType, Span
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import is_blank

_CHINESE = regex(r"[\u4e00-\u9fff]")
_LONGEST_PLACEHOLDER = 30
_MASK = regex(r"[ \t]*:?[ \t]*(?:\*(?!\*)|\*{3})")
_HEAD_SECTIONS = frozenset(
    ("", "姓名", "性别", "年龄", "民族", "婚姻状况", "出生地", "职业", "住址", "联系电话", "科别", "病房", "床号",
     "住院号", "页码", "入院日期", "出院日期", "住院天数", "记录时间", "就诊时间", "病史陈述者", "可靠程度", "签名")
)  # fmt: skip


def is_written(content: str) -> bool:
    """Whether a stretch of text says anything; quick on long ones."""
    is_prose = (
        len(content) > _LONGEST_PLACEHOLDER and _CHINESE.search(content, _LONGEST_PLACEHOLDER) is not None
    )
    return is_prose or not is_blank(content)


def has_headings(reading: Reading) -> bool:
    """Whether the document is cut into sections: it has headings beyond those of its head and signature."""
    return any(section.name not in _HEAD_SECTIONS for section in reading.sections)


class DocumentMissing(Check, name="document_missing"):
    """No document of any of the rule's types, though an event of the stay calls for one.

    Attributes:
        after: the event that calls for it.
        due_hours: hours after the event from which its absence counts.
        replaced_by: document types that make it unnecessary.
    """

    after: StayEvent
    due_hours: float = Field(ge=0)
    replaced_by: tuple[DocumentType, ...] = ()

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if case.documents_of(*applies_to):
            return PASSED
        if case.documents_of(*self.replaced_by):
            return not_applicable(f"已有{'或'.join(self.replaced_by)}")
        is_dead = case.record.encounter.died_at is not None or case.record.encounter.disposition == "死亡"
        if self.after == "discharge" and is_dead:
            return not_applicable("患者死亡")
        start = case.moment_of(self.after)
        if start is None and self.after == "death" and is_dead:
            start = case.record.encounter.discharged_at
        if start is None:
            return self._without_start(case)
        limit = later(start, timedelta(hours=self.due_hours))
        if case.is_past(limit) and not (
            # The absence from a finished record counts, unless somebody asks as of a moment before the limit.
            self.after != "admission" and case.as_of_is_given and case.as_of and case.as_of <= limit
        ):
            return defect(Hit(details={"missing": "、".join(applies_to)}))
        return not_yet(limit, "或".join(applies_to))

    def _without_start(self, case: Case) -> Ruling:
        happened = case.is_over if self.after != "death" else case.record.encounter.disposition == "死亡"
        if self.after == "admission" or happened:
            return undetermined(f"未提供{STAY_EVENT_TITLES[self.after]}时间")
        return not_applicable(f"未{STAY_EVENT_TITLES[self.after]}")


def is_signed(document: Document, roles: tuple[str, ...]) -> bool:
    """Whether somebody in one of the roles signed."""
    return any(signature.role in roles and signature.name for signature in document.signatures or ())


class Element(BaseModel):
    """A required element: written under a heading, said in words, or delivered as a field.

    Attributes:
        name: as the user reads it.
        sections: headings that hold it.
        pattern: a regular expression that shows it in the half-width text.
        fields: paths into the record, such as ``patient.sex``, or the document: ``document.written_at``.
        signature_roles: roles of which one must have signed; not judged without signature data.
        participants: how many people must be given with name and title.
        types: only documents of these types need it; by default all.
        required_if: a pattern for title and text; without it the element is not needed.
        excused_if: a pattern that makes it unnecessary. With both given and neither found, nobody knows.
        from_age: the age in years from which patients have it.
        stages: stages of diagnoses of which one given as data will do.
        blank_is_missing: whether a heading left blank outweighs words elsewhere in the text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    name: str
    sections: tuple[str, ...] = ()
    pattern: str | None = None
    fields: tuple[str, ...] = ()
    signature_roles: tuple[str, ...] = ()
    participants: int = Field(default=0, ge=0)
    types: tuple[DocumentType, ...] = ()
    required_if: str | None = None
    excused_if: str | None = None
    from_age: float | None = None
    stages: tuple[str, ...] = ()
    blank_is_missing: bool = False

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return regex(self.pattern or r"(?!)")

    @cached_property
    def _required(self) -> re.Pattern[str]:
        return regex(self.required_if or r"(?!)")

    @cached_property
    def _excused(self) -> re.Pattern[str]:
        return regex(self.excused_if or r"(?!)")

    def is_required(self, case: Case, reading: Reading) -> bool | None:
        """Whether this document needs the element; ``None`` when that cannot be seen."""
        document = reading.document
        if self.types and document.kind not in self.types:
            return False
        if self.from_age is not None and (case.age_years is None or case.age_years < self.from_age):
            return None if case.age_years is None else False
        if self.required_if is None and self.excused_if is None:
            return True
        title = document.title or ""
        if self._excused.search(title) or self._excused.search(reading.half):
            return False
        if self.required_if is None or self._required.search(title) or self._required.search(reading.half):
            return True
        return None if self.excused_if is not None else False

    def is_asked_for(self, case: Case, reading: Reading) -> bool:
        """Whether the document has a heading for it, filled in or not, or the data hold it."""
        has_heading = any(reading.section(name) is not None for name in self.sections)
        return has_heading or self._is_delivered(case, reading.document)

    def _is_delivered(self, case: Case, document: Document) -> bool:
        if any(value not in (None, "") for value in _field_values(case, document, self.fields)):
            return True
        return any(diagnosis.stage in self.stages for diagnosis in case.record.diagnoses or ())

    def is_there(self, case: Case, reading: Reading, spans: Iterable[Span]) -> bool | None:
        """Whether the element is there, its pattern within ``spans``; ``None`` for a signature not delivered."""
        document = reading.document
        if any(_is_filled(reading, name) for name in self.sections) or self._is_delivered(case, document):
            return True
        if self.blank_is_missing and any(reading.section(name) for name in self.sections):
            return False
        if self.pattern and any(self._pattern.search(reading.half, *span) for span in spans):
            return True
        if self.participants and _named_people(document) >= self.participants:
            return True
        if self.signature_roles:
            if is_signed(document, self.signature_roles):
                return True
            return None if "signatures" not in case.record.delivered else False
        return False


def _is_filled(reading: Reading, name: str) -> bool:
    section, text = reading.section(name), reading.document.text
    if section is None:
        return False
    # What stands behind the colon may be a mask, which reads as the asterisks of bold type.
    return is_written(section.body.of(text)) or _MASK.match(reading.half, section.heading.end) is not None


def _field_values(case: Case, document: Document, paths: tuple[str, ...]) -> Iterator[object]:
    for path in paths:
        first, *names = path.split(".")
        value: object = document if first == "document" else getattr(case.record, first, None)
        for name in names:
            value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
        yield value


def _named_people(document: Document) -> int:
    return sum(bool(person.name and person.title) for person in document.participants or ())


def missing_elements(
    elements: tuple[Element, ...], case: Case, reading: Reading, spans: tuple[Span, ...]
) -> tuple[list[str], list[str]]:
    """The names of the elements that are missing, and of those of which it is unknown whether they are needed."""
    missing: list[str] = []
    unknown: list[str] = []
    for element in elements:
        required = element.is_required(case, reading)
        if required is False or element.is_there(case, reading, spans) is not False:
            continue
        (missing if required else unknown).append(element.name)
    return missing, unknown


class SectionMissing(DocumentCheck, name="section_missing"):
    """A document whose section is absent, blank, too short or without what it must tell.

    Attributes:
        sections: names of the section, any of which will do.
        minimum_characters: the fewest Chinese characters that count as content.
        elements: what the section must tell; looked for in it and in the sections ``elsewhere``.
        tolerated: how many elements may be missing.
        elsewhere: names of sections that may hold the elements instead; ``*`` is the whole document.
        from_age: the age in years from which patients have the section.
        sex: the sex that has it; by default both.
    """

    sections: tuple[str, ...] = Field(min_length=1)
    minimum_characters: int = Field(default=0, ge=0)
    elements: tuple[Element, ...] = ()
    tolerated: int = Field(default=0, ge=0)
    elsewhere: tuple[str, ...] = ()
    from_age: float | None = None
    sex: Literal["男", "女"] | None = None

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        sex, age = case.record.patient.sex, case.age_years
        if self.sex is not None and sex != self.sex:
            is_unknown = sex in (None, "未知")
            return undetermined("未提供性别") if is_unknown else not_applicable(f"患者性别为{sex}")
        if self.from_age is not None and age is not None and age < self.from_age:
            return not_applicable(f"患者不满{self.from_age:g}岁")
        ruling = self._rule_on_reading(case, case.reading(document))
        if ruling.outcome == "defect" and self.from_age is not None and age is None:
            return undetermined("未提供年龄")
        return ruling

    def _rule_on_reading(self, case: Case, reading: Reading) -> Ruling:
        if not has_headings(reading):
            return undetermined("文书没有可识别的段落标题")
        text = reading.document.text
        found = [section for name in self.sections if (section := reading.section(name))]
        told = [section for section in found if self._says_enough(section.body.of(text))]
        spans = tuple(s.body for s in told) + self._elsewhere(reading)
        missing, _ = missing_elements(self.elements, case, reading, spans)
        if self.elements and spans and len(missing) <= self.tolerated:
            return PASSED
        if not told:
            problem = "内容空白或过短" if found else "没有这一段"
            return self._defect(reading, problem, [s.heading for s in found[:1]], self.sections[0])
        if not self.elements:
            return PASSED
        return self._defect(reading, f"没有写{'、'.join(missing)}", [told[0].heading], "、".join(missing))

    def _defect(self, reading: Reading, problem: str, headings: list[Span], missing: str) -> Ruling:
        document, section = reading.document, self.sections[0]
        details = {"document": document.kind, "section": section, "problem": problem, "missing": missing}
        return defect(Hit(document.id, section, tuple(map(document.evidence, headings)), details))

    def _says_enough(self, content: str) -> bool:
        characters = islice(_CHINESE.finditer(content), self.minimum_characters)
        return is_written(content) and sum(1 for _ in characters) == self.minimum_characters

    def _elsewhere(self, reading: Reading) -> tuple[Span, ...]:
        if "*" in self.elsewhere:
            return (Span(0, len(reading.half)),)
        found = (reading.section(name) for name in self.elsewhere)
        return tuple(section.body for section in found if section is not None)


class ElementsMissing(DocumentCheck, name="elements_missing"):
    """A document that lacks some of its required elements; one hit names them all.

    Attributes:
        elements: what must be there.
        within: names of the section that holds them all; by default the whole document.
        beside: names of further sections in which patterns are looked for.
        tolerated: how many may be missing.
        needs_headings: whether a document without recognisable headings cannot be judged.
        judgeable_by: names of elements; a document without a heading or data for any of them cannot be judged.
    """

    elements: tuple[Element, ...] = Field(min_length=1)
    within: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    tolerated: int = Field(default=0, ge=0)
    needs_headings: bool = False
    judgeable_by: tuple[str, ...] = ()

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        reading = case.reading(document)
        spans: tuple[Span, ...] = (Span(0, len(document.text)),)
        heading = None
        if self.within:
            section = reading.section(*self.within)
            if section is None or not is_written(section.body.of(document.text)):
                return not_applicable(f"没有{self.within[0]}段，由缺段规则判定")
            more = (reading.section(name) for name in self.beside)
            spans, heading = (section.body, *(s.body for s in more if s is not None)), section.heading
        if all(element.is_required(case, reading) is False for element in self.elements):
            return not_applicable("本文书不属于所查的情形")
        missing, unknown = missing_elements(self.elements, case, reading, spans)
        if len(missing) + len(unknown) <= self.tolerated:
            return PASSED
        if self.needs_headings and not has_headings(reading):
            return undetermined("文书没有可识别的段落标题")
        telling = [element for element in self.elements if element.name in self.judgeable_by]
        if telling and not any(element.is_asked_for(case, reading) for element in telling):
            return undetermined(f"文书和患者信息中都没有{'、'.join(self.judgeable_by)}")
        if len(missing) <= self.tolerated:
            return undetermined(f"看不出本文书是否应有{'、'.join(unknown)}")
        headings = (heading,) if heading else ()
        section_name = self.within[0] if self.within else None
        details = {"missing": "、".join(missing), "document": document.title or document.kind}
        return defect(Hit.at(document, *headings, section=section_name, **details))
