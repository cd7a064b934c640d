"""Code checks of a claim against its sources: what can be compared without a model.

Each check answers one of four outcomes. ``contradicts`` means that the sources say something else about the same
thing, ``absent`` that they do not speak of it, ``not_applicable`` that the claim has nothing to check.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from math import isclose, isinf
from typing import Literal, NamedTuple

from app.drafting.drugs import NamedDrug, named_drugs, stopped_drugs
from app.drafting.normal import Assertion, NormalText, Quantity, WrittenDate, lexicon

CheckName = Literal[
    "numbers", "levels", "dates", "drugs", "doses", "laterality", "negation", "opposites", "diagnoses", "operations",
    "plan", "stops",
]  # fmt: skip
Outcome = Literal["agrees", "contradicts", "absent", "not_applicable"]
CHECK_TITLES: dict[CheckName, str] = {
    "numbers": "数值", "levels": "高低", "dates": "日期", "drugs": "药名", "doses": "用法用量", "laterality": "侧别",
    "negation": "有无", "opposites": "性质", "diagnoses": "诊断", "operations": "手术操作", "plan": "是否已实施",
    "stops": "是否停用",
}  # fmt: skip

SAME_AMOUNT = 0.02
"""Relative difference within which a pressure in kPa and one in mmHg are the same: conversions are rounded."""
_SAME_NUMBER = 1e-5
"""The same for all else: only what floating-point arithmetic and the factors of hours and minutes leave."""
_SNUG = 1.1
"""A range may begin and end up to a tenth beyond the values that it sums up."""
SAME_CONTENT = 0.6
"""Share of character pairs from which two short phrases speak of the same thing."""

_TELLING = 4
"""Last characters of a disease or operation that tell it from others."""

_DOSE_DIMENSIONS = ("mass", "volume", "units", "tablets", "ampoules")
OTHER_DAY = re.compile("昨|前[日天晚夜]|明[日天晨早晚]|次[日晨]|翌日|拟|择期")
"""Words that place what is told on another day than that of the note."""

_SENTENCE_END = re.compile("[。；;]")
_WITH = re.compile("伴有?|合并|并发")
_CHANGE = re.compile(
    r"[由从](?P<first>[^，]*?\d[^，]*?)(?:[升降增减变改恢转]|至|到)[^，\d]{0,4}(?P<last>\d[^，]*)"
)
_LAST = re.compile("复查|出院|末次|目前|现")
_SIDES = ("左", "右")
_BOTH_SIDES = ("双侧", "双")
_SIDE_WORD = re.compile(
    "左(?!氧氟|旋|乙拉|卡尼|甲状腺素|西孟旦|西替|炔)|右(?!旋|佐匹|美托|美沙)|双侧|双(?=[下上肺肾眼耳膝手足肢])"
)
_PLACE = 3
"""Characters after a side from which two places are surely one: 右下肢骨折 is told of no 左下肢骨折."""
_ALLERGY = re.compile("(?<!抗)过敏(?!性|原)")
_ALLERGEN = re.compile("对(?P<substance>[^，]{1,20}?)(?:类|类药物|药物)?过敏")


class CheckResult(NamedTuple):
    """What one check found; ``about`` is the part of the claim it looked at, in comparable form."""

    name: CheckName
    outcome: Outcome
    about: str = ""


def run_checks(claim: NormalText, source: NormalText) -> tuple[CheckResult, ...]:
    """All checks, in a fixed order."""
    return tuple(check(claim, source) for check in CHECKS)


def _worst(name: CheckName, found: Iterable[CheckResult]) -> CheckResult:
    order: tuple[Outcome, ...] = ("contradicts", "absent", "agrees")
    results = {result.outcome: result for result in reversed(list(found))}
    return next(
        (results[outcome] for outcome in order if outcome in results), CheckResult(name, "not_applicable")
    )


def _contradicted(
    name: CheckName, told: NormalText, known: NormalText, *tests: Callable[[str, NormalText], bool]
) -> list[CheckResult]:
    """The clauses of a text of which a test says that the other text speaks against them."""
    return [
        CheckResult(name, "contradicts", clause)
        for is_wrong in tests
        for clause in told.clauses
        if is_wrong(clause, known)
    ]


def check_numbers(claim: NormalText, source: NormalText) -> CheckResult:
    """Every number of the claim, with its unit and what it measures."""
    is_about = claim.coverage_by(source) >= SAME_CONTENT
    results = [_check_quantity(quantity, source, is_about) for quantity in claim.quantities]
    results += _contradicted("numbers", claim, source, _is_turned_round, _is_mispaired)
    return _worst("numbers", results)


def _is_turned_round(clause: str, source: NormalText) -> bool:
    """Whether the clause tells of a change from one number to another that the sources tell the other way."""
    change = _CHANGE.search(clause)
    if not change:
        return False
    first, last = (NormalText(change[part]).quantities[:1] for part in ("first", "last"))
    if not first or not last:
        return False
    places = [
        [at for at, q in enumerate(source.quantities) if q.value == end[0].value] for end in (first, last)
    ]
    return bool(places[0] and places[1]) and min(places[0]) > max(places[1])


def _is_mispaired(clause: str, source: NormalText) -> bool:
    """Whether the clause joins two numbers (5分钟9分) of which the sources join the first with another of the kind."""
    pairs = [
        (one, other)
        for one, other in pairwise(NormalText(clause).quantities)
        if one.dimension and other.dimension and one.dimension != other.dimension
    ]
    if not pairs:
        return False
    items = [NormalText(item).quantities for line in source.clauses for item in line.split("、")]
    for one, other in pairs:
        joined = [item for item in items if any(_is_same_amount(one, q) for q in item)]
        rivals = [q for item in joined for q in item if q.dimension == other.dimension]
        if rivals and not any(_is_same_amount(other, q) for q in rivals):
            return True
    return False


def _check_quantity(wanted: Quantity, source: NormalText, is_about: bool) -> CheckResult:
    about = f"{wanted.label}{wanted.value:g}"
    same = [
        q for q in source.quantities if _is_same_amount(wanted, q) and _may_be_same_side(wanted.side, q.side)
    ]
    if same:
        swapped = wanted.label and all(_belongs_elsewhere(wanted, q, source) for q in same)
        return CheckResult("numbers", "contradicts" if swapped else "agrees", about)
    if wanted.range and _lies_within(wanted, source):
        return CheckResult("numbers", "agrees", about)
    rivals = (q for q in source.quantities if _is_rival(wanted, q))
    is_spoken_of = len(wanted.label) < 2 or is_about or _share_a_pair(wanted.label, source.words)
    return CheckResult("numbers", "contradicts" if is_spoken_of and any(rivals) else "absent", about)


def _lies_within(wanted: Quantity, source: NormalText) -> bool:
    """Whether all that the source gives of this thing lies in the range meant, which is no wider than it must be."""
    least, most = wanted.range or (wanted.amount, wanted.amount)
    alike = [q for q in source.quantities if q.dimension == wanted.dimension]
    own = [q for q in alike if _share_a_pair(q.label, wanted.label)]
    given = [q.amount for q in own or alike]
    if not given or not least <= min(given) <= max(given) <= most:
        return False
    return isinf(most) or not least or (min(given) <= least * _SNUG and max(given) * _SNUG >= most)


def _is_rival(wanted: Quantity, found: Quantity) -> bool:
    """Whether the source gives another number of this kind, this number in another unit, or this thing's number."""
    same_kind = bool(wanted.dimension) and _kind(found) == _kind(wanted)
    return same_kind or found.value == wanted.value or _share_a_pair(found.label, wanted.label)


