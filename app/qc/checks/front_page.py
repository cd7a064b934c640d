"""The front page as a whole and item by item: there, in time, filled in, in the form it must have."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property

from pydantic import ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.deadline import elapsed_text
from app.qc.front_page import Entry, FrontPageView, Item, first_number, items, written_text
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import DocumentType, Evidence
from app.terms.codes import CodeRanges
from app.text.patterns import regex

_PAGE = "病案首页"
_NAMED_UNDELIVERED = 5


def front_page_of(case: Case) -> FrontPageView:
    """The front page of a case; use with ``case.remembered``."""
    case.asks_for("病案首页")
    return FrontPageView(case.record)


def page_hit(page: FrontPageView, *places: str, **details: object) -> Hit:
    """A hit on the front page, shown by items (by key) or words where the printed page has them."""
    document_id = page.document.id if page.document else None
    return Hit(document_id, None, page.evidence(*places), details)


def with_evidence(hit: Hit, *evidence: Evidence) -> Hit:
    """The hit, shown by further places: the other side of a contradiction."""
    return Hit(hit.document_id, hit.section, (*hit.evidence, *evidence), hit.details)


class PageCheck(Check):
    """A check of a front page that is there, once the stay is over."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the front page."""
        if case.record.front_page is None:
            return not_applicable("没有病案首页，由缺病案首页规则判定")
        page = case.remembered(front_page_of)
        if _is_in_hospital(case, page):
            return not_applicable("患者在院")
        return self.rule_on_page(case, page)

    @abstractmethod
    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page of a finished stay."""


def _is_in_hospital(case: Case, page: FrontPageView) -> bool:
    admitted = case.record.encounter.admitted_at is not None
    return admitted and not case.is_over and not page.text("discharged_at") and not page.text("disposition")


class FrontPageMissing(Check, name="front_page_missing"):
    """No front page although the stay ended long enough ago, or one with nothing but a name.

    Attributes:
        due_hours: hours after discharge or death from which its absence counts.
    """

    due_hours: float = Field(default=24, ge=0)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        page = case.record.front_page
        if case.documents_of(*applies_to):
            return PASSED
        if page is not None and not case.remembered(front_page_of).is_blank:
            return PASSED
        if not case.is_over:
            return not_applicable("患者在院")
        if case.as_of_is_given and case.ended_at and case.as_of:
            limit = later(case.ended_at, timedelta(hours=self.due_hours))
            if case.as_of <= limit:
                return not_yet(limit, _PAGE)
        problem = "没有病案首页" if page is None else "病案首页除姓名外没有填写任何项目"
        return defect(Hit(details={"problem": problem}))


class FrontPageLate(PageCheck, name="front_page_late"):
    """A front page finished more than a number of hours after discharge.

    Attributes:
        limit_hours: the limit, inclusive.
    """

    limit_hours: float = Field(gt=0)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page's own time of completion, else that of the printed page."""
        written = page.entry("completed_at").raw
        printed = page.document.completed_at if page.document else None
        done = written if isinstance(written, datetime) else printed
        if done is None or case.ended_at is None:
            return undetermined("未提供首页完成时间" if done is None else "未提供出院时间")
        elapsed = done - case.ended_at
        if elapsed <= timedelta(hours=self.limit_hours):
            return PASSED
        return defect(page_hit(page, limit=f"{self.limit_hours:g}", elapsed=elapsed_text(elapsed)))


class PageItemsEmpty(PageCheck, name="page_items_empty"):
    """Items that were delivered and left blank; one hit names them all.

    An item that was not delivered is not known to be blank: it makes the outcome undetermined at most.

    Attributes:
        items: keys of the items, each still only where it is required; by default all that are required.
        main_codes: ranges of main diagnosis codes for which the items must be given; by default all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    items: tuple[str, ...] = ()
    main_codes: tuple[str, ...] = ()

    @cached_property
    def _ranges(self) -> CodeRanges:
        return CodeRanges(self.main_codes)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the items."""
        if self.main_codes:
            main = page.main_diagnosis
            if main is None or main.code is None:
                return undetermined("首页未提供主要诊断编码")
            if main.code not in self._ranges:
                return not_applicable("主要诊断不属于规则所指的疾病")
        asked = [item for item in self._asked() if is_required(item, page)]
        if not asked:
            return not_applicable("首页没有填写手术或操作")
        entries = [page.entry(item.key) for item in asked]
        empty = [entry for entry in entries if entry.is_empty]
        if empty:
            titles = "、".join(dict.fromkeys(entry.item.title for entry in empty))
            return defect(page_hit(page, *(entry.item.key for entry in empty), missing=titles))
        return _undelivered(entries) or PASSED

    def _asked(self) -> list[Item]:
        known = items()
        if self.items:
            return [known[key] for key in self.items]
        return [item for item in known.values() if item.required]


