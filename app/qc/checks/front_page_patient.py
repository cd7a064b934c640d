"""The front page's patient: age, newborn weights, personal data against the admission note, allergy, blood."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import NamedTuple

from pydantic import ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.front_page import PageCheck, page_hit, with_evidence
from app.qc.front_page import Entry, FrontPageView, chosen, items
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.qc.timeline import day_of
from app.records.model import Document, DocumentType, Span
from app.terms.codes import CodeRanges
from app.text.patterns import regex
from app.text.sections import is_blank
from app.text.width import half_width

_NEWBORN_DAYS = 28
_YEARS = regex(r"(\d{1,3})(?:周?岁)?")
_DAYS = regex(r"(\d{1,3})[天日]")
_MONTHS = regex(r"(\d{1,2})(?: ?(?P<part>\d{1,2})/(?P<whole>\d{1,2}))? ?(?:个?月)?")
_ADMISSION: tuple[DocumentType, ...] = ("入院记录", "再次或多次入院记录", "24小时内入出院记录")


class _Age:
    """A span of life: whole years; of those under one, whole months and days over; days."""

    def __init__(self, born: date, on: date) -> None:
        months = (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day)
        self.years, self.months, self.days = months // 12, months, (on - born).days
        self.has_days_over = on.day != born.day


def _age(case: Case, page: FrontPageView) -> _Age | None:
    """The age at admission by the birth date; ``None`` when a date is missing or they contradict."""
    born, admitted = (
        case.record.patient.birth_date or _day(page.text("birth_date")),
        case.record.encounter.admitted_at,
    )
    if born is None or admitted is None or day_of(admitted) < born:
        return None
    return _Age(born, day_of(admitted))


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written[:10])
    except ValueError:
        return None


class AgeMisformatted(PageCheck, name="age_misformatted"):
    """An age that is not in whole years, or for an infant neither in months with a fraction nor in days."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        entry, age = page.entry("age"), _age(case, page)
        if age is None:
            return undetermined("未提供出生日期或入院时间")
        if age.years < 1 and page.entry("age_under_one").says:
            entry = page.entry("age_under_one")
        if not entry.says or entry.is_masked:
            return not_applicable("首页没有填写年龄") if not entry.says else undetermined("年龄已脱敏")
        is_right = _YEARS.fullmatch(entry.text) if age.years >= 1 else self._is_infant_age(entry.text, age)
        if is_right:
            return PASSED
        asked = "整数岁" if age.years >= 1 else "“月龄 分数”（如“2 15/30月”）或天数"
        return defect(page_hit(page, entry.item.key, value=entry.text, asked=asked))

    def _is_infant_age(self, written: str, age: _Age) -> bool:
        if _DAYS.fullmatch(written):
            return True
        months = _MONTHS.fullmatch(written)
        if months is None:
            return False
        if written.isdigit():  # 医保结算清单：不足1岁填天数整数
            return int(written) > 0 or age.days == 0
        return months["part"] is not None or not age.has_days_over


class AgeWrong(PageCheck, name="age_wrong"):
    """An age other than that by birth date and admission."""

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page's age, else that of the patient data."""
        age = _age(case, page)
        if age is None:
            return undetermined("未提供出生日期或入院时间，或出生日期已脱敏")
        entry = page.entry("age")
        key = "age_under_one" if age.years < 1 and page.entry("age_under_one").says else "age"
        written = page.text(key) if entry.is_delivered else half_width(case.record.patient.age or "").strip()
        if not written or "*" in written:
            return undetermined("年龄未填或已脱敏")
        right = self._agrees(written, age)
        if right is None:
            return undetermined(f"年龄“{written}”不是可读的形式")
        if right:
            return PASSED
        actual = f"{age.years}岁" if age.years else f"{age.months}个月（{age.days}天）"
        return defect(page_hit(page, key, "birth_date", written=written, actual=actual))

    def _agrees(self, written: str, age: _Age) -> bool | None:
        days, years, months = (
            _DAYS.fullmatch(written),
            re.match(r"(\d{1,3})周?岁", written),
            _MONTHS.fullmatch(written),
        )
        if days:
            return abs(int(days[1]) - age.days) <= 1
        if years or (written.isdigit() and age.years):
            return int(years[1] if years else written) == age.years
        if written.isdigit():
            return int(written) in (0, age.months, *range(age.days - 1, age.days + 2))
        return int(months[1]) == age.months if months else None