def _kind(quantity: Quantity) -> str:
    return "time" if quantity.dimension == "months" else quantity.dimension


def _may_be_same_side(one: str, other: str) -> bool:
    return one == other or not (one and other) or "双" in (one, other)


def _is_same_amount(one: Quantity, other: Quantity) -> bool:
    if not one.dimension or not other.dimension:
        return one.value == other.value
    if one.dimension != other.dimension:
        return False
    was_converted = not isclose(one.amount * other.value, other.amount * one.value)
    is_rounded = was_converted and one.dimension == "pressure"
    return isclose(one.amount, other.amount, rel_tol=SAME_AMOUNT if is_rounded else _SAME_NUMBER)


def _belongs_elsewhere(wanted: Quantity, found: Quantity, source: NormalText) -> bool:
    """Whether the source gives this number to another thing and another number to this thing."""
    alike = [q for q in source.quantities if q.dimension == found.dimension]
    if not found.label or _is_one_name(wanted.label, found.label):
        return False
    if any(_is_one_name(wanted.label, q.label) for q in alike):
        return True
    if _share_a_pair(wanted.label, found.label):
        return False
    return any(_share_a_pair(q.label, wanted.label) for q in alike)


def _is_one_name(one: str, other: str) -> bool:
    """Whether one name ends with the other: 复查血钾 and 血钾, but not 氧分压 and 二氧化碳分压."""
    return min(len(one), len(other)) > 1 and (one.endswith(other) or other.endswith(one))


