"""The tables of a batch's reports: made once, shown as HTML pages and as Excel sheets."""

import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from app.batch.statistics import ALL, ALL_GRADES, Part, Statistics
from app.batch.store import Entry, Failure, Store
from app.qc.indicators import BEST_GRADE, IndicatorValue
from app.qc.rule import CATEGORY_TITLES, SEVERITIES, SEVERITY_TITLES, Rule
from app.qc.ruling import OUTCOME_TITLES, OUTCOMES

PROBLEM_TITLES = {"unreadable": "不能读取", "duplicate": "编号重复", "failed": "检查出错"}
_COMMON = 3


class Share(NamedTuple):
    """A share, 0–1, shown in per cent; ``None`` is shown as a dash."""

    value: float | None


class Link(NamedTuple):
    """Words that lead to another page."""

    text: str
    href: str


Cell = str | int | float | Share | Link | None


class Table(NamedTuple):
    """A table; its rows may be a stream."""

    title: str
    columns: tuple[str, ...]
    rows: Iterable[tuple[Cell, ...]]
    note: str = ""


def overview(statistics: Statistics) -> Table:
    """The batch in a few lines."""
    whole = statistics.whole()
    profile = statistics.profile
    problems = statistics.problems
    rows: list[tuple[Cell, ...]] = [
        ("评分方案", f"{profile.name}（{profile.title}）"),
        ("方案说明", profile.note),
        ("规则", len(statistics.rules)),
        ("已检查的病历", whole.records),
        *((f"未计入：{title}", problems[kind]) for kind, title in PROBLEM_TITLES.items()),
        ("平均分", _rounded(whole.mean_score)),
        ("最低分", _rounded(whole.lowest)),
        ("平均可判定比例", Share(whole.mean_judged_share)),
    ]
    return Table("概况", ("项目", "值"), rows)


def grades(statistics: Statistics) -> Table:
    """How many records have which grade."""
    whole = statistics.whole()
    rows = [
        (grade, whole.grades[grade], Share(whole.grades[grade] / whole.records if whole.records else None))
        for grade in ALL_GRADES
    ]
    return Table("等级", ("等级", "病历数", "占比"), rows)


def vetoes(statistics: Statistics) -> Table:
    """The vetoes that decided grades."""
    titles = {rule.code: rule.title for rule in statistics.rules}
    rows = [(code, titles[code], n) for code, n in statistics.whole().vetoes.most_common()]
    return Table("决定等级的单项否决", ("规则", "缺陷", "病历数"), rows)


def departments(statistics: Statistics) -> Table:
    """The departments, the largest first."""
    quality = {row.department: row.value for row in statistics.quality() if row.month == ALL}
    rows = []
    for number, (name, part) in enumerate(statistics.departments().items(), 1):
        common = "；".join(c.rule.title for c in statistics.commonest(part)[:_COMMON])
        graded = sum(part.grades.values()) - part.grades[ALL_GRADES[-1]]
        rows.append(
            (
                Link(name, department_page(number)),
                part.records,
                _rounded(part.mean_score),
                _rounded(part.lowest),
                *(part.grades[grade] for grade in ALL_GRADES),
                Share(part.grades[BEST_GRADE] / graded if graded else None),
                Share(part.mean_judged_share),
                _rounded(quality.get(name)),
                common,
            )
        )
    columns = (
        "科室",
        "病历数",
        "平均分",
        "最低分",
        *ALL_GRADES,
        "甲级率",
        "可判定比例",
        "数据质量指数",
        "最常见的缺陷",
    )
    return Table("科室", columns, rows)


def rules(statistics: Statistics, part: Part, *, only_defects: bool) -> Table:
    """The rules' outcomes, the commonest defects first; with ``only_defects``, without the other rules."""
    commonest = statistics.commonest(part)
    others = () if only_defects else [c for c in statistics.rule_counts(part) if not c.defects]
    rows = [
        (
            Link(count.rule.code, rule_page(count.rule.code)) if count.defects else count.rule.code,
            count.rule.title,
            CATEGORY_TITLES[count.rule.category],
            SEVERITY_TITLES[count.rule.severity],
            count.defects,
            count.judged,
            Share(count.share),
            *(count.outcomes[outcome] for outcome in OUTCOMES if outcome != "defect"),
        )
        for count in (*commonest, *others)
    ]
    titles = tuple(OUTCOME_TITLES[outcome] for outcome in OUTCOMES if outcome != "defect")
    columns = ("规则", "缺陷", "类别", "级别", "有缺陷的病历", "可判定的病历", "缺陷率", *titles)
    note = "缺陷率＝有缺陷的病历÷可判定的病历；不适用和无法判定的不在分母内。"
    return Table("规则统计", columns, rows, note)


def indicators(statistics: Statistics, part: Part) -> Table:
    """The 27 national indicators."""
    columns = (
        "代码", "指标", "分子", "分母", "比率", "95%区间下限", "95%区间上限", "无法判定", "可能的最低", "可能的最高", "方向", "说明",
    )  # fmt: skip
    note = (
        "病案管理质量控制指标（2021年版）。以病历为单位：对应规则任一为缺陷即不符合；全部不适用的不在分母内；"
        "没有缺陷而有规则无法判定的单列，分子、分母都不计。区间为 Wilson 法，只反映抽样的波动；"
        "可能的最低（最高）是无法判定的全都不在（在）分子时的比率。"
    )
    return Table("国家指标", columns, [_indicator(v) for v in statistics.indicator_values(part)], note)