class NewbornWeightMissing(PageCheck, name="newborn_weight_missing"):
    """No birth weight for a delivery, no birth or admission weight for a newborn.

    Attributes:
        delivery_codes: ranges of diagnosis codes that mean a delivery in this stay.
        stillbirth_codes: ranges of codes of deliveries without a living child.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    delivery_codes: tuple[str, ...] = Field(min_length=1)
    stillbirth_codes: tuple[str, ...] = ()

    @cached_property
    def _ranges(self) -> tuple[CodeRanges, CodeRanges]:
        return CodeRanges(self.delivery_codes), CodeRanges(self.stillbirth_codes)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        age, years = _age(case, page), case.age_years
        if age is None and years is None:
            return undetermined("未提供年龄")
        is_newborn = age.days <= _NEWBORN_DAYS if age else (years or 0) * 365.25 <= _NEWBORN_DAYS + 0.5
        delivered, stillborn = self._ranges
        codes = [d.code for d in page.diagnoses if d.code]
        gave_birth = any(c in delivered for c in codes) and not any(c in stillborn for c in codes)
        if not is_newborn and not gave_birth:
            return not_applicable("不是新生儿或本次分娩的产妇")
        keys = ("newborn_birth_weight", *(("newborn_admission_weight",) if is_newborn else ()))
        entries = [page.entry(key) for key in keys]
        missing = [
            e for e in entries if e.is_delivered and not e.says and not isinstance(e.raw, list | tuple)
        ]
        if missing:
            titles = "、".join(e.item.title for e in missing)
            return defect(page_hit(page, missing=titles, patient="新生儿" if is_newborn else "产妇"))
        return PASSED if all(e.is_delivered for e in entries) else undetermined("首页未提供新生儿体重")


class NewbornWeightImplausible(PageCheck, name="newborn_weight_implausible"):
    """A newborn's weight not to the ten grams, or outside what is possible.

    Attributes:
        lowest: the least weight in grams; a weight in kilograms lies below.
        highest: the greatest weight in grams.
    """

    lowest: float = 400
    highest: float = 8000

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge every weight on the page."""
        entries = [page.entry("newborn_birth_weight"), page.entry("newborn_admission_weight")]
        weights = [(entry, weight) for entry in entries for weight in _weights(entry)]
        if not weights:
            masked = any(entry.is_masked for entry in entries)
            return undetermined("体重已脱敏") if masked else not_applicable("首页没有新生儿体重")
        hits = [
            page_hit(page, entry.item.key, item=entry.item.title, weight=f"{weight:g}", problem=problem)
            for entry, weight in weights
            if (problem := self._problem(weight))
        ]
        return defect(*hits) if hits else PASSED

    def _problem(self, weight: float) -> str | None:
        if weight < self.lowest:
            return "低于合理范围，单位可能误为千克"
        if weight > self.highest:
            return "超出合理范围"
        return None if weight % 10 == 0 else "没有精确到10克"


def _weights(entry: Entry) -> Iterator[float]:
    values = entry.raw if isinstance(entry.raw, list | tuple) else (entry.text,)
    for value in values:
        if value is not None and "*" not in str(value):
            yield from map(float, re.findall(r"\d+(?:\.\d+)?", str(value)))


class _Compared(NamedTuple):
    """One item of the page beside what another place says."""

    key: str
    other: str
    where: str
    differs: bool
    document: Document | None = None
    span: Span | None = None


