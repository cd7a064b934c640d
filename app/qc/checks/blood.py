"""Blood groups and transfusions, wherever a record writes them."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Evidence, Order, Span
from app.text.patterns import regex
from app.text.width import half_width

_ABO = regex(
    r"血型\s*(?:鉴定)?(?:结果)?\s*[:为是呈示]?\s*[\"“]?(?P<a>AB|[ABO])(?![A-Za-z])\s*型?"
    r"|(?<![A-Za-z])(?P<b>AB|[ABO])\s*型\s*[,、(]?\s*Rh"
)
_RH = regex(r"Rh\s*\(?[Dd]?\)?\s*(?:血型)?\s*[:为(,]?\s*\(?(?P<sign>阳性|阴性|\+|-)")
_COMPONENT = regex(r"红细胞|血浆|血小板|冷沉淀|全血|供血|供者|献血|血袋|备血|配血|悬浮|洗涤")
_BEFORE_DONOR = regex(r"(?:输注?|加输|起输|共输|输入|供者?|献血者|血袋|均为)[^。;,，\n]{0,8}$")
_OTHERS = regex(r"(?:母亲|其母|父亲|其父|丈夫|其夫|配偶|胎儿|新生儿|患儿母|子女|供者|献血)[^。;\n]{0,12}$")
_EMPTY = frozenset({"", "-", "—", "/", "未查", "不详", "5", "6"})
_CODES = {"1": "A", "2": "B", "3": "O", "4": "AB"}
_SIGNS = {"+": "阳性", "-": "阴性", "阳性": "阳性", "阴性": "阴性", "1": "阴性", "2": "阳性"}


class _Group(NamedTuple):
    system: str
    value: str
    source: str
    document: Document | None
    evidence: tuple[Evidence, ...]


class BloodGroupsDisagree(Check, name="blood_groups_disagree"):
    """The patient's ABO or RhD group is not the same in two places; donor blood and relatives do not count."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Compare everything that names a group with what most places name."""
        groups = [*_in_results(case), *_on_front_page(case)]
        groups += [g for d in case.documents_of(*applies_to) for g in _in_document(case, d)]
        if not groups:
            return undetermined("没有写血型") if _was_transfused(case) else not_applicable("没有查血型")
        hits = [hit for system in ("ABO", "RhD") for hit in _odd(system, groups)]
        if hits:
            return defect(*hits)
        if max(len({g.source for g in groups if g.system == s}) for s in ("ABO", "RhD")) < 2:
            return not_applicable("血型只有一处写明")
        return PASSED


def _was_transfused(case: Case) -> bool:
    return bool(case.documents_of("输血记录"))


def _in_results(case: Case) -> Iterator[_Group]:
    for result in case.record.lab_results or ():
        item, value = half_width(result.item or ""), half_width(result.value or "").strip()
        if "血型" not in item + (result.panel or "") or re.search("抗体|反定|亚型", item):
            continue
        abo = re.match(r"(AB|[ABO])(?![A-Za-z])", value)
        if abo and "Rh" not in item:
            yield _Group("ABO", abo[1], "检验报告", None, ())
        sign = re.search(r"阳性|阴性|[+-]", value)
        if sign and "Rh" in item:
            yield _Group("RhD", _SIGNS[sign.group()], "检验报告", None, ())


def _on_front_page(case: Case) -> Iterator[_Group]:
    page = case.record.front_page
    abo, rh = half_width((page and page.blood_type) or ""), half_width((page and page.rh) or "")
    abo = _CODES.get(abo.strip(), abo.strip().removesuffix("型"))
    if abo in ("A", "B", "O", "AB"):
        yield _Group("ABO", abo, "病案首页", None, ())
    if rh.strip() in _SIGNS and rh.strip() not in _EMPTY:
        yield _Group("RhD", _SIGNS[rh.strip()], "病案首页", None, ())


def _in_document(case: Case, document: Document) -> Iterator[_Group]:
    half = case.reading(document).half
    name = document.title or document.kind
    for match in _ABO.finditer(half):
        before = half[max(0, match.start() - 16) : match.start()]
        if _is_donor(half, match) or _OTHERS.search(before):
            continue
        place = (document.evidence(Span(*match.span())),)
        yield _Group("ABO", match["a"] or match["b"], name, document, place)
        rhesus = _RH.search(half, match.start(), match.end() + 12)
        if rhesus:
            yield _Group(
                "RhD", _SIGNS[rhesus["sign"]], name, document, (document.evidence(Span(*rhesus.span())),)
            )


