"""Past history told twice: what one place denies and another affirms."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Literal, NamedTuple

from app.qc.case import Case
from app.qc.checks.allergies import allergens_of
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Evidence, Span
from app.text.allergies import find_allergy_denials
from app.text.assertion import Assertion, Mention, find_mentions
from app.text.lexicons import heads_by_term, load_terms
from app.text.operations import same_operation
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.times import find_dates, find_durations

Topic = Literal["operation", "transfusion", "injury", "disease", "allergy"]

_DENIED: Mapping[str, tuple[str, ...]] = {
    "operation": (
        "手术史",
        "手术、外伤史",
        "手术外伤史",
        "手术及外伤史",
        "外伤手术史",
        "外伤及手术史",
        "外伤、手术史",
        "手术",
    ),
    "transfusion": ("输血史", "输血"),
    "injury": (
        "外伤史",
        "手术外伤史",
        "外伤手术史",
        "外伤、手术史",
        "外伤及手术史",
        "手术、外伤史",
        "手术及外伤史",
        "外伤",
    ),
}
_TITLES: Mapping[str, str] = {"operation": "手术史", "transfusion": "输血史", "injury": "外伤史"}
_AFFIRMED_INJURY = ("骨折", "摔伤", "车祸伤", "砸伤", "烧伤", "烫伤", "颅脑外伤", "脑外伤", "外伤")
_PAST = regex(
    r"曾|既往|年前|个?月前|史|\d{4}\s?年|\d{4}-\d{1,2}(?!-\d{1,2}[^\d])|[幼早]年|岁时|术后(?![第\d\s]|首次|当|次|查房|访视|[一二三四五六七八九十]\S?[天日]|诊断)"
)
_PLANNED = regex("拟|备|计划|建议|择期|同意|准备|必要时|可行|需行|待行|不(?:能|宜|愿)|拒绝")
_LIMITED = regex(r"其[他它]|其余|余|另|别的|重大|大型|近期|相关|再次")
_PAST_SECTIONS = (
    "现病史",
    "既往史",
    "手术外伤史",
    "病例特点",
    "病史",
    "入院情况",
    "术前特殊情况",
    "一般情况",
    "输血史",
    "汇报病史",
)
_ADMISSION_DIAGNOSES = ("初步诊断", "入院诊断")
_LONG_DAYS = 30.0


class _Claim(NamedTuple):
    topic: Topic
    name: str
    document: Document
    span: Span

    @property
    def evidence(self) -> Evidence:
        return self.document.evidence(self.span)

    @property
    def source(self) -> str:
        return self.document.title or self.document.kind


class HistoryContradicted(Check, name="history_contradicted"):
    """A fact of the past history is denied in one place and told in another.

    Attributes:
        topics: operation, transfusion, injury, disease, allergy.
        within_one_document: whether two places of one document count too.
        earlier_stays: affirmed only by documents finished before this admission.
    """

    topics: tuple[Topic, ...]
    within_one_document: bool = False
    earlier_stays: bool = False

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Compare every denial with what the documents affirm."""
        documents = [d for d in case.documents_of(*applies_to) if not _is_earlier(case, d)]
        if not documents:
            return not_applicable(f"没有{'、'.join(applies_to)}")
        sources: Sequence[Document] = documents
        if self.earlier_stays:
            sources = [d for d in case.documents if _is_earlier(case, d)]
            if not sources:
                return undetermined("未提供既往住院资料")
        if (
            not self.within_one_document
            and not self.earlier_stays
            and sum(_tells(case, d) for d in documents) < 2
        ):
            return not_applicable("病史只有一处")
        denials = [claim for d in documents for claim in _denials(case, d, self.topics)]
        if not denials:
            return (
                PASSED
                if any(case.reading(d).section("既往史") for d in documents)
                else not_applicable("没有写既往史")
            )
        affirmed = [claim for d in sources for claim in _affirmations(case, d, self.topics)]
        hits = [hit for denial in denials if (hit := self._hit(denial, affirmed))]
        return defect(*hits) if hits else PASSED

    def _hit(self, denial: _Claim, affirmed: Sequence[_Claim]) -> Hit | None:
        for claim in affirmed:
            same_place = claim.document is denial.document
            if same_place and not self.within_one_document:
                continue
            if claim.topic == denial.topic and (denial.topic != "disease" or claim.name == denial.name):
                details = {
                    "what": _TITLES.get(denial.topic, denial.name),
                    "document": denial.source,
                    "denial": denial.evidence.quote,
                    "other": claim.source,
                    "told": claim.evidence.quote,
                }
                return Hit(denial.document.id, "既往史", (denial.evidence, claim.evidence), details)
        return None


