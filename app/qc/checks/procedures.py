"""Operations and their documents: is each there, whole, and by the right hand."""

import re
from abc import abstractmethod
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, NamedTuple

from pydantic import ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.checks.presence import Element, missing_elements
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, not_yet, undetermined
from app.qc.timeline import later
from app.records.model import Document, DocumentType, Evidence, Implant, LabResult, Procedure, Span
from app.text.patterns import regex
from app.text.reading import Reading

_BY_ANESTHETIST = regex("全身|全麻|插管|喉罩|静脉麻|静吸|吸入|椎管|腰麻|腰硬|硬膜外|蛛网膜下|骶管")
_BY_SURGEON = regex("局|表面|表麻|浸润|未麻醉|^无$")
_BRACKETED = regex(r"[(（][^()（）]*[)）]")
_IMPLANTING = regex(
    "内固定|支架|人工.{0,4}(?:关节|晶状体|晶体|瓣|股骨头|椎间盘)|置换术|补片|起搏器|钢板|髓内钉|假体"
)
_COUNTED = regex(r"[\d一二两三四五六七八九十]\s*(?:枚|个|块|套|根|片|颗|只|支|件|张|条|对|组|台)")
_APPROVED = regex(r"(?:科主任|授权人|审批)[^。\n]{0,12}(?:签名|签字|同意|批准)\s*[:：]?\s*[\u4e00-\u9fff]")
_MASK = "*"


class Session(NamedTuple):
    """The procedures of one visit to the operating theatre: they overlap in time and share their documents."""

    procedures: tuple[Procedure, ...]

    @property
    def name(self) -> str:
        """The names of the procedures, as users read them."""
        return "、".join(dict.fromkeys(p.name for p in self.procedures if p.name)) or "手术"

    @property
    def started_at(self) -> datetime | None:
        """When the first one started."""
        return min((p.started_at for p in self.procedures if p.started_at), default=None)

    @property
    def ended_at(self) -> datetime | None:
        """When the last one ended."""
        return max((p.ended_at for p in self.procedures if p.ended_at), default=None)

    @property
    def is_emergency(self) -> bool | None:
        """Whether one of them was an emergency; ``None`` when none says so or not."""
        said = [p.emergency for p in self.procedures if p.emergency is not None]
        return any(said) if said else None

    @property
    def has_anesthetist(self) -> bool | None:
        """Whether an anaesthetist gave the anaesthesia; ``None`` when its kind is not known."""
        known = [given_by_anesthetist(p) for p in self.procedures]
        return True if True in known else None if None in known else False

    def documents(self, case: Case, types: tuple[DocumentType, ...]) -> tuple[Document, ...]:
        """The documents of the types that belong to one of the procedures, in record order."""
        found = {d.id: d for p in self.procedures for d in case.documents_for(p, *types)}
        return tuple(found.values())


def sessions(case: Case, kinds: tuple[str, ...]) -> tuple[Session, ...]:
    """The sessions of the procedures of some kinds, in time order; one without a start stands alone."""
    chosen = [p for p in case.record.procedures or () if p.kind in kinds]
    timed = sorted((p.started_at, n, p) for n, p in enumerate(chosen) if p.started_at)
    groups: list[list[Procedure]] = []
    until: datetime | None = None
    for started, _, procedure in timed:
        ended = procedure.ended_at or started
        if until is not None and (started < until or started == groups[-1][0].started_at):
            groups[-1].append(procedure)
            until = max(until, ended)
        else:
            groups.append([procedure])
            until = ended
    groups.extend([p] for p in chosen if p.started_at is None)
    return tuple(Session(tuple(group)) for group in groups)


def given_by_anesthetist(procedure: Procedure) -> bool | None:
    """Whether an anaesthetist gave the anaesthesia; ``None`` when neither the name nor the kind tells."""
    written = procedure.anesthesia or ""
    if procedure.anesthetist or _BY_ANESTHETIST.search(written):
        return True
    return False if _BY_SURGEON.search(written) else None


