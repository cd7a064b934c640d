"""Whether the diagnoses of a stay agree: between documents, with the front page, the pathology, the consents.

Two names agree as ``app.text.diagnoses.same_disease`` says: synonyms, a narrower and a broader name, or the same
words in another order.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Evidence, ExamReport, Span
from app.text.assertion import Assertion, find_mentions
from app.text.diagnoses import agreeing, canonical, find_diagnoses, same_disease
from app.text.operations import same_operation, split_operations
from app.text.patterns import regex
from app.text.sections import is_blank
from app.text.width import half_width

ADMISSION_SECTIONS = ("初步诊断", "入院诊断", "初步主诊断", "入院主诊断")
_REVISED = ("修正诊断", "补充诊断", "确定诊断", "修正主诊断")


class Named(NamedTuple):
    """A diagnosis and, where a text names it, its place."""

    name: str
    document: Document | None = None
    span: Span | None = None

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The place as evidence; empty for a name from the structured data."""
        return (self.document.evidence(self.span),) if self.document and self.span else ()


def listed_diagnoses(case: Case, document: Document, sections: Iterable[str]) -> list[Named]:
    """The diagnoses that the first filled section of ``sections`` lists."""
    reading = case.reading(document)
    for name in sections:
        found = reading.section(name)
        if found and found.name == name and found.body.start < found.body.end:
            return [
                Named(mention.name, document, mention.span)
                for mention in reading.diagnoses(found.body)
                if canonical(mention.name)
            ]
    return []


def _stage(case: Case, stage: str) -> list[Named]:
    of_stage = [d for d in case.record.diagnoses or () if d.stage == stage and d.name]
    return [Named(d.name or "") for d in sorted(of_stage, key=lambda d: d.rank or 0)]


def _covered(diagnosis: Named, others: Iterable[Named]) -> bool:
    return agreeing(diagnosis.name, (other.name for other in others)) is not None


def _title(document: Document) -> str:
    return document.title or document.kind


class DiagnosesDisagree(Check, name="diagnoses_disagree"):
    """The main diagnosis of one document is nowhere among those of another.

    Attributes:
        sections: where the rule's documents list their diagnoses, best first.
        other_types: the documents compared with.
        other_sections: where those list theirs.
    """

    sections: tuple[str, ...] = ADMISSION_SECTIONS
    other_types: tuple[DocumentType, ...] = Field(min_length=1)
    other_sections: tuple[str, ...] = ADMISSION_SECTIONS

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Compare the first document of either kind that lists diagnoses."""
        documents, others = case.documents_of(*applies_to), case.documents_of(*self.other_types)
        if not documents or not others:
            return not_applicable("没有可以互相比对的两份文书")
        ours = next((named for d in documents if (named := listed_diagnoses(case, d, self.sections))), [])
        theirs = next((n for d in others if (n := listed_diagnoses(case, d, self.other_sections))), [])
        if not ours or not theirs:
            return undetermined("有一份文书没有列出诊断")
        if any(case.reading(d).section(*_REVISED) for d in (*documents, *others)):
            return PASSED
        hits = [*self._missing(theirs, ours), *self._missing(ours, theirs)]
        return defect(hits[0]) if hits else PASSED

    def _missing(self, ours: Sequence[Named], theirs: Sequence[Named]) -> Iterator[Hit]:
        main, other = ours[0], theirs[0]
        if _covered(main, theirs) or main.document is None or other.document is None:
            return
        details = {
            "document": _title(main.document),
            "diagnosis": main.name,
            "other": _title(other.document),
            "other_diagnosis": other.name,
        }
        yield Hit(main.document.id, None, (*main.evidence, *other.evidence), details)


class FrontPageDiagnosesDisagree(Check, name="front_page_diagnoses_disagree"):
    """The discharge record and the front page differ in the main diagnosis, or the front page lacks one."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the first document that lists discharge diagnoses."""
        page = case.record.front_page
        main = (page.discharge_diagnosis_main or "").strip(" -—/") if page else ""
        documents = case.documents_of(*applies_to)
        if not documents:
            return not_applicable(f"没有{'、'.join(applies_to)}")
        if not main:
            return undetermined("病案首页没有填写主要诊断")
        listed = next(
            (named for d in documents if (named := listed_diagnoses(case, d, ("出院诊断", "死亡诊断")))), []
        )
        if not listed:
            return undetermined("出院记录没有列出出院诊断")
        others = [main, *_other_diagnoses((page and page.model_extra) or {})]
        hits = [_against_page(diagnosis, others, is_main=diagnosis is listed[0]) for diagnosis in listed]
        found = [hit for hit in hits if hit]
        return defect(*found) if found else PASSED


def _other_diagnoses(fields: dict[str, object]) -> list[str]:
    """The other diagnoses of a front page, given as names or as objects with a name."""
    listed = fields.get("discharge_diagnosis_other")
    entries = listed if isinstance(listed, list | tuple) else ()
    names = (entry.get("name") if isinstance(entry, dict) else entry for entry in entries)
    return [name for name in names if isinstance(name, str) and name.strip(" -—/")]


