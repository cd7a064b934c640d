"""Consents and notices: are they there, signed by the right people, and in time."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property

from pydantic import ConfigDict, Field

from app.qc.case import COURSE_TYPES, Case
from app.qc.checks.base import Check, DocumentCheck
from app.qc.checks.order_of_events import shown
from app.qc.checks.presence import Element, missing_elements
from app.qc.checks.procedures import Session, sessions
from app.qc.checks.signature import PATIENT_ROLES, is_signed_for_patient, typed_signature
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.qc.timeline import is_cancelled
from app.records.model import Document, DocumentType, Order, Procedure, Signature, Span
from app.text.assertion import Assertion, find_mentions
from app.text.patterns import regex

_CONSENTS: tuple[DocumentType, ...] = (
    "手术知情同意书", "麻醉知情同意书", "输血治疗知情同意书", "特殊检查(治疗)同意书",
)  # fmt: skip
_BY_INSTITUTION = regex(
    r"(?:医疗机构|医院|本院|院方|机构)(?:的)?负责人|授权的?负责人|(?:医务[处科部]|总值班)[^。\n]{0,14}(?:批准|同意|签)"
)
_AWAKE = regex(r"神志?清|意识清|神清|能理解|对答切题")
_NOT_AWAKE = regex(
    r"神志?不清|昏迷|昏睡|嗜睡|意识(?:模糊|障碍|丧失|淡漠|不清)|谵妄|痴呆|镇静(?:状态|镇痛)|失语|精神(?:分裂|障碍)|智力(?:低下|障碍)|躁动"
)
_PROTECTIVE = regex(r"不宜(?:向患者)?(?:告知|说明)|保护性医疗")
_WITHDRAWAL = ("放弃治疗", "放弃抢救", "放弃进一步治疗", "放弃进一步抢救", "自动出院", "自动离院")
_WITHDRAWAL_PAPER = regex(
    r"放弃|自动(?:出|离)院|要求(?:出|离)院|自愿(?:出|离)院|签字离院|拒绝(?:治疗|抢救|住院)"
)
_NOT_BEFORE = regex(r"(?:不|未|非|拒绝|没有)(?:要求|同意|考虑|愿|想)?\Z")
_AUTOPSY = regex(r"尸检|尸体解剖")
_ADULT_YEARS = 18


def approved_by_institution(case: Case) -> bool:
    """Whether the record says that the institution's head approved instead of the patient (规范第十条)."""
    types = (*_CONSENTS, "抢救记录", *COURSE_TYPES)
    return any(_BY_INSTITUTION.search(case.reading(d).half) for d in case.documents_of(*types))


def patient_signatures(document: Document) -> tuple[Signature, ...]:
    """The signatures of the patient's side."""
    return tuple(s for s in document.signatures or () if s.role in PATIENT_ROLES and s.name)


def transfusions(case: Case) -> tuple[datetime | None, ...]:
    """When blood was given, by orders carried out, transfusion notes and procedures; ``None`` where unknown."""
    ordered = [o.executed_at for o in _blood_orders(case) if o.executed_at]
    noted = [None for _ in case.documents_of("输血记录")] if not ordered else []
    during = [p.started_at for p in case.record.procedures or () if p.blood_units]
    return (*ordered, *noted, *during)


def _blood_orders(case: Case) -> Iterator[Order]:
    return (o for o in case.record.orders or () if o.category == "输血" and not is_cancelled(o))


