"""One comparable form for texts that say the same thing in different ways.

Only for comparing a claim with its sources: offsets of the original do not survive, nothing here is shown.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from math import inf
from pathlib import Path
from typing import NamedTuple

from app.text.lexicons import load_mapping, load_tree
from app.yaml_data import read_yaml

_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_MEASURES = "天|日|周|个|月|年|次|小时|分钟|级|期|型|度|分|片|粒|支|例|根|枚|岁|倍|处|条"
_CHINESE_NUMBER = re.compile(
    rf"(?<![十百第星])([零〇一二两三四五六七八九十百]{{1,5}})(?=[余多来]?(?:{_MEASURES}))"
)
_ORDINAL = re.compile(r"第([一二三四五六七八九十]{1,3})")
_ROMAN = re.compile(r"(?<![a-z])(iv|iii|ii|i|v)(?=\s*[级期型度])")
_ROMAN_VALUES = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}
_STRENGTH = re.compile(r"(\d)\s*([-+])(?=\s*级)")
_POWER_UNIT = re.compile(r"(?:[×xX*]\s*10|[eE])\s*\^?\s*(⁹|9|¹²|12)\s*/\s*[lL]")
_NONE_OF = re.compile(r"转移\s*\(?\s*0/\d+\s*枚?\)?|0/\d+\s*枚?见?(?:癌|肿瘤)?转移")
_HALVES = (("半小时", "30分钟"), ("半年", "6个月"), ("半个?月(?![板形瓣神])", "15天"), ("半天", "12小时"))
_LIST_NUMBER = re.compile(r"(?:^|(?<=[;；。:：\s]))\s*\d{1,2}[.．、)）]\s*(?=[^\d\s]|[12]型)")

_FULL_DATE = re.compile(r"((?:19|20)\d\d)\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*[日号]?")
_MONTH_DAY = re.compile(r"(?<!\d)(\d{1,2})月(\d{1,2})[日号]")
_DAYS_AWAY = {"大前": -3, "前": -2, "昨": -1, "今": 0, "当": 0, "明": 1}
_RELATIVE_DAY = re.compile(r"(大前|(?<![大术院病伤产])前|昨|今|当|明)(?:[日天晚晨早夜]|凌晨|上午|下午)")
_CLOCK = re.compile(r"(?<!\d)([01]?\d|2[0-3])(?::|时)([0-5]\d)分?(?!\d)")
_FREQUENCY = re.compile(r"每日([\d.]+)次")
_NUMBER = r"\d+(?:\.\d+)?"
_CLAUSE_END = re.compile(r"[，。；;！？!?\n]|,(?!\d)")
_ENUMERATED = re.compile(r"、|以及|(?<![闻触扪累涉危普提])及|或(?!许)")
_AFFIRMED = re.compile("^[有伴但可]|可见|闻及|触及|仍有")
_ITEM_END = re.compile(rf"{_CLAUSE_END.pattern}|、")
_MARKS = {"高": 1, "↑": 1, "h": 1, "低": -1, "↓": -1, "l": -1}
_MARK = re.compile(r"\s*\(?([高低↑↓]|[hl](?![a-z/]))")
_LIMITS = re.compile(
    rf"[^，。;\n\d]{{0,4}}(?:参考|正常)[^，。;\n\d]{{0,6}}({_NUMBER})\s*[-~—–至]+\s*({_NUMBER})"
)
_TO = re.compile("[~\\-—–至到]")
_AT_LEAST_AFTER, _AT_MOST_AFTER = re.compile("及?以上"), re.compile("及?以[下内]")
_AT_LEAST = re.compile("(?:(?<!不)(?<!未)超过|(?<!不)[大高]于|不低于|不少于|不小于|至少|[>≥])$")
_AT_MOST = re.compile("(?:(?<!不)[小低少]于|不足|不高于|不大于|[不未]超过|[<≤])$")
_BESIDE_NUMBER = "约为达至是在予共计升降到较前最高低:：=（(>＞<＜≥≤ "


@dataclass(frozen=True)
class Lexicon:
    """``synonyms.yaml``, made ready for matching."""

    spelling: re.Pattern[str]
    canonical: dict[str, str]
    vital_letters: dict[str, str]
    frequency: re.Pattern[str]
    times_a_day: dict[str, str]
    routes: re.Pattern[str]
    quantity: re.Pattern[str]
    units: dict[str, tuple[str, float]]
    usual: dict[str, tuple[tuple[float, float], ...]]
    levels: dict[str, int]
    opposites: tuple[tuple[str, ...], ...]
    generic: re.Pattern[str]
    negation: re.Pattern[str]
    negated_afterwards: tuple[str, ...]
    done: re.Pattern[str]
    not_yet: re.Pattern[str]
    doubtful: re.Pattern[str]
    stopping: re.Pattern[str]
    giving: re.Pattern[str]
    drug: re.Pattern[str]
    drug_like: re.Pattern[str]
    drug_prefixes: tuple[str, ...]
    drug_partners: tuple[str, ...]
    disease: re.Pattern[str]
    not_diseases: tuple[str, ...]
    operation: re.Pattern[str]
    not_operations: tuple[str, ...]
    filler: frozenset[str]


def _term(endings: Iterable[str], fewest: int, most: int, not_leading: str) -> re.Pattern[str]:
    """A name by its telling ending and the characters before it, as far as they can belong to a name."""
    return re.compile(rf"(?:(?![{not_leading}])[\u4e00-\u9fa5]){{{fewest},{most}}}?(?:{_any_of(endings)})")


def _drug_names() -> Iterator[str]:
    classes = load_mapping("drug_classes")
    names = (*(name for members in classes.values() for name in members), *load_tree("drug_names")["same"])
    return (name.lower() for name in names if len(name) > 1)


def _generic_names() -> Iterator[tuple[str, str]]:
    """Brand and older names with the name that they stand for; 左氨氯地平 is no other name of 氨氯地平."""
    for name, others in load_tree("drug_names")["same"].items():
        yield from ((other, name) for other in others if not other.endswith(name))


def _any_of(words: Iterable[str]) -> str:
    return "|".join(_bounded(word) for word in sorted(set(words), key=len, reverse=True))


def _bounded(word: str) -> str:
    left = r"(?<![a-z])" if word[0].isascii() and word[0].isalpha() else ""
    right = r"(?![a-z])" if word[-1].isascii() and word[-1].isalpha() else ""
    return f"{left}{re.escape(word)}{right}"


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The word lists of the comparison, read once."""
    raw = read_yaml(Path(__file__).parent / "synonyms.yaml")
    canonical = dict(_generic_names())
    canonical |= {alias: name for name, aliases in raw["spellings"].items() for alias in (name, *aliases)}
    times = {alias: str(times) for times, aliases in raw["frequencies"].items() for alias in aliases}
    units = {unit: (str(dimension), float(factor)) for unit, (dimension, factor) in raw["units"].items()}
    unit = re.sub(r"(?<=\|)升(?=\||$)", "升(?![高至到])", _any_of(units))  # 升 is a litre, and a rise
    run = rf"{_NUMBER}(?:\s*[/x×*~\-—–至到]\s*{_NUMBER})*"
    return Lexicon(
        spelling=re.compile(_any_of(canonical)),
        canonical=canonical,
        vital_letters=raw["vital_letters"],
        frequency=re.compile(_any_of(times)),
        times_a_day=times,
        routes=re.compile(_any_of(raw["routes"])),
        # straight behind letters only with a unit: ALT120U/L, but not T12 or CA199
        quantity=re.compile(rf"(?<![\d.])(?:(?<![a-z])|(?={run}\s*(?:{unit})))({run})\s*[余多]?\s*({unit})?"),
        units=units,
        usual={measure: tuple((low, high) for low, high in parts) for measure, parts in raw["usual"].items()},
        levels=raw["levels"],
        opposites=tuple(tuple(group) for group in raw["opposites"]),
        generic=re.compile(_any_of(raw["generic"])),
        negation=re.compile(f"(?!{_any_of(raw['pseudo_negations'])})(?:{_any_of(raw['negations'])})"),
        negated_afterwards=tuple(raw["negated_afterwards"]),
        done=re.compile(_any_of(raw["done"])),
        not_yet=re.compile(_any_of(raw["not_yet"])),
        doubtful=re.compile(_any_of(raw["doubtful"])),
        stopping=re.compile(raw["stopping"]),
        giving=re.compile(raw["giving"]),
        drug=re.compile(_any_of(_drug_names())),
        drug_like=_term(raw["drug_endings"], 0, 4, raw["filler"] + raw["drug_lead"]),
        drug_prefixes=tuple(raw["drug_prefixes"]),
        drug_partners=tuple(raw["drug_partners"]),
        disease=re.compile(
            _term(raw["disease_endings"], 1, 8, raw["filler"] + raw["disease_lead"]).pattern
            + f"(?![{raw['disease_not_before']}])"
        ),
        not_diseases=tuple(raw["not_diseases"]),
        operation=_term(raw["operation_endings"], 1, 10, raw["filler"]),
        not_operations=tuple(raw["not_operations"]),
        filler=frozenset(raw["filler"]),
    )