class ProcedureDocument(Check, name="procedure_document"):
    """A session in theatre without a document of the rule's types, or with one that lacks elements.

    Attributes:
        kinds: kinds of procedure that call for the document.
        elements: what the document must hold.
        side: whether the document is due before the start or after the end.
        due_hours: hours after that from which the absence counts while the patient is in hospital.
        elective_only: whether emergencies, which save lives first, are exempt.
        by_anesthetist: only where an anaesthetist gave the anaesthesia.
        survivors_only: not where the patient died on the table.
        titled: a pattern for the titles of the documents that count.
        told_in: document types in which a passage will do instead, on the right side of the procedure.
        told: the pattern of that passage.
        excused_in: document types in which ``excused_by`` exempts from the document.
        excused_by: the pattern of an exemption.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    kinds: tuple[str, ...] = Field(min_length=1)
    elements: tuple[Element, ...] = ()
    side: Literal["before", "after"] = "after"
    due_hours: float = Field(default=0, ge=0)
    elective_only: bool = False
    by_anesthetist: bool = False
    survivors_only: bool = False
    titled: str = ""
    told_in: tuple[DocumentType, ...] = ()
    told: str = r"(?!)"
    excused_in: tuple[DocumentType, ...] = ()
    excused_by: str = r"(?!)"

    @cached_property
    def _titled(self) -> re.Pattern[str]:
        return regex(self.titled)

    @cached_property
    def _told(self) -> re.Pattern[str]:
        return regex(self.told)

    @cached_property
    def _excused(self) -> re.Pattern[str]:
        return regex(self.excused_by)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each session and combine."""
        found = sessions(case, self.kinds)
        rulings = (self._rule_on_session(case, session, applies_to, len(found)) for session in found)
        return combine(rulings, none_reason=f"没有{'、'.join(self.kinds)}")

    def _rule_on_session(
        self, case: Case, session: Session, types: tuple[DocumentType, ...], count: int
    ) -> Ruling:
        documents = [d for d in session.documents(case, types) if self._titled.search(d.title or d.kind)]
        if documents:
            ruling = combine((self._rule_on_document(case, session, d) for d in documents), none_reason="")
        else:
            ruling = self._exemption(case, session) or self._rule_on_absence(case, session, types, count)
        if ruling.outcome == "defect" and self._is_excused(case):
            return not_applicable("病历中有免除的记录")
        return ruling

    def _rule_on_document(self, case: Case, session: Session, document: Document) -> Ruling:
        spans = (Span(0, len(document.text)),)
        missing, unknown = missing_elements(self.elements, case, case.reading(document), spans)
        if missing:
            title, problem = document.title or document.kind, f"缺{'、'.join(missing)}"
            return defect(Hit.at(document, procedure=session.name, document=title, problem=problem))
        return undetermined(f"看不出是否应有{'、'.join(unknown)}") if unknown else PASSED

    def _rule_on_absence(
        self, case: Case, session: Session, types: tuple[DocumentType, ...], count: int
    ) -> Ruling:
        what, bound = "或".join(types), self._bound(session)
        if bound is None:
            return undetermined(f"未提供“{session.name}”的时间")
        limit = later(bound, timedelta(hours=self.due_hours))
        if not case.is_past(limit):
            return not_yet(limit, f"{session.name}的{what}")
        if self._is_told(case, session):
            return PASSED
        unassigned = [d for d in case.documents_of(*types) if not d.refers_to]
        if 1 < count <= len(unassigned):
            return undetermined(f"{what}没有注明属于哪一次手术")
        problem = "没有书写" if not self.told_in else "没有书写，病程中也没有相应内容"
        return defect(Hit(details={"procedure": session.name, "document": what, "problem": problem}))

    def _exemption(self, case: Case, session: Session) -> Ruling | None:
        died, ended = case.record.encounter.died_at, session.ended_at
        if self.by_anesthetist and not session.has_anesthetist:
            if session.has_anesthetist is None:
                return undetermined(f"未提供“{session.name}”的麻醉方式")
            return not_applicable("未由麻醉医师实施麻醉")
        if self.elective_only and session.is_emergency is not False:
            if session.is_emergency is None and not self._is_told(case, session):
                return undetermined(f"未说明“{session.name}”是否为抢救性急诊手术")
            return not_applicable("抢救性急诊手术") if session.is_emergency else PASSED
        if self.survivors_only and died and ended and died <= ended:
            return not_applicable("术中死亡")
        return None

    def _bound(self, session: Session) -> datetime | None:
        if self.side == "before":
            return session.started_at or session.ended_at
        return session.ended_at or session.started_at

    def _is_told(self, case: Case, session: Session) -> bool:
        bound = self._bound(session)
        return any(
            self._told.search(case.reading(document).half)
            for document in case.documents_of(*self.told_in)
            if _is_on_side(document, bound, self.side)
        )

    def _is_excused(self, case: Case) -> bool:
        return any(self._excused.search(case.reading(d).half) for d in case.documents_of(*self.excused_in))


