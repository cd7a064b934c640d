"""Why blood was given, what it did, and what was done about a reaction."""

import re
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.correspondence import written
from app.qc.checks.order_of_events import shown
from app.qc.checks.transfusion import Transfusion, transfusions
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import Document, DocumentType, LabResult, Span
from app.text.assertion import Assertion, assertion_at
from app.text.patterns import regex
from app.text.width import half_width

_NUMBER = regex(r"\d{1,4}(?:\.\d+)?")
_HAEMOGLOBIN = regex(r"血红蛋白(?!A1|电泳|浓度差)|(?<![A-Za-z])(?:Hb|HGB)(?![A-Za-z])")
_PLATELETS = regex(r"血小板(?:计数|数)?\s*$|(?<![A-Za-z])PLT(?![A-Za-z])")
_OTHER_SPECIMEN = regex("糖化|尿|便|游离|胎儿|平均|高铁|碳氧")
_JUDGED_FOR = timedelta(days=3)


class _Measured(NamedTuple):
    value: float
    at: datetime
    words: str


def _documents_about(
    case: Case, transfusion: Transfusion, types: tuple[DocumentType, ...], hours: float
) -> list[Document]:
    """The transfusion's record and the documents from ``hours`` before to ``hours`` after its beginning."""
    own = [transfusion.document] if transfusion.document else []
    started = transfusion.started_at
    if started is None:
        return [*own, *case.documents_of(*types)]
    first, last = later(started, -timedelta(hours=hours)), later(started, timedelta(hours=hours))
    near = [d for d in case.documents_of(*types) if (w := written(d)) is None or first <= w <= last]
    return [*own, *near]


def _last_before(case: Case, name: re.Pattern[str], moment: datetime) -> _Measured | None:
    found = [m for r in case.record.lab_results or () if (m := _measured(r, name)) and m.at <= moment]
    last = max(found, key=lambda measured: measured.at, default=None)
    return last if last and moment - last.at <= _JUDGED_FOR else None


def _measured(result: LabResult, name: re.Pattern[str]) -> _Measured | None:
    item, at = half_width(result.item or ""), result.sampled_at or result.reported_at
    number = _NUMBER.fullmatch(half_width(result.value or "").strip())
    if at is None or number is None or not name.search(item) or _OTHER_SPECIMEN.search(item):
        return None
    return _Measured(float(number.group()), at, f"{result.item}{result.value}{result.unit or ''}")