def is_required(item: Item, page: FrontPageView) -> bool:
    """Whether this page must give the item."""
    if item.required == "operated":
        return any(operation.is_main for operation in page.operations)
    if item.required == "incised":
        incision = page.text("operation_main_incision_class")
        return any(o.is_main for o in page.operations) and incision not in ("", "0", "0类")
    if item.required == "coded":
        return page.is_coded
    return True


def _undelivered(entries: list[Entry]) -> Ruling | None:
    titles = [entry.item.title for entry in entries if not entry.is_delivered]
    if not titles:
        return None
    named = "、".join(titles[:_NAMED_UNDELIVERED])
    rest = f"等{len(titles)}项" if len(titles) > _NAMED_UNDELIVERED else ""
    return undetermined(f"首页未提供{named}{rest}")


class PageValueUnknown(PageCheck, name="page_value_unknown"):
    """An item with a list of values whose value is none of them.

    Attributes:
        items: keys of the items.
    """

    items: tuple[str, ...] = Field(min_length=1)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the items that have a value."""
        entries = [page.entry(key) for key in self.items]
        given = [entry for entry in entries if entry.says]
        if not given:
            undelivered = _undelivered(entries)
            return undelivered or not_applicable("该项为空，由首页必填项规则判定")
        wrong = [entry for entry in given if entry.choice is None]
        hits = [page_hit(page, e.item.key, item=e.item.title, value=e.text) for e in wrong]
        return defect(*hits) if hits else PASSED


class PageFormatWrong(PageCheck, name="page_format_wrong"):
    """An item whose value does not have the form it must have.

    Attributes:
        formats: for each item, a pattern for its whole half-width value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    formats: Mapping[str, str] = Field(min_length=1)

    @cached_property
    def _patterns(self) -> Mapping[str, re.Pattern[str]]:
        return {key: regex(pattern) for key, pattern in self.formats.items()}

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the items that have a value."""
        given = [entry for key in self.formats if (entry := page.entry(key)).says]
        clear = [entry for entry in given if not entry.is_masked]
        wrong = [e for e in clear if not self._patterns[e.item.key].fullmatch(e.text.replace(" ", ""))]
        if wrong:
            return defect(*(page_hit(page, e.item.key, item=e.item.title, value=e.text) for e in wrong))
        if len(clear) < len(given):
            return undetermined("内容已脱敏")
        return PASSED if given else not_applicable("首页没有填写这些项目")


class FeesDiffer(PageCheck, name="fees_differ"):
    """The fees do not add up to the total, or the patient paid more than the total.

    Attributes:
        tolerance: the greatest difference that counts as rounding, in yuan.
        parts: fees that are part of another fee and are not added.
    """

    tolerance: float = Field(default=1.0, ge=0)
    parts: tuple[str, ...] = ()

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the fees."""
        total, paid = page.entry("total_cost"), page.entry("self_paid_cost")
        if not total.says:
            return not_applicable("首页没有填写总费用")
        if total.number is None:
            return undetermined("总费用不是可读的数值")
        if paid.number is not None and paid.number > total.number + self.tolerance:
            problem = f"自付费用{paid.number:.2f}元大于总费用{total.number:.2f}元"
            return defect(page_hit(page, "self_paid_cost", "total_cost", problem=problem))
        fees = self._fees(page)
        if not fees:
            return undetermined("未提供分类费用")
        if None in fees:
            return undetermined("分类费用中有不可读的数值")
        added = sum(fee for fee in fees if fee is not None)
        if abs(added - total.number) <= self.tolerance:
            return PASSED
        problem = f"分类费用合计{added:.2f}元，总费用{total.number:.2f}元"
        return defect(page_hit(page, "total_cost", problem=problem))

    def _fees(self, page: FrontPageView) -> list[float | None]:
        """Every fee; ``None`` where one is written but cannot be read."""
        raw = page.entry("fees").raw
        given = raw if isinstance(raw, dict) else {}
        written = (written_text(fee) for name, fee in given.items() if name not in self.parts)
        return [first_number(text) for text in written if text.strip("-")]
