"""What the words of a note say about a statement, without a model.

The statement is taken apart into the things it names (known terms, abbreviations, numbers, else character
pairs); the sentence of the note that holds most of them is its evidence, and what that sentence claims of them
(present, absent, planned) counts too. Numbers are compared where the statement compares.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from app.qc.logic import Truth
from app.qc.specialty.conditions import Comparison, Statement
from app.records.model import Span
from app.text.assertion import Assertion, assertion_at
from app.text.investigations import find_examinations, names_modality, regions_in
from app.text.lexicons import load_mapping, load_tree
from app.text.quantities import find_quantities
from app.text.sentences import split_sentences
from app.text.times import find_durations
from app.text.width import half_width
from app.yaml_data import read_yaml

_FILE = Path(__file__).with_name("synonyms.yaml")
_MODALITIES = ("CT", "MRI", "X线", "超声", "内镜", "心电图", "病理")
_IMAGING = ("CT", "MRI", "X线", "超声")
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-/][A-Za-z0-9]+)*|\d+(?:\.\d+)?")
_SIZE = re.compile(r"直径|大小|长径|径线|最大径")
_NUMBER_AFTER = re.compile(r"[^\d。;\n]{0,12}?(\d+(?:\.\d+)?)")
_RANGE = re.compile(r"(\d{1,2})[-~至](\d{1,2})(?=[组区站])")
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII")
_ROMAN_RANGE = re.compile(r"(?<![A-Za-z])([IV]{1,4})[-~至]([IV]{1,4})(?=[^A-Za-z]|\Z)")
_ROMAN_PART = re.compile(r"(?<![A-Za-z])([IV]{1,4})[AaBbCc](?=区)")
_LABELLED = re.compile(r"(?:第\s?)?\d{1,2}[RLrl]?(?:\s?[、,./和及]\s?(?:第\s?)?\d{1,2}[RLrl]?)*\s?[组区站]")
_LABEL = "#"
_COUNTED = re.compile(r"\s?(?:小时|分|岁|年|月|日|天|周|次|个|项|枚|%|[A-Za-z.])")
_ALTERNATIVE = re.compile(r"或者?(?!等于|大于|小于)")
_EXPLAINED = re.compile(r"\((?:包括|包含|如|例如|即|指)[^()]*\)")
_WITHIN = re.compile(
    r"(?:小于(?:或等于)?|不超过|≤|<=?|在)?\s*(\d+(?:\.\d+)?)\s*(小时|分钟|天|日|周)(?:内|以内|之内|\Z)"
)
_HOURS = {"小时": 1.0, "分钟": 1 / 60, "天": 24.0, "日": 24.0, "周": 168.0}
_ONSET = re.compile(r"发病|发作|起病|症状")
_RESULT = re.compile(r"(?P<of>.+?)(?:状态|结果)?为?(?P<value>阳性|阴性)\Z")
_POSITIVE_RESULT = re.compile(r"阳性|\(\+|(?<!未)(?:查?见|累及)[^。;,]{0,4}癌|有癌|残留")
_NEGATIVE_RESULT = re.compile(r"阴性|\(-+\)|未见|未查见|未找到|未累及|干净|无癌|正常")
_LIMIT = re.compile(
    r"(?P<measure>[^,。;]{2,}?)(?:为|应|值|达到?|控制在?|水平)?\s*"
    r"(?P<sign>≥|≤|>=|<=|>|<|不低于|不少于|不小于|不高于|不超过|不大于|未超过|至少|超过|[大小高低多少]于(?:或?等于)?)\s*"
    r"(?P<limit>\d+(?:\.\d+)?)\s*(?P<unit>小时|分钟|天|日|周|[^\d,。;()]*)"
)
_COMPRISES = re.compile(
    r"(?:(?<=[,。;:\n])|^)(?P<term>[\u4e00-\u9fffA-Za-z]{2,12}?)的?"
    r"(?:方式|策略|方法|措施|项目|手段|内容|范围|药物|症状|标准|表现)?(?:主要)?(?:包括|包含)(?:但不限于)?:?"
    r"(?P<kinds>[^。;\n:]{2,120})"
)
_BRACKETED_KINDS = re.compile(
    r"(?P<term>[\u4e00-\u9fffA-Za-z]{2,8})\((?:包括|包含|如|例如|即)?(?P<kinds>[^()]{2,80})\)"
)
_KINDS = re.compile(r"[、,/+]|或者?|和|及|以及")
_KIND_TAIL = re.compile(r"^(?:经|行|各种|其他)|(?:治疗|检查|等|药物)+$")
_LONGEST_KIND = 12
_WEIGHT_KNOWN = 2.0
_WEIGHT_LABEL = 6.0


class Detected(NamedTuple):
    """What was found for one statement.

    Attributes:
        sentence: the share, 0–1, of what the statement names that one sentence holds.
        note: the same share for the whole note.
        claimed: what that sentence says of it: 1 present, -1 absent, 0 uncertain or nothing found.
        planned: whether it is only asked for there.
        examination: 1 the examination named was made of the region named, -1 it was not, 0 none is named.
        compared: the truth of the statement's number, time or result; ``None`` where it gives none, or the note.
        denies: whether the statement itself denies something.
        known: the share of what the statement names that our lists, or letters and numbers, give a form for.
        span: the sentence; ``None`` where none holds anything of it.
    """

    sentence: float
    note: float
    claimed: int
    planned: bool
    examination: int
    compared: Truth
    denies: bool
    known: float
    span: Span | None


class _Unit(NamedTuple):
    """One thing a statement names: the forms any of which counts, and how much it weighs."""

    forms: tuple[str, ...]
    weight: float
    is_known: bool = True


Definitions = tuple[tuple[str, tuple[str, ...]], ...]
"""What an indicator itself says that its terms comprise: term and its kinds."""


def detect(note: str, statement: Statement, definitions: Definitions = ()) -> Detected:
    """Look for ``statement`` in ``note``; of alternatives (PCI或静脉溶栓) the best found counts.

    Spans are code points of ``note``.
    """
    if statement.comparison:
        return _found(note, statement.text, _compare(note, statement.comparison), definitions)
    told = next((t for t in (asked(note, statement.text) for asked in _READ_OFF) if t is not None), None)
    texts = [text for text in _ALTERNATIVE.split(statement.text) if text]
    found = [_found(note, text, told, definitions) for text in texts]
    return max(found, key=lambda each: (each.sentence, each.claimed))


def definitions_in(*texts: str) -> Definitions:
    """The terms that an indicator's own words define by what they comprise (节律控制策略包括：药物复律、电复律)."""
    found: dict[str, tuple[str, ...]] = {}
    for text in map(half_width, texts):
        for match in (*_COMPRISES.finditer(text), *_BRACKETED_KINDS.finditer(text)):
            kinds = [_KIND_TAIL.sub("", kind).strip() for kind in _KINDS.split(match["kinds"])]
            known = tuple(kind for kind in kinds if 1 < len(kind) <= _LONGEST_KIND and not _is_modality(kind))
            if known:
                found[match["term"]] = tuple(dict.fromkeys((*found.get(match["term"], ()), *known)))
    return tuple(found.items())