class TransfusionUnindicated(Check, name="transfusion_unindicated"):
    """A transfusion for which nothing gives a reason, or whose last result before it does not call for blood.

    Rescue and operative blood is not judged by results.

    Attributes:
        reasons: a pattern of what gives a reason.
        explained: a pattern of what explains blood at a result above the limit.
        red_cells_from: haemoglobin (g/L) from which red cells need an explanation.
        platelets_from: platelets (10⁹/L) from which platelets need an explanation.
        hours: how far from its beginning a document may be written.
    """

    reasons: str
    explained: str
    red_cells_from: float = Field(default=100, gt=0)
    platelets_from: float = Field(default=50, gt=0)
    hours: float = Field(default=24, gt=0)

    @cached_property
    def _reasons(self) -> re.Pattern[str]:
        return regex(self.reasons)

    @cached_property
    def _explained(self) -> re.Pattern[str]:
        return regex(self.explained)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each transfusion and combine."""
        rulings = (self._rule_on(case, t, applies_to) for t in transfusions(case))
        return combine(rulings, none_reason="没有已执行的输血")

    def _rule_on(self, case: Case, transfusion: Transfusion, types: tuple[DocumentType, ...]) -> Ruling:
        documents = _documents_about(case, transfusion, types, self.hours)
        if not documents:
            return undetermined("没有输血前后的文书")
        texts = [case.reading(d).half for d in documents]
        place = transfusion.document.id if transfusion.document else documents[0].id
        details = {"transfusion": transfusion.name}
        if not any(self._reasons.search(text) for text in texts):
            return defect(Hit(place, details={**details, "problem": "前后的文书没有写输血指征"}))
        if transfusion.is_rescue or any(self._explained.search(text) for text in texts):
            return PASSED
        return self._rule_on_result(case, transfusion, place, details)

    def _rule_on_result(
        self, case: Case, transfusion: Transfusion, place: str, details: dict[str, str]
    ) -> Ruling:
        words = transfusion.order.content or "" if transfusion.order else ""
        words += transfusion.document.text if transfusion.document else ""
        limits = (
            (_HAEMOGLOBIN, "红细胞|悬红", self.red_cells_from),
            (_PLATELETS, "血小板", self.platelets_from),
        )
        name, limit = next(
            ((n, limit) for n, product, limit in limits if re.search(product, words)), (None, 0.0)
        )
        if name is None:
            return PASSED
        started = transfusion.started_at
        last = _last_before(case, name, started) if started else None
        if last is None:
            return undetermined("没有输血前三天内的血红蛋白或血小板结果")
        if last.value < limit:
            return PASSED
        problem = f"输前{shown(last.at)}的结果为{last.words}，没有说明为何输注"
        return defect(Hit(place, details={**details, "problem": problem}))


class TransfusionUnevaluated(Check, name="transfusion_unevaluated"):
    """A transfusion after which neither a note nor a result shows what it did.

    Attributes:
        words: a pattern of what tells it in a note.
        results: a pattern for the items of results that show it.
        hours: hours after its beginning within which it is awaited.
    """

    words: str
    results: str
    hours: float = Field(default=72, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each transfusion and combine."""
        rulings = (self._rule_on(case, t, applies_to) for t in transfusions(case))
        return combine(rulings, none_reason="没有已执行的输血")

    def _rule_on(self, case: Case, transfusion: Transfusion, types: tuple[DocumentType, ...]) -> Ruling:
        started = transfusion.started_at
        if started is None:
            return undetermined("没有输血开始时间")
        limit = later(started, timedelta(hours=self.hours))
        if case.ended_at is not None and case.ended_at < limit:
            return not_applicable("评价时限之前已离院")
        if any(
            re.search(self.results, half_width(f"{r.panel or ''} {r.item or ''}"))
            and (at := r.sampled_at or r.reported_at)
            and started < at <= limit
            for r in case.record.lab_results or ()
        ):
            return PASSED
        notes = [d for d in case.documents_of(*types) if (w := written(d)) and started < w <= limit]
        if any(re.search(self.words, case.reading(d).half) for d in notes):
            return PASSED
        if not case.is_past(limit):
            return not_yet(limit, "输血后的疗效评价")
        if "lab_results" not in case.record.delivered:
            return undetermined("未提供检验结果")
        details = {"transfusion": transfusion.name, "started": shown(started), "hours": f"{self.hours:g}"}
        return defect(Hit(notes[0].id if notes else None, details=details))


class ReactionUnhandled(Check, name="transfusion_reaction_unhandled"):
    """A transfusion record that tells of a reaction, and no document about it tells what was done.

    Attributes:
        reactions: a pattern for reactions; they count where the record asserts them after the beginning.
        handled: a pattern for judgement and treatment.
        hours: how far from its beginning a document may be written.
    """

    reactions: str
    handled: str
    hours: float = Field(default=24, gt=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each transfusion record and combine."""
        rulings = (self._rule_on(case, t, applies_to) for t in transfusions(case) if t.document)
        return combine(rulings, none_reason="没有输血记录")

    def _rule_on(self, case: Case, transfusion: Transfusion, types: tuple[DocumentType, ...]) -> Ruling:
        document = transfusion.document
        assert document is not None  # noqa: S101
        places = self._reactions_of(case, document)
        if not places:
            return not_applicable("输血记录没有写不良反应")
        documents = _documents_about(case, transfusion, types, self.hours)
        if any(re.search(self.handled, case.reading(d).half) for d in documents):
            return PASSED
        return defect(Hit.at(document, places[0], transfusion=transfusion.name))

    def _reactions_of(self, case: Case, document: Document) -> list[Span]:
        half = case.reading(document).half
        begun = re.search("开始|起始", half)
        found = re.finditer(self.reactions, half[begun.start() :] if begun else "")
        spans = [Span(*m.span()).shifted(begun.start()) for m in found] if begun else []
        return [s for s in spans if assertion_at(document.text, s) is Assertion.PRESENT]
