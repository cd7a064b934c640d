"""Operations on the front page: left out, in the wrong row, incomplete, twice, or unlike the operation's record."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cached_property

from pydantic import ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.front_page import PageCheck, page_hit, with_evidence
from app.qc.front_page import FrontPageView, PageOperation, chosen
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.qc.timeline import day_of
from app.records.model import Evidence, Procedure
from app.terms.codes import CodeRanges, plain_code, plain_level
from app.text.anaesthesia import kinds_of_anaesthesia, same_anaesthesia
from app.text.operations import same_operation
from app.text.width import half_width

_NONE = "首页没有手术或操作"
_LEVELS = ("一级", "二级", "三级", "四级")


def _same(operation: PageOperation, procedure: Procedure) -> bool:
    """Whether a row of the page means a procedure: by the first four digits of the code, else by name."""
    ours, theirs = plain_code(operation.code or ""), plain_code(procedure.code or "")
    if ours and theirs and ours[:5] == theirs[:5]:
        return True
    return (
        bool(operation.name and procedure.name)
        and same_operation(operation.name, procedure.name or "") is True
    )


def _day(written: str | None) -> date | None:
    try:
        return date.fromisoformat((written or "")[:10].replace("/", "-"))
    except ValueError:
        return None


def _done_on(procedure: Procedure) -> date | None:
    return day_of(procedure.started_at) if procedure.started_at else None


class OperationNotOnPage(PageCheck, name="operation_not_on_page"):
    """A procedure of the record that the front page does not list.

    A row of the same day counts as the procedure, whatever its name.

    Attributes:
        kinds: kinds of procedure that the page must list.
    """

    kinds: tuple[str, ...] = Field(min_length=1)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge each procedure."""
        done = [p for p in case.record.procedures or () if p.kind in self.kinds and p.name]
        if not done:
            return not_applicable(f"没有{'、'.join(self.kinds)}")
        if not page.has_operation_items and not page.operations:
            return undetermined("首页未提供手术及操作栏")
        missing = [p for p in done if not any(self._lists(row, p) for row in page.operations)]
        if not missing:
            return PASSED
        return defect(*(self._hit(case, page, procedure) for procedure in missing))

    def _lists(self, row: PageOperation, procedure: Procedure) -> bool:
        on, done = _day(row.date), _done_on(procedure)
        return _same(row, procedure) or (on is not None and on == done)

    def _hit(self, case: Case, page: FrontPageView, procedure: Procedure) -> Hit:
        on = _done_on(procedure)
        hit = page_hit(
            page, "operation_main", name=procedure.name or "", on=f"{on:%Y-%m-%d}" if on else "日期不详"
        )
        return with_evidence(hit, *_record_of(case, procedure, procedure.name or ""))


def _record_of(case: Case, procedure: Procedure, words: str) -> tuple[Evidence, ...]:
    """Where the record of the operation shows the words."""
    for document in case.documents_for(procedure, "手术记录", "有创诊疗操作记录"):
        start = case.reading(document).half.find(half_width(words)) if words else -1
        if start >= 0:
            text = document.text[start : start + len(words)]
            return (Evidence(document_id=document.id, start=start, end=start + len(words), quote=text),)
    return ()


class MainOperationWrong(PageCheck, name="main_operation_wrong"):
    """Another row than the first holds the main operation.

    A procedure before an operation is wrong. An operation of a lower level before one of a higher is, where
    the higher one is at the site of the main diagnosis; elsewhere a person must decide.

    Attributes:
        minor_codes: ranges of operation codes that are procedures, not operations.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    minor_codes: tuple[str, ...] = Field(min_length=1)

    @cached_property
    def _minor(self) -> CodeRanges:
        return CodeRanges(self.minor_codes)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the order of the rows."""
        rows = page.operations
        if len(rows) < 2 or not rows[0].is_main:
            return not_applicable("只有一项手术或操作" if rows else _NONE)
        first, others = rows[0], rows[1:]
        if self._is_procedure(case, first):
            operation = next((row for row in others if self._is_operation(case, row)), None)
            if operation:
                problem = f"首行是操作，其后有手术“{operation.name}”"
                return defect(page_hit(page, first.name, operation.name, first=first.name, problem=problem))
        return self._by_level(page, first, others)

    def _by_level(
        self, page: FrontPageView, first: PageOperation, others: tuple[PageOperation, ...]
    ) -> Ruling:
        level = _rank(first)
        higher = [
            row for row in others if (rank := _rank(row)) is not None and level is not None and rank > level
        ]
        if level is None or any(_rank(row) is None for row in others):
            return undetermined("首页手术级别不全")
        if not higher:
            return PASSED
        main = page.main_diagnosis
        at_site = next((row for row in higher if main and _share_words(row.name, main.name)), None)
        if at_site is None:
            return undetermined("级别较高的手术是否与主要诊断对应须人工判断")
        problem = f"首行为{first.level}手术，其后有与主要诊断对应的{at_site.level}手术“{at_site.name}”"
        return defect(page_hit(page, first.name, at_site.name, first=first.name, problem=problem))

    def _is_procedure(self, case: Case, row: PageOperation) -> bool:
        if self._is_operation(case, row):
            return False
        return (row.code or "") in self._minor

    def _is_operation(self, case: Case, row: PageOperation) -> bool:
        return any(p.kind == "手术" and _same(row, p) for p in case.record.procedures or ())


def _rank(row: PageOperation) -> int | None:
    level = plain_level(row.level or "")
    return _LEVELS.index(level) if level else None


def _share_words(operation: str, diagnosis: str) -> bool:
    return any(operation[i : i + 2] in diagnosis for i in range(len(operation) - 1))


