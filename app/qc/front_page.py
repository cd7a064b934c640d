"""The front page (病案首页) as rules read it: its items whichever key brought them, its diagnoses, its operations.

Which items there are, and under which keys, is data: ``front_page_items.yaml``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.records.model import Diagnosis, Document, Evidence, MedicalRecord, Span
from app.text.patterns import regex
from app.text.width import half_width
from app.yaml_data import read_yaml

Requirement = Literal["always", "operated", "incised", "coded"]

_NOTHING = regex(r"\s*(?:null|none|nan)?\s*", re.IGNORECASE)
_DASH = regex(r"[-/]+")
_CODE_AND_NAME = regex(r"(\d)\s*[.、:\-]?\s*(\S.*)")
_NUMBER = regex(r"-?\d+(?:\.\d+)?")
_TIME = regex(r"\d{4}[-/]\d{1,2}[-/]\d{1,2} \d{1,2}:\d{2}(?::\d{2})?")


@dataclass(frozen=True)
class Item:
    """What is known of one item, whatever the record."""

    key: str
    title: str
    keys: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    required: Requirement | None = None
    dash: bool = True
    choices: str | None = None


@cache
def _data() -> Mapping[str, Any]:
    path = Path(__file__).with_name("front_page_items.yaml")
    parsed: dict[str, Any] = read_yaml(path)
    return parsed


@cache
def items() -> Mapping[str, Item]:
    """Every item by its key, in the order of the page."""
    return {
        key: Item(
            key,
            given["title"],
            (key, *given.get("keys", ()), given["title"]),
            tuple(map(half_width, given.get("labels", (given["title"],)))),
            given.get("required"),
            given.get("dash", True),
            given.get("choices"),
        )
        for key, given in _data()["items"].items()
    }


@cache
def _choice_forms(name: str) -> Mapping[str, str]:
    listed: Mapping[str, list[str]] = _data()["choices"][name]
    return {form: value for value, forms in listed.items() for form in (value, *forms)}


def chosen(choices: str, written: str) -> str | None:
    """The value that a written form, a code, or both together (1 医嘱离院) stand for; ``None`` for any other."""
    forms = _choice_forms(choices)
    if written in forms:
        return forms[written]
    both = _CODE_AND_NAME.fullmatch(written)
    return forms.get(both[2]) if both else None


def written_text(raw: object) -> str:
    """A value in half-width form; empty where there is none, and for lists."""
    if raw is None or isinstance(raw, list | tuple | dict):
        return ""
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    written = half_width(str(raw)).strip()
    return "" if _NOTHING.fullmatch(written) else written


def first_number(written: str) -> float | None:
    """The first number in a text; ``None`` when it has none or is masked."""
    found = None if "*" in written else _NUMBER.search(written.replace(",", ""))
    return float(found.group()) if found else None


class Entry(NamedTuple):
    """One item of one page; ``text`` is ``written_text(raw)``."""

    item: Item
    is_delivered: bool
    raw: object
    text: str

    @property
    def is_dash(self) -> bool:
        """Whether it says “-”: dealt with, nothing to say."""
        return _DASH.fullmatch(self.text) is not None

    @property
    def is_empty(self) -> bool:
        """Whether it was delivered and left blank, or crossed with “-” where that is no answer."""
        if not self.is_delivered:
            return False
        return (
            not self.raw if isinstance(self.raw, list | tuple | dict) else not self.text or self._dashed_away
        )

    @property
    def _dashed_away(self) -> bool:
        return self.is_dash and not self.item.dash

    @property
    def says(self) -> bool:
        """Whether it has a value other than “-”."""
        return bool(self.text) and not self.is_dash

    @property
    def is_masked(self) -> bool:
        """Whether de-identification covered part of it."""
        return "*" in self.text

    @property
    def number(self) -> float | None:
        """The first number in it; ``None`` when it has none or is masked."""
        return None if self.is_dash else first_number(self.text)

    @property
    def choice(self) -> str | None:
        """The value of a list of values; ``None`` when it is none of them."""
        return chosen(self.item.choices, self.text) if self.item.choices else None


class PageDiagnosis(NamedTuple):
    """One diagnosis; ``code`` and ``admission_condition`` are ``None`` when not delivered, empty when blank."""

    name: str
    code: str | None
    admission_condition: str | None
    is_main: bool


class PageOperation(NamedTuple):
    """One operation or procedure, every field empty where blank, ``None`` where not delivered."""

    name: str
    code: str | None
    date: str | None
    level: str | None
    surgeon: str | None
    anesthesia: str | None
    incision_class: str | None
    healing_grade: str | None
    is_main: bool


class FrontPageView:
    """The front page of one record; only for records that have one."""

    def __init__(self, record: MedicalRecord) -> None:
        """Read the page of ``record``.

        Raises:
            ValueError: the record has none.
        """
        if record.front_page is None:
            raise ValueError(f"record {record.record_id} has no front page")
        page = record.front_page
        self._record = record
        self._values: dict[str, object] = {
            **{name: getattr(page, name) for name in page.model_fields_set},
            **(page.model_extra or {}),
        }
        self._read: dict[str, Entry] = {}
        self.document: Document | None = next(iter(record.documents_of("病案首页")), None)

    def entry(self, key: str) -> Entry:
        """The item of this key.

        Raises:
            KeyError: there is no such item.
        """
        if key not in self._read:
            item = items()[key]
            given = next((name for name in item.keys if name in self._values), None)
            raw = None if given is None else self._values[given]
            self._read[key] = Entry(item, given is not None, raw, written_text(raw))
        return self._read[key]

    def text(self, key: str) -> str:
        """The item's value in half-width form; empty when not delivered, blank or “-”."""
        entry = self.entry(key)
        return entry.text if entry.says else ""

    @cached_property
    def is_blank(self) -> bool:
        """Whether nothing but the name is filled in."""
        name = items()["name"].keys
        given = (value for key, value in self._values.items() if key not in name)
        return not any(_is_filled(value) for value in given)

    @cached_property
    def disposition(self) -> str | None:
        """How the patient left: by the page, else by the encounter."""
        return self.entry("disposition").choice or self._record.encounter.disposition

    @cached_property
    def diagnoses(self) -> tuple[PageDiagnosis, ...]:
        """The main diagnosis and the others; what the page does not deliver comes from the 出院 diagnoses."""
        return tuple(self._diagnoses())

    @cached_property
    def main_diagnosis(self) -> PageDiagnosis | None:
        """The main diagnosis, if there is one."""
        return next((diagnosis for diagnosis in self.diagnoses if diagnosis.is_main), None)

    @cached_property
    def operations(self) -> tuple[PageOperation, ...]:
        """The main operation and the others, without those crossed out by “-”."""
        return tuple(operation for operation in self._operations() if operation.name or operation.code)

    @property
    def has_operation_items(self) -> bool:
        """Whether the source delivered the page's operations at all."""
        return self.entry("operation_main").is_delivered or self.entry("operation_other").is_delivered

    @property
    def has_diagnosis_items(self) -> bool:
        """Whether the source delivered the page's other diagnoses."""
        return self.entry("discharge_diagnosis_other").is_delivered

    @cached_property
    def is_coded(self) -> bool:
        """Whether coding has begun: a coder or any code is given, or the record is filed."""
        return bool(
            self._record.archived_at
            or self.entry("coder").says
            or any(diagnosis.code for diagnosis in self.diagnoses)
        )

    def evidence(self, *places: str) -> tuple[Evidence, ...]:
        """Where the printed page, if it is among the documents, shows items (by key) or words."""
        if self.document is None:
            return ()
        found = (self._span(place) for place in places)
        return tuple(dict.fromkeys(self.document.evidence(span) for span in found if span))

    def _span(self, place: str) -> Span | None:
        half = half_width(self.document.text) if self.document else ""
        if place not in items():
            start = half.find(half_width(place)) if place else -1
            return Span(start, start + len(place)) if start >= 0 else None
        for label in items()[place].labels:
            match = re.search(
                rf"(?<![\u4e00-\u9fff]){re.escape(label)} ?:? ?(?:{_TIME.pattern}|[^\s]*)", half
            )
            if match:
                return Span(match.start(), match.start() + len(match.group().rstrip()))
        return None

    def _diagnoses(self) -> Iterator[PageDiagnosis]:
        discharge = sorted(
            (d for d in self._record.diagnoses or () if d.stage == "出院"), key=lambda d: d.rank or 99
        )
        main = self.entry("discharge_diagnosis_main")
        if main.is_delivered:
            written = _named(discharge, main.text) or (discharge[0] if discharge else None)
            if main.says:
                yield PageDiagnosis(
                    main.text,
                    self._part("discharge_diagnosis_main_code", written.icd10 if written else None),
                    self._part(
                        "discharge_diagnosis_main_admission_condition",
                        written.admission_condition if written else None,
                    ),
                    is_main=True,
                )
        elif discharge:
            yield _delivered(discharge[0], is_main=True)
        if self.has_diagnosis_items:
            for entry in _entries(self.entry("discharge_diagnosis_other").raw):
                name = _field(entry, "name") or ""
                if name:
                    code, condition = _field(entry, "code"), _field(entry, "admission_condition")
                    yield PageDiagnosis(name, code, condition, is_main=False)
        else:
            main_name = main.text if main.is_delivered else discharge[0].name if discharge else None
            rest = (d for d in discharge[1:] if d.name and half_width(d.name) != main_name)
            yield from (_delivered(diagnosis, is_main=False) for diagnosis in rest)

    def _part(self, key: str, otherwise: str | None) -> str | None:
        entry = self.entry(key)
        return (entry.text if entry.says else "") if entry.is_delivered else otherwise

    def _operations(self) -> Iterator[PageOperation]:
        main = "operation_main"
        fields = ("code", "date", "level", "surgeon", "anesthesia", "incision_class", "healing_grade")
        parts = {name: self._part(f"{main}_{name}", None) for name in fields}
        yield PageOperation(name=self.text(main), is_main=True, **parts)
        for entry in _entries(self.entry("operation_other").raw):
            others = {name: _field(entry, name) for name in fields}
            yield PageOperation(name=_field(entry, "name") or "", is_main=False, **others)