def _chinese_value(written: str) -> int:
    total = current = 0
    for character in written:
        if character == "百":
            total, current = total + (current or 1) * 100, 0
        elif character == "十":
            total, current = total + (current or 1) * 10, 0
        else:
            current = _DIGITS[character]
    return total + current


def normalise(text: str) -> str:
    """The comparable form: one width, lower case, Arabic numerals, one spelling a term."""
    words = lexicon()
    text = _LIST_NUMBER.sub("", text)
    text = _POWER_UNIT.sub(lambda m: f"e{unicodedata.normalize('NFKC', m[1])}/l", text)
    # A full-width comma always ends a clause; after NFKC it could be one inside a number.
    text = "，".join(unicodedata.normalize("NFKC", part) for part in text.split("，")).lower()
    text = text.replace("μ", "u").replace("°c", "℃")
    for half, whole in _HALVES:
        text = re.sub(half, whole, text)
    # Muscle strength 4- and 4+ lie between the grades (MRC).
    text = _STRENGTH.sub(lambda m: f"{int(m[1]) + (0.3 if m[2] == '+' else -0.3):g}", text)
    text = _ROMAN.sub(lambda m: _ROMAN_VALUES[m[1]], text)
    text = _NONE_OF.sub("未见转移", text)
    text = _CHINESE_NUMBER.sub(lambda m: str(_chinese_value(m[1])), text)
    text = _ORDINAL.sub(lambda m: f"第{_chinese_value(m[1])}", text)
    for letter, name in words.vital_letters.items():
        text = re.sub(rf"(?<![a-z0-9]){letter}\s*:?\s*(?=\d)", name, text)
    text = words.spelling.sub(lambda m: words.canonical[m[0]], text)
    text = words.frequency.sub(lambda m: f"每日{words.times_a_day[m[0]]}次", text)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"(?<![a-z])ph(?=\d)", "ph ", text)
    return re.sub(r"(?<![a-z0-9])[ \t]+|[ \t]+(?![a-z0-9])", "", text)


