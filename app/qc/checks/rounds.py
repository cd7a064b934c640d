"""The rounds of senior physicians: on record, in time, often enough, by a named physician."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check, DocumentCheck
from app.qc.checks.deadline import elapsed_text
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import day_of, later
from app.records.model import Document, DocumentType, Procedure, Span
from app.text.patterns import regex

SENIOR_TITLES = ("主治医师", "副主任医师", "主任医师")
_WEEK = timedelta(days=7)
_HEAD_CHARACTERS = 120
_TITLE = r"(副主任|主任|主治|副教授|教授)(?:医师|医生)?"
_NAMED_TITLE = regex(_TITLE)
_ROUND = regex(_TITLE + r"[^。\n]{0,14}?(?:查房|查看)")
_TITLES = {
    "主治": "主治医师", "副主任": "副主任医师", "副教授": "副主任医师", "主任": "主任医师", "教授": "主任医师",
}  # fmt: skip
_NOT_A_NAME = r"(?:今日|今天|今晨|今|上级|本科|我科|科室|病区|随|由|请|和|与|经|及|同|陪同|跟随|住院|主管|科|组|日|晨|午)"
_NAMED = regex(
    rf"(?:^|[\s\d:,，。;；、(（:：]|{_NOT_A_NAME})(?!{_NOT_A_NAME})([\u4e00-\u9fff·]{{1,4}}?|[*×xX]+[\u4e00-\u9fff]?)"
    rf"(?<!上级)(?:科)?{_TITLE}",
    re.MULTILINE,
)
_CONFIRMS = regex("同意|确认|(?:诊疗|治疗|诊治)(?:计划|方案|意见)|嘱|指示|指出|建议")


def rounds_of(case: Case, types: tuple[DocumentType, ...]) -> tuple[Document, ...]:
    """The documents of the types, and the 日常病程记录 that open with a senior physician's round."""
    noted = (d for d in case.documents_of("日常病程记录") if d.kind not in types and _ROUND.search(_head(d)))
    return (*case.documents_of(*types), *noted)


def rounding_title(document: Document) -> str | None:
    """The professional title of the physician of a round: the 主持人's, else as headed, else the author's.

    One of ``SENIOR_TITLES``, or ``None`` where nobody of these is named: rounds are written down by juniors.
    """
    hosts = [p.title for p in document.participants or () if p.role == "主持人" and p.title]
    headed = _NAMED_TITLE.search(document.title or "") or _ROUND.search(_head(document))
    authors = [document.author.title] if document.author and document.author.title else []
    written = [*hosts, *([headed.group()] if headed else []), *authors]
    return next((_TITLES[match.group(1)] for title in written if (match := _NAMED_TITLE.search(title))), None)


def _head(document: Document) -> str:
    return f"{document.title or ''}\n{document.text[:_HEAD_CHARACTERS]}"


