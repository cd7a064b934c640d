"""Records and texts that name nobody: what gives a person away is replaced, everything else stays.

One person, one number, one day keeps one replacement throughout a record, so that rules which compare (signatures,
hospital numbers, times) still find what they found. Dates move by whole weeks, the same for all of a patient, so
that intervals and weekdays stay. Replacements follow from a secret key; without it nothing can be turned back.
"""

import hashlib
import hmac
import re
from calendar import monthrange
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any, NamedTuple

from app.privacy.recognisers import Identifier, Kind, identifiers, recognise
from app.qc.front_page import items
from app.records.model import MedicalRecord
from app.text.times import find_dates

_FIXED = {
    Kind.PHONE: "〔电话〕",
    Kind.ID_NUMBER: "〔身份证号〕",
    Kind.EMAIL: "〔电子邮件〕",
    Kind.ADDRESS: "某地",
    Kind.HOSPITAL: "某医院",
}
_WITHHELD = "〔略〕"
_STEMS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"
_MOST_WEEKS = 52
_NUMBER_DIGITS = 10
_MIDDLE = 15
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
_BETWEEN_NAMES = re.compile(r"[、，,;；/\s]+")
_REFERENCES = ("id", "document_id", "order_id", "refers_to")


class Replaced(NamedTuple):
    """A text without names, and what was replaced in it (spans of the text as it was)."""

    text: str
    identifiers: tuple[Identifier, ...]


class DeidentifiedRecord(NamedTuple):
    """A record without names; how often each kind was replaced in texts; the fields left out."""

    record: MedicalRecord
    counts: Mapping[Kind, int]
    left_out: tuple[str, ...]


class Deidentifier:
    """Takes away what gives patients and staff away."""

    def __init__(self, key: bytes) -> None:
        """Derive replacements from ``key``, at least 32 random bytes."""
        self._key = key

    def text(self, text: str, source: str = "") -> Replaced:
        """A single text; ``source`` (a patient, a file) keeps the date shift apart from that of others."""
        return _Replacements(self._key, source, _first_day(text)).apply(
            text, recognise(text, _sure_words([text]))
        )

    def record(self, record: MedicalRecord) -> DeidentifiedRecord:
        """A whole record: fields, texts and front page; fields of no known meaning are left out."""
        admitted_at = record.encounter.admitted_at
        around = admitted_at.date() if admitted_at else _first_day("\n".join(_texts(record)))
        replacements = _Replacements(self._key, record.patient.id or record.record_id, around)
        return _RecordWalk(record, replacements).done()


class _Replacements:
    """What stands for what, throughout one patient."""

    def __init__(self, key: bytes, patient: str, around: date) -> None:
        self._key = key
        self._around = around
        self._names: dict[str, str] = {}
        weeks = int.from_bytes(self._digest("weeks", patient)[:4], "big") % _MOST_WEEKS + 1
        self.shift = timedelta(weeks=-weeks)

    def apply(self, text: str, found: Iterable[Identifier]) -> Replaced:
        """The text with each identifier replaced."""
        identifiers = tuple(found)
        parts, end = [], 0
        for identifier in identifiers:
            parts += [text[end : identifier.span.start], self._for(identifier, text)]
            end = identifier.span.end
        return Replaced("".join([*parts, text[end:]]), identifiers)

    def name(self, name: str) -> str:
        """A pseudonym that is a name to every reader and nobody's."""
        return self._names.setdefault(name, f"某{_pseudonyms()[len(self._names) % len(_pseudonyms())]}")

    def number(self, number: str) -> str:
        """Another number, the same for the same number everywhere."""
        value = int.from_bytes(self._digest("number", number)[:8], "big") % 10**_NUMBER_DIGITS
        return f"DEID{value:0{_NUMBER_DIGITS}d}"

    def moment(self, written: str) -> str:
        """An ISO date or time, shifted; one that falls out of the calendar stays."""
        try:
            if len(written) == len("2026-01-01"):
                return (date.fromisoformat(written) + self.shift).isoformat()
            return (datetime.fromisoformat(written) + self.shift).isoformat()
        except (ValueError, OverflowError):
            return written

    def _for(self, identifier: Identifier, text: str) -> str:
        written = identifier.span.of(text)
        if identifier.kind is Kind.NAME:
            return self.name(written)
        if identifier.kind is Kind.NUMBER:
            return self.number(written)
        if identifier.kind is Kind.DATE:
            return shifted_date(written, self.shift, self._around)
        return _FIXED[identifier.kind]

    def _digest(self, purpose: str, value: str) -> bytes:
        said = f"{purpose}:{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, said, hashlib.sha256).digest()


