"""Whether every document speaks of this patient: name, sex, age, identity number, marriage."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Literal

from app.qc.case import Case
from app.qc.checks.base import Check, DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Evidence, Span
from app.text.assertion import Assertion, assertion_at, subject_at
from app.text.identity import HEAD, statements_of
from app.text.lexicons import load_mapping, load_tree
from app.text.patterns import regex
from app.text.sections import is_blank
from app.text.width import half_width

_NO_NAME = regex("[男女老中青年性岁因于诉为系，其入由的]")
_HOSPITAL_NUMBER = regex(r"住院号\s*:?\s*(?P<number>[A-Za-z]{0,4}\d[\dA-Za-z\-*]{3,20})")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_EXPLAINED_SEX = regex("变性|性发育异常|性别畸形|两性|性腺发育|雄激素不敏感|性别重置|嵌合")
_SAYS_NOTHING = regex(
    r"(?:史|生育史|婚育史|情况)?\s*[:】]?\s*(?:无|不适用|-|/|—|男性|未填|。|\n|None|null|nan|\Z)"
)
_NEWBORN_YEARS = 28 / 365.25
_INFANT_YEARS = 1.0
_ADULT_YEARS = 18.0


@cache
def _people(*kinds: str) -> str:
    return "|".join(word for kind in kinds for word in load_tree("kin")[kind])


@cache
def _relative() -> re.Pattern[str]:
    headings = "出生史|月经婚育|月经及婚育|月经、婚育"
    return regex(f"{_people('relatives', 'female_relatives')}|产妇|供者|{headings}")


@cache
def _called() -> re.Pattern[str]:
    is_relative = f"之?(?:{_people('relatives')})"
    return regex(rf"患者(?!{is_relative})(?P<name>[\u4e00-\u9fff]{{2,3}})[,:](?=[男女]|\d{{1,3}}岁)")


class PatientMismatch(DocumentCheck, name="patient_mismatch"):
    """A document states another name, sex or age than the patient's.

    Only the header and the opening of the narrative count; an age may differ by one year.
    """

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        half = case.reading(document).half
        stated = list(statements_of(half, case.record.patient, case.age_years))
        if not stated:
            return not_applicable("文书没有写姓名、性别、年龄，或患者信息未提供")
        wrong = [statement for statement in stated if statement.problem]
        if not wrong:
            return PASSED
        problem = "；".join(dict.fromkeys(statement.problem for statement in wrong))
        name = document.title or document.kind
        return defect(
            Hit.at(document, *(statement.span for statement in wrong), document=name, problem=problem)
        )


class IdNumberMismatch(Check, name="id_number_mismatch"):
    """An 18-digit citizen number whose check digit, birth date or sex does not fit the patient."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the number of the patient data, else of the front page."""
        patient = case.record.patient
        extra = case.record.front_page.model_extra or {} if case.record.front_page else {}
        number = half_width(str(patient.id_number or extra.get("id_number") or "")).strip().upper()
        if not number or number in ("-", "—", "无"):
            return not_applicable("没有证件号码")
        if "*" in number:
            return undetermined("证件号码被脱敏")
        if not re.fullmatch(r"\d{17}[\dX]", number):
            return not_applicable("不是18位居民身份证号")
        born = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else None
        problems = list(self._problems(number, born, patient.sex))
        return defect(Hit(details={"problem": "；".join(problems)})) if problems else PASSED

    def _problems(self, number: str, birth_date: str | None, sex: str | None) -> Iterator[str]:
        total = sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False))
        if _ID_CHECKS[total % 11] != number[17]:
            yield "校验位不符"
        if birth_date and number[6:14] != birth_date:
            yield f"第7至14位与出生日期{birth_date[:4]}-{birth_date[4:6]}-{birth_date[6:]}不同"
        if sex in ("男", "女") and ("男" if int(number[16]) % 2 else "女") != sex:
            yield f"第17位与性别{sex}不符"


@cache
def _sex_words(sex: Literal["男", "女"]) -> re.Pattern[str]:
    return regex("|".join(load_mapping("sex_specific")[sex]))


_OTHER_SEX: dict[str, Literal["男", "女"]] = {"男": "女", "女": "男"}


class SexMismatch(Check, name="sex_mismatch"):
    """A diagnosis, procedure or examination that only the other sex can have.

    Newborns carry maternal words in their diagnoses and are not judged.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge all names."""
        record, sex = case.record, case.record.patient.sex
        if sex not in _OTHER_SEX:
            return undetermined("性别未知")
        named = [
            *(("诊断", d.name or "") for d in record.diagnoses or ()),
            *(("手术、操作", p.name or "") for p in record.procedures or ()),
            *(("检查", f"{r.site or ''}{r.modality or ''}") for r in record.exam_reports or ()),
        ]
        if not named:
            return undetermined("未提供诊断、手术、检查数据")
        if case.age_years is not None and case.age_years < _INFANT_YEARS:
            return not_applicable("新生儿、婴儿的诊断可含母源性内容")
        if any(_EXPLAINED_SEX.search(name) for _, name in named):
            return not_applicable("有性别异常的说明")
        words = _sex_words(_OTHER_SEX[sex])
        wrong = dict.fromkeys((what, name) for what, name in named if words.search(half_width(name)))
        hits = [Hit(details={"what": what, "name": name, "sex": sex}) for what, name in wrong]
        return defect(*hits) if hits else PASSED


