"""What was diagnosed, ordered or done, and what in the record gives the reason for it."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from app.qc.case import COURSE_TYPES, Case
from app.qc.checks.specialty import Trigger, triggered
from app.qc.facts.detectors.base import DIAGNOSES, filled
from app.qc.facts.detectors.diagnosis_support import Support, support_for
from app.qc.facts.stay.base import StayDetection, stay_detector
from app.qc.timeline import is_cancelled
from app.records.model import Document, DocumentType, Evidence, Span
from app.text.diagnoses import find_diagnoses
from app.text.lexicons import load_tree
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.width import half_width

_ADMISSION: tuple[DocumentType, ...] = ("入院记录", "再次或多次入院记录")
_HISTORY = ("现病史", "既往史", "个人史", "主诉")


@stay_detector
def diagnosis_without_ground(case: Case) -> StayDetection | None:
    """Whether a diagnosis of the admission note is supported by nothing in the note, the reports or the orders.

    ``None`` where reports were not delivered, or none of the diagnoses is one whose support is known.
    """
    judged = False
    for document in case.documents_of(*_ADMISSION):
        for span, support in _supportable(case.reading(document)):
            judged = True
            if _is_supported(case, document, support):
                continue
            if not {"lab_results", "exam_reports"} <= case.record.delivered:
                return None
            if not any(support.words.search(said) for said in _data(case)):
                name = span.of(document.text)
                return StayDetection(True, (document.evidence(span),), name)
    return StayDetection(False) if judged else None


def _supportable(reading: Reading) -> Iterator[tuple[Span, Support]]:
    for section in filled(reading, *DIAGNOSES):
        for each in find_diagnoses(reading.document.text, section.body):
            support = support_for(each.name)
            if support:
                yield each.span, support


def _is_supported(case: Case, document: Document, support: Support) -> bool:
    """Whether the note, its diagnoses left out, holds a word of support."""
    reading = case.reading(document)
    return any(
        support.words.search(reading.half, *section.body)
        for section in reading.sections
        if "诊断" not in section.name
    )


def _data(case: Case) -> Iterator[str]:
    for result in case.record.lab_results or ():
        yield half_width(f"{result.panel or ''} {result.item or ''}")
    for report in case.record.exam_reports or ():
        words = (report.modality, report.site, report.finding, report.impression)
        yield half_width(" ".join(word or "" for word in words))
    for order in case.record.orders or ():
        yield half_width(order.content or "")


class _Chronic(NamedTuple):
    name: str
    treated: Trigger
    told: re.Pattern[str]


@cache
def _chronic() -> tuple[_Chronic, ...]:
    return tuple(
        _Chronic(
            name,
            Trigger(
                diagnoses=words["diagnoses"],
                not_diagnoses=words.get("not_diagnoses"),
                drugs=tuple(words["drugs"]),
                on_admission=True,
            ),
            regex(words["told"]),
        )
        for name, words in load_tree("treated_diseases").items()
    )


@stay_detector
def treated_disease_untold(case: Case) -> StayDetection | None:
    """Whether the history says nothing of a chronic disease known on admission and treated in this stay."""
    readings = [case.reading(d) for d in case.documents_of(*_ADMISSION)]
    told = [(r.half, s) for r in readings for s in filled(r, *_HISTORY)]
    untold = [c for c in _chronic() if not any(c.told.search(half, *s.body) for half, s in told)]
    treated = next((c for c in untold if triggered(case, (c.treated,)).value), None)
    if treated is None:
        return StayDetection(False)
    if not {"既往史", "现病史"} <= {s.name for _, s in told}:
        return None
    return StayDetection(True, _heading(readings), treated.name)


def _heading(readings: list[Reading]) -> tuple[Evidence, ...]:
    for reading in readings:
        section = reading.section("既往史")
        if section is not None:
            return (reading.document.evidence(section.heading),)
    return ()


class _Special(NamedTuple):
    name: str
    done: re.Pattern[str]
    told: re.Pattern[str]


@cache
def _special() -> tuple[_Special, ...]:
    listed = load_tree("special_treatments").items()
    return tuple(_Special(name, regex(words["done"]), regex(words["told"])) for name, words in listed)


_REASON = regex(
    r"指征|适应[证症]|为(?:了)?(?:明确|进一步|评估|求|防)|因|由于|考虑|鉴于|故|明确(?:诊断|病因)|需|宜|建议|应"
)
_WITHIN = 80
_TELLING: tuple[DocumentType, ...] = (
    *COURSE_TYPES, "入院记录", "再次或多次入院记录", "会诊记录", "疑难病例讨论记录", "术前讨论记录", "手术记录", "特殊检查(治疗)同意书",
    "手术知情同意书",
)  # fmt: skip


@stay_detector
def special_treatment_unindicated(case: Case) -> StayDetection | None:
    """Whether no note speaks of a special examination or treatment that was done; ``None`` where one gives no reason."""
    done = {(kind, name) for kind in _special() for name in _names_done(case) if kind.done.search(name)}
    is_open = False
    for kind, name in sorted(done, key=lambda pair: pair[1]):
        told = [place for d in case.documents_of(*_TELLING) for place in _told(case, d, kind)]
        if not told:
            return StayDetection(True, (), name)
        is_open |= not any(told)
    if not done:
        return StayDetection(False)
    return None if is_open else StayDetection(False)


def _names_done(case: Case) -> Iterator[str]:
    for procedure in case.record.procedures or ():
        if procedure.kind != "手术" and procedure.name:
            yield half_width(procedure.name)
    for order in case.record.orders or ():
        if order.category == "操作" and order.executed_at and order.content and not is_cancelled(order):
            yield half_width(order.content)


def _told(case: Case, document: Document, kind: _Special) -> Iterator[bool]:
    """Each mention of the treatment, and whether a reason stands near it."""
    half = case.reading(document).half
    for match in kind.told.finditer(half):
        yield bool(_REASON.search(half, max(0, match.start() - _WITHIN), match.end() + _WITHIN))
