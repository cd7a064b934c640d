"""Whether consultation advice was taken up."""

import re
from datetime import datetime, timedelta

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.checks.correspondence import notes_from
from app.qc.checks.order_of_events import shown
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import Document, DocumentType, Span
from app.text.investigations import Examination, drug_class, find_examinations
from app.text.lexicons import load_mapping
from app.text.patterns import regex
from app.text.width import half_width

_ADVICE = regex(r"(?:会诊)?(?:意见|建议)\s*:?")
_LISTED = regex(r"建议\s*:\s*")
_NO_ADVICE = regex("无特殊(?:处理|处置|建议|治疗|意见)|暂无特殊|无需特殊")
_PROPOSES = regex("查|用|予|行|转|停|改|加|建议|换|补|监测|复诊|控制|避免|禁|手术|治疗|训练|评估")
_DEPARTMENT = regex(r"(?:应邀|受邀|邀请|会诊|被邀)科室\s*:?\s*(?P<name>[\u4e00-\u9fff]{2,8}?科)")
_TITLE_DEPARTMENT = regex(r"(?P<name>[\u4e00-\u9fff]{2,8}?科)会诊")


class AdviceUnanswered(DocumentCheck, name="advice_unanswered"):
    """Consultation advice that no later note takes up, and no later order carries out.

    A note takes it up by naming the consultation, the department or an advised drug.

    Attributes:
        hours: hours after the consultation up to which a note is awaited in hospital.
        note_types: the notes that may take it up.
    """

    hours: float = Field(default=48, gt=0)
    note_types: tuple[DocumentType, ...] = Field(min_length=1)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        moment = document.event_at or document.completed_at
        advice = self._advice(case, document)
        if moment is None or advice is None:
            return undetermined("没有会诊时间或会诊意见")
        half = case.reading(document).half
        words = advice.of(half)
        if _NO_ADVICE.search(words) or not _PROPOSES.search(words):
            return not_applicable("会诊没有提出处理建议")
        notes = [n for n in notes_from(case, self.note_types, moment) if n.id != document.id]
        if self._is_answered(case, document, words, notes) or self._is_ordered(case, words, moment):
            return PASSED
        limit = later(moment, timedelta(hours=self.hours))
        if not case.is_past(limit):
            return not_yet(limit, "会诊意见执行情况的记录")
        if not notes and case.ended_at is not None and case.ended_at <= limit:
            return undetermined("会诊后不久离院，没有后续病程")
        name = document.title or document.kind
        return defect(Hit.at(document, self._shortened(half, advice), document=name, at=shown(moment)))

    def _advice(self, case: Case, document: Document) -> Span | None:
        reading = case.reading(document)
        section = reading.section("会诊意见")
        start = section.body.start if section else None
        if start is None:
            found = list(_ADVICE.finditer(reading.half))
            start = found[0].end() if found else None
        if start is None:
            return None
        listed = _LISTED.search(reading.half, start)
        start = listed.end() if listed else start
        end = reading.half.find("签名", start)
        span = Span(start, end if end >= 0 else len(reading.half))
        return span if span.of(reading.half).strip() else None

    def _shortened(self, half: str, advice: Span) -> Span:
        text = advice.of(half).rstrip()
        first = re.match(r"[^\n]{1,120}", text)
        return Span(advice.start, advice.start + (first.end() if first else len(text)))

    def _is_answered(self, case: Case, document: Document, words: str, notes: list[Document]) -> bool:
        stems = self._departments(case, document)
        known = [name for names in load_mapping("drug_classes").values() for name in names if len(name) > 2]
        drugs = [name for name in known if name in words]
        for note in notes:
            half = case.reading(note).half
            if "会诊" in half or any(stem in half for stem in stems) or any(drug in half for drug in drugs):
                return True
        return False

    def _departments(self, case: Case, document: Document) -> set[str]:
        half = case.reading(document).half
        found = [*_DEPARTMENT.finditer(half), *_TITLE_DEPARTMENT.finditer(document.title or "")]
        names = {match["name"] for match in found}
        return names | {re.sub("医学科|内科|外科|科", "", name) for name in names if len(name) > 3} - {""}

    def _is_ordered(self, case: Case, words: str, moment: datetime) -> bool:
        later_orders = [
            o
            for o in case.record.orders or ()
            if o.ordered_at and o.ordered_at >= moment and o.kind != "出院带药"
        ]
        advised = [
            (modality, mention)
            for modality in ("CT", "MRI", "X线", "超声", "内镜", "心电图")
            for mention in find_examinations(words, modality)
        ]
        for order in later_orders:
            content = half_width(order.content or "")
            if order.category in ("检查", "检验") and any(_asks(content, *each) for each in advised):
                return True
            known = drug_class(content) if order.category == "药品" else None
            if known and known[0] in words:
                return True
            if order.category == "检验" and any(
                len(part) > 2 and part in words for part in re.split(r"[(、,)\s]", content)
            ):
                return True
            if order.category in ("转科", "手术", "操作") and "转" in content and "转" in words:
                return True
        return False


def _asks(content: str, modality: str, mention: Examination) -> bool:
    orders = find_examinations(content, modality)
    return any(
        not mention.regions or not order.regions or mention.regions & order.regions for order in orders
    )