def shares(texts: Iterable[str], statement: str) -> list[float]:
    """How much, 0–1, of what a statement names each of ``texts`` holds."""
    units = _units(statement)
    total = sum(unit.weight for unit in units) or 1.0
    return [sum(u.weight for u in units if _holds(_fold(text), u)) / total for text in texts]


def _is_modality(words: str) -> bool:
    """Whether words name no more than a kind of examination: it does not stand for that of a region."""
    return not regions_in(words) and any(names_modality(words, modality) for modality in _IMAGING)


def _found(note: str, text: str, compared: Truth, definitions: Definitions) -> Detected:
    units = _units(text, definitions)
    total = sum(unit.weight for unit in units) or 1.0
    known = sum(unit.weight for unit in units if unit.is_known) / total
    best, share, found_everywhere = None, 0.0, set[int]()
    for sentence in _sentences(note):
        held = {i for i, unit in enumerate(units) if _holds(sentence.text, unit)}
        found_everywhere |= held
        weight = sum(units[i].weight for i in held) / total
        if weight > share:
            best, share = (sentence, [units[i] for i in held]), weight
    everywhere = sum(units[i].weight for i in found_everywhere) / total
    denies = re.search(_words()["denying"], text) is not None
    examination = _examined(half_width(note), text)
    if best is None:
        return Detected(0.0, everywhere, 0, False, examination, compared, denies, known, None)
    sentence, named = best
    place = _place(note, sentence.span, named)
    claimed = {Assertion.PRESENT: 1, Assertion.ABSENT: -1, Assertion.UNCERTAIN: 0}[assertion_at(note, place)]
    before = note[max(sentence.span.start, place.start - 20) : place.start]
    planned = re.search(_words()["planned"], before) is not None
    if _is_declined(before, note[place.end : sentence.span.end]):
        claimed = -1
    return Detected(share, everywhere, claimed, planned, examination, compared, denies, known, sentence.span)