class Quantity(NamedTuple):
    """A number as written, its dimension (``""`` without a unit), its size in that dimension, what it measures.

    第7天 has a dimension of its own: it is no 7天.

    ``side`` is the last 左 or 右 before it in its clause, ``""`` without one. ``range`` are the least and the largest
    amount that are meant by one end of 6～10 or by 95以上; ``None`` for a plain number. ``level`` is -1 below, 0 within,
    1 above the limits that the text gives with it, or the usual ones; ``None`` where neither is known.
    """

    value: float
    dimension: str
    amount: float
    label: str
    side: str = ""
    range: tuple[float, float] | None = None
    level: int | None = None


class WrittenDate(NamedTuple):
    """A calendar date; ``year`` is ``None`` where the text leaves it out."""

    year: int | None
    month: int
    day: int

    def agrees_with(self, other: "WrittenDate") -> bool:
        """Whether both may be the same day."""
        same_year = self.year is None or other.year is None or self.year == other.year
        return same_year and (self.month, self.day) == (other.month, other.day)


class Assertion(NamedTuple):
    """One thing said to be there or not to be there; ``scope`` is what stands behind the word that says so."""

    content: str
    scope: str
    is_negated: bool


@dataclass(frozen=True)
class NormalText:
    """A text in comparable form with what the checks look at."""

    text: str

    @classmethod
    def of(cls, *texts: str) -> "NormalText":
        """The comparable form of one or several texts."""
        return cls("\n".join(normalise(text) for text in texts))

    @cached_property
    def clauses(self) -> tuple[str, ...]:
        """Its clauses, between commas and stops."""
        return tuple(part.strip() for part in _CLAUSE_END.split(self.text) if part.strip())

    def clause_start(self, at: int) -> int:
        """Where the clause or enumerated item that holds position ``at`` begins."""
        return max((m.end() for m in _ITEM_END.finditer(self.text, 0, at)), default=0)

    @cached_property
    def dates(self) -> tuple[WrittenDate, ...]:
        """Calendar dates, in order; impossible ones are no dates."""
        full = [WrittenDate(int(m[1]), int(m[2]), int(m[3])) for m in _FULL_DATE.finditer(self.text)]
        short = [
            WrittenDate(None, int(m[1]), int(m[2]))
            for m in _MONTH_DAY.finditer(_FULL_DATE.sub(" ", self.text))
        ]
        return tuple(found for found in (*full, *short) if _exists(found))

    @cached_property
    def relative_dates(self) -> tuple[WrittenDate, ...]:
        """The calendar days that 昨日, 今晨, 明日 mean, counted from the first full date of their line.

        次日 counts from whatever was told before it, so it means no certain day.
        """
        return tuple(
            day
            for line in self.text.splitlines()
            if (anchor := _anchor(line))
            for day in _days_from(anchor, line)
        )

    @cached_property
    def clock_times(self) -> frozenset[str]:
        """Times of day as ``H:MM``."""
        return frozenset(f"{int(m[1])}:{m[2]}" for m in _CLOCK.finditer(_FULL_DATE.sub(" ", self.text)))

    @cached_property
    def timeless(self) -> str:
        """The text without dates, times of day and dosing frequencies."""
        text = self.text
        for pattern in (_FULL_DATE, _MONTH_DAY, _CLOCK, _FREQUENCY):
            text = pattern.sub(" ", text)
        return text

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Every number with its unit; the parts of 120/80mmHg or 3×2cm share theirs."""
        return tuple(_quantities(self.timeless))

    @cached_property
    def frequencies(self) -> frozenset[str]:
        """Dosing frequencies, in times a day."""
        return frozenset(m[1] for m in _FREQUENCY.finditer(self.text))

    @cached_property
    def routes(self) -> frozenset[str]:
        """Routes of administration in one form."""
        return frozenset(m[0] for m in lexicon().routes.finditer(self.text))

    @cached_property
    def assertions(self) -> tuple[Assertion, ...]:
        """What is said to be there and not to be there, clause by clause."""
        clauses = (part.strip() for part in _CLAUSE_END.split(self.timeless))
        return tuple(assertion for clause in clauses if clause for assertion in _assertions(clause))

    @cached_property
    def words(self) -> str:
        """The content without numbers and dates, which checks of their own compare."""
        return content_of(lexicon().generic.sub("", lexicon().quantity.sub("", self.timeless)))

    @cached_property
    def pairs(self) -> frozenset[str]:
        """Adjacent character pairs of the content, fillers and punctuation left out."""
        return frozenset((*_pairs(content_of(self.text)), *_pairs(self.words)))

    def coverage_by(self, other: "NormalText") -> float:
        """Share of this text's words that stand in a character pair which ``other`` has too; 1.0 without words."""
        content = self.words
        if len(content) < 2:
            return float(content in other.text)
        covered = [False] * len(content)
        for at, pair in enumerate(_pairs(content)):
            if pair in other.pairs:
                covered[at] = covered[at + 1] = True
        return sum(covered) / len(content)