def quality(statistics: Statistics) -> Table:
    """The data-quality index by department and month."""
    rows = [
        (
            row.department,
            row.month,
            row.records,
            _rounded(row.value),
            *(Share(row.dimensions[dimension.code].share) for dimension in statistics.dimensions),
            Share(row.judged_share),
        )
        for row in statistics.quality()
    ]
    names = tuple(dimension.name for dimension in statistics.dimensions)
    note = "指数＝五个维度通过率的平均×100；定义见 docs/data-quality-index.md。可判定比例低的行，指数只代表判得了的部分。"
    return Table("数据质量", ("科室", "出院月份", "病历数", "指数", *names, "可判定比例"), rows, note)


RECORD_COLUMNS = (
    "病历", "科室", "出院月份", "得分", "等级", "决定等级的否决",
    *(SEVERITY_TITLES[severity] for severity in SEVERITIES), "可判定比例", "已评估分值", "总分值", "出处",
)  # fmt: skip


def records(
    entries: Iterable[Entry], pages: Mapping[str, str] = MappingProxyType({}), title: str = "病历得分"
) -> Table:
    """Records with score and grade; ``pages`` gives the page of a record, by its place."""
    return Table(title, RECORD_COLUMNS, (_record(entry, pages) for entry in entries))


def findings(store: Store) -> Table:
    """Every finding of the batch, in input order."""
    columns = (
        "病历", "科室", "规则", "缺陷", "级别", "分值", "文书", "段落", "原文", "问题", "建议", "依据", "判定",
    )  # fmt: skip
    return Table("缺陷明细", columns, _findings(store))


def findings_of(rule: Rule, store: Store, entries: Iterable[Entry], pages: Mapping[str, str]) -> Table:
    """Where one rule found its defect, in the entries given."""
    rows = (
        (
            _record_link(entry, pages),
            entry.department,
            finding["document_id"],
            finding["section"],
            _quotes(finding),
            finding["message"],
        )
        for entry in entries
        for finding in json.loads(store.result(entry))["findings"]
        if finding["rule"] == rule.code
    )
    return Table("缺陷所在", ("病历", "科室", "文书", "段落", "原文", "问题"), rows)


def problems(failures: Iterable[Failure]) -> Table:
    """The records without a result."""
    rows = ((f.place, f.record_id, PROBLEM_TITLES[f.problem], f.reason) for f in failures)
    return Table("未计入的病历", ("出处", "病历", "类型", "原因"), rows)


def department_page(number: int) -> str:
    """The page of a department, by its number in the table."""
    return f"report/department-{number:03}.html"


def rule_page(code: str) -> str:
    """The page of a rule's defective records."""
    return f"report/rule-{code}.html"


def indicator_page(code: str) -> str:
    """The page of the records behind an indicator."""
    return f"report/indicator-{code.replace('&', '-')}.html"


def record_page(number: int) -> str:
    """The page of a record, by its number among the worst."""
    return f"report/record-{number:03}.html"


def _record(entry: Entry, pages: Mapping[str, str]) -> tuple[Cell, ...]:
    return (
        _record_link(entry, pages),
        entry.department,
        entry.month,
        entry.score,
        entry.grade,
        entry.deciding_vetoes,
        *json.loads(entry.severities),
        Share(entry.judged_share),
        _rounded(entry.assessed_points),
        _rounded(entry.total_points),
        entry.place,
    )


def _record_link(entry: Entry, pages: Mapping[str, str]) -> Cell:
    page = pages.get(entry.place)
    return Link(entry.record_id, page) if page else entry.record_id


def _quotes(finding: Mapping[str, Any]) -> str:
    return " ‖ ".join(evidence["quote"] for evidence in finding["evidence"])


def _findings(store: Store) -> Iterator[tuple[Cell, ...]]:
    for entry, line in zip(store.entries(), store.results(), strict=True):
        for finding in json.loads(line)["findings"]:
            basis = "；".join(f"{b['source']}{b['clause']}" for b in finding["basis"])
            yield (
                entry.record_id,
                entry.department,
                finding["rule"],
                finding["title"],
                SEVERITY_TITLES[finding["severity"]],
                finding["points"],
                finding["document_id"],
                finding["section"],
                _quotes(finding),
                finding["message"],
                finding["suggestion"],
                basis,
                "由AI生成" if finding["engine"] == "llm" else "规则",
            )


def _indicator(value: IndicatorValue) -> tuple[Cell, ...]:
    indicator = value.indicator
    interval, possible = value.interval, value.possible
    counted = not value.reason_without_value or bool(value.undetermined)
    lacking = (
        [f"没有运行规则 {'、'.join(value.missing_rules)}，未见缺陷的记为无法判定"]
        if value.missing_rules and counted
        else []
    )
    remarks = [part for part in (value.reason_without_value, *lacking, indicator.note) if part]
    return (
        Link(indicator.code, indicator_page(indicator.code)) if counted else indicator.code,
        indicator.title,
        value.numerator if counted else None,
        value.denominator if counted else None,
        Share(value.share),
        Share(interval.low if interval else None),
        Share(interval.high if interval else None),
        value.undetermined if counted else None,
        Share(possible.low if possible else None),
        Share(possible.high if possible else None),
        "越低越好" if indicator.lower_is_better else "" if indicator.not_computable else "越高越好",
        "；".join(remarks),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