def _is_on_side(document: Document, bound: datetime | None, side: Literal["before", "after"]) -> bool:
    moment = document.event_at or document.completed_at
    if moment is None or bound is None:
        return True
    return moment <= bound if side == "before" else moment >= bound


class _SessionDocumentCheck(Check):
    """A check that judges the documents of each session in theatre.

    Attributes:
        kinds: kinds of procedure that are judged.
    """

    kinds: tuple[str, ...] = ("手术", "介入")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each document of each session and combine."""
        rulings = (
            self._rule_on_document(case, session, document)
            for session in sessions(case, self.kinds)
            for document in session.documents(case, applies_to)
        )
        return combine(rulings, none_reason=f"没有手术或没有{'、'.join(applies_to)}")

    @abstractmethod
    def _rule_on_document(self, case: Case, session: Session, document: Document) -> Ruling:
        """Judge one document of a session."""


class SurgeonAbsent(_SessionDocumentCheck, name="surgeon_absent"):
    """A preoperative discussion in which the surgeon took no part.

    A participant, someone listed under 主持人 or 参加人员, a signer and a speaker have taken part.
    """

    def _rule_on_document(self, case: Case, session: Session, document: Document) -> Ruling:
        surgeons = {p.surgeon for p in session.procedures if p.surgeon}
        if not surgeons or any(_MASK in name for name in surgeons):
            return undetermined("未提供术者姓名")
        listed = _listed(case.reading(document))
        if not document.participants and listed is None:
            return undetermined("未提供参加讨论人员")
        absent = sorted(name for name in surgeons if not self._took_part(case, document, name, listed))
        if not absent:
            return PASSED
        spans = (listed,) if listed else ()
        details = {"procedure": session.name, "surgeon": "、".join(absent)}
        return defect(Hit.at(document, *spans, section="参加人员", **details))

    def _took_part(self, case: Case, document: Document, name: str, listed: Span | None) -> bool:
        reading = case.reading(document)
        people = {p.name for p in document.participants or ()} | {s.name for s in document.signatures or ()}
        if name in people:
            return True
        if (listed and name in listed.of(document.text)) or name in reading.body("主持人"):
            return True
        return re.search(rf"{re.escape(name)}[\u4e00-\u9fff]{{0,8}}\s*:", reading.half) is not None


def _listed(reading: Reading) -> Span | None:
    """The list under 参加人员: its first line, and the following ones up to the first sentence."""
    section = reading.section("参加人员")
    if section is None or section.body.start == section.body.end:
        return None
    end = section.body.start
    for number, line in enumerate(section.body.of(reading.document.text).splitlines(keepends=True)):
        if number and "。" in line:
            break
        end += len(line)
    return Span(
        section.body.start, section.body.start + len(reading.document.text[section.body.start : end].rstrip())
    )


class OperationNoteAuthor(_SessionDocumentCheck, name="operation_note_author"):
    """An operation note written by neither the surgeon nor the first assistant with the surgeon's signature."""

    def _rule_on_document(self, case: Case, session: Session, document: Document) -> Ruling:
        author = document.author.name if document.author else None
        surgeons = {p.surgeon for p in session.procedures if p.surgeon}
        if not author or not surgeons or any(_MASK in name for name in (author, *surgeons)):
            return undetermined("未提供书写者或术者")
        if author in surgeons:
            return PASSED
        problems = []
        signatures = document.signatures or ()
        if not any(s.role == "术者" or s.name in surgeons for s in signatures if s.name):
            problems.append("没有术者签名")
        first_assistants = {p.assistants[0] for p in session.procedures if p.assistants}
        if first_assistants and author not in first_assistants:
            problems.append("书写者也不是第一助手")
        if not problems:
            return PASSED
        details = {"author": author, "surgeon": "、".join(sorted(surgeons)), "problem": "，".join(problems)}
        return defect(Hit.at(document, document=document.title or document.kind, **details))