class OtherSexContent(DocumentCheck, name="other_sex_content"):
    """A document that describes in the patient what only the other sex has; relatives do not count."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        sex = case.record.patient.sex
        if sex not in _OTHER_SEX:
            return undetermined("性别未知")
        if case.age_years is not None and case.age_years < _INFANT_YEARS:
            return not_applicable("婴儿病历可含母亲情况")
        half = case.reading(document).half
        hits = [Span(*match.span()) for match in _sex_words(_OTHER_SEX[sex]).finditer(half)]
        spans = [span for span in hits if self._is_own(case, document, half, span)]
        if not spans:
            return PASSED
        found = "、".join(dict.fromkeys(span.of(half) for span in spans))
        name = document.title or document.kind
        return defect(Hit.at(document, *spans[:3], document=name, sex=sex, found=found))

    def _is_own(self, case: Case, document: Document, half: str, span: Span) -> bool:
        if _relative().search(half, max(0, span.start - 20), span.start):
            return False
        if _is_heading_or_blank(half, span) or subject_at(document.text, span) != "patient":
            return False
        if assertion_at(document.text, span) is not Assertion.PRESENT:
            return False
        sections = case.reading(document).sections
        return not any(
            s.body.contains(span) and s.name in ("家族史", "婚育史", "出生史", "过敏史") for s in sections
        )


def _is_heading_or_blank(half: str, span: Span) -> bool:
    return _SAYS_NOTHING.match(half, span.end) is not None


class AgeMismatch(Check, name="age_mismatch"):
    """A diagnosis, marriage or occupation that the patient's age cannot have."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge diagnoses, marital state and occupation."""
        age = case.age_years
        if age is None:
            return undetermined("年龄未知")
        problems = [*self._diagnoses(case, age), *self._social(case, age, applies_to)]
        if problems:
            return defect(*problems)
        judged = case.record.diagnoses is not None or case.documents_of(*applies_to)
        return PASSED if judged else undetermined("未提供诊断和文书")

    def _diagnoses(self, case: Case, age: float) -> Iterator[Hit]:
        for diagnosis in case.record.diagnoses or ():
            name = diagnosis.name or ""
            stage = next(
                (stage for stage, limit in _STAGE_LIMITS if age > limit and _stage(stage).search(name)), None
            )
            if stage and "史" not in name and "后遗" not in name:
                yield Hit(details={"problem": f"{age:.0f}岁患者的诊断“{name}”只用于{stage}"})

    def _social(self, case: Case, age: float, types: tuple[DocumentType, ...]) -> Iterator[Hit]:
        for document in case.documents_of(*types):
            reading = case.reading(document)
            for name, pattern, limit in (("婚姻状况", "已婚|离婚|丧偶", 14.0), ("职业", "退休|离休", 35.0)):
                section = reading.section(name)
                if section is None or age >= limit:
                    continue
                match = re.match(rf"\s*(?:{pattern})", section.body.of(reading.half))
                if match:
                    span = Span(section.body.start, section.body.start + match.end())
                    problem = f"{age:.0f}岁患者的{name}写为{span.of(document.text).strip()}"
                    yield Hit.at(document, span, section=name, problem=problem)


_STAGE_LIMITS: tuple[tuple[str, float], ...] = (("新生儿", _NEWBORN_YEARS + 0.01), ("儿童", _ADULT_YEARS))


@cache
def _stage(name: str) -> re.Pattern[str]:
    return regex("|".join(load_mapping("age_limited")[name]))


Marriage = Literal["未婚", "已婚", "丧偶", "离婚"]
_MARRIAGE_CODES: dict[str, Marriage] = {"1": "未婚", "2": "已婚", "3": "丧偶", "4": "离婚"}
_MARRIAGE_WORDS: tuple[tuple[str, Marriage], ...] = (
    ("未婚", "未婚"), ("离婚", "离婚"), ("离异", "离婚"), ("丧偶", "丧偶"), ("已婚", "已婚"), ("再婚", "已婚"), ("复婚", "已婚"),
    ("初婚", "已婚"),
)  # fmt: skip
_EVER_MARRIED = regex(r"已婚|结婚|配偶(?!无)|爱人|丈夫|妻子|离异|离婚|丧偶|再婚")
_SPOUSE = ("配偶", "夫", "妻", "丈夫", "妻子", "爱人", "夫妻")