def _against_page(diagnosis: Named, page: Sequence[str], *, is_main: bool) -> Hit | None:
    document = diagnosis.document
    if document is None:
        return None
    if is_main and not same_disease(diagnosis.name, page[0]):
        what = f"第一诊断“{diagnosis.name}”与首页主要诊断“{page[0]}”不同"
    elif not is_main and agreeing(diagnosis.name, page) is None:
        what = f"“{diagnosis.name}”在首页中没有"
    else:
        return None
    return Hit(
        document.id, "出院诊断", diagnosis.evidence, {"difference": what, "document": _title(document)}
    )


_MALIGNANT = ("癌", "恶性肿瘤", "肉瘤", "淋巴瘤", "恶性", "黑色素瘤", "骨髓瘤", "白血病", "转移瘤")
_TUMOUR = regex("癌|恶性|瘤|占位|肿物|白血病|化疗|放疗|M8|性质待")


class PathologyDisagrees(Check, name="pathology_disagrees"):
    """Pathology found a malignancy of which the discharge record says nothing, or the reverse.

    Only what the words decide: a malignancy affirmed by the impression of a report that came before discharge,
    and no tumour at all in the discharge record; or cancer as the discharge diagnosis and a report without any.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each pathology report against the discharge record."""
        if "exam_reports" not in case.record.delivered:
            return undetermined("未提供检查报告数据")
        documents = case.documents_of(*applies_to)
        reports = [r for r in case.record.exam_reports or () if "病理" in (r.modality or "") and r.impression]
        known = [r for r in reports if _reported_in_time(case, r)]
        if not documents or not known:
            return not_applicable("没有出院前报告的病理检查")
        return combine((_against_pathology(case, documents[0], r) for r in known), none_reason="没有病理报告")


def _reported_in_time(case: Case, report: ExamReport) -> bool:
    return report.reported_at is not None and (case.ended_at is None or report.reported_at <= case.ended_at)


def _against_pathology(case: Case, document: Document, report: ExamReport) -> Ruling:
    found = find_mentions(report.impression or "", _MALIGNANT)
    if not any(mention.assertion is Assertion.PRESENT for mention in found):
        return PASSED
    if _TUMOUR.search(document.text):
        return PASSED
    section = case.reading(document).section("出院诊断")
    evidence = (document.evidence(section.heading),) if section else ()
    return defect(Hit(document.id, "出院诊断", evidence, {"report": report.impression}))


class DeathCausesDisagree(Check, name="death_causes_disagree"):
    """The documents of a death name causes, or main diagnoses of death, that have nothing in common."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Compare the causes first, then the diagnoses, of every document with the first."""
        stay = case.record.encounter
        documents = case.documents_of(*applies_to)
        died = stay.died_at or stay.disposition == "死亡"
        if not died and not any(d.kind in ("死亡记录", "死亡病例讨论记录") for d in documents):
            return not_applicable("患者未死亡")
        rulings = [_compare_lists(case, documents, sections) for sections in (("死亡原因",), ("死亡诊断",))]
        judged = [ruling for ruling in rulings if ruling.outcome != "undetermined"]
        return combine(judged or rulings, none_reason="没有死亡文书")


def _compare_lists(case: Case, documents: Sequence[Document], sections: tuple[str, ...]) -> Ruling:
    lists = [named for d in documents if (named := listed_diagnoses(case, d, sections))]
    if len(lists) < 2:
        return undetermined(f"写明{sections[0]}的文书不足两份")
    hits = []
    for others in lists[1:]:
        if any(_covered(named, others) for named in lists[0]):
            continue
        mine, theirs = others[0], lists[0][0]
        if mine.document is None or theirs.document is None:
            continue
        details = {
            "what": sections[0],
            "document": _title(mine.document),
            "mine": mine.name,
            "other": _title(theirs.document),
            "theirs": theirs.name,
        }
        hits.append(Hit(mine.document.id, sections[0], (*mine.evidence, *theirs.evidence), details))
    return defect(*hits) if hits else PASSED


_NAME = regex(r"姓\s*名[:：\s]*(?P<name>[\u4e00-\u9fff·]{2,8}|[^\s,，。]*\*+)(?=[\s,，。]|性别|年龄|$)")


class ConsentDisagrees(Check, name="consent_disagrees"):
    """A consent names another patient, none of the patient's diagnoses, or an operation other than the planned.

    The diagnoses compared with are all that the stay knows before the consent: admission, preoperative and
    later lists, and the structured diagnoses.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each consent."""
        known = _all_diagnoses(case, applies_to)
        consents = case.documents_of(*applies_to)
        rulings = (self._judge(case, document, known) for document in consents)
        return combine(rulings, none_reason="没有知情同意书")

    def _judge(self, case: Case, document: Document, known: Sequence[Named]) -> Ruling:
        if is_blank(document.text):
            return undetermined("同意书没有文本")
        hits = [*_other_name(case, document), *_other_disease(case, document, known)]
        hits += _other_operation(case, document)
        return defect(*hits) if hits else PASSED


