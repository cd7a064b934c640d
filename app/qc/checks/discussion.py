"""Case discussions: what their record must hold, and who must have taken part."""

from pydantic import Field

from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.checks.presence import Element, missing_elements
from app.qc.ruling import PASSED, Hit, Ruling, defect, undetermined
from app.records.model import Document, Span
from app.text.patterns import regex
from app.text.reading import Reading

_SENIOR = regex(r"科主任|主任|教授")
_ATTENDING = regex(r"主任|主治|教授")
_ANY_TITLE = regex(r"主任|主治|教授|住院医师|医师|护士|护师|技师|药师")


class DiscussionRecord(DocumentCheck, name="discussion_record"):
    """A discussion whose record lacks elements, or whose host or company had not the rank.

    The host is the participant of role 主持人, else as written under 主持人.

    Attributes:
        elements: what the record must hold.
        senior_host: whether the host must be 科主任 or 副主任医师 and above.
        attending: how many 主治医师 and above must have taken part.
    """

    elements: tuple[Element, ...] = Field(min_length=1)
    senior_host: bool = True
    attending: int = Field(default=0, ge=0)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        reading = case.reading(document)
        missing, _ = missing_elements(self.elements, case, reading, (Span(0, len(document.text)),))
        problems = [f"缺{'、'.join(missing)}"] if missing else []
        host, company = self._host_is_senior(reading), self._attending_are_enough(reading)
        if host is False and self.senior_host:
            problems.append("主持人不是科主任或副主任医师以上人员")
        if company is False:
            problems.append(f"主治医师以上参加者不足{self.attending}人")
        if problems:
            return defect(
                Hit.at(document, document=document.title or document.kind, problem="；".join(problems))
            )
        if (host is None and self.senior_host) or company is None:
            return undetermined("未提供主持人或参加人的职称")
        return PASSED

    def _host_is_senior(self, reading: Reading) -> bool | None:
        titles = [p.title for p in reading.document.participants or () if p.role == "主持人" and p.title]
        titles += [body] if (body := reading.body("主持人")) else []
        if any(_SENIOR.search(title) for title in titles):
            return True
        return False if any(_ANY_TITLE.search(title) for title in titles) else None

    def _attending_are_enough(self, reading: Reading) -> bool | None:
        people = reading.document.participants or ()
        written = reading.body("主持人") + reading.body("参加人员")
        known = sum(bool(p.title and _ATTENDING.search(p.title)) for p in people)
        if max(known, len(_ATTENDING.findall(written))) >= self.attending:
            return True
        all_known = bool(people) and all(p.title for p in people)
        return False if all_known or _ANY_TITLE.search(written) else None
