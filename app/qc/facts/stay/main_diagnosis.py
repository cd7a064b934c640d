"""The main diagnosis against the operation of the stay and the other diagnoses."""

from collections.abc import Iterator

from app.qc.case import Case
from app.qc.checks.front_page import front_page_of
from app.qc.facts.stay.base import StayDetection, stay_detector
from app.qc.front_page import FrontPageView, PageDiagnosis
from app.text.operations import read_operation
from app.text.patterns import regex
from app.text.width import half_width

_BACKGROUND = regex(
    r"高血压|糖尿病|高脂血症|高胆固醇|高尿酸|冠状动脉粥样硬化|冠心病|脂肪肝|骨质疏松|慢性(?:浅表性|萎缩性)?胃炎|前列腺增生"
    r"|慢性阻塞性肺|慢性支气管炎|甲状腺功能减退|脑梗死后遗症|腔隙性脑梗|贫血|低蛋白|电解质|低钾|肾囊肿|肝囊肿"
)
_OPERATED_BACKGROUND = regex(r"高血压(?:性|脑)|糖尿病(?:足|肾|视网膜|性)|冠|前列腺|急性|术后")
_OLD = regex(r"陈旧|后遗症|术后状态|个人史|史$|恢复期")
_ACUTE = regex(r"急性(?!单纯性?乳头|上呼吸道)|破裂|穿孔|骨折|出血")
_AFTER_OPERATION = regex(
    r"术后(?:出血|感染|渗血|瘘|血肿)|切口(?:感染|裂开|脂肪液化)|吻合口瘘|手术(?:的)?并发症|导管相关"
)
_LIGHT = regex(
    r"囊肿|结节|息肉|脂肪肝|陈旧|术后|骨质疏松|高脂血症|慢性胃炎|退行性|骨质增生|前列腺增生|高尿酸|乙肝表面抗原"
)
_SEVERE = regex(
    r"休克|呼吸衰竭|急性(?:左)?心(?:力)?衰|脓毒|败血|多脏器|多器官|DIC|弥散性血管内凝血|肺栓塞|消化道(?:大)?出血|昏迷|脑疝|心脏骤停"
)


@stay_detector
def operation_treats_another(case: Case) -> StayDetection | None:
    """Whether the main operation treats the disease of another diagnosis than the main one.

    True only where the main diagnosis is a chronic disease in the background that the operation cannot treat, or
    a complication of the operation itself, and another diagnosis names the organ operated on.
    """
    page = _page(case)
    main = page.main_diagnosis if page else None
    if page is None or main is None:
        return None
    operation = _main_operation(case, page)
    if operation is None:
        return StayDetection(False)
    if _AFTER_OPERATION.search(main.name) and main.admission_condition in ("4", "无"):
        return StayDetection(True, page.evidence(main.name), f"“{main.name}”是手术的并发症")
    organs = read_operation(operation).organs
    if not organs or organs & read_operation(main.name).organs:
        return StayDetection(False) if organs else None
    if not _is_background(main):
        return None
    treated = next((d for d in _others(page) if organs & read_operation(d.name).organs), None)
    if treated is None:
        return None
    said = f"“{operation}”所治的是“{treated.name}”（第十一条、第十二条），主要诊断为“{main.name}”"
    return StayDetection(True, page.evidence(main.name, treated.name), said)


@stay_detector
def acute_disease_not_main(case: Case) -> StayDetection | None:
    """Whether an old or past condition is the main diagnosis although an acute disease stands among the others.

    ``None`` where nothing tells which disease took the most care.
    """
    page = _page(case)
    main = page.main_diagnosis if page else None
    if page is None or main is None:
        return None
    others = list(_others(page))
    if not others:
        return StayDetection(False)
    if not _OLD.search(main.name):
        operation = _main_operation(case, page)
        is_treated = operation and read_operation(operation).organs & read_operation(main.name).organs
        return StayDetection(False) if is_treated or _ACUTE.search(main.name) else None
    acute = next((d for d in others if _ACUTE.search(d.name) and not _OLD.search(d.name)), None)
    if acute is None:
        return None
    said = f"主要诊断“{main.name}”为陈旧或既往情况，其他诊断有“{acute.name}”（第十条）"
    return StayDetection(True, page.evidence(main.name, acute.name), said)


@stay_detector
def has_other_diagnoses(case: Case) -> StayDetection | None:
    """Whether the page has at least two other diagnoses, so that their order can be wrong."""
    page = _page(case)
    return StayDetection(len(list(_others(page))) > 1) if page else None


@stay_detector
def light_before_severe(case: Case) -> StayDetection | None:
    """Whether a minor or old finding stands before a life-threatening disease; ``None`` without such a pair."""
    page = _page(case)
    others = list(_others(page)) if page else []
    severe = [n for n, d in enumerate(others) if _SEVERE.search(d.name)]
    light = [n for n, d in enumerate(others) if _LIGHT.search(d.name) and n not in severe]
    if page is None or not severe or not light:
        return None
    if light[0] > severe[-1]:
        return StayDetection(False)
    first, later = others[light[0]], others[severe[-1]]
    return StayDetection(True, page.evidence(first.name, later.name), f"“{first.name}”排在“{later.name}”之前")


def _page(case: Case) -> FrontPageView | None:
    return case.remembered(front_page_of) if case.record.front_page is not None else None


def _others(page: FrontPageView) -> Iterator[PageDiagnosis]:
    return (d for d in page.diagnoses if not d.is_main)


def _is_background(main: PageDiagnosis) -> bool:
    name = half_width(main.name)
    return _BACKGROUND.search(name) is not None and not _OPERATED_BACKGROUND.search(name)


def _main_operation(case: Case, page: FrontPageView) -> str | None:
    """The name of the main operation of the page, else of the only operation that was done."""
    named = next((o.name for o in page.operations if o.is_main and o.name), None)
    done = [p.name for p in case.record.procedures or () if p.kind == "手术" and p.name]
    if not done:
        return None
    return named or (done[0] if len(done) == 1 else None)