def _other_name(case: Case, document: Document) -> Iterator[Hit]:
    given = case.record.patient.name or ""
    written = _NAME.search(half_width(document.text))
    if not given or not written or "*" in given + written["name"] or written["name"] == given:
        return
    details = {
        "difference": f"患者姓名写作“{written['name']}”，病历为“{given}”",
        "document": _title(document),
    }
    yield Hit.at(document, Span(*written.span("name")), section="姓名", **details)


def _other_disease(case: Case, document: Document, known: Sequence[Named]) -> Iterator[Hit]:
    listed = listed_diagnoses(case, document, ("术前诊断", "目前诊断", "初步诊断", "入院诊断"))
    if not listed or not known or any(_covered(named, known) for named in listed):
        return
    elsewhere = next((named for named in known if named.evidence), known[0])
    details = {"difference": f"诊断“{listed[0].name}”在病历的诊断中没有", "document": _title(document)}
    yield Hit(document.id, "术前诊断", (*listed[0].evidence, *elsewhere.evidence), details)


def _other_operation(case: Case, document: Document) -> Iterator[Hit]:
    if document.kind not in ("手术知情同意书", "麻醉知情同意书"):
        return
    mine = case.reading(document).section("拟施手术", "手术名称")
    if mine is None or mine.body.start == mine.body.end:
        return
    for plan in case.documents_of("术前小结", "术前讨论记录"):
        if document.refers_to and plan.refers_to and set(document.refers_to).isdisjoint(plan.refers_to):
            continue
        theirs = case.reading(plan).section("拟施手术", "手术方案")
        if theirs is None or theirs.body.start == theirs.body.end:
            continue
        if _plainly_other(mine.body.of(document.text), theirs.body.of(plan.text)):
            evidence = (document.evidence(mine.body), plan.evidence(theirs.body))
            what = f"拟行手术与{_title(plan)}的“{theirs.body.of(plan.text).strip()[:30]}”不同"
            yield Hit(document.id, mine.name, evidence, {"difference": what, "document": _title(document)})
            return


def _plainly_other(mine: str, theirs: str) -> bool:
    """Whether no operation of either list can be one of the other, by the names themselves."""
    pairs = [(a, b) for a in split_operations(mine) for b in split_operations(theirs)]
    return bool(pairs) and all(same_operation(a, b) is False for a, b in pairs)


def _all_diagnoses(case: Case, without: tuple[DocumentType, ...]) -> list[Named]:
    sections = (*ADMISSION_SECTIONS, *_REVISED, "术前诊断", "术中诊断", "目前诊断", "门诊诊断", "出院诊断")
    found: list[Named] = []
    for document in case.documents:
        if document.kind not in without:
            headed = {section.name for section in case.reading(document).sections}
            named = [name for name in sections if name in headed]
            found += [each for name in named for each in listed_diagnoses(case, document, (name,))]
    return found + [Named(d.name) for d in case.record.diagnoses or () if d.name]


_IN_PROSE = regex(
    r"(?:诊断)?(?:修正|补充|更正)(?:诊断)?(?:为|[:：])\s*[“\"]?(?P<names>[^,，。;；”\"\n]{2,60})"
)


class RevisedDiagnosisLost(Check, name="revised_diagnosis_lost"):
    """A diagnosis revised or added in the course is missing from the discharge diagnoses and the front page."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each revised diagnosis against the discharge record, else the front page."""
        final = [
            named
            for d in case.documents_of("出院记录", "死亡记录")
            for named in listed_diagnoses(case, d, ("出院诊断", "死亡诊断"))
        ] or _stage(case, "出院")
        revised = [n for d in case.documents_of(*applies_to) for n in _revised(case, d)]
        if not revised:
            return not_applicable("病程中没有修正或补充诊断")
        if not final:
            return not_applicable("没有出院诊断") if not case.is_over else undetermined("没有写出院诊断")
        lost = [named for named in revised if not _covered(named, final) and not _withdrawn(named, revised)]
        hits = [_lost(named, final) for named in lost]
        return defect(*(hit for hit in hits if hit)) if hits else PASSED


def _revised(case: Case, document: Document) -> Iterator[Named]:
    for name in ("修正诊断", "补充诊断"):
        yield from listed_diagnoses(case, document, (name,))
    for match in _IN_PROSE.finditer(document.text):
        if "诊断" in match.group():
            for mention in find_diagnoses(document.text, Span(*match.span("names"))):
                yield Named(mention.name, document, mention.span)


def _withdrawn(named: Named, revised: Sequence[Named]) -> bool:
    """Whether a later revision took its place."""
    return any(
        later is not named
        and later.document
        and named.document
        and (later.document.completed_at and named.document.completed_at)
        and later.document.completed_at > named.document.completed_at
        for later in revised
    )


def _lost(named: Named, final: Sequence[Named]) -> Hit | None:
    if named.document is None:
        return None
    evidence = (*named.evidence, *(final[0].evidence if final else ()))
    details = {"diagnosis": named.name, "document": _title(named.document)}
    return Hit(named.document.id, None, evidence, details)