def _share_a_pair(one: str, other: str) -> bool:
    pairs = {one[at : at + 2] for at in range(len(one) - 1)}
    return any(other[at : at + 2] in pairs for at in range(len(other) - 1))


def check_levels(claim: NormalText, source: NormalText) -> CheckResult:
    """正常, 升高 or 降低 against the numbers of the same thing; ``about`` are all clauses that agree, or one that does not.

    Looks at clauses that say nothing else, where the sources have no such word of their own.
    """
    agreeing = []
    for clause in claim.clauses:
        told = _level_pattern().fullmatch(clause)
        if not told or (len(told["level"]) > 1 and told["level"] in source.text):
            continue
        given = [q.level for q in source.quantities if _is_one_name(q.label, told["of"])]
        levels = set(given[-1:] if _LAST.search(clause) else given)
        wanted = lexicon().levels[told["level"]]
        if levels and not levels & {wanted, None}:
            return CheckResult("levels", "contradicts", clause)
        if levels == {wanted}:
            agreeing.append(clause)
    return CheckResult("levels", "agrees" if agreeing else "not_applicable", "，".join(agreeing))


@cache
def _level_pattern() -> re.Pattern[str]:
    return re.compile(
        "(?:患者|入院时?|出院时?|复查|末次|查体|目前|现|治疗后|术后)*(?P<of>[\u4e00-\u9fa5a-z]{2,12}?)(?:水平|值|计数)?"
        f"(?:仍|已|均|明显|稍|轻度|恢复|降至|升至|为|在)*(?P<level>{'|'.join(lexicon().levels)})(?:范围|水平)?内?"
    )


def check_dates(claim: NormalText, source: NormalText) -> CheckResult:
    """Calendar dates and times of day."""
    results = [
        CheckResult(
            "dates",
            _present(any(d.agrees_with(s) for s in (*source.dates, *source.relative_dates)), source.dates),
            f"{d.month}月{d.day}日",
        )
        for d in claim.dates
    ]
    results += _contradicted("dates", claim, source, _is_another_day, _is_number_of_another_day)
    results += [
        CheckResult("dates", _present(time in source.clock_times, source.clock_times), time)
        for time in sorted(claim.clock_times)
    ]
    return _worst("dates", results)


def _is_another_day(clause: str, source: NormalText) -> bool:
    """Whether the clause dates what the sources tell of 昨日 or 明日 with the day of their note."""
    if OTHER_DAY.search(clause) or not (dates := NormalText(clause).dates):
        return False
    told = [c for c in source.clauses if _likeness_of_clauses(clause, c) >= SAME_CONTENT]
    if not told or not all(OTHER_DAY.search(c) for c in told):
        return False
    meant = [s for c in told for s in NormalText(c).dates[1:]] + _meant_by(told, source)
    return not any(d.agrees_with(s) for s in meant for d in dates)


def _is_number_of_another_day(clause: str, source: NormalText) -> bool:
    """Whether the clause gives its day a number that stands only in sentences of other days."""
    told = NormalText(clause)
    if len(told.dates) != 1 or not told.quantities:
        return False
    sentences = list(_sentences_with_days(source))
    for quantity in told.quantities:
        holding = [days for held, days in sentences if any(_is_same_amount(quantity, q) for q in held)]
        if holding and all(days and not any(told.dates[0].agrees_with(d) for d in days) for days in holding):
            return True
    return False


def _sentences_with_days(source: NormalText) -> Iterator[tuple[tuple[Quantity, ...], list[WrittenDate]]]:
    """The numbers of each sentence with the days that it is of: its own, else those of the one before it in its line."""
    for line in source.text.splitlines():
        whole = NormalText(line)
        days: list[WrittenDate] = []
        for sentence in map(NormalText, _SENTENCE_END.split(line)):
            days = list(sentence.dates) or days
            yield sentence.quantities, [*days, *whole.relative_dates] if days else []