def _is_filled(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_is_filled, value))
    if isinstance(value, dict):
        return any(map(_is_filled, value.values()))
    return _said(value) != ""


def _said(value: object) -> str:
    """The text of a value, “-” counting as nothing."""
    text = written_text(value)
    return "" if _DASH.fullmatch(text) else text


def _entries(raw: object) -> Iterator[Mapping[str, object]]:
    """The entries of a list of diagnoses or operations; a bare name is an entry too."""
    for entry in raw if isinstance(raw, list | tuple) else [raw] if isinstance(raw, str | dict) else []:
        if isinstance(entry, dict):
            yield entry
        elif isinstance(entry, str):
            yield {"name": entry}


def _field(entry: Mapping[str, object], field: str) -> str | None:
    names: list[str] = _data()["entries"][field]
    given = next((name for name in names if name in entry), None)
    if given is None:
        return None
    return _said(entry[given])


def _named(diagnoses: list[Diagnosis], name: str) -> Diagnosis | None:
    return next((each for each in diagnoses if each.name and half_width(each.name) == name), None)


def _delivered(diagnosis: Diagnosis, *, is_main: bool) -> PageDiagnosis:
    return PageDiagnosis(
        half_width(diagnosis.name or ""), diagnosis.icd10, diagnosis.admission_condition, is_main
    )
