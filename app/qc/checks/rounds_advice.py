"""Drugs that a senior physician's round clearly asks for, against the orders."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from pydantic import Field

from app.qc.case import Case, course_moment
from app.qc.checks.base import DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, not_yet, undetermined
from app.records.model import Document, Span
from app.text.assertion import Assertion, find_mentions
from app.text.dosing import drug_core, names_of_drug
from app.text.lexicons import load_mapping
from app.text.patterns import regex

_ASKS = regex(
    r"(?:加用|改用|换用|改为|换为|启用|启动|恢复|给予|予以?|开始(?:使用|用)?)[“\"]?(?=[\u4e00-\u9fffA-Za-z])"
)
_CONDITIONAL = regex(
    r"必要时|如果?(?!下)|若|一旦|可(?:考虑|予)|考虑|建议|拟|计划|出院后?|门诊|以后|日后|明[日晨天]|术[前中后]|术毕|待|再(?:加|行)|备|超过|不[予用加改]|未[予用加]|曾|已|昨|此前|当时|外院|院前|入院(?:前|后)"
)
_NOT_FOLLOWED = regex("未执行|未采纳|暂不|暂缓|拒绝|缺药|不同意使用")
_SECTIONS = ("诊疗意见", "诊疗计划")
_REACH = 14


class _Asked(NamedTuple):
    drug: str
    span: Span


class AdvisedDrugNotOrdered(DocumentCheck, name="advised_drug_not_ordered"):
    """A drug that a round asks for without condition was not ordered about that time.

    Only drugs directly after 加用, 改用, 予 and the like count, in the round's own plan; plans, conditions, past use
    and advice for after discharge do not. A note that says why it was not followed excuses it.

    Attributes:
        within_hours: the order may come that long before or after the round, or still be running.
    """

    within_hours: float = Field(default=24, gt=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one round."""
        asked = list(_asked(case, document))
        if not asked:
            return not_applicable("查房没有明确要求用药")
        if not (document.event_at or document.completed_at):
            return undetermined("查房记录没有时间")
        moment = course_moment(document)
        missing = [each for each in asked if not self._is_ordered(case, each.drug, moment)]
        if not missing or _is_explained(case, [each.drug for each in missing]):
            return PASSED
        limit = moment + timedelta(hours=self.within_hours)
        if not case.is_past(limit):
            return not_yet(limit, "查房意见的医嘱")
        name = document.title or document.kind
        details = {"document": name, "hours": f"{self.within_hours:g}"}
        return defect(
            *(Hit.at(document, each.span, section="诊疗意见", drug=each.drug, **details) for each in missing)
        )

    def _is_ordered(self, case: Case, drug: str, moment: datetime) -> bool:
        window = timedelta(hours=self.within_hours)
        names = names_of_drug(drug)
        for order in case.record.orders or ():
            written = f"{order.drug.name if order.drug else ''} {order.content or ''}"
            if not any(name in written for name in names):
                continue
            if order.ordered_at is None or abs(order.ordered_at - moment) <= window:
                return True
            running = order.kind == "长期" and (order.stopped_at is None or order.stopped_at >= moment)
            if order.ordered_at < moment and running:
                return True
        return False


@cache
def _terms() -> tuple[str, ...]:
    classes = load_mapping("drug_classes")
    named = (drug for name, drugs in classes.items() if not name.startswith("血制品") for drug in drugs)
    return tuple(dict.fromkeys(drug for drug in named if len(drug) >= 3))


def _asked(case: Case, document: Document) -> Iterator[_Asked]:
    reading = case.reading(document)
    for section in reading.sections:
        if section.name not in _SECTIONS or not _ASKS.search(reading.half, *section.body):
            continue
        for sentence in reading.sentences_of(section):
            half = reading.half[sentence.start : sentence.end]
            for verb in _ASKS.finditer(half):
                if _CONDITIONAL.search(half[: verb.end()]):
                    continue
                within = Span(
                    sentence.start + verb.end(), min(sentence.end, sentence.start + verb.end() + _REACH)
                )
                mention = next(iter(find_mentions(reading.half, _terms(), within)), None)
                if (
                    mention
                    and mention.assertion is Assertion.PRESENT
                    and "," not in reading.half[within.start : mention.span.start]
                ):
                    yield _Asked(
                        drug_core(mention.term), Span(sentence.start + verb.start(), mention.span.end)
                    )


def _is_explained(case: Case, drugs: Sequence[str]) -> bool:
    return any(
        any(drug in case.reading(d).half[max(0, m.start() - 40) : m.end() + 40] for drug in drugs)
        for d in case.course_documents
        for m in _NOT_FOLLOWED.finditer(case.reading(d).half)
    )