class TransfusionConsent(Check, name="transfusion_consent"):
    """Blood was given without a consent, or with one that lacks the patient's signature.

    Attributes:
        elements: what the consent must hold.
    """

    elements: tuple[Element, ...] = Field(min_length=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if not transfusions(case):
            waiting = any(_blood_orders(case))
            return undetermined("有输血医嘱而没有执行记录") if waiting else not_applicable("未输血")
        documents = case.documents_of(*applies_to)
        hits = [hit for document in documents if (hit := _lacking(case, document, self.elements))]
        if documents and len(hits) < len(documents):
            return PASSED
        if approved_by_institution(case):
            return not_applicable("抢救由机构负责人批准并有记录")
        what = "、".join(applies_to)
        return defect(*(hits or [Hit(details={"document": what, "problem": "没有签署"})]))


def _lacking(case: Case, document: Document, elements: tuple[Element, ...]) -> Hit | None:
    spans = (Span(0, len(document.text)),)
    missing, _ = missing_elements(elements, case, case.reading(document), spans)
    if not missing:
        return None
    title = document.title or document.kind
    return Hit.at(document, document=title, missing="、".join(missing), problem=f"缺{'、'.join(missing)}")


class TreatmentConsent(Check, name="treatment_consent"):
    """A procedure or treatment on the hospital's list without a consent of the rule's types, signed.

    Attributes:
        procedures: a pattern for the names of procedures on the list.
        orders: a pattern for orders, carried out, on the list.
        kinds: kinds of procedure that are judged.
        elements: what the consent must hold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    procedures: str = r"(?!)"
    orders: str = r"(?!)"
    kinds: tuple[str, ...] = ("有创操作",)
    elements: tuple[Element, ...] = Field(min_length=1)

    @cached_property
    def _procedures(self) -> re.Pattern[str]:
        return regex(self.procedures)

    @cached_property
    def _orders(self) -> re.Pattern[str]:
        return regex(self.orders)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each item once and combine."""
        listed = [p for p in case.record.procedures or () if self._is_listed(p)]
        ordered = dict.fromkeys(term for o in case.record.orders or () if (term := self._term(o)))
        rulings = [self._rule_on_procedure(case, p, applies_to) for p in listed]
        rulings += [self._rule_on_order(case, term, applies_to) for term in ordered]
        ruling = combine(rulings, none_reason="没有须签同意书的检查、治疗")
        if ruling.outcome == "defect" and approved_by_institution(case):
            return not_applicable("抢救由机构负责人批准并有记录")
        return ruling

    def _is_listed(self, procedure: Procedure) -> bool:
        return procedure.kind in self.kinds and self._procedures.search(procedure.name or "") is not None

    def _term(self, order: Order) -> str | None:
        match = self._orders.search(order.content or "") if order.executed_at else None
        return match.group() if match else None

    def _rule_on_procedure(self, case: Case, procedure: Procedure, types: tuple[DocumentType, ...]) -> Ruling:
        documents = case.documents_of(*types)
        own = [d for d in documents if not d.refers_to or procedure.id in d.refers_to]
        if not own and (spoken := [d for d in documents if procedure.name and procedure.name in d.text]):
            own = spoken
        return self._rule_on_consents(case, own, procedure.name or "有创操作", types)

    def _rule_on_order(self, case: Case, term: str, types: tuple[DocumentType, ...]) -> Ruling:
        own = [d for d in case.documents_of(*types) if term in d.text or term in (d.title or "")]
        if not own and (covered := case.documents_of("手术知情同意书")):
            own = [d for d in covered if term in d.text]
        return self._rule_on_consents(case, own, term, types)

    def _rule_on_consents(
        self, case: Case, own: Iterable[Document], item: str, types: tuple[DocumentType, ...]
    ) -> Ruling:
        found = list(own)
        hits = [hit for d in found if (hit := _lacking(case, d, self.elements))]
        if len(hits) < len(found):
            return PASSED
        if not found:
            return defect(Hit(details={"item": item, "document": "、".join(types), "problem": "没有签署"}))
        return defect(*(Hit(h.document_id, details={**h.details, "item": item}) for h in hits))


class SignedByAnother(DocumentCheck, name="signed_by_another"):
    """An adult who could sign did not, and whoever signed holds no authorisation."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one consent."""
        signers = patient_signatures(document)
        if not signers:
            return not_applicable("没有患方签名，由缺签名规则判定")
        roles = {s.role for s in signers}
        if roles & {"患者", "法定代理人"}:
            return PASSED
        if case.age_years is not None and case.age_years < _ADULT_YEARS:
            return not_applicable("未成年人")
        names = [s.name for s in signers if s.name]
        papers = case.documents_of("授权委托书")
        if any(name in paper.text or name in self._empowered(paper) for paper in papers for name in names):
            return PASSED
        if any("*" in name for name in names):
            return undetermined("签署人姓名已脱敏")
        return self._rule_on_capacity(case, document, names, bool(papers))

    def _empowered(self, paper: Document) -> set[str | None]:
        return {s.name for s in paper.signatures or () if s.role == "授权委托人"}

    def _rule_on_capacity(self, case: Case, document: Document, names: list[str], empowered: bool) -> Ruling:
        written = [case.reading(d).half for d in case.documents if d.kind != "授权委托书"]
        if any(_PROTECTIVE.search(half) for half in written):
            return not_applicable("按保护性医疗向近亲属告知")
        if any(_NOT_AWAKE.search(half) for half in written) or not any(
            _AWAKE.search(half) for half in written
        ):
            return undetermined("患者签署时的意识与行为能力无法判断")
        if case.age_years is None:
            return undetermined("未提供年龄")
        problem = "授权委托书上没有此人" if empowered else "没有授权委托书"
        title = document.title or document.kind
        return defect(Hit.at(document, document=title, signer="、".join(names), problem=problem))


class OperationConsentUnsigned(DocumentCheck, name="operation_consent_unsigned"):
    """An operation consent without the signature of the physician in charge or of the surgeon.

    One signature will do for both where both are one person.

    Attributes:
        physician_roles: roles in which the physician in charge signs.
        surgeon_roles: roles in which the surgeon signs.
    """

    physician_roles: tuple[str, ...] = ("记录者", "经治医师", "审核者", "谈话医师", "告知医师")
    surgeon_roles: tuple[str, ...] = ("术者", "手术者", "主刀")

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one consent."""
        signed = [s for s in document.signatures or () if s.name and s.role not in PATIENT_ROLES]
        author = document.author.name if document.author else None
        surgeons = {p.surgeon for p in case.record.procedures or () if p.surgeon}
        half = case.reading(document).half
        has_surgeon = (
            any(s.role in self.surgeon_roles or s.name in surgeons for s in signed)
            or typed_signature(half, "术者|手术者|主刀(?:医师)?") is not None
        )
        has_physician = (
            any(s.role in self.physician_roles for s in signed)
            or any(s.role in self.surgeon_roles and author in (None, s.name) for s in signed)
            or typed_signature(half, "(?:经治|谈话|告知|主管|记录)?医[师生]") is not None
        )
        missing = [name for name, there in (("经治医师", has_physician), ("术者", has_surgeon)) if not there]
        if not missing:
            return PASSED
        title = document.title or document.kind
        return defect(Hit.at(document, document=title, missing="、".join(missing)))


class CriticalNotice(Check, name="critical_notice"):
    """The patient was declared 病危 or 病重 without a notice, or with one that lacks elements.

    Attributes:
        elements: what the notice must hold.
    """

    elements: tuple[Element, ...] = Field(min_length=1)

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        documents = case.documents_of(*applies_to)
        hits = [hit for document in documents if (hit := _lacking(case, document, self.elements))]
        if hits:
            return defect(*hits)
        if documents:
            return PASSED
        if not case.timeline.levels_are_given:
            return undetermined("未提供病情级别，也没有病危（重）医嘱")
        serious = case.timeline.serious_periods()
        if not serious:
            return not_applicable("没有病危（重）")
        details = {
            "document": f"{serious[0].level}通知书",
            "problem": f"没有（{shown(serious[0].start)}起{serious[0].level}）",
        }
        return defect(Hit(details=details))


class ConsentLate(Check, name="consent_late"):
    """The patient's side signed after the procedure or the transfusion had begun."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each consent and combine."""
        theatre = sessions(case, ("手术", "介入"))
        given = [moment for moment in transfusions(case) if moment]
        rulings = (
            self._rule_on_document(case, document, theatre, given)
            for document in case.documents_of(*applies_to)
        )
        ruling = combine(rulings, none_reason="没有可判的同意书")
        if ruling.outcome == "defect" and approved_by_institution(case):
            return not_applicable("抢救由机构负责人批准并有记录")
        return ruling

    def _rule_on_document(
        self, case: Case, document: Document, theatre: tuple[Session, ...], given: list[datetime]
    ) -> Ruling:
        if document.kind == "输血治疗知情同意书":
            return self._compare(document, min(given), "输血") if given else not_applicable("未输血")
        referred = [p for p in case.record.procedures or () if p.id in (document.refers_to or ())]
        if not referred and document.kind in ("手术知情同意书", "麻醉知情同意书"):
            if len(theatre) > 1:
                return undetermined("同意书没有注明属于哪一次手术")
            referred = [p for session in theatre for p in session.procedures]
        if not referred:
            return not_applicable("没有对应的手术、操作")
        if any(p.emergency for p in referred):
            return not_applicable("抢救性急诊手术、操作")
        starts = [p.started_at for p in referred if p.started_at]
        if not starts:
            return undetermined("未提供手术、操作开始时间")
        return self._compare(document, min(starts), referred[0].name or "手术")

    def _compare(self, document: Document, start: datetime, what: str) -> Ruling:
        signatures = patient_signatures(document)
        if not signatures:
            return not_applicable("没有患方签名，由缺签名规则判定")
        moments = [s.signed_at for s in signatures if s.signed_at]
        if not moments:
            return undetermined("患方签署没有时间")
        if min(moments) <= start:
            return PASSED
        details = {"signed": shown(min(moments)), "start": shown(start), "what": what}
        return defect(Hit.at(document, document=document.title or document.kind, **details))


class ConsentUndated(DocumentCheck, name="consent_undated"):
    """The patient's side signed without a date."""

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one consent."""
        signatures = patient_signatures(document)
        if not signatures:
            return not_applicable("没有患方签名，由缺签名规则判定")
        if any(s.signed_at for s in signatures) or _dated_signature(case.reading(document).half):
            return PASSED
        names = "、".join(s.name or "" for s in signatures)
        return defect(Hit.at(document, document=document.title or document.kind, signer=names))


def _dated_signature(half: str) -> bool:
    match = typed_signature(half, _PATIENT_SIDE)
    return (
        match is not None
        and re.search(r"\d{1,2}\s*[-月/.]\s*\d{1,2}", half[match.end() - 1 : match.end() + 24]) is not None
    )


_PATIENT_SIDE = r"(?:患者|患方|家属|近亲属|委托人|代理人|受托人|被授权人)[^\n:]{0,12}"


class WithdrawalUnsigned(Check, name="withdrawal_unsigned"):
    """The patient left against advice, or treatment was given up, and nobody of their side signed.

    Attributes:
        course_types: document types whose text may say that treatment was given up.
    """

    course_types: tuple[DocumentType, ...] = COURSE_TYPES

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        mentions = list(self._mentions(case))
        against_advice = case.record.encounter.disposition == "非医嘱离院"
        if not against_advice and not mentions:
            return not_applicable("没有自动出院或放弃治疗")
        if any(self._is_signed_paper(case, document) for document in case.documents):
            return PASSED
        what = (
            "离院方式为非医嘱离院"
            if against_advice
            else f"病程写有“{mentions[0][1].of(mentions[0][0].text)}”"
        )
        evidence = tuple(document.evidence(span) for document, span in mentions[:2])
        return defect(Hit(evidence[0].document_id if evidence else None, None, evidence, {"what": what}))

    def _mentions(self, case: Case) -> Iterator[tuple[Document, Span]]:
        for document in case.documents_of(*self.course_types):
            for mention in find_mentions(document.text, _WITHDRAWAL):
                before = document.text[max(0, mention.span.start - 4) : mention.span.start]
                if mention.assertion is Assertion.PRESENT and not _NOT_BEFORE.search(before):
                    yield document, mention.span

    def _is_signed_paper(self, case: Case, document: Document) -> bool:
        half = case.reading(document).half
        if not _WITHDRAWAL_PAPER.search((document.title or "") + half):
            return False
        return is_signed_for_patient(document, half)


class AutopsyOpinionMissing(Check, name="autopsy_opinion_missing"):
    """The patient died in hospital, and nobody of their side signed an opinion on autopsy."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        stay = case.record.encounter
        if stay.died_at is None and stay.disposition != "死亡":
            return not_applicable("未死亡")
        for document in case.documents:
            half = case.reading(document).half
            if _AUTOPSY.search((document.title or "") + half) and is_signed_for_patient(document, half):
                return PASSED
        return defect(Hit())


class ListedItemsUnconsented(Check, name="listed_items_unconsented"):
    """Items that patients pay themselves, ordered without a signed paper that names them.

    Attributes:
        items: words of drugs, materials and tests on the hospital's list.
    """

    items: tuple[str, ...] = ()

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the record."""
        if not self.items:
            return not_applicable("医院未提供自费项目清单")
        orders = [o.content or "" for o in case.record.orders or () if not is_cancelled(o)]
        used = [item for item in self.items if any(item in content for content in orders)]
        if not used:
            return not_applicable("没有使用清单内的自费项目")
        signed = [
            case.reading(d).half
            for d in case.documents
            if d.kind in (*applies_to, "其他") and is_signed_for_patient(d, case.reading(d).half)
        ]
        missing = [item for item in used if not any(item in half for half in signed)]
        return defect(Hit(details={"items": "、".join(missing)})) if missing else PASSED
