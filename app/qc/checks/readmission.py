"""A further admission whose 主诉 is that of the stay before."""

from datetime import timedelta

from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.facts.detectors.agreement import chief_symptom_untold, onset_times_differ
from app.qc.facts.detectors.base import CHIEF_COMPLAINT, PRESENT_ILLNESS
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.qc.timeline import later
from app.records.model import Document
from app.text.patterns import regex
from app.text.reading import Reading

_PLANNED = regex("化疗|放疗|透析|靶向|免疫治疗|周期|取出|取钢|拆除|拔除|复查|术后|要求|拟行|随访|定期")
_PUNCTUATION = regex(r"[\s,。;:、.]")
_DAY = timedelta(days=1)


class ComplaintOfLastStay(DocumentCheck, name="complaint_of_last_stay"):
    """主诉 is word for word that of an earlier stay, and 现病史 tells of other symptoms or another time.

    Notes of earlier stays are those written more than a day before this admission.
    """

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        reading = case.reading(document)
        chief = reading.section(CHIEF_COMPLAINT)
        words = _words(reading)
        if chief is None or not words:
            return not_applicable("没有主诉，由缺主诉规则判定")
        if _PLANNED.search(reading.half, *chief.body):
            return not_applicable("计划性的周期治疗")
        earlier = [d for d in _of_earlier_stays(case) if d.id != document.id]
        if not earlier:
            return undetermined("未提供既往住院病历")
        same = next((d for d in earlier if _words(case.reading(d)) == words), None)
        if same is None:
            return PASSED
        illness = reading.section(PRESENT_ILLNESS)
        for detect in (onset_times_differ, chief_symptom_untold):
            found = detect(reading, illness)
            if found and found.value:
                hit = Hit.at(document, *found.spans, section=CHIEF_COMPLAINT, problem=found.detail)
                return defect(hit)
        return PASSED


def _words(reading: Reading) -> str:
    return _PUNCTUATION.sub("", reading.body(CHIEF_COMPLAINT))


def _of_earlier_stays(case: Case) -> list[Document]:
    admitted = case.record.encounter.admitted_at
    notes = case.documents_of("入院记录", "再次或多次入院记录")
    return [d for d in notes if admitted and d.completed_at and d.completed_at < later(admitted, -_DAY)]