class _RecordWalk:
    """One record being rewritten, field by field."""

    def __init__(self, record: MedicalRecord, replacements: _Replacements) -> None:
        self._record = record
        self._replace = replacements
        self._numbers = _known_numbers(record)
        self._counts: Counter[Kind] = Counter()
        self._left_out: list[str] = []
        fields = identifiers()["fields"]
        self._name_fields, self._number_fields = frozenset(fields["names"]), frozenset(fields["numbers"])
        self._removed = frozenset(fields["removed"])

    def done(self) -> DeidentifiedRecord:
        """The record rewritten."""
        content = self._record.model_dump(mode="json", by_alias=True)
        self._known = {*_names_in(content, self._name_fields), *self._numbers}
        self._known |= _sure_words(_texts(self._record)) - frozenset(identifiers()["not_names"])
        rewritten = self._object(content, "")
        rewritten["record_id"] = self._replace.number(self._record.record_id)
        return DeidentifiedRecord(
            MedicalRecord.model_validate(rewritten), dict(self._counts), tuple(dict.fromkeys(self._left_out))
        )

    def _object(self, content: dict[str, Any], place: str) -> dict[str, Any]:
        rewritten: dict[str, Any] = {}
        for name, value in content.items():
            path = f"{place}.{name}" if place else name
            if (name == "extra" and value) or (place == "front_page" and name not in _front_page_fields()):
                unknown = [f"{place}.{field}" for field in value] if name == "extra" else [path]
                self._left_out += [field.removeprefix(".") for field in unknown]
            else:
                rewritten[name] = value if name == "ai_label" else self._value(name, value, path)
        return rewritten

    def _value(self, name: str, value: Any, path: str) -> Any:  # noqa: ANN401  # any JSON value
        if isinstance(value, dict):
            return self._object(value, path)
        if isinstance(value, list):
            return [self._value(name, each, path) for each in value]
        if not isinstance(value, str):
            return value if name not in self._removed else None
        return self._string(name, value, path)

    def _string(self, name: str, value: str, path: str) -> str | None:
        if name in self._removed:
            return None if "id" in name.split("_") else _WITHHELD if _says_something(value) else value
        if path in ("patient.id", "documents.author.id") or name in self._number_fields:
            return self._replace.number(value) if _says_something(value) else value
        if name in self._name_fields and not _is_thing(path):
            return self._named(value)
        if _ISO.fullmatch(value):
            return self._replace.moment(value)
        if name in _REFERENCES:
            return self._reference(value)
        return self._text(value)

    def _named(self, value: str) -> str:
        if not _says_something(value):
            return value
        parts = re.split(f"({_BETWEEN_NAMES.pattern})", value)
        return "".join(
            part if not part or _BETWEEN_NAMES.fullmatch(part) else self._replace.name(part) for part in parts
        )

    def _reference(self, value: str) -> str:
        for number in sorted(self._numbers, key=len, reverse=True):
            value = value.replace(number, self._replace.number(number))
        return value

    def _text(self, value: str) -> str:
        replaced = self._replace.apply(value, recognise(value, self._known))
        self._counts.update(identifier.kind for identifier in replaced.identifiers)
        return replaced.text