def _is_donor(half: str, match: re.Match[str]) -> bool:
    if match["a"]:
        return bool(_BEFORE_DONOR.search(half[max(0, match.start() - 14) : match.start()]))
    after = half[match.end() : match.end() + 16].split("。")[0]
    before = half[max(0, match.start() - 14) : match.start()]
    return bool(_COMPONENT.search(after) or _BEFORE_DONOR.search(before) or re.search("输注?|血袋", before))


def _odd(system: str, groups: Sequence[_Group]) -> Iterator[Hit]:
    """The places that differ from the laboratory, else from what most places say."""
    named = [group for group in groups if group.system == system]
    if len({group.value for group in named}) < 2:
        return
    measured = [group.value for group in named if group.source == "检验报告"]
    values = [group.value for group in named]
    true = measured[-1] if measured else max(dict.fromkeys(values), key=values.count)
    right = next((g for g in named if g.value == true and g.document), None) or next(
        g for g in named if g.value == true
    )
    for wrong in named:
        if wrong.value != true:
            details = {
                "system": system,
                "value": wrong.value,
                "source": wrong.source,
                "other": right.source,
                "other_value": true,
            }
            shown = wrong.document or right.document
            yield Hit(shown.id if shown else None, None, (*wrong.evidence, *right.evidence), details)


_PRODUCTS = {
    "红细胞": regex(r"红细胞"),
    "血浆": regex(r"血浆"),
    "血小板": regex(r"血小板"),
    "冷沉淀": regex(r"冷沉淀"),
    "全血": regex(r"全血"),
}
_AMOUNT = (
    r"(?:[^。;,，\n]{{0,6}}?)(?P<amount>\d{{1,4}}(?:\.\d)?)\s*(?P<unit>U|u|单位|ml|mL|ML|毫升|治疗量|袋)"
)
_ML_PER_UNIT = {"红细胞": 200.0, "全血": 200.0, "血浆": 100.0}


class _Given(NamedTuple):
    product: str
    units: float
    evidence: tuple[Evidence, ...]


class TransfusionDisagrees(Check, name="transfusion_disagrees"):
    """A transfusion record names another product, or another amount, than the order it refers to.

    Red cells and whole blood count 200 mL a unit, plasma 100 mL; other products only in the unit written.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each transfusion record with its order."""
        records = case.documents_of("输血记录")
        orders = {o.id: o for o in case.record.orders or () if o.id and o.content}
        rulings = (self._judge(d, [orders[i] for i in d.refers_to or () if i in orders]) for d in records)
        return combine(rulings, none_reason="没有输血记录")

    def _judge(self, document: Document, orders: Sequence[Order]) -> Ruling:
        blood = [o for o in orders if any(p.search(o.content or "") for p in _PRODUCTS.values())]
        if not blood:
            return undetermined("输血记录没有对应的输血医嘱")
        given = {g.product: g for g in _amounts(document)}
        if not given:
            return undetermined("输血记录没有写明成分和量")
        wanted = {product: units for order in blood for product, units in _ordered(order)}
        hits = [
            self._hit(document, given[product], product, f"{given[product].units:g}", f"{units:g}")
            for product, units in wanted.items()
            if product in given and abs(given[product].units - units) > 0.1 * units
        ]
        if wanted and set(given).isdisjoint(wanted):
            first = next(iter(given.values()))
            hits.append(self._hit(document, first, first.product, first.product, "、".join(wanted)))
        return defect(*hits) if hits else PASSED

    def _hit(self, document: Document, given: _Given, product: str, mine: str, theirs: str) -> Hit:
        return Hit(
            document.id, "输血成分", given.evidence, {"product": product, "given": mine, "ordered": theirs}
        )


def _amounts(document: Document) -> Iterator[_Given]:
    """The first amount of each product that the record writes."""
    half = half_width(document.text)
    for product, pattern in _PRODUCTS.items():
        match = re.search(pattern.pattern + _AMOUNT.format(), half)
        if match:
            yield _Given(product, _units(product, match), (document.evidence(Span(*match.span())),))


def _ordered(order: Order) -> Iterator[tuple[str, float]]:
    for product, pattern in _PRODUCTS.items():
        match = re.search(pattern.pattern + _AMOUNT.format(), half_width(order.content or ""))
        if match:
            yield product, _units(product, match)


def _units(product: str, match: re.Match[str]) -> float:
    amount = float(match["amount"])
    return amount / _ML_PER_UNIT.get(product, 1.0) if match["unit"] in ("ml", "mL", "ML", "毫升") else amount