def _is_earlier(case: Case, document: Document) -> bool:
    admitted, done = case.record.encounter.admitted_at, document.completed_at
    return bool(admitted and done and done < admitted and document.kind not in ("门(急)诊病历",))


def _tells(case: Case, document: Document) -> bool:
    """Whether a document tells any past history."""
    return any(section.name in _PAST_SECTIONS for section in case.reading(document).sections)


# Denials


def _denials(case: Case, document: Document, topics: Sequence[Topic]) -> Iterator[_Claim]:
    reading = case.reading(document)
    section = reading.section("既往史") or reading.section("病史") or reading.section("病例特点")
    if section is None:
        return
    for topic in topics:
        if topic == "disease":
            yield from _denied_diseases(reading, section.body)
        elif topic == "allergy":
            for denial in find_allergy_denials(reading):
                yield _Claim("allergy", "药物过敏", document, denial.span)
        else:
            yield from _denied(reading, section.body, topic)


def _denied(reading: Reading, body: Span, topic: Topic) -> Iterator[_Claim]:
    for mention in find_mentions(reading.half, _DENIED[topic], body):
        if mention.assertion is not Assertion.ABSENT or mention.subject != "patient":
            continue
        span = _clause_before(reading.half, mention.span, body)
        if (
            not _LIMITED.search(span.of(reading.half))
            and "史" in reading.half[mention.span.start : mention.span.end + 6]
        ):
            yield _Claim(topic, mention.term, reading.document, span)


def _clause_before(half: str, span: Span, body: Span) -> Span:
    """From the denying word to the end of the mention."""
    start = max(body.start, *(half.rfind(mark, body.start, span.start) + 1 for mark in "。;\n"))
    words = half[start : span.start]
    cues = list(re.finditer("否认|无(?!明显诱因)|没有|未", words))
    after = regex(r"\s*:\s*(?:否认|无)").match(half, span.end)
    return Span(start + cues[-1].start() if cues else span.start, after.end() if after else span.end)


def _denied_diseases(reading: Reading, body: Span) -> Iterator[_Claim]:
    heads = heads_by_term("chronic_diseases")
    for mention in find_mentions(reading.half, load_terms("chronic_diseases"), body):
        if mention.assertion is Assertion.ABSENT and mention.subject == "patient":
            span = _clause_before(reading.half, mention.span, body)
            if not _LIMITED.search(span.of(reading.half)):
                yield _Claim("disease", heads[mention.term], reading.document, span)


# Affirmations


def _affirmations(case: Case, document: Document, topics: Sequence[Topic]) -> Iterator[_Claim]:
    reading = case.reading(document)
    bodies = [s.body for s in reading.sections if s.name in _PAST_SECTIONS]
    for body in bodies:
        for topic in topics:
            if topic == "disease":
                yield from _told_diseases(reading, body)
            elif topic == "operation":
                yield from _told_operations(case, reading, body)
            elif topic in ("transfusion", "injury"):
                yield from _told(case, reading, body, topic)
    if "disease" in topics:
        for section in reading.sections:
            if section.name in _ADMISSION_DIAGNOSES:
                yield from _told_diseases(reading, section.body)
    if "operation" in topics:
        yield from _operated_before(reading)
    if "allergy" in topics:
        for allergen in allergens_of(case, document):
            yield _Claim("allergy", allergen.term, document, allergen.span)


def _told_diseases(reading: Reading, body: Span) -> Iterator[_Claim]:
    """Diseases told as long known: with a duration of a month or more, or as 病史."""
    heads = heads_by_term("chronic_diseases")
    for mention in find_mentions(reading.half, load_terms("chronic_diseases"), body):
        if mention.assertion is not Assertion.PRESENT or mention.subject != "patient":
            continue
        clause = _clause_of(reading.half, mention.span, body)
        if _is_long(reading.half, mention, clause):
            yield _Claim("disease", heads[mention.term], reading.document, clause)