class AuthorOutsideTeam(_SessionDocumentCheck, name="author_outside_team"):
    """A document written by someone who took no part in the operation."""

    def _rule_on_document(self, case: Case, session: Session, document: Document) -> Ruling:
        author = document.author.name if document.author else None
        surgeons = {p.surgeon for p in session.procedures if p.surgeon}
        assistants = {name for p in session.procedures for name in p.assistants or ()}
        if not author or _MASK in author:
            return undetermined("未提供书写者")
        if author in surgeons | assistants:
            return PASSED
        if not surgeons or not assistants or any(_MASK in name for name in surgeons | assistants):
            return undetermined("未提供完整的手术人员名单")
        details = {"author": author, "procedure": session.name}
        return defect(Hit.at(document, document=document.title or document.kind, **details))


class ImplantsUnrecorded(Check, name="implants_unrecorded"):
    """Implants without a barcode, or of which neither operation note nor course tells kind and number."""

    kinds: tuple[str, ...] = ("手术", "介入")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each session and combine."""
        rulings = (self._rule_on_session(case, s, applies_to) for s in sessions(case, self.kinds))
        return combine(rulings, none_reason="没有手术")

    def _rule_on_session(self, case: Case, session: Session, types: tuple[DocumentType, ...]) -> Ruling:
        implants = [i for p in session.procedures for i in p.implants or ()]
        if not implants:
            unknown = any(p.implants is None and _IMPLANTING.search(p.name or "") for p in session.procedures)
            return (
                undetermined("手术名称提示有植入物，但未提供植入物数据")
                if unknown
                else not_applicable("没有植入物")
            )
        documents = session.documents(case, ("手术记录",))
        problems = []
        without = [_core(i) for i in implants if not i.barcode]
        if without:
            problems.append(f"{'、'.join(dict.fromkeys(without))}没有条形码")
        told = [*documents, *case.documents_of(*(t for t in types if t != "手术记录"))]
        if told and not self._are_told(implants, told):
            problems.append("手术记录和病程都没有写植入物的种类和数量")
        if not problems:
            return PASSED
        details = {"procedure": session.name, "problem": "；".join(problems)}
        if not documents:
            return defect(Hit(details=details))
        return defect(Hit(documents[0].id, None, _mention(documents[0], implants), details))

    def _are_told(self, implants: list[Implant], documents: list[Document]) -> bool:
        """Whether some document names every implant by its last two characters, and a number of pieces."""
        nouns = {_core(i)[-2:] for i in implants}
        written = "\n".join(d.text for d in documents)
        return all(noun in written for noun in nouns) and _COUNTED.search(written) is not None


def _core(implant: Implant) -> str:
    return _BRACKETED.sub("", implant.name or "").strip() or "植入物"


def _mention(document: Document, implants: list[Implant]) -> tuple[Evidence, ...]:
    """Where the document speaks of its implants: under 植入物, else the first one named."""
    for word in ("植入物", *(_core(i) for i in implants)):
        start = document.text.find(word)
        if start >= 0:
            ends = [end for mark in "。\n" if (end := document.text.find(mark, start)) >= 0]
            return (document.evidence(Span(start, min(ends, default=len(document.text)))),)
    return ()


class PreoperativeTests(Check, name="preoperative_tests"):
    """An elective operation without results of the tests that the hospital asks for before it.

    Attributes:
        tests: name of the test to a pattern for panels, items and the text of the rule's documents.
        kinds: kinds of procedure that are judged.
    """

    tests: dict[str, str] = Field(default_factory=dict)
    kinds: tuple[str, ...] = ("手术",)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each session and combine."""
        if not self.tests:
            return not_applicable("医院未配置术前检查清单")
        rulings = (self._rule_on_session(case, s, applies_to) for s in sessions(case, self.kinds))
        return combine(rulings, none_reason="没有手术")

    def _rule_on_session(self, case: Case, session: Session, types: tuple[DocumentType, ...]) -> Ruling:
        if session.is_emergency is not False:
            unknown = session.is_emergency is None
            return undetermined("未说明是否为急诊手术") if unknown else not_applicable("急诊手术")
        if session.started_at is None:
            return undetermined("未提供手术时间")
        known = [f"{r.panel or ''} {r.item or ''}" for r in self._results(case, session.started_at)]
        known += [case.reading(d).half for d in session.documents(case, types)]
        written = "\n".join(known)
        missing = [name for name, pattern in self.tests.items() if not re.search(pattern, written)]
        if not missing:
            return PASSED
        return defect(Hit(details={"procedure": session.name, "missing": "、".join(missing)}))

    def _results(self, case: Case, before: datetime) -> Iterator[LabResult]:
        for result in case.record.lab_results or ():
            moment = result.reported_at or result.sampled_at
            if moment is None or moment <= before:
                yield result