class AdmissionNoteDiffers(PageCheck, name="admission_note_differs"):
    """Personal data on the page are not those of the admission note or of the patient data.

    Attributes:
        occupations: groups of occupations; two that belong to different groups contradict each other, and one
            that belongs to none is not compared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    occupations: Mapping[str, str] = Field(default_factory=dict)

    @cached_property
    def _groups(self) -> Mapping[str, re.Pattern[str]]:
        return {name: regex(pattern) for name, pattern in self.occupations.items()}

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        compared = [*self._with_note(case, page), *self._with_patient(case, page)]
        if not compared:
            return not_applicable("只有一处有这些项目")
        hits = [self._hit(page, each) for each in compared if each.differs]
        return defect(*hits) if hits else PASSED

    def _with_note(self, case: Case, page: FrontPageView) -> Iterator[_Compared]:
        sections = (
            ("sex", "性别"),
            ("marital_status", "婚姻状况"),
            ("ethnicity", "民族"),
            ("occupation", "职业"),
        )
        for document in case.documents_of(*_ADMISSION)[:1]:
            reading = case.reading(document)
            for key, name in sections:
                entry, section = page.entry(key), reading.section(name)
                body = section.body.of(reading.half) if section else ""
                if section is None or not entry.says or is_blank(body) or "*" in body + entry.text:
                    continue
                word = body.split()[0]
                ours, theirs = self._value(key, entry.text), self._value(key, word.strip(",。;、"))
                if ours and theirs:
                    span = Span(section.heading.start, section.body.start + len(word))
                    yield _Compared(
                        key, word, document.title or document.kind, ours != theirs, document, span
                    )

    def _with_patient(self, case: Case, page: FrontPageView) -> Iterator[_Compared]:
        patient, sex, born = case.record.patient, page.entry("sex").choice, _day(page.text("birth_date"))
        if sex in ("男", "女") and patient.sex in ("男", "女"):
            yield _Compared("sex", patient.sex, "患者信息", sex != patient.sex)
        if born and patient.birth_date:
            yield _Compared("birth_date", f"{patient.birth_date}", "患者信息", born != patient.birth_date)

    def _hit(self, page: FrontPageView, compared: _Compared) -> Hit:
        entry = page.entry(compared.key)
        details = {
            "item": entry.item.title,
            "written": entry.text,
            "where": compared.where,
            "other": compared.other,
        }
        hit = page_hit(page, compared.key, **details)
        if compared.document is None or compared.span is None:
            return hit
        return with_evidence(hit, compared.document.evidence(compared.span))

    def _value(self, key: str, written: str) -> str | None:
        """What a written value stands for, as far as it can be compared."""
        choices = items()[key].choices
        if choices:
            value = chosen(choices, written)
            return value if value not in ("未知", "其他") else None
        if key == "ethnicity":
            return written.removesuffix("族") if re.fullmatch(r"[\u4e00-\u9fff]{1,6}", written) else None
        return next((group for group, pattern in self._groups.items() if pattern.search(written)), None)


class PageAllergyContradicted(PageCheck, name="page_allergy_contradicted"):
    """The page names no drug allergy although the record has one, or the reverse; or says 有 without the drug.

    Attributes:
        not_drugs: a pattern of allergens that are no drugs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    not_drugs: str

    @cached_property
    def _not_drugs(self) -> re.Pattern[str]:
        return regex(self.not_drugs)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge the page."""
        drug, flag, known = page.entry("drug_allergy"), page.entry("allergy_flag"), case.record.allergies
        if not drug.is_delivered and not flag.is_delivered:
            return undetermined("首页未提供药物过敏栏")
        named = drug.text if drug.says and drug.text not in ("无", "否", "否认", "有", "是", "未发现") else ""
        says_yes = flag.choice == "有" or drug.text in ("有", "是")
        if says_yes and not named:
            return defect(page_hit(page, "drug_allergy", problem="过敏栏填“有”而没有写药名"))
        if known is None:
            return undetermined("未提供过敏数据")
        drugs = [a.substance for a in known if a.substance and not self._not_drugs.search(a.substance)]
        if drugs and not named:
            problem = f"首页填“{drug.text or flag.text or '（空）'}”，病历记录对{'、'.join(drugs)}过敏"
            return defect(page_hit(page, "drug_allergy", problem=problem))
        if named and not known:
            return defect(page_hit(page, "drug_allergy", problem=f"首页填“{named}”，病历没有药物过敏"))
        return PASSED


class BloodTypeMissing(PageCheck, name="blood_type_missing"):
    """Blood group or Rh blank or 未查 although the laboratory reported it, or another than reported.

    Attributes:
        item: a pattern of the names of blood group tests.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    item: str

    @cached_property
    def _item(self) -> re.Pattern[str]:
        return regex(self.item)

    def rule_on_page(self, case: Case, page: FrontPageView) -> Ruling:
        """Judge blood group and Rh."""
        reported = dict(self._reported(case))
        if not reported:
            return not_applicable("没有血型检验结果")
        entries = [page.entry(key) for key in reported]
        if not any(entry.is_delivered for entry in entries):
            return undetermined("首页未提供血型栏")
        hits = [
            page_hit(
                page, e.item.key, item=e.item.title, written=e.text or "（空）", result=reported[e.item.key]
            )
            for e in entries
            if e.is_delivered and e.choice != reported[e.item.key]
        ]
        return defect(*hits) if hits else PASSED

    def _reported(self, case: Case) -> Iterator[tuple[str, str]]:
        for result in case.record.lab_results or ():
            name, value = half_width(result.item or ""), half_width(result.value or "").strip()
            if not self._item.search(name) or re.search("反定型|交叉|抗体|不规则", name):
                continue
            group = re.fullmatch(r"[“\"]?(AB|A|B|O)[”\"]?(?:型.*|[,、 (+-].*|Rh.*)?", value, re.IGNORECASE)
            if group:
                yield "blood_type", group[1].upper()
            rhesus = re.search(r"阳性|阴性|\([+-]\)", value)
            if rhesus and re.search("Rh", name + value, re.IGNORECASE):
                yield "rh", "阳性" if rhesus.group() in ("阳性", "(+)") else "阴性"
