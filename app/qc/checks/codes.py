"""Codes on the front page: there, well-formed, in the hospital's own table, standing for the name beside them."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.qc.case import Case
from app.qc.checks.front_page import PageCheck, page_hit
from app.qc.front_page import FrontPageView
from app.qc.ruling import PASSED, Ruling, combine, defect, not_applicable, undetermined
from app.terms.codes import CodeKind, has_form, kind_title, plain_code
from app.terms.table import TermsTable
from app.text.diagnoses import agreeing

NO_TABLE = "未导入本院编码表"
_CATEGORY_LENGTH = 3


class _Coded(NamedTuple):
    name: str
    code: str | None


def _coded(page: FrontPageView, kind: CodeKind) -> Iterator[_Coded]:
    if kind == "icd9cm3":
        yield from (_Coded(operation.name, operation.code) for operation in page.operations)
        return
    yield from (_Coded(diagnosis.name, diagnosis.code) for diagnosis in page.diagnoses)
    outpatient, code = page.text("outpatient_diagnosis"), page.entry("outpatient_diagnosis_code")
    if outpatient and code.is_delivered:
        yield _Coded(outpatient, page.text("outpatient_diagnosis_code"))


class CodeInvalid(PageCheck, name="code_invalid"):
    """A diagnosis or operation without code, with one of an impossible form, or with one not in the table.

    Without a table of the hospital only the form is judged.

    Attributes:
        kind: the kind of codes.
    """

    kind: CodeKind

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge every entry of the page."""
        if not page.is_coded:
            return not_applicable("未到编码环节")
        entries = list(_coded(page, self.kind))
        rulings = (self._rule_on(case.terms, page, entry) for entry in entries)
        return combine(
            rulings, none_reason="首页没有可编码的诊断" if self.kind == "icd10" else "首页没有手术或操作"
        )

    def _rule_on(self, terms: TermsTable | None, page: FrontPageView, entry: _Coded) -> Ruling:
        if entry.code is None:
            return undetermined("首页未提供编码")
        problem = self._problem(terms, entry.code)
        if problem is None:
            return PASSED
        return defect(
            page_hit(page, entry.name or entry.code, name=entry.name or "（无名称）", problem=problem)
        )

    def _problem(self, terms: TermsTable | None, code: str) -> str | None:
        if not code:
            return "没有编码"
        if terms is not None and terms.has(self.kind):
            return None if terms.terms_of(self.kind, code) else f"编码{code}不在本院编码表中"
        return None if has_form(self.kind, code) else f"编码{code}不合{kind_title(self.kind)}的形式"


class CodeNameMismatch(PageCheck, name="code_name_mismatch"):
    """A diagnosis whose name belongs to another code, and whose own code means another disease.

    The hospital's table decides. Without one only gross mistakes show: name and code belong to two different of
    the ``categories``. A name found nowhere, beside a code that means something else, is left to people.

    Attributes:
        categories: common three-character categories, each with names of its diseases.
    """

    categories: Mapping[str, tuple[str, ...]]

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge every diagnosis that has a code."""
        terms = case.terms if case.terms is not None and case.terms.has("icd10") else None
        entries = [(entry.name, entry.code) for entry in _coded(page, "icd10") if entry.name and entry.code]
        rulings = (
            self._by_category(page, *entry) if terms is None else _by_table(terms, page, *entry)
            for entry in entries
        )
        return combine(rulings, none_reason="首页没有带编码的诊断")

    def _by_category(self, page: FrontPageView, name: str, code: str) -> Ruling:
        own = self.categories.get(plain_code(code)[:_CATEGORY_LENGTH])
        if own is None:
            return undetermined(NO_TABLE)
        if agreeing(name, own):
            return PASSED
        other = next((category for category, names in self.categories.items() if agreeing(name, names)), None)
        if other is None:
            return undetermined(NO_TABLE)
        return defect(page_hit(page, name, name=name, problem=f"编码{code}属{own[0]}，该诊断属{other}"))


def _by_table(terms: TermsTable, page: FrontPageView, name: str, code: str) -> Ruling:
    meant = [term.name for term in terms.terms_of("icd10", code)]
    if not meant:
        return not_applicable("编码不在编码表中，由编码规则判定")
    codes = terms.codes_of("icd10", name)
    if agreeing(name, meant) or any(_kindred(code, each) for each in codes):
        return PASSED
    if not codes:
        return undetermined(f"“{name}”与编码{code}（{meant[0]}）是否相符须人工核对")
    problem = f"编码{code}在编码表中为“{meant[0]}”，该诊断的编码为{'、'.join(codes[:2])}"
    return defect(page_hit(page, name, name=name, problem=problem))


def _kindred(code: str, other: str) -> bool:
    """Whether two codes are one, or one a subdivision of the other below the category."""
    short, long = sorted((plain_code(code).rstrip("0"), plain_code(other).rstrip("0")), key=len)
    return len(short) > _CATEGORY_LENGTH and long.startswith(short)
