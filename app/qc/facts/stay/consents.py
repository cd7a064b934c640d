"""Consent: who signed in the patient's place, and whether its risks are this patient's."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from app.qc.case import Case
from app.qc.checks.signature import is_signed_for_patient
from app.qc.checks.specialty import Trigger, triggered
from app.qc.facts.stay.base import StayDetection, stay_detector
from app.records.model import CONSENT_TYPES, DocumentType, Span
from app.text.lexicons import load_tree
from app.text.patterns import regex
from app.text.reading import Reading

_INSTITUTION = regex(
    r"(?:医疗机构|医院|院方|院)?(?:负责人|授权的?负责人|院领导|总值班|医务[科处部](?:负责人|主任|科长|处长)?)"
    r"(?:[^。\n:]{0,6}签[字名]|签署)\s*:?\s*(?!日期|时间|年|月|签|_|:)[\u4e00-\u9fff*]{2,4}"
    r"|由(?:医疗机构|医院|本院|院)?(?:负责人|授权的?负责人|院领导|总值班|医务[科处部])[^。\n]{0,10}签(?:字|名|署)"
)
_RISK_CONSENTS: tuple[DocumentType, ...] = ("手术知情同意书", "麻醉知情同意书", "特殊检查(治疗)同意书")
_SHORTEST_CONSENT = 60
_RISK = regex("风险|并发症|意外|可能(?:出现|发生)")


class _Comorbidity(NamedTuple):
    name: str
    trigger: Trigger
    told: re.Pattern[str]


@cache
def _comorbidities() -> tuple[_Comorbidity, ...]:
    return tuple(
        _Comorbidity(
            name,
            Trigger(diagnoses=words["diagnoses"], not_diagnoses=words.get("not_diagnoses")),
            regex(words["told"]),
        )
        for name, words in load_tree("comorbidities").items()
    )


@stay_detector
def institution_signed(case: Case) -> StayDetection | None:
    """Whether the hospital's representative signed a consent that nobody of the patient's side signed."""
    papers = [d for d in case.documents if d.kind in CONSENT_TYPES or d.kind == "抢救记录"]
    for paper in papers:
        half = case.reading(paper).half
        signed = _INSTITUTION.search(half)
        if signed and not is_signed_for_patient(paper, half):
            return StayDetection(True, (paper.evidence(Span(*signed.span())),))
    return StayDetection(False)


@stay_detector
def comorbidity_not_in_consent(case: Case) -> StayDetection | None:
    """Whether a consent that tells of risks leaves out every serious comorbidity of the patient.

    ``None`` where the consents cannot be read or the diagnoses are not known; false without comorbidity.
    """
    held = [c for c in _comorbidities() if triggered(case, (c.trigger,)).value]
    if not held:
        known = triggered(case, (_comorbidities()[0].trigger,)).value is not None
        return StayDetection(False) if known else None
    readable = list(_readable(case))
    if not readable:
        return None
    for reading in readable:
        if not any(c.told.search(reading.half) for c in held):
            risk = _RISK.search(reading.half)
            place = (reading.document.evidence(Span(*risk.span())),) if risk else ()
            return StayDetection(True, place, "、".join(c.name for c in held))
    return StayDetection(False)


def _readable(case: Case) -> Iterator[Reading]:
    for document in case.documents_of(*_RISK_CONSENTS):
        reading = case.reading(document)
        if len(reading.half) >= _SHORTEST_CONSENT and _RISK.search(reading.half):
            yield reading
