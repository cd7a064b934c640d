"""Numbers with units, and vital signs."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal, NamedTuple

from app.records.model import Span
from app.text.lexicons import load_mapping
from app.text.patterns import regex
from app.text.width import half_width

VitalName = Literal["temperature", "pulse", "respiration", "systolic", "diastolic", "spo2", "heart_rate"]


class Quantity(NamedTuple):
    """A number with its unit in one spelling (``lexicons/units.yaml``); ``value`` is ``None`` when masked.

    Of ranges and dimensions (3.5-5.3mmol/L, 3×4cm, 128/78mmHg) every number is a quantity with that unit; the
    span of a number followed by its unit takes in the unit.
    """

    span: Span
    value: float | None
    unit: str
    masked: bool


class VitalSign(NamedTuple):
    """One vital sign in ℃, per minute, mmHg or %; ``value`` is ``None`` when masked or left blank (T  ℃)."""

    name: VitalName
    span: Span
    value: float | None
    masked: bool


class _Unit(NamedTuple):
    name: str
    end: int


_POWER = regex(r"\s?[×xX*]\s?10\s?(?:\^|\*{1,2}|[Ee])?\s?(?P<power>12|9|6|¹²|⁹|⁶)\s?/\s?[Ll]")
_POWERS = {"9": "10^9/L", "⁹": "10^9/L", "12": "10^12/L", "¹²": "10^12/L", "6": "10^6/L", "⁶": "10^6/L"}
_NUMBER = regex(r"[\d*](?:[\d*.]*[\d*])?")
# A star is a multiplication sign before a power of ten and in a size (2.5*3cm); else it masks a digit.
_MULTIPLIED = regex(
    rf"\d+(?:\.\d+)?(?={_POWER.pattern.replace('?P<power>', '?:')}|(?:\s?\*\s?\d+(?:\.\d+)?){{1,2}}\s?[cm]m)"
)
_SIZE_STAR = regex(r"\s?\*\s?(?=\d+(?:\.\d+)?(?:\s?[cm]m|\s?\*\s?\d))")
_PLAIN = regex(r"\d+(?:\.\d+)?")
_LINK = regex(r"\s?[-~至/×xX*]\s?")


def find_quantities(text: str) -> tuple[Quantity, ...]:
    """The quantities of ``text`` in order; durations are not among them (``app.text.times``)."""
    half = half_width(text)
    found: list[Quantity] = []
    linked: list[re.Match[str]] = []
    position = 0
    while number := _NUMBER.search(half, position):
        if "*" in number.group():
            number = _MULTIPLIED.match(half, number.start()) or number
        if linked and not _LINK.fullmatch(half, linked[-1].end(), number.start()):
            linked = []
        linked.append(number)
        unit = _unit_at(half, number.end())
        if unit:
            found.extend(_quantities(linked, unit))
            linked = []
        end = unit.end if unit else number.end()
        star = _SIZE_STAR.match(half, end) if half.startswith(("*", " *"), end) else None
        position = star.end() if star else end
    return tuple(found)


def _quantities(numbers: list[re.Match[str]], unit: _Unit) -> Iterator[Quantity]:
    for number in numbers:
        written, masked = number.group(), "*" in number.group()
        if masked or _PLAIN.fullmatch(written):
            end = unit.end if number is numbers[-1] else number.end()
            yield Quantity(Span(number.start(), end), None if masked else float(written), unit.name, masked)


def _unit_at(half: str, position: int) -> _Unit | None:
    start = position + 1 if half[position : position + 1] == " " else position
    following = half[start : start + 1]
    if following in ("×", "x", "X", "*"):
        power = _POWER.match(half, position)
        return _Unit(_POWERS[power["power"]], power.end()) if power else None
    form = _unit_forms().get(following.lower())
    match = form.match(half, start) if form else None
    return _Unit(_unit_names()[_folded(match.group())], match.end()) if match else None


def _folded(form: str) -> str:
    """Latin letters of either case are one, but in one-letter units: 5M is no length."""
    return form if len(form) == 1 else form.lower()


@cache
def _unit_names() -> dict[str, str]:
    mapping = load_mapping("units")
    return {_folded(half_width(form)): unit for unit, forms in mapping.items() for form in (unit, *forms)}


@cache
def _unit_forms() -> dict[str, re.Pattern[str]]:
    """The written forms, longest first, by their first character in lower case."""
    by_first: dict[str, list[str]] = {}
    for form in sorted(_unit_names(), key=len, reverse=True):
        anycase = re.escape(form) if len(form) == 1 else f"(?i:{re.escape(form)})"
        by_first.setdefault(form[0].lower(), []).append(
            anycase + (r"(?![A-Za-z])" if _is_latin(form[-1]) else "")
        )
    return {first: regex("|".join(forms)) for first, forms in by_first.items()}


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalpha()


_READING = r"(?P<value>\d{1,3}(?:\.\d+)?|[\d.]{0,3}\*[\d*.]{0,4})"
_UNFILLED = r"[\s:_/]{0,12}"
_NO_MORE = r"(?![\d.A-Za-z])"


def _sign_form(labels: str, unit: str, plausible: str) -> re.Pattern[str]:
    """A label, then a number with its unit, an empty place before the unit, or a bare plausible number.

    A bare number needs a blank or colon after a one-letter label (P53 is a protein), except one with decimals.
    """
    bare = rf"(?:(?:(?<=[\s:_\u4e00-\u9fff])|(?=\d+\.))(?P<bare>{plausible}){_NO_MORE})"
    return regex(rf"(?:{labels})[\s:为约_]{{0,4}}(?:{_READING}\s?{unit}|{bare}|{_UNFILLED}{unit})")


_RATE = r"(?:次\s?/?\s?(?:分|min)|次|bpm|/\s?(?:min|分))"
_PRESSURE = regex(
    r"(?:血压|[Bb][Pp])(?:\([^()\n]{0,12}\))?[\s:为约_]{0,4}(?:"
    r"(?P<systolic>\d{2,3}|\d{0,2}\*[\d*]{0,3})\s?/\s?(?P<diastolic>\d{2,3}|\d{0,2}\*[\d*]{0,3})(?![\d.])"
    r"|[\s:_]{0,12}/?[\s_]{0,12}(?:mmHg|mmhg|毫米汞柱))"
)
_SIGNS: tuple[tuple[VitalName, re.Pattern[str]], ...] = (
    ("temperature", _sign_form("体温|T", r"(?:℃|°C)", r"3[4-9](?:\.\d)?|4[0-3](?:\.\d)?")),
    ("pulse", _sign_form("脉搏|P", _RATE, r"[3-9]\d|1\d\d|2[0-4]\d")),
    ("respiration", _sign_form("呼吸(?:频率)?|R", _RATE, r"[6-9]|[1-6]\d")),
    ("heart_rate", _sign_form("心率|HR", _RATE, r"[2-9]\d|1\d\d|2\d\d")),
    (
        "spo2",
        _sign_form(
            r"(?:[Ss][Pp][Oo][2₂]|(?:血|指脉|指)?氧饱和度|指脉氧)(?:\([^()\n]{0,12}\))?", "%", r"[4-9]\d|100"
        ),
    ),
    ("systolic", _PRESSURE),
)
_FIRST_CHARACTERS = ("体T", "脉P", "呼R", "心H", "Ss血指氧", "血Bb")
_FORMS_BY_FIRST: dict[str, list[tuple[VitalName, re.Pattern[str]]]] = {}
for _sign, _characters in zip(_SIGNS, _FIRST_CHARACTERS, strict=True):
    for _character in _characters:
        _FORMS_BY_FIRST.setdefault(_character, []).append(_sign)
_LABEL = regex(
    r"体温|脉搏|呼吸|心率|血压|血?氧饱和度|指脉?氧|(?<![A-Za-z])(?:T|P|R|HR|[Ss][Pp][Oo][2₂]|[Bb][Pp])"
)


def find_vital_signs(text: str) -> tuple[VitalSign, ...]:
    """The vital signs of ``text`` in order of place.

    A label without a value before its unit (T  ℃) is an unfilled placeholder: value ``None``, not masked. A
    pressure gives a systolic and a diastolic sign.
    """
    half = half_width(text)
    found: list[VitalSign] = []
    done = 0
    for label in _LABEL.finditer(half):
        for name, form in _FORMS_BY_FIRST[label.group()[0]] if label.start() >= done else ():
            match = form.match(half, label.start())
            if match:
                found.extend(_signs(name, match))
                done = match.end()
                break
    return tuple(found)


def _signs(name: VitalName, match: re.Match[str]) -> Iterator[VitalSign]:
    if "systolic" not in match.re.groupindex:
        yield VitalSign(name, Span(*match.span()), *_value(match["value"] or match["bare"]))
        return
    pressures: tuple[VitalName, VitalName] = ("systolic", "diastolic")
    for pressure in pressures:
        span = Span(*match.span(pressure)) if match[pressure] else Span(*match.span())
        yield VitalSign(pressure, span, *_value(match[pressure]))


class _Value(NamedTuple):
    value: float | None
    masked: bool


def _value(written: str | None) -> _Value:
    masked = written is not None and "*" in written
    return _Value(None if masked or written is None else float(written), masked)