def content_of(text: str) -> str:
    """The characters that carry content."""
    filler = lexicon().filler
    return "".join(c for c in text if (c.isalnum() or c in "%℃") and c not in filler)


def _pairs(text: str) -> list[str]:
    return [text[at : at + 2] for at in range(len(text) - 1)]


def _anchor(line: str) -> date | None:
    """The first full date of a line: the day of the note, where sources carry theirs."""
    found = _FULL_DATE.search(line)
    written = WrittenDate(int(found[1]), int(found[2]), int(found[3])) if found else None
    return date(*written) if written and _exists(written) else None  # type: ignore[arg-type]


def _days_from(anchor: date, line: str) -> Iterator[WrittenDate]:
    for match in _RELATIVE_DAY.finditer(line):
        day = anchor + timedelta(days=_DAYS_AWAY[match[1]])
        yield WrittenDate(day.year, day.month, day.day)


def _exists(found: WrittenDate) -> bool:
    try:
        date(found.year or 2024, found.month, found.day)
    except ValueError:
        return False
    return True


def _quantities(text: str) -> Iterator[Quantity]:
    words = lexicon()
    for match in words.quantity.finditer(text):
        dimension, factor = words.units[match[2]] if match[2] else ("", 1.0)
        if text[: match.start()].endswith("第"):
            dimension = f"ordinal {dimension}"
        label, side = _label_before(text, match.start()), _side_before(text, match.start())
        numbers = [float(number) for number in re.findall(_NUMBER, match[1])]
        meant = _range(text, match, [number * factor for number in numbers])
        for part, number in enumerate(numbers):
            level = _level(number, part, label, text[match.end() :])
            yield Quantity(number, dimension, number * factor, label, side, meant, level)