def _is_long(half: str, mention: Mention, clause: Span) -> bool:
    words = clause.of(half)
    if re.search("家族|父|母|兄|姐|弟|妹|可能|待排|高危因素|鉴别|[?]", words):
        return False
    after = half[mention.span.end : clause.end]
    if re.match(r"(?:病史|史)", after) and not re.search("不详|不明|不清", after):
        return True
    return any((d.minimum_days or 0) >= _LONG_DAYS for d in find_durations(words))


def _clause_of(half: str, span: Span, body: Span) -> Span:
    start = max(body.start, *(half.rfind(mark, body.start, span.start) + 1 for mark in "。;,、\n"))
    ends = [end for mark in "。;,\n" if (end := half.find(mark, span.end, body.end)) >= 0]
    return Span(start, min(ends, default=min(body.end, span.end + 20)))


def _told_operations(case: Case, reading: Reading, body: Span) -> Iterator[_Claim]:
    for mention in find_mentions(reading.half, _operation_terms(), body):
        if mention.assertion is Assertion.PRESENT and mention.subject == "patient":
            sentence = _sentence_of(reading.half, mention.span, body)
            if _is_past(case, sentence.of(reading.half), mention.term):
                span = Span(max(sentence.start, mention.span.start - 20), mention.span.end)
                yield _Claim("operation", mention.term, reading.document, _without_comma(reading.half, span))


@cache
def _operation_terms() -> tuple[str, ...]:
    return tuple(term for term in load_terms("operations") if len(term) >= 3 and term not in ("手术史",))


def _without_comma(half: str, span: Span) -> Span:
    start = max((half.rfind(mark, span.start, span.end) + 1 for mark in ",。;\n"), default=span.start)
    return Span(max(span.start, start), span.end)


def _sentence_of(half: str, span: Span, body: Span) -> Span:
    start = max(body.start, *(half.rfind(mark, body.start, span.start) + 1 for mark in "。;\n"))
    ends = [end for mark in "。;\n" if (end := half.find(mark, span.end, body.end)) >= 0]
    return Span(start, min(ends, default=body.end))


def _is_past(case: Case, sentence: str, term: str) -> bool:
    """Whether a sentence tells of an operation before this stay."""
    if _PLANNED.search(sentence) or not _PAST.search(sentence):
        return False
    admitted = case.record.encounter.admitted_at
    days = [d.value for d in find_dates(sentence, admitted.year if admitted else None) if d.value]
    if admitted and any(day.date() >= admitted.date() for day in days):
        return False
    current = [p.name or "" for p in case.record.procedures or ()]
    if not days and any(same_operation(term, name) for name in current):
        return bool(re.search("年前|曾", sentence))
    return True


def _operated_before(reading: Reading) -> Iterator[_Claim]:
    """Diagnoses of the admission that name a former operation (胆囊切除术后)."""
    for section in reading.sections:
        if section.name in _ADMISSION_DIAGNOSES:
            for match in re.finditer(r"[^,。;、\n\d.()（）]{2,20}术后", section.body.of(reading.half)):
                yield _Claim(
                    "operation",
                    match.group(),
                    reading.document,
                    Span(*match.span()).shifted(section.body.start),
                )


def _told(case: Case, reading: Reading, body: Span, topic: Topic) -> Iterator[_Claim]:
    terms = ("输血", "输注红细胞", "输红细胞", "输血浆") if topic == "transfusion" else _AFFIRMED_INJURY
    for mention in find_mentions(reading.half, terms, body):
        if mention.assertion is not Assertion.PRESENT or mention.subject != "patient":
            continue
        sentence = _sentence_of(reading.half, mention.span, body)
        words = sentence.of(reading.half)
        after = reading.half[mention.span.end : mention.span.end + 12]
        clause = _clause_of(reading.half, mention.span, body)
        past = re.search(r"曾|既往|年前|\d{4}年", clause.of(reading.half))
        told = past and not re.match(r"[^,。;]{0,6}[:：]?(?:无|否认|不详)", after)
        if told and not _PLANNED.search(words) and _is_past(case, words, mention.term):
            yield _Claim(topic, mention.term, reading.document, clause)