class HealingGradeContradicted(PageCheck, name="healing_grade_contradicted"):
    """An operation with an incision but no grade of healing, or a grade where there is no incision."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge every row."""
        rulings = (self._rule_on(page, row) for row in page.operations)
        return combine(rulings, none_reason=_NONE)

    def _rule_on(self, page: FrontPageView, row: PageOperation) -> Ruling:
        if row.incision_class is None and row.healing_grade is None:
            return (
                undetermined("首页未提供切口愈合等级")
                if row.is_main
                else not_applicable("其他手术未提供切口")
            )
        incision, grade = _incision_and_grade(row)
        problem = None
        if incision == "0" and grade:
            problem = f"0类切口填了愈合等级“{grade}”"
        elif incision in ("Ⅰ", "Ⅱ", "Ⅲ") and not grade:
            problem = f"{incision}类切口没有愈合等级"
        elif grade and not incision and row.incision_class is not None:
            problem = f"愈合等级为“{grade}”而没有切口类别"
        if problem:
            return defect(page_hit(page, "operation_main_healing_grade", name=row.name, problem=problem))
        if incision == "Ⅰ" and grade == "丙":
            return undetermined("Ⅰ类切口愈合为丙级，须核实")
        return PASSED if incision else not_applicable("没有切口")


def _incision_and_grade(row: PageOperation) -> tuple[str | None, str | None]:
    """Class and grade, also when both stand in one field (Ⅱ/甲)."""
    whole = half_width(row.healing_grade or "")
    first, slash, second = whole.partition("/")
    incision = half_width(row.incision_class or "") or (first if slash else "")
    return chosen("incision", incision), chosen("healing", second if slash else whole)


class PageOperationDiffers(PageCheck, name="page_operation_differs"):
    """Date, surgeon or anaesthesia of an operation on the page are not those of its record."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge every row that one procedure of the record answers to."""
        done = [p for p in case.record.procedures or () if p.kind in ("手术", "介入")]
        if not page.operations:
            return not_applicable(_NONE)
        if not done:
            given = "procedures" in case.record.delivered
            return not_applicable("病历没有手术数据") if given else undetermined("未提供手术数据")
        rulings = (self._rule_on(case, page, row, done) for row in page.operations)
        return combine(rulings, none_reason="首页手术与病历的手术对应不上")

    def _rule_on(self, case: Case, page: FrontPageView, row: PageOperation, done: list[Procedure]) -> Ruling:
        same = [p for p in done if _same(row, p)]
        only_ones = len(done) == 1 and len(page.operations) == 1
        if not same and only_ones and same_operation(row.name, done[0].name or row.name) is not False:
            same = done
        if not same:
            return not_applicable("对应不上")
        differing = [list(self._differences(row, procedure)) for procedure in same]
        if not all(differing):
            return PASSED
        hits = [self._hit(case, page, row, same[0], *difference) for difference in differing[0]]
        return defect(*hits)

    def _differences(self, row: PageOperation, procedure: Procedure) -> Iterator[tuple[str, str, str]]:
        on, done = _day(row.date), _done_on(procedure)
        if on and done and on != done:
            yield "日期", f"{on:%Y-%m-%d}", f"{done:%Y-%m-%d}"
        surgeon = (procedure.surgeon or "").strip()
        if (
            row.surgeon
            and surgeon
            and "*" not in row.surgeon + surgeon
            and not _same_name(row.surgeon, surgeon)
        ):
            yield "术者", row.surgeon, surgeon
        ours, theirs = (
            kinds_of_anaesthesia(row.anesthesia or ""),
            kinds_of_anaesthesia(procedure.anesthesia or ""),
        )
        if ours and theirs and not same_anaesthesia(ours, theirs):
            yield "麻醉方式", row.anesthesia or "", procedure.anesthesia or ""

    def _hit(
        self,
        case: Case,
        page: FrontPageView,
        row: PageOperation,
        procedure: Procedure,
        what: str,
        ours: str,
        theirs: str,
    ) -> Hit:
        hit = page_hit(page, ours, name=row.name, what=what, written=ours, other=theirs)
        return with_evidence(hit, *_record_of(case, procedure, theirs))


def _same_name(one: str, other: str) -> bool:
    one, other = one.replace(" ", ""), other.replace(" ", "")
    return one in other or other in one


class OperationTwice(PageCheck, name="operation_twice"):
    """Rows with one name, one code and one date."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the rows."""
        rows = Counter((o.name, o.code, o.date) for o in page.operations if o.name and o.date)
        twice = [(name, on, times) for (name, _, on), times in rows.items() if times > 1]
        if twice:
            return defect(*(page_hit(page, name, name=name, on=on, times=times) for name, on, times in twice))
        return PASSED if page.operations else not_applicable(_NONE)


class OperationLevelDiffers(PageCheck, name="operation_level_differs"):
    """A level other than that of the hospital's own table of operations, else that of the operation's data."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge every row."""
        rulings = (self._rule_on(case, page, row) for row in page.operations)
        return combine(rulings, none_reason=_NONE)

    def _rule_on(self, case: Case, page: FrontPageView, row: PageOperation) -> Ruling:
        listed, written = self._listed(case, row), plain_level(row.level or "")
        if not listed or written is None:
            return undetermined("首页没有手术级别" if listed else "未导入本院手术分级目录")
        if written in listed:
            return PASSED
        details = {"name": row.name, "written": written, "listed": "、".join(sorted(listed))}
        return defect(page_hit(page, row.name, **details))

    def _listed(self, case: Case, row: PageOperation) -> set[str]:
        terms = case.terms.terms_of("icd9cm3", row.code) if case.terms and row.code else ()
        by_table = {term.level for term in terms if term.level}
        done = (p.level for p in case.record.procedures or () if p.level and _same(row, p))
        return by_table or {level for each in done if (level := plain_level(each))}