def _is_declined(before: str, after: str) -> bool:
    """Whether something was refused, not indicated or too late, by the words around it."""
    words = _words()["declined"]
    return re.search(words["before"], before) is not None or re.match(words["after"], after) is not None


class _Folded(NamedTuple):
    span: Span
    text: str


@lru_cache(maxsize=64)
def _sentences(note: str) -> tuple[_Folded, ...]:
    return tuple(_Folded(Span(s.start, s.end), _fold(s.quote)) for s in split_sentences(note))


@lru_cache(maxsize=8192)
def _fold(text: str) -> str:
    """One spelling for comparing: full-width, Roman numerals, hours; ranges of stations written out."""
    plain = re.sub(r"(?<=\d)\s?h(?![A-Za-z])", "小时", unicodedata.normalize("NFKC", half_width(text)))
    plain = _ROMAN_RANGE.sub(_written_out, _ROMAN_PART.sub(r"\1", plain))
    plain = _RANGE.sub(lambda m: "、".join(map(str, range(int(m[1]), int(m[2]) + 1))), plain)
    labels = "".join(f"{_LABEL}{n} " for found in _LABELLED.findall(plain) for n in re.findall(r"\d+", found))
    return f"{plain}{labels}"


def _written_out(found: re.Match[str]) -> str:
    if found[1] not in _ROMAN or found[2] not in _ROMAN:
        return found[0]
    return "、".join(_ROMAN[_ROMAN.index(found[1]) : _ROMAN.index(found[2]) + 1])


@lru_cache(maxsize=512)
def _units(text: str, definitions: Definitions = ()) -> tuple[_Unit, ...]:
    folded = _EXPLAINED.sub("", _fold(text))
    units: list[_Unit] = []
    own = [(term, _with_known_forms(term, kinds)) for term, kinds in definitions]
    for term, forms in (*own, *_measures().items()):
        if _form_in(folded, term):
            units.append(_Unit((term, *forms), _WEIGHT_KNOWN * max(1.0, len(term) / 3)))
            folded = folded.replace(term, "、")
    for filler in sorted(_words()["fillers"], key=len, reverse=True):
        folded = folded.replace(filler, "、")
    for token in _LATIN.finditer(folded):
        number = re.fullmatch(r"\d{1,2}", token[0]) and not _COUNTED.match(folded, token.end())
        if number or token[0] in _ROMAN:
            units.append(_Unit(_label_forms(token[0]), _WEIGHT_LABEL))
        else:
            units.append(_Unit((token[0],), _WEIGHT_KNOWN))
    for piece in re.findall(r"[\u4e00-\u9fff]+", folded):
        pairs = [piece[i : i + 2] for i in range(len(piece) - 1)] or [piece]
        units += [_Unit((pair,), 1.0 if len(pair) > 1 else 0.5, is_known=False) for pair in pairs]
    return tuple(units)