def _meant_by(clauses: list[str], source: NormalText) -> list[WrittenDate]:
    """The days that 昨日 and the like of these clauses mean, by the full date of the line that each stands in."""
    meant: list[WrittenDate] = []
    for line in source.text.splitlines():
        told = "，".join(clause for clause in clauses if clause in line)
        note_day = next((found for found in NormalText(line).dates if found.year), None)
        if told and note_day:
            meant += NormalText(f"{note_day.year}-{note_day.month}-{note_day.day} {told}").relative_dates
    return meant


def _present(is_there: bool, rivals: Iterable[object]) -> Outcome:
    if is_there:
        return "agrees"
    return "contradicts" if any(True for _ in rivals) else "absent"


def check_drugs(claim: NormalText, source: NormalText) -> CheckResult:
    """Names of drugs."""
    rivals = named_drugs(source.text)
    return _worst(
        "drugs",
        (
            CheckResult("drugs", _present(any(drug.is_same(rival) for rival in rivals), rivals), drug.name)
            for drug in named_drugs(claim.text)
        ),
    )


def check_doses(claim: NormalText, source: NormalText) -> CheckResult:
    """Dose, route and frequency, drug by drug where both texts name the drug."""
    return _worst("doses", _dose_results(claim, source))


def _dose_results(claim: NormalText, source: NormalText) -> list[CheckResult]:
    offered = _by_drug(source.text)
    results = []
    for drug, wanted in _by_drug(claim.text):
        own = [text for other, text in offered if drug and other and drug.is_same(other)]
        given, ways = NormalText("\n".join(own) or source.text), NormalText(wanted)
        name = drug.name if drug else ""
        results += [
            CheckResult(
                "doses", _present(times in given.frequencies, given.frequencies), f"{name}每日{times}次"
            )
            for times in sorted(ways.frequencies)
        ]
        results += [
            CheckResult("doses", _present(route in given.routes, given.routes), f"{name}{route}")
            for route in sorted(ways.routes)
        ]
        if own:
            results += _amount_results(name, ways, given)
    return results


def _amount_results(name: str, wanted: NormalText, given: NormalText) -> list[CheckResult]:
    doses = [q for q in given.quantities if q.dimension in _DOSE_DIMENSIONS]
    return [
        CheckResult(
            "doses", _present(any(_is_same_amount(q, dose) for dose in doses), doses), f"{name}{q.value:g}"
        )
        for q in wanted.quantities
        if q.dimension in _DOSE_DIMENSIONS
    ]


def _by_drug(text: str) -> list[tuple[NamedDrug | None, str]]:
    """Each drug with the text about it: from its clause's beginning to the next drug's; all of it without a drug."""
    found = named_drugs(text)
    if not found:
        return [(None, text)]
    form = NormalText(text)
    starts = [
        max(form.clause_start(drug.start), found[at - 1].end if at else 0) for at, drug in enumerate(found)
    ]
    ends = [*starts[1:], len(text)]
    return [(drug, text[start:end]) for drug, start, end in zip(found, starts, ends, strict=True)]


def check_stops(claim: NormalText, source: NormalText) -> CheckResult:
    """A drug that no source stops must not read as if it were stopped."""
    told = stopped_drugs(source.text)
    results = []
    for drug, is_stopped in stopped_drugs(claim.text):
        states = {state for other, state in told if drug.is_same(other)}
        if is_stopped and states:
            results.append(CheckResult("stops", "agrees" if True in states else "contradicts", drug.name))
    return _worst("stops", results)


def check_laterality(claim: NormalText, source: NormalText) -> CheckResult:
    """Left, right, both sides, by the part of the body they stand with."""
    return _worst(
        "laterality",
        (_check_side(m[0], _after(claim.text, m.end()), source) for m in _SIDE_WORD.finditer(claim.text)),
    )


def _after(text: str, at: int) -> str:
    found = re.match(r"侧?([\u4e00-\u9fa5]{1,6})", text[at:])
    return found[1] if found else ""