class MarriageContradicted(Check, name="marriage_contradicted"):
    """Marital state, marital history and the contact's relation do not go together."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        states = list(self._states(case, applies_to))
        if not states:
            return not_applicable("没有写婚姻状况")
        problems = [
            *self._among(states),
            *self._history(case, applies_to, states),
            *self._contact(case, states),
        ]
        if problems:
            return defect(*problems[:1])
        return PASSED

    def _states(
        self, case: Case, types: tuple[DocumentType, ...]
    ) -> Iterator[tuple[str, Marriage, Evidence | None]]:
        for document in case.documents_of(*types):
            reading = case.reading(document)
            section = reading.section("婚姻状况")
            state = section and _marriage(section.body.of(reading.half))
            if section and state:
                end = min(section.body.end, section.body.start + 4)
                yield document.kind, state, document.evidence(Span(section.body.start, end))
        if case.record.front_page is not None:
            state = _marriage(str((case.record.front_page.model_extra or {}).get("marital_status") or ""))
            if state:
                yield "病案首页", state, None

    def _among(self, states: list[tuple[str, Marriage, Evidence | None]]) -> Iterator[Hit]:
        first = states[0]
        for where, state, evidence in states[1:]:
            if state != first[1]:
                both = tuple(e for e in (evidence, first[2]) if e)
                problem = f"{first[0]}的婚姻状况为{first[1]}，{where}为{state}"
                yield Hit(both[0].document_id if both else None, None, both, {"problem": problem})

    def _history(
        self, case: Case, types: tuple[DocumentType, ...], states: list[tuple[str, Marriage, Evidence | None]]
    ) -> Iterator[Hit]:
        where, state, stated = states[0]
        for document in case.documents_of(*types):
            reading = case.reading(document)
            section = reading.section("婚育史")
            if section is None or is_blank(section.body.of(document.text)):
                continue
            half = section.body.of(reading.half)
            single = re.match(r"\s*(?:未婚|单身)", half)
            married = _EVER_MARRIED.search(half)
            match = married if state == "未婚" and not single else single if state != "未婚" else None
            if match:
                span = Span(*match.span()).shifted(section.body.start)
                both = (document.evidence(span), *([stated] if stated else []))
                problem = f"{where}的婚姻状况为{state}，婚育史写“{span.of(document.text).strip()}”"
                yield Hit(document.id, "婚育史", both, {"problem": problem})

    def _contact(self, case: Case, states: list[tuple[str, Marriage, Evidence | None]]) -> Iterator[Hit]:
        extra = case.record.front_page.model_extra or {} if case.record.front_page else {}
        relation = str(extra.get("contact_relationship") or "").strip()
        where, state, evidence = states[0]
        if relation in _SPOUSE and state == "未婚":
            problem = f"{where}的婚姻状况为未婚，首页联系人关系为{relation}"
            yield Hit(None, None, (evidence,) if evidence else (), {"problem": problem})


def _marriage(written: str) -> Marriage | None:
    words = half_width(written).strip()
    if re.fullmatch(r"[1-4]\d?", words):
        return _MARRIAGE_CODES[words[0]]
    return next((state for word, state in _MARRIAGE_WORDS if words.startswith(word)), None)


class OtherPatientNamed(Check, name="other_patient_named"):
    """A document with another hospital number than the others, or one that calls the patient by another name."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        documents = [d for d in case.documents if not applies_to or d.kind in applies_to]
        hits = [*self._numbers(case, documents), *self._names(case, documents)]
        return defect(*hits) if hits else PASSED

    def _numbers(self, case: Case, documents: list[Document]) -> Iterator[Hit]:
        stated = [
            (document, match)
            for document in documents
            if (match := _HOSPITAL_NUMBER.search(case.reading(document).half[:HEAD]))
            and "*" not in match["number"]
        ]
        counts = Counter(match["number"].upper() for _, match in stated)
        if len(counts) < 2:
            return
        usual, times = counts.most_common(1)[0]
        if times < 2:
            return
        first, place = next((d, m) for d, m in stated if m["number"].upper() == usual)
        for document, match in stated:
            if match["number"].upper() != usual:
                both = (document.evidence(Span(*match.span())), first.evidence(Span(*place.span())))
                problem = f"住院号为{match['number']}，其余文书为{usual}"
                name = document.title or document.kind
                yield Hit(document.id, None, both, {"document": name, "problem": problem})

    def _names(self, case: Case, documents: list[Document]) -> Iterator[Hit]:
        known = (case.record.patient.name or "").replace(" ", "")
        if not known or "*" in known:
            return
        for document in documents:
            for match in _called().finditer(case.reading(document).half):
                name = match["name"]
                if not _NO_NAME.search(name) and not name.startswith(known) and not known.startswith(name):
                    problem = f"患者姓名写为“{name}”，本患者为“{known}”"
                    title = document.title or document.kind
                    yield Hit.at(document, Span(*match.span("name")), document=title, problem=problem)
                    break