class FirstRound(Check, name="first_round"):
    """The first round of a senior physician is not on record, or was recorded too late.

    Course notes that open with a senior physician's round count as rounds.

    Attributes:
        limit_hours: hours after admission, inclusive.
        titles: professional titles that count.
        late_counts: whether a late round is a defect; otherwise only a missing one.
    """

    limit_hours: float = Field(gt=0)
    titles: tuple[str, ...] = SENIOR_TITLES
    late_counts: bool = True

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        admitted = case.record.encounter.admitted_at
        if admitted is None:
            return undetermined("未提供入院时间")
        limit = later(admitted, timedelta(hours=self.limit_hours))
        if case.ended_at is not None and case.ended_at <= limit:
            return not_applicable(f"住院未超过{self.limit_hours:g}小时")
        ruling = self._rule_on_rounds(rounds_of(case, applies_to), admitted, limit)
        if ruling is not None:
            return ruling
        if not case.is_past(limit):
            return not_yet(limit, f"{self.titles[0]}查房记录")
        return defect(Hit(details=self._details("病历中没有这样的记录")))

    def _rule_on_rounds(
        self, rounds: tuple[Document, ...], admitted: datetime, limit: datetime
    ) -> Ruling | None:
        """What the rounds on record say; ``None`` when no round of a senior physician is on record."""
        unknown = [d for d in rounds if rounding_title(d) is None]
        senior = [d for d in rounds if rounding_title(d) in self.titles]
        timed = [(moment, d) for d in senior if (moment := d.completed_at or d.event_at)]
        if senior and not self.late_counts:
            return PASSED
        if any(moment <= limit for moment, _ in timed):
            return PASSED
        could_be_early = [
            d for d in unknown if (moment := d.completed_at or d.event_at) is None or moment <= limit
        ]
        if could_be_early or len(timed) < len(senior) or (unknown and not timed):
            return undetermined("查房医师的职称或查房时间无法识别")
        if not timed:
            return None
        moment, first = min(timed, key=lambda pair: pair[0])
        details = self._details(f"入院后{elapsed_text(moment - admitted)}才完成")
        return defect(Hit(first.id, evidence=(first.evidence(_first_line(first)),), details=details))

    def _details(self, found: str) -> dict[str, object]:
        return {
            "title": self.titles[0],
            "limit": f"{self.limit_hours:g}",
            "days": f"{self.limit_hours / 24:g}",
            "found": found,
        }


def _first_line(document: Document) -> Span:
    return Span(0, len(document.text.partition("\n")[0]))


class SurgeonRound(Check, name="surgeon_round"):
    """No note shows that the surgeon saw the patient before the operation, or within hours after it.

    A note shows it by its author, its participants or its text; before the operation also a 术前小结 with a
    section on the surgeon's visit.

    Attributes:
        limit_hours: hours after the end of the operation, inclusive.
        kinds: kinds of procedure that are judged.
    """

    limit_hours: float = Field(default=24, gt=0)
    kinds: tuple[str, ...] = ("手术",)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation and combine."""
        notes = case.documents_of(*applies_to)
        concerned = (p for p in case.record.procedures or () if p.kind in self.kinds)
        return combine((self._rule_on_operation(case, p, notes) for p in concerned), none_reason="没有手术")

    def _rule_on_operation(self, case: Case, procedure: Procedure, notes: tuple[Document, ...]) -> Ruling:
        surgeon, started, ended = procedure.surgeon, procedure.started_at, procedure.ended_at
        if not surgeon or "*" in surgeon or started is None or ended is None:
            return undetermined("未提供术者或手术起止时间")
        limit = later(ended, timedelta(hours=self.limit_hours))
        seen = [m for d in notes if (m := d.event_at or d.completed_at) and _shows(case, d, surgeon)]
        before = any(moment <= started for moment in seen)
        after = any(ended <= moment <= limit for moment in seen)
        if not after and not case.is_past(limit):
            return not_yet(limit, f"术者{surgeon}的术后查房记录")
        lacking = []
        if not before and procedure.emergency is False:
            lacking.append("术前没有术者查看患者的记录")
        if not after and (case.ended_at is None or case.ended_at > limit):
            lacking.append(f"手术结束后{self.limit_hours:g}小时内没有术者查房的记录")
        if lacking:
            details = {
                "procedure": procedure.name or "手术",
                "surgeon": surgeon,
                "problem": "，".join(lacking),
            }
            return defect(Hit(details=details))
        if not before and procedure.emergency is None:
            return undetermined("未说明是否为抢救性急诊手术")
        return PASSED


def _shows(case: Case, document: Document, surgeon: str) -> bool:
    people = [
        document.author.name if document.author else None,
        *(p.name for p in document.participants or ()),
    ]
    if surgeon in people or surgeon in document.text or surgeon in (document.title or ""):
        return True
    return document.kind == "术前小结" and bool(case.reading(document).body("术前查看患者"))


class RoundsPerWeek(Check, name="rounds_per_week"):
    """A full week of the stay with fewer recorded rounds than the core rules ask of each rank.

    Attributes:
        highest_titles: titles of the highest rank.
        highest: rounds a week of the highest rank.
        middle_titles: titles of the middle rank.
        middle: rounds a week of the middle rank.
    """

    highest_titles: tuple[str, ...] = ("主任医师", "副主任医师")
    highest: int = Field(default=2, ge=0)
    middle_titles: tuple[str, ...] = ("主治医师",)
    middle: int = Field(default=3, ge=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each full week from admission on."""
        if case.record.encounter.admitted_at is None:
            return undetermined("未提供入院时间")
        rounds = [
            (moment, rounding_title(document))
            for document in rounds_of(case, applies_to)
            if (moment := document.event_at or document.completed_at)
        ]
        rulings = (self._rule_on_week(start, rounds) for start in self._weeks(case))
        return combine(rulings, none_reason="住院不足7日")

    def _weeks(self, case: Case) -> Iterator[datetime]:
        if case.timeline.periods:
            start, end = case.timeline.periods[0].start, case.timeline.periods[-1].end
            while end - start >= _WEEK:
                yield start
                start += _WEEK

    def _rule_on_week(self, start: datetime, rounds: list[tuple[datetime, str | None]]) -> Ruling:
        titles = [title for moment, title in rounds if timedelta(0) <= moment - start < _WEEK]
        highest = sum(title in self.highest_titles for title in titles)
        middle = sum(title in self.middle_titles for title in titles)
        if highest >= self.highest and middle >= self.middle:
            return PASSED
        if None in titles:
            return undetermined("查房医师的职称无法识别")
        details = {"since": day_of(start), "until": day_of(later(start, timedelta(days=6)))}
        return defect(Hit(details={**details, "highest": highest, "middle": middle}))