def _check_side(side: str, part: str, source: NormalText) -> CheckResult:
    about = side + part
    wanted = "双" if side in _BOTH_SIDES else side
    told = [
        ("双" if m[0] in _BOTH_SIDES else m[0], _after(source.text, m.end()))
        for m in _SIDE_WORD.finditer(source.text)
    ]
    said = (
        [each for each, other in told if len(part) >= _PLACE and other.startswith(part[:_PLACE])]
        or [each for each, other in told if _is_same_part(part, other)]
        or [each for each, _ in told]
    )
    covered = (
        wanted in said
        or (wanted in _SIDES and "双" in said)
        or (wanted == "双" and {"左", "右"} <= set(said) and not _sides_differ(part, source))
    )
    return CheckResult("laterality", _present(covered, said), about)


def _sides_differ(part: str, source: NormalText) -> bool:
    """Whether the source tells something of one side of this part and denies it of the other."""
    clauses = [
        clause
        for clause in source.clauses
        for m in _SIDE_WORD.finditer(clause)
        if _is_same_part(part, _after(clause, m.end()))
    ]
    return len({bool(lexicon().negation.search(clause)) for clause in clauses}) > 1


def _is_same_part(one: str, other: str) -> bool:
    return bool(one and other) and (one[:2] in other or other[:2] in one or one[:1] == other[:1])


def check_negation(claim: NormalText, source: NormalText) -> CheckResult:
    """What the claim says is there and the sources say is not, and the reverse."""
    results = [r for a in claim.assertions if (r := _check_assertion(a, source)) is not None]
    results += _contradicted("negation", claim, source, _is_turned)
    results += _contradicted("negation", source, claim, _is_turned)
    results += _contradicted("negation", claim, source, _is_other_allergy)
    return _worst("negation", results)


def _is_turned(clause: str, other: NormalText) -> bool:
    """Whether the clause has a 不 inside a phrase that the other text has without it (压之不褪色, 压之褪色)."""
    for m in re.finditer("(?<=..)不(?=..)", clause):
        before, after = clause[m.start() - 2 : m.start()], clause[m.end() : m.end() + 2]
        if before + after in other.text and f"{before}不{after}" not in other.text:
            return True
    return False


def _is_other_allergy(clause: str, source: NormalText) -> bool:
    """Whether the clause denies allergies to drugs that the sources tell of, or tells of one to another substance."""
    if not _ALLERGY.search(clause):
        return False
    negation = lexicon().negation
    told = "，".join(c for c in source.clauses if _ALLERGY.search(c) and not negation.search(c))
    if negation.search(clause):
        return "食物" not in clause and not named_drugs(clause) and bool(named_drugs(told))
    named = _ALLERGEN.search(clause)
    substances = named["substance"].split("、") if named else []
    return bool(told) and any(each not in told and each in source.text for each in substances)


def _check_assertion(wanted: Assertion, source: NormalText) -> CheckResult | None:
    same = [a for a in source.assertions if a.is_negated == wanted.is_negated]
    other = [a for a in source.assertions if a.is_negated != wanted.is_negated]
    things = {wanted.content, wanted.scope}
    denied = max((_likeness(thing, a.content) for a in other for thing in things), default=0.0)
    said = max(
        (max(_likeness(wanted.content, a.content), _likeness(wanted.scope, a.scope)) for a in same),
        default=0.0,
    )
    if denied >= SAME_CONTENT and denied > said:
        return CheckResult("negation", "contradicts", wanted.content)
    if wanted.is_negated:
        return CheckResult("negation", "agrees" if said >= SAME_CONTENT else "absent", wanted.content)
    return None


def _likeness(wanted: str, offered: str) -> float:
    """Containment of the shorter phrase in the longer one, by character pairs; full containment of both ranks first."""
    one = {wanted[at : at + 2] for at in range(len(wanted) - 1)}
    other = {offered[at : at + 2] for at in range(len(offered) - 1)}
    shared = len(one & other)
    contained = shared / min(len(one), len(other))
    return contained - 0.2 * (1 - shared / max(len(one), len(other)))


def check_opposites(claim: NormalText, source: NormalText) -> CheckResult:
    """Words of the claim whose opposite the sources use of the same thing."""
    results = []
    for group in lexicon().opposites:
        pattern = re.compile("|".join(sorted("|".join(group).split("|"), key=len, reverse=True)))
        for clause in claim.clauses:
            results += [
                _check_opposite(
                    m[0],
                    clause[max(0, m.start() - 4) : m.start()] + clause[m.end() : m.end() + 4],
                    pattern,
                    group,
                    source,
                )
                for m in pattern.finditer(clause)
                if not (lexicon().stopping.search(m[0]) and _is_stopped(clause, source))
            ]
    return _worst("opposites", results)


