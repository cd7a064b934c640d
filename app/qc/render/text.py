"""The result as text for a terminal."""

from collections import Counter
from collections.abc import Callable, Iterator

from app.qc.render.marked import in_sentence, place
from app.qc.result import Finding, Report
from app.qc.rule import LEVEL_TITLES, SEVERITIES, SEVERITY_TITLES, Basis
from app.qc.ruling import OUTCOME_TITLES, OUTCOMES

Mark = Callable[[str], str]
ClauseText = Callable[[Basis], str | None]
"""What a cited clause says, in our own words; ``None`` where it is not kept."""

_LONGEST_CLAUSE = 100


def plain_mark(text: str) -> str:
    """Evidence as marked where there is no colour."""
    return f"【{text}】"


def no_clause(_: Basis) -> None:
    """Where no knowledge base is at hand."""


def render_text(
    report: Report, *, mark: Mark = plain_mark, clause_text: ClauseText = no_clause, explain: bool = False
) -> str:
    """The whole report.

    Args:
        report: what to show.
        mark: how evidence is set off in its sentence.
        clause_text: gives what a cited clause says.
        explain: whether to list the rules that could not be judged, with reasons.
    """
    result = report.result
    lines = [
        f"病历 {result.record_id}    评分方案 {result.profile}",
        score_line(report),
        outcome_line(report),
        "",
    ]
    ordered = ordered_findings(report)
    for number, finding in enumerate(ordered, 1):
        lines.extend(_finding_lines(report, number, finding, mark, clause_text))
    if not ordered:
        lines.append("未发现缺陷。")
    if explain:
        lines.extend(_undetermined_lines(report))
    if result.label:
        lines.extend(["", str(result.label["notice"])])
    return "\n".join(lines).rstrip() + "\n"


def ordered_findings(report: Report) -> list[Finding]:
    """The findings as every rendering numbers them: gravest first, then by rule."""
    return sorted(
        report.result.findings, key=lambda finding: (SEVERITIES.index(finding.severity), finding.rule)
    )


def score_line(report: Report) -> str:
    """Score, grade, the vetoes that cap it, and how much could be judged."""
    result = report.result
    if result.score is None:
        return "得分 —（没有可以判定的规则）"
    return f"得分 {result.score:g}    等级 {grade_text(report)}    可判定比例 {report.judged_share:.0%}"


def grade_text(report: Report) -> str:
    """The grade with the vetoes found, by code and title; those that decided it say so."""
    result = report.result
    titles = {finding.rule: finding.title for finding in result.findings}
    named = [f"{code} {titles[code]}" for code in report.deciding_vetoes or result.vetoes]
    why = "由单项否决" if report.deciding_vetoes else "有单项否决"
    suffix = f"（{why} {'、'.join(named)}{'决定' if report.deciding_vetoes else ''}）" if named else ""
    return f"{result.grade}级{suffix}"


def outcome_line(report: Report) -> str:
    """How many rules gave which outcome."""
    counts = Counter(report.result.outcomes.values())
    return "规则结论  " + "  ".join(f"{OUTCOME_TITLES[o]} {counts[o]}" for o in OUTCOMES if counts[o])


def _finding_lines(
    report: Report, number: int, finding: Finding, mark: Mark, clause_text: ClauseText
) -> Iterator[str]:
    taken = f"扣 {finding.points:g} 分" if finding.points else "不扣分"
    yield f"{number}. [{SEVERITY_TITLES[finding.severity]}] {finding.rule} {finding.title}（{taken}）"
    yield f"   位置  {place(report.record, finding.document_id, finding.section)}"
    for evidence in finding.evidence:
        before, marked, after = in_sentence(report.record, evidence)
        source = (
            ""
            if evidence.document_id == finding.document_id
            else f"（{place(report.record, evidence.document_id, None)}）"
        )
        yield f"   原文  {before}{mark(marked)}{after}{source}"
    yield f"   问题  {finding.message}"
    yield f"   建议  {finding.suggestion}"
    yield f"   依据  {'；'.join(basis_text(basis) for basis in finding.basis)}"
    said = clause_text(finding.basis[0])
    if said:
        yield f"         {said if len(said) <= _LONGEST_CLAUSE else said[:_LONGEST_CLAUSE] + '…'}"
    if finding.engine == "llm":
        yield f"   说明  由AI生成的判断，把握 {finding.confidence:.0%}，须经人工审核"
    yield ""


def basis_text(basis: Basis) -> str:
    """A basis as users read it, with its level."""
    return f"{basis.source}{basis.clause}［{LEVEL_TITLES[basis.level]}］"


def _undetermined_lines(report: Report) -> Iterator[str]:
    unjudged = [
        code for code, outcome in report.result.outcomes.items() if outcome in ("undetermined", "error")
    ]
    if unjudged:
        yield "无法判定或执行出错的规则"
    for code in unjudged:
        yield f"   {code}  {report.reasons.get(code, '')}"
