"""Whether 主诉 names what 现病史 is about."""

from collections import Counter

from app.qc.facts.detectors.base import CHIEF_COMPLAINT, Detection, detector, sentence_around
from app.qc.facts.detectors.chief_complaint import complaints
from app.qc.facts.detectors.present_illness import FINDINGS, course, kin_of, symptoms_in
from app.text.assertion import Assertion
from app.text.lexicons import heads_by_term
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.sections import Section

_REPEATED = 2
_NOT_FELT = regex(r"发现|确诊|诊断|体检|检查|复查|术|疗|随访|要求|拟|停经|孕|取|置|定期|伤|产|升高|异常|占位")


@detector
def main_symptom_not_in_complaint(reading: Reading, section: Section | None) -> Detection | None:
    """Whether 现病史 begins with a symptom, and comes back to it, that 主诉 under any name does not give.

    ``None`` where 主诉 names no symptom, or something found or planned.
    """
    chief, claimed = reading.section(CHIEF_COMPLAINT), complaints(reading)
    if section is None or chief is None or not claimed or _NOT_FELT.search(reading.half, *chief.body):
        return None
    told = [
        mention
        for mention in symptoms_in(reading, course(reading, section))
        if mention.assertion is Assertion.PRESENT and mention.subject == "patient"
    ]
    if not told:
        return None
    heads, kin = heads_by_term("symptoms"), {k for each in claimed for k in kin_of(each.family)}
    first = sentence_around(reading.half, told[0].span, section.body)
    opening = [mention for mention in told if first.contains(mention.span)]
    if any(heads[mention.term] in kin for mention in opening):
        return Detection(False)
    times = Counter(heads[mention.term] for mention in told)
    for mention in opening:
        family = heads[mention.term]
        if family not in FINDINGS and times[family] >= _REPEATED:
            return Detection(True, (mention.span, chief.body), f"现病史以{mention.term}起病并反复提及")
    return None