class ApprovalMissing(Check, name="operation_approval_missing"):
    """An operation on the hospital's list without the approval of the head of department.

    Attributes:
        names: a pattern for the names of operations on the list; empty: no list.
        levels: levels of operation on the list.
        roles: signature roles or titles that approve.
    """

    names: str = ""
    levels: tuple[str, ...] = ()
    roles: tuple[str, ...] = ("科主任", "审批人", "授权人")

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation and combine."""
        if not self.names and not self.levels:
            return not_applicable("医院未配置须审批的手术清单")
        rulings = (self._rule_on_session(case, s, applies_to) for s in sessions(case, ("手术", "介入")))
        return combine(rulings, none_reason="没有手术")

    def _rule_on_session(self, case: Case, session: Session, types: tuple[DocumentType, ...]) -> Ruling:
        if not any(self._is_listed(p) for p in session.procedures):
            unknown = self.levels and any(p.level is None for p in session.procedures)
            return undetermined("未提供手术级别") if unknown else not_applicable("不在须审批的手术清单内")
        if session.is_emergency:
            return not_applicable("抢救性急诊手术")
        documents = session.documents(case, types)
        if any(self._approves(case, document) for document in documents):
            return PASSED
        if "signatures" not in case.record.delivered:
            return undetermined("未提供签名数据")
        document_id = documents[0].id if documents else None
        return defect(Hit(document_id, details={"procedure": session.name}))

    def _is_listed(self, procedure: Procedure) -> bool:
        named = bool(self.names) and re.search(self.names, procedure.name or "") is not None
        return named or procedure.level in self.levels

    def _approves(self, case: Case, document: Document) -> bool:
        signed = any(
            s.name and (s.role in self.roles or s.title in self.roles) for s in document.signatures or ()
        )
        return signed or _APPROVED.search(case.reading(document).half) is not None
