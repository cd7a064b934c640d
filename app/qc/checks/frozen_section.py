"""What the frozen section showed in the operation, and what the final histology said."""

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.correspondence import notes_from
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, not_yet, undetermined
from app.records.model import Document, DocumentType, Evidence, ExamReport, Span
from app.text.patterns import regex
from app.text.width import half_width

_FROZEN = regex("冰冻|快速病理|冷冻")
_FROZEN_TOLD = regex(r"(?:冰冻|快速病理)[^。\n]{0,30}")
_FINAL = regex("石蜡|常规病理|术后病理")
_UNSURE = regex("可能|考虑|不除外|不能排除|待|倾向|疑|建议")
_NOT_MALIGNANT = regex(r"(?:未见|无|未找到|未查见)(?:明确|明显|肯定)?[^,。;]{0,6}(?:癌|恶性|肿瘤细胞|转移)")
_MALIGNANT = regex("癌(?!疑)|恶性|肉瘤|淋巴瘤")
_BENIGN = regex("良性|增生|囊肿|腺瘤|炎|纤维瘤|脂肪瘤|血管瘤|乳头状瘤")
_EXPLAINED = regex(
    "冰冻[^。\n]{0,60}(?:不一致|不符|不同|差异|局限|修正|更正|误差)|(?:石蜡|术后病理|病理回报)[^。\n]{0,60}(?:不一致|不符|修正|更正|与冰冻)"
)
_PATHOLOGY = regex("病理|石蜡|冰冻")


class FrozenSectionUnexplained(Check, name="frozen_section_unexplained"):
    """The frozen section says benign and the final histology malignant, or the reverse, and no note says why.

    Where a note speaks of the histology without weighing the two, nothing is decided.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        reports = [r for r in case.record.exam_reports or () if r.modality == "病理"]
        frozen = [r for r in reports if _FROZEN.search(_words(r))]
        told = _told_in_operation(case) if not frozen else None
        if not frozen and told is None:
            return not_applicable("没有术中冰冻")
        final = [r for r in reports if not _FROZEN.search(_words(r)) or _FINAL.search(_words(r))]
        final = [r for r in final if r not in frozen]
        if not final:
            return undetermined("未提供术后病理")
        early = told[1] if told else _words(frozen[0])
        natures = _is_malignant(early), _is_malignant(" ".join(map(_words, final)))
        if None in natures:
            return undetermined("病理报告没有写明良恶性")
        if natures[0] == natures[1]:
            return PASSED
        return self._rule_on_difference(case, applies_to, early, final[0], told[0] if told else None)

    def _rule_on_difference(
        self,
        case: Case,
        types: tuple[DocumentType, ...],
        early: str,
        final: ExamReport,
        operation: Document | None,
    ) -> Ruling:
        reported = final.reported_at or final.performed_at
        if reported is None:
            return undetermined("未提供病理报告时间")
        notes = notes_from(case, types, reported)
        halves = [case.reading(d).half for d in notes]
        if any(_EXPLAINED.search(half) for half in halves):
            return PASSED
        if any(_PATHOLOGY.search(half) for half in halves):
            return undetermined("病程提到病理，是否分析了两者的不同须人工判断")
        if not case.is_over:
            return not_yet(reported, "冰冻与石蜡病理不一致的分析")
        if not notes:
            return undetermined("病理报告以后没有病程文书")
        details = {"frozen": early.strip(), "final": (final.impression or "").strip()}
        place = _place(operation) if operation else ()
        return defect(Hit(notes[0].id if not place else place[0].document_id, None, place, details))


def _words(report: ExamReport) -> str:
    return half_width(f"{report.site or ''} {report.finding or ''} {report.impression or ''}")


def _is_malignant(words: str) -> bool | None:
    """Whether a result says malignant; ``None`` where it is unsure or says neither."""
    plain = _NOT_MALIGNANT.sub(" 良性 ", words)
    if _MALIGNANT.search(plain):
        return None if _UNSURE.search(plain) else True
    return False if _BENIGN.search(plain) and not _UNSURE.search(plain) else None


def _told_in_operation(case: Case) -> tuple[Document, str] | None:
    for document in case.documents_of("手术记录"):
        match = _FROZEN_TOLD.search(case.reading(document).half)
        if match and _is_malignant(match.group()) is not None:
            return document, match.group()
    return None


def _place(document: Document) -> tuple[Evidence, ...]:
    match = _FROZEN_TOLD.search(half_width(document.text))
    return (document.evidence(Span(*match.span())),) if match else ()
