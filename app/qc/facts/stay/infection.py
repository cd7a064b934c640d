"""Infections that began in hospital."""

from datetime import timedelta

from app.qc.case import Case
from app.qc.checks.specialty import confirmed_diagnoses
from app.qc.facts.stay.base import StayDetection, stay_detector
from app.text.patterns import regex
from app.text.width import half_width

_INFECTION = regex(
    r"肺炎|肺部感染|尿路感染|泌尿系感染|切口感染|败血症|脓毒|菌血症|导管相关|血流感染|手术部位感染"
)
_INCUBATION = timedelta(hours=48)


@stay_detector
def infection_began_in_hospital(case: Case) -> StayDetection | None:
    """Whether a final diagnosis is an infection that was not there on admission (入院病情 4, 无).

    ``None`` where the condition on admission of an infection is not given and none was diagnosed early.
    """
    admitted, ended = case.record.encounter.admitted_at, case.ended_at
    if admitted is not None and ended is not None and ended - admitted <= _INCUBATION:
        return StayDetection(False)
    final = [d for d in case.record.diagnoses or () if d.stage in ("出院", "死亡") and d.name]
    if not final:
        return None
    infections = [d for d in final if _INFECTION.search(half_width(d.name or ""))]
    acquired = next((d for d in infections if d.admission_condition in ("4", "无")), None)
    if acquired is not None:
        return StayDetection(True, (), acquired.name or "")
    early = case.remembered(confirmed_diagnoses).on_admission
    known = any(_INFECTION.search(d.name) for d in early)
    unclear = any(d.admission_condition in (None, "", "3") for d in infections)
    return None if unclear and not known else StayDetection(False)