class RoundingPhysicianUnnamed(DocumentCheck, name="rounding_physician_unnamed"):
    """A round whose record names no physician, or gives no professional title."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        head = f"{document.title or ''}\n{case.reading(document).half}"
        people = [p for p in document.participants or () if p.role == "主持人" or p.title in SENIOR_TITLES]
        if document.author and document.author.title in SENIOR_TITLES and document.author.name:
            return PASSED
        named = next(_NAMED.finditer(head), None)
        has_name = named is not None or any(p.name for p in people)
        has_title = named is not None or _NAMED_TITLE.search(head) is not None or any(p.title for p in people)
        if has_name and has_title:
            return PASSED
        if "*" in head:
            return undetermined("姓名或职务已脱敏")
        missing = "、".join(
            name for name, there in (("姓名", has_name), ("专业技术职务", has_title)) if not there
        )
        return defect(
            Hit.at(document, _first_line(document), missing=missing, document=document.title or document.kind)
        )


class PlanUnconfirmed(DocumentCheck, name="plan_unconfirmed"):
    """No senior physician confirmed the plan of the first course note, by signature or on a round.

    Attributes:
        limit_hours: hours after admission, inclusive, within which a round can confirm it.
    """

    limit_hours: float = Field(default=48, gt=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        author, admitted = document.author, case.record.encounter.admitted_at
        if author is None or author.title is None:
            return undetermined("未提供书写者职称")
        if author.title in SENIOR_TITLES:
            return not_applicable("首次病程记录由主治及以上医师书写")
        if any(
            s.name and (s.role == "审核者" or s.title in SENIOR_TITLES) for s in document.signatures or ()
        ):
            return PASSED
        if admitted is None:
            return undetermined("未提供入院时间")
        limit = later(admitted, timedelta(hours=self.limit_hours))
        rounds = rounds_of(case, ("上级医师查房记录",))
        if any(
            _CONFIRMS.search(d.text) for d in rounds if (m := d.event_at or d.completed_at) and m <= limit
        ):
            return PASSED
        if not case.is_past(limit):
            return not_yet(limit, "上级医师对诊疗方案的确认")
        if "signatures" not in case.record.delivered:
            return undetermined("未提供签名数据")
        return defect(Hit.at(document, limit=f"{self.limit_hours:g}"))
