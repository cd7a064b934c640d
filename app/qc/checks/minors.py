"""Children: who told the history, who signed for them, and the histories only they have."""

import re

from pydantic import BaseModel, ConfigDict, Field

from app.qc.case import Case
from app.qc.checks.base import DocumentCheck
from app.qc.ruling import PASSED, Hit, Ruling, defect, not_applicable, undetermined
from app.records.model import Document
from app.text.patterns import regex
from app.text.sections import is_blank

_RELATION = regex("父|母|爸|妈|祖|爷|奶|外公|外婆|姥|监护人|家长|叔|伯|姑|姨|舅|兄|姐|哥|养|福利院|老师|抚养")
_SELF = regex("本人|患者自|患儿自|自述")
_RESCUE = regex("紧急|抢救|急诊手术|无法联系|联系不上|机构负责人|医务(?:科|处|部)")
_GUARDIAN = regex(r"关系\s*:?\s*[(]?\s*(?:父|母|监护|法定代理|养父|养母|祖|爷|奶|外)")
_OWN_LABOUR = regex("自己的?劳动收入|自食其力|劳动收入为主要生活来源")


class InformantUnrelated(DocumentCheck, name="informant_unrelated"):
    """A child's history told by the child, or by somebody whose relation is not given.

    Attributes:
        below_age: the age in years below which the patient is a child.
        tells_from_age: the age in years from which a child may tell the history.
    """

    below_age: float = 14
    tells_from_age: float = 6

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        age = case.age_years
        if age is None:
            return undetermined("年龄未知")
        if age >= self.below_age:
            return not_applicable("非儿科患者")
        section = case.reading(document).section("病史陈述者")
        if section is None or is_blank(section.body.of(document.text)):
            return not_applicable("没有写病史陈述者，由一般项目规则判定")
        told = section.body.of(document.text)[:30].split("\n")[0]
        if _RELATION.search(told):
            return PASSED
        if _SELF.search(told):
            if age >= self.tells_from_age:
                return not_applicable("能自述病史的大龄儿童")
            problem = "写为患儿本人"
        else:
            problem = "没有写与患儿的关系"
        return defect(
            Hit.at(document, section.heading, section="病史陈述者", problem=problem, told=told.strip())
        )


class MinorConsent(DocumentCheck, name="minor_consent"):
    """A minor's consent that no legal representative signed.

    Attributes:
        below_age: the age in years below which the patient is a minor.
        representative: the role of a legal representative.
        others: roles of which a signature does not do by itself.
    """

    below_age: float = 18
    representative: str = "法定代理人"
    others: tuple[str, ...] = Field(default=("患者", "近亲属", "授权委托人"))

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        age, half = case.age_years, case.reading(document).half
        if age is None:
            return undetermined("年龄未知")
        if age >= self.below_age:
            return not_applicable("患者已成年")
        if age >= 16 and _OWN_LABOUR.search(half):
            return not_applicable("以自己劳动收入为主要生活来源")
        signed = [
            s for s in document.signatures or () if s.name and s.role in (self.representative, *self.others)
        ]
        if not signed:
            return not_applicable("没有患方签名，由同意书规则判定")
        if any(s.role == self.representative for s in signed) or _GUARDIAN.search(half):
            return PASSED
        if _RESCUE.search(half) or case.documents_of("授权委托书"):
            return not_applicable("紧急情形或已有授权")
        if all(s.role == "近亲属" for s in signed):
            return undetermined("没有写签署人与患者的关系")
        roles = "、".join(dict.fromkeys(s.role or "" for s in signed))
        return defect(Hit.at(document, document=document.title or document.kind, signer=roles))


class History(BaseModel):
    """A history that children have: up to an age in years, shown by a pattern in the half-width text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    below_age: float = Field(gt=0)
    pattern: str


class ChildhoodHistory(DocumentCheck, name="childhood_history"):
    """A child's admission record without the histories that its age calls for.

    Attributes:
        histories: what a child's record must tell.
    """

    histories: tuple[History, ...] = Field(min_length=1)

    def rule_on_document(self, case: Case, document: Document) -> Ruling:
        """Judge one document."""
        age, half = case.age_years, case.reading(document).half
        if age is None:
            return undetermined("年龄未知")
        called = [history for history in self.histories if age < history.below_age]
        if not called:
            return not_applicable("年龄超出儿科病史要求的范围")
        missing = [history.name for history in called if not re.search(history.pattern, half)]
        if not missing:
            return PASSED
        section = case.reading(document).section("个人史", "既往史")
        headings = (section.heading,) if section else ()
        years = f"{age:.0f}岁" if age >= 1 else f"{age * 12:.0f}月龄"
        return defect(Hit.at(document, *headings, age=years, missing="、".join(missing)))
