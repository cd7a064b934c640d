"""Whether the discharge record tells of the important events of the stay."""

from collections.abc import Iterator, Sequence

from app.qc.case import Case
from app.qc.checks.abnormal import in_stay, is_of_blood, lab_name
from app.qc.checks.base import DocumentCheck
from app.qc.checks.correspondence import is_of_stay
from app.qc.ruling import PASSED, Hit, Ruling, defect, undetermined
from app.qc.timeline import is_cancelled
from app.records.model import Document
from app.text.investigations import find_item
from app.text.operations import same_operation
from app.text.patterns import regex

_OPERATION = regex(r"[\u4e00-\u9fffA-Za-z+、]{2,30}?术(?![前中后者式野])")
_OPERATED = regex(
    "手术|切除|置[入换]|植[入皮]|固定|修补|吻合|剖宫|取出|清创|缝合|电切|碎石|消融|栓塞|扩张|成形|搭桥|术[前后中]"
)
_PATHOLOGY = regex("病理|组织学|免疫组化|活检|冰冻|石蜡")
_TRANSFUSED = regex("输血|输注|红细胞|血浆|血小板|冷沉淀|输.{0,6}血")
_RESUSCITATED = regex(
    "抢救|复苏|骤停|休克|除颤|插管|呼吸机|机械通气|电复律|升压|升血压|昏迷|大出血|转.{0,6}(?:ICU|监护|重症)"
)
_BLOOD_ORDER = regex(
    "悬浮红细胞|浓缩红细胞|去白.{0,4}红细胞|洗涤红细胞|新鲜冰冻血浆|单采血小板|机采血小板|冷沉淀"
)


class DischargeOmits(DocumentCheck, name="discharge_omits"):
    """An operation, critical value, pathology, transfusion or resuscitation of which the discharge record is silent.

    Each kind is judged where its source was delivered; a word that may mean the event is taken as telling it.
    """

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one discharge record."""
        half = case.reading(document).half
        if not half.strip():
            return undetermined("出院记录没有文本")
        omitted = list(dict.fromkeys(self._omitted(case, half)))
        if omitted:
            section = case.reading(document).section("诊疗经过")
            spans = (section.heading,) if section else ()
            return defect(Hit.at(document, *spans, section="诊疗经过", omitted="、".join(omitted)))
        if not case.record.delivered & {"procedures", "lab_results", "exam_reports"}:
            return undetermined("手术、检验、检查数据均未提供")
        return PASSED

    def _omitted(self, case: Case, half: str) -> Iterator[str]:
        record = case.record
        named = _OPERATION.findall(half)
        for procedure in record.procedures or ():
            is_major = procedure.kind in ("手术", "介入") and procedure.name
            if is_major and not _may_be_told(procedure.name or "", half, named):
                yield procedure.name or "手术"
        for result in record.lab_results or ():
            is_critical = result.flag == "危急" and is_of_blood(result) and in_stay(case, result)
            if is_critical and result.item and next(find_item(half, result.item), None) is None:
                yield f"危急值{lab_name(result)}"
        for report in record.exam_reports or ():
            late = report.reported_at and case.ended_at and report.reported_at > case.ended_at
            if (
                report.modality == "病理"
                and is_of_stay(case, report)
                and not late
                and not _PATHOLOGY.search(half)
            ):
                yield "病理结果"
        transfused = case.documents_of("输血记录") or any(
            _BLOOD_ORDER.search(o.content or "") and o.executed_at and not is_cancelled(o)
            for o in record.orders or ()
        )
        if transfused and not _TRANSFUSED.search(half):
            yield "输血"
        if case.documents_of("抢救记录") and not _RESUSCITATED.search(half):
            yield "抢救"


def _may_be_told(operation: str, half: str, named: Sequence[str]) -> bool:
    """Whether some operation that a text names may be this one; any word of operating will do where none is named."""
    if not named:
        return _OPERATED.search(half) is not None
    return any(same_operation(operation, each) is not False for each in named)