def _with_known_forms(term: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds of a term, and the forms that our lists have for what the term or a kind names."""
    named = [forms for known, forms in _measures().items() if any(known in each for each in (term, *kinds))]
    return tuple(dict.fromkeys((*kinds, *(form for forms in named for form in forms))))


def _label_forms(label: str) -> tuple[str, ...]:
    """A station as notes number it: II is also 2, but 2 is not II."""
    if label in _ROMAN:
        return label, f"{_LABEL}{_ROMAN.index(label) + 1} "
    return (f"{_LABEL}{label} ",)


def _holds(sentence: str, unit: _Unit) -> bool:
    return any(_form_in(sentence, form) for form in unit.forms)


def _form_in(text: str, form: str) -> bool:
    return _form(form).search(text) is not None if _LATIN.fullmatch(form) else form in text


@lru_cache(maxsize=4096)
def _form(form: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9.]){re.escape(form)}(?![A-Za-z]|\d|\.\d)", re.IGNORECASE)


def _place(note: str, sentence: Span, units: Sequence[_Unit]) -> Span:
    """Where in the sentence the weightiest unit stands that it spells; else the sentence's beginning."""
    half = half_width(note)
    for unit in sorted(units, key=lambda unit: -unit.weight):
        for form in unit.forms:
            start = half.find(form, sentence.start, sentence.end)
            if start >= 0:
                return Span(start, start + len(form))
    return Span(sentence.start, sentence.start + 1)


def _examined(half: str, statement: str) -> int:
    words = half_width(statement)
    kinds = [m for m in _MODALITIES if names_modality(words, m)] or (
        list(_IMAGING) if "影像" in words else []
    )
    regions = regions_in(words)
    if not kinds or not regions:
        return 0
    for kind in kinds:
        for examination in find_examinations(half, kind):
            if not examination.is_planned and (
                regions & examination.regions or _follows(half, examination.span.end, regions)
            ):
                return 1
    return -1


def _follows(half: str, end: int, regions: frozenset[str]) -> bool:
    """Whether the words up to the next comma after an examination's name name one of the regions (CT检查:胸部平扫)."""
    return bool(regions & regions_in(re.split(r"[。;,]", half[end : end + 12])[0]))


def _compare(note: str, comparison: Comparison) -> Truth:
    left = _value(note, comparison.left)
    right = comparison.limit if comparison.limit is not None else _value(note, comparison.right)
    if left is None or right is None:
        return None
    match comparison.operator:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right


def _elapsed(note: str, statement: str) -> Truth:
    """Whether the onset that the note states first lies within the hours that the statement allows."""
    within = _WITHIN.search(half_width(statement))
    if not within or not _ONSET.search(statement):
        return None
    stated = next((d for d in find_durations(note) if d.maximum_days is not None), None)
    if stated is None or stated.maximum_days is None:
        return None
    return stated.maximum_days * 24 <= float(within[1]) * _HOURS[within[2]]


def _limited(note: str, statement: str) -> Truth:
    """Whether the number that the note gives keeps the limit that a statement names (血红蛋白≥110g/L)."""
    stated = _LIMIT.search(half_width(statement))
    if not stated or stated["unit"] in _HOURS:
        return None
    value = _value(note, stated["measure"])
    if value is None:
        return None
    limit, sign = float(stated["limit"]), stated["sign"]
    if sign in ("<", "≤", "<="):
        return value < limit if sign == "<" else value <= limit
    if sign in (">", "≥", ">="):
        return value > limit if sign == ">" else value >= limit
    if sign[0] in "不未":
        return value >= limit if sign[-1] in "低少小于" else value <= limit
    return value <= limit if re.match("小|低|少", sign) else value >= limit


def _resulted(note: str, statement: str) -> Truth:
    """Whether the result that a statement gives (切缘为阳性) is the one that the note gives."""
    stated = _RESULT.search(statement)
    if not stated:
        return None
    half, names = half_width(note), [name for name in _measures() if name in stated["of"]]
    named = max(names, key=lambda name: (stated["of"].rfind(name), len(name)), default=None)
    if named is None:
        return None
    mentions = re.finditer("|".join(map(re.escape, (named, *_measures()[named]))), half)
    clauses = [re.split(r"[。;,\n]", half[each.end() : each.end() + 30])[0] for each in mentions]
    if any(_NEGATIVE_RESULT.search(clause) is None and _POSITIVE_RESULT.search(clause) for clause in clauses):
        return stated["value"] == "阳性"
    if any(_NEGATIVE_RESULT.search(clause) for clause in clauses):
        return stated["value"] == "阴性"
    return None


_READ_OFF = (_elapsed, _limited, _resulted)


def _value(note: str, measure: str) -> float | None:
    """The number that the note gives for a measure (出院时GCS评分); of sizes the greatest, in cm."""
    if _SIZE.search(measure):
        sizes = [q for q in find_quantities(note) if q.unit in ("cm", "mm") and q.value is not None]
        return max((q.value / (10 if q.unit == "mm" else 1) for q in sizes if q.value), default=None)
    half = half_width(note)
    wanted = _moment(measure)
    values = [
        (value, _last_moment(half[:start]))
        for start, value in _numbers_after(half, _names(measure))
        if value is not None
    ]
    fitting = [value for value, moment in values if wanted is None or moment == wanted]
    return (fitting[-1] if wanted else fitting[0]) if fitting else None


def _numbers_after(half: str, names: tuple[str, ...]) -> Iterator[tuple[int, float]]:
    for found in re.finditer("|".join(map(re.escape, names)) or r"(?!)", half, re.IGNORECASE):
        number = _NUMBER_AFTER.match(half, found.end())
        if number:
            yield found.start(), float(number[1])


def _names(measure: str) -> tuple[str, ...]:
    """The names of a measure without what says when: 出院时GCS评分 → GCS and its synonyms."""
    plain = re.sub("|".join(word for group in _words()["moments"] for word in group), "", _fold(measure))
    latin = [token for token in _LATIN.findall(plain) if not token[0].isdigit()]
    known = [term for term in _measures() if _form_in(plain, term)]
    names = [*latin, *known, *(form for term in known for form in _measures()[term])]
    if not names:
        names = [re.sub(r"^时|评分$|水平$|值$", "", plain)]
    return tuple(dict.fromkeys(name for name in names if len(name) > 1))


def _moment(text: str) -> int | None:
    return next(
        (i for i, group in enumerate(_words()["moments"]) if any(word in text for word in group)), None
    )


def _last_moment(before: str) -> int | None:
    places = [(before.rfind(word), i) for i, group in enumerate(_words()["moments"]) for word in group]
    place, index = max(places)
    return index if place >= 0 else None


@cache
def _words() -> Mapping[str, Any]:
    parsed: dict[str, Any] = read_yaml(_FILE)
    return parsed


@cache
def _measures() -> Mapping[str, tuple[str, ...]]:
    """Term of an indicator → forms in notes, longest term first; from our list and the lexicons of the field."""
    measures = {term: tuple(forms) for term, forms in _words()["measures"].items()}
    for kind, drugs in load_mapping("drug_classes").items():
        stem = re.sub(r"(?:药|类|剂)$", "", kind)
        if len(stem) > 1 and not kind.startswith("其他"):
            for name in (f"{stem}药物", f"{stem}药", f"{stem}剂", kind):
                measures[name] = (*measures.get(name, ()), *drugs)
    groups = [*load_mapping("lab_items").items(), *load_mapping("symptoms").items()]
    groups += [(name, tuple(forms)) for name, forms in load_tree("operation_names")["synonyms"].items()]
    for head, forms in groups:
        names = tuple(name for name in (head, *forms) if len(name) > 1)
        for name in names:
            measures[name] = tuple(dict.fromkeys((*measures.get(name, ()), *names)))
    return dict(sorted(measures.items(), key=lambda item: -len(item[0])))