def _is_stopped(clause: str, source: NormalText) -> bool:
    """Whether the sources stop a drug of the clause, in whatever words (将甲改为乙)."""
    named = named_drugs(clause)
    return any(stops and drug.is_same(own) for drug, stops in stopped_drugs(source.text) for own in named)


def _check_opposite(
    word: str, context: str, pattern: re.Pattern[str], group: Sequence[str], source: NormalText
) -> CheckResult:
    near = [clause for clause in source.clauses if _share_a_pair(context, clause)] or list(source.clauses)
    following = [later for clause, later in pairwise(source.clauses) if clause in near]
    said = _found(pattern, near) or _found(pattern, following)
    same = next(set(words.split("|")) for words in group if word in words.split("|"))
    outcome: Outcome = "agrees" if same & said or not said else "contradicts"
    return CheckResult("opposites", outcome, word)


def _found(pattern: re.Pattern[str], clauses: Iterable[str]) -> set[str]:
    return {m[0] for clause in clauses for m in pattern.finditer(clause)}


def check_diagnoses(claim: NormalText, source: NormalText) -> CheckResult:
    """Names of diseases, and any name after 诊断; what the sources only suspect must not be told as certain."""
    words = lexicon()
    wanted = [
        part
        for term in _terms(claim.text, words.disease, words.not_diseases)
        for part in _WITH.split(term)
        if part
    ]
    overstated = next((term for term in wanted if _is_overstated(term, claim, source)), None)
    if overstated:
        return CheckResult("diagnoses", "contradicts", overstated)
    return _check_terms("diagnoses", wanted, _terms(source.text, words.disease, words.not_diseases), source)


def _is_overstated(term: str, claim: NormalText, source: NormalText) -> bool:
    doubtful = lexicon().doubtful
    told, known = ([c for c in text.clauses if _is_named(term, c)] for text in (claim, source))
    return bool(known) and all(map(doubtful.search, known)) and not any(map(doubtful.search, told))


def check_operations(claim: NormalText, source: NormalText) -> CheckResult:
    """Names of operations and procedures."""
    words = lexicon()
    return _check_terms(
        "operations",
        _terms(claim.text, words.operation, words.not_operations),
        _terms(source.text, words.operation, words.not_operations),
        source,
    )


def _terms(text: str, pattern: re.Pattern[str], excluded: tuple[str, ...]) -> list[str]:
    return [m[0] for m in pattern.finditer(text) if not m[0].endswith(excluded)]


def _check_terms(name: CheckName, wanted: list[str], offered: list[str], source: NormalText) -> CheckResult:
    return _worst(
        name, (CheckResult(name, _present(_is_named(term, source.text), offered), term) for term in wanted)
    )


def _is_named(term: str, text: str) -> bool:
    """Whether the text has the telling end of the term, or one clause both its halves (胆囊多发结石).

    What stands before the telling end may be wording.
    """
    if term[-_TELLING:] in text:
        return True
    halves = [(term[:at], term[at:]) for at in range(2, len(term) - 1)]
    clauses = NormalText(text).clauses
    return any(one in clause and other in clause for one, other in halves for clause in clauses)


def check_plan(claim: NormalText, source: NormalText) -> CheckResult:
    """A thing only planned, advised or awaited in the sources must not be told as done."""
    pattern = lexicon().not_yet
    for clause in claim.clauses:
        if pattern.search(clause) or not lexicon().done.search(clause):
            continue
        near = [other for other in source.clauses if _likeness_of_clauses(clause, other) >= SAME_CONTENT]
        if near and all(pattern.search(other) for other in near):
            return CheckResult("plan", "contradicts", clause)
    return CheckResult("plan", "agrees" if pattern.search(source.text) else "not_applicable")


def _likeness_of_clauses(one: str, other: str) -> float:
    return NormalText(one).coverage_by(NormalText(other)) if len(one) >= 3 else 0.0


CHECKS: tuple[Callable[[NormalText, NormalText], CheckResult], ...] = (
    check_numbers, check_levels, check_dates, check_drugs, check_doses, check_laterality,
    check_negation, check_opposites, check_diagnoses, check_operations, check_plan, check_stops,
)  # fmt: skip