def _level(number: float, part: int, label: str, after: str) -> int | None:
    """Against the mark or the limits right behind the number, else against what is usual."""
    if mark := _MARK.match(after):
        return _MARKS[mark[1]]
    if limits := _LIMITS.match(after):
        return _against(number, float(limits[1]), float(limits[2]))
    usual = next((parts for measure, parts in lexicon().usual.items() if label.endswith(measure)), ())
    return _against(number, *usual[part]) if part < len(usual) else None


def _against(number: float, low: float, high: float) -> int:
    return (number > high) - (number < low)


def _range(text: str, match: re.Match[str], amounts: list[float]) -> tuple[float, float] | None:
    if len(amounts) == 2 and _TO.search(match[1]):
        return (min(amounts), max(amounts))
    if _AT_LEAST_AFTER.match(text, match.end()) or _AT_LEAST.search(text, 0, match.start()):
        return (amounts[0], inf)
    if _AT_MOST_AFTER.match(text, match.end()) or _AT_MOST.search(text, 0, match.start()):
        return (0.0, amounts[0])
    return None


def _label_before(text: str, at: int) -> str:
    before = _CLAUSE_END.split(text[max(0, at - 12) : at].rstrip(_BESIDE_NUMBER))[-1]
    found = re.search(r"[\u4e00-\u9fa5a-z][\u4e00-\u9fa5a-z0-9]*$", before.replace(" ", ""))
    return content_of(found[0][-6:]) if found else ""


def _side_before(text: str, at: int) -> str:
    sides = re.findall("[左右双]", _CLAUSE_END.split(text[max(0, at - 20) : at])[-1])
    return sides[-1] if sides else ""


def _assertions(clause: str) -> Iterator[Assertion]:
    carried = False
    for item in _ENUMERATED.split(clause):
        negated = lexicon().negation.search(item)
        if negated:
            carried = True
        affirmed = None if negated else _AFFIRMED.search(item)
        if affirmed:
            carried = False
        content = content_of(lexicon().negation.sub("", item))
        afterwards = any(word in item for word in lexicon().negated_afterwards)
        if len(content) >= 2:
            marked = negated or affirmed
            scope = content_of(item[marked.end() :]) if marked else content
            yield Assertion(
                content, scope if len(scope) > 1 else content, bool(negated) or carried or afterwards
            )