def shifted_date(written: str, shift: timedelta, around: date) -> str:
    """A date as notes write it, shifted; the way it is written and the time of day stay.

    A date without a year is taken for the one nearest to ``around``, a month without a day for its middle. What is
    no day of the calendar stays.
    """
    numbers = list(re.finditer(r"\d+", written))
    if len(numbers[0].group()) == len("20260506"):
        moved = datetime.strptime(numbers[0].group(), "%Y%m%d").date() + shift  # noqa: DTZ007  # a day, no moment
        return _rewritten(written, numbers[:1], [f"{moved:%Y%m%d}"])
    has_year = len(numbers[0].group()) == len("2026")
    parts = numbers[: 2 if _has_no_day(written) else 2 + has_year]
    values = [int(part.group()) for part in parts]
    try:
        day = _day(values, around, has_year=has_year)
        moved = day + shift
    except (ValueError, OverflowError):
        return written
    fresh = [moved.year, moved.month, moved.day][not has_year :]
    return _rewritten(
        written, parts, (_as_wide(part.group(), value) for part, value in zip(parts, fresh, strict=False))
    )


def _day(values: list[int], around: date, *, has_year: bool) -> date:
    if has_year:
        return date(values[0], values[1], values[2] if len(values) > 2 else _MIDDLE)
    years = (around.year - 1, around.year, around.year + 1)
    days = [date(year, *values) for year in years if _is_day(year, *values)]
    return min(days, key=lambda day: abs(day - around))


def _is_day(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]


def _has_no_day(written: str) -> bool:
    """Whether the date stops at the month: 2019年3月, 2019-03."""
    return re.fullmatch(r"\s*\d{4}\s?(?:年\s?\d{1,2}\s?月(?:份)?|[-/]\d{1,2})\s*", written) is not None


def _as_wide(written: str, value: int) -> str:
    return f"{value:02d}" if len(written) == 2 else str(value)


def _rewritten(written: str, places: Iterable[re.Match[str]], fresh: Iterable[str]) -> str:
    parts, end = [], 0
    for place, text in zip(places, fresh, strict=True):
        parts += [written[end : place.start()], text]
        end = place.end()
    return "".join([*parts, written[end:]])


def _first_day(text: str) -> date:
    """The first day that a text names in full; any other day where it names none."""
    named = (mention.value for mention in find_dates(text) if mention.value and mention.precision != "year")
    return next((moment.date() for moment in named), date(2024, 7, 1))


@cache
def _pseudonyms() -> tuple[str, ...]:
    return (*_STEMS, *("".join(pair) for pair in product(_STEMS, repeat=2)))


@cache
def _front_page_fields() -> frozenset[str]:
    """The front page's items of known meaning, by all their names."""
    fields = identifiers()["fields"]
    known = {name for item, about in items().items() for name in (item, *about.keys)}
    return frozenset(known.union(*fields.values()))


def _is_thing(path: str) -> bool:
    """Whether a ``name`` is that of a thing, not of a person."""
    return path.endswith(".name") and not path.startswith(("patient.", "documents.", "front_page.name"))


def _says_something(value: str) -> bool:
    return bool(value.strip(" -/—无"))


def _known_numbers(record: MedicalRecord) -> frozenset[str]:
    front = record.front_page.model_dump() if record.front_page else {}
    numbers = [record.record_id, record.patient.id, record.patient.id_number]
    numbers += [front.get(name) for name in identifiers()["fields"]["numbers"]]
    return frozenset(number for number in numbers if isinstance(number, str) and len(number) > 3)


def _names_in(content: Any, fields: Collection[str], path: str = "") -> Iterator[str]:  # noqa: ANN401
    if isinstance(content, list):
        for each in content:
            yield from _names_in(each, fields, path)
    elif isinstance(content, dict):
        for name, value in content.items():
            place = f"{path}.{name}" if path else name
            if isinstance(value, str) and name in fields and not _is_thing(place):
                yield from (part for part in _BETWEEN_NAMES.split(value) if _says_something(part))
            elif isinstance(value, list) and name in fields:
                yield from (part for part in value if isinstance(part, str) and _says_something(part))
            else:
                yield from _names_in(value, fields, place)


def _texts(record: MedicalRecord) -> list[str]:
    return [document.text for document in record.documents or ()]


def _sure_words(texts: Iterable[str]) -> set[str]:
    """The names and numbers that stand in places made for them."""
    return {
        identifier.span.of(text)
        for text in texts
        for identifier in recognise(text)
        if identifier.is_sure and identifier.kind is not Kind.ADDRESS
    }
