import pytest

from app.qc.case import Case
from app.qc.checks.consent import (
    ConsentLate,
    CriticalNotice,
    ListedItemsUnconsented,
    SignedByAnother,
    TransfusionConsent,
    TreatmentConsent,
    WithdrawalUnsigned,
)
from app.qc.checks.presence import Element
from app.records.model import MedicalRecord

SIGNATURE = Element(name="患方签名", signature_roles=("患者", "近亲属"))
SIGNED = {"signatures": [{"role": "患者", "name": "沈禾", "signed_at": "2026-05-08 09:00"}]}
UNSIGNED = {"signatures": [{"role": "记录者", "name": "林一舟"}]}


def outcome(check, kind, documents, **parts):
    numbered = [{"id": f"D{n}", "type": kind, "text": "", **d} for n, d in enumerate(documents)]
    coverage = ["documents", "consents", "signatures", "orders", "procedures"]
    content = {"record_id": "R", "coverage": coverage, "documents": numbered, **parts}
    return check.rule_on(Case(MedicalRecord.model_validate(content)), (kind,)).outcome


def blood(**fields):
    return [{"category": "输血", "content": "悬浮红细胞2U", **fields}]


@pytest.mark.parametrize(
    ("documents", "orders", "expected"),
    [
        ([SIGNED], blood(executed_at="2026-05-08 10:00"), "pass"),
        ([UNSIGNED, SIGNED], blood(executed_at="2026-05-08 10:00"), "pass"),
        ([UNSIGNED], blood(executed_at="2026-05-08 10:00"), "defect"),
        ([], blood(executed_at="2026-05-08 10:00"), "defect"),
        ([], blood(), "undetermined"),
        ([], blood(stopped_at="2026-05-08 10:00"), "not_applicable"),
        ([], [], "not_applicable"),
        ([{"type": "抢救记录", "text": "经医院负责人批准输血。"}], blood(executed_at="2026-05-08 10:00"), "not_applicable"),
    ],
)  # fmt: skip
def test_transfusion(documents, orders, expected):
    check = TransfusionConsent(elements=(SIGNATURE,))
    assert outcome(check, "输血治疗知情同意书", documents, orders=orders) == expected


@pytest.mark.parametrize(
    ("name", "documents", "expected"),
    [
        ("胸腔穿刺术", [{"refers_to": ["PR1"], **SIGNED}], "pass"),
        ("胸腔穿刺术", [{"refers_to": ["PR2"], **SIGNED}], "defect"),
        ("胸腔穿刺术", [{"refers_to": ["E1"], "text": "拟行胸腔穿刺术", **SIGNED}], "pass"),
        ("胸腔穿刺术", [SIGNED], "pass"),
        ("留置导尿", [], "not_applicable"),
    ],
)
def test_listed_procedures(name, documents, expected):
    check = TreatmentConsent(procedures="穿刺", elements=(SIGNATURE,))
    procedures = [{"id": "PR1", "kind": "有创操作", "name": name}]
    assert outcome(check, "特殊检查(治疗)同意书", documents, procedures=procedures) == expected


def by(role, name="沈满"):
    return {"signatures": [{"role": role, "name": name}]}


AWAKE = {"type": "入院记录", "text": "神志清楚。"}
PAPER = {"type": "授权委托书", "text": "受托人：沈满"}


@pytest.mark.parametrize(
    ("age", "documents", "expected"),
    [
        ("18岁", [by("近亲属"), AWAKE], "defect"),
        ("17岁", [by("近亲属"), AWAKE], "not_applicable"),
        ("62岁", [by("法定代理人"), AWAKE], "pass"),
        ("62岁", [by("患者", "沈禾"), AWAKE], "pass"),
        ("62岁", [by("近亲属"), AWAKE, PAPER], "pass"),
        ("62岁", [by("近亲属", "何知"), AWAKE, PAPER], "defect"),
        ("62岁", [by("近亲属"), {**AWAKE, "text": "神志清楚，术后谵妄。"}], "undetermined"),
        ("62岁", [by("近亲属")], "undetermined"),
        ("62岁", [by("近亲属", "沈**"), AWAKE], "undetermined"),
        (None, [by("近亲属"), AWAKE], "undetermined"),
        ("62岁", [UNSIGNED, AWAKE], "not_applicable"),
    ],
)
def test_signed_by_another(age, documents, expected):
    assert outcome(SignedByAnother(), "手术知情同意书", documents, patient={"age": age}) == expected


@pytest.mark.parametrize(
    ("started", "emergency", "expected"),
    [
        ("2026-05-08 09:00", False, "pass"),
        ("2026-05-08 08:59:59", False, "defect"),
        ("2026-05-08 08:00", None, "defect"),
        ("2026-05-08 08:00", True, "not_applicable"),
        (None, False, "undetermined"),
    ],
)
def test_consent_before_the_operation(started, emergency, expected):
    procedures = [{"id": "PR1", "kind": "手术", "started_at": started, "emergency": emergency}]
    assert outcome(ConsentLate(), "手术知情同意书", [SIGNED], procedures=procedures) == expected


@pytest.mark.parametrize(
    ("text", "disposition", "expected"),
    [
        ("家属要求放弃治疗。", "死亡", "defect"),
        ("家属要求放弃治疗。\n家属签字：沈满", "死亡", "pass"),
        ("家属不放弃治疗。", "死亡", "not_applicable"),
        ("如病情恶化，家属未考虑放弃抢救。", "死亡", "not_applicable"),
        ("病情好转。", "医嘱离院", "not_applicable"),
        ("病情好转。", "非医嘱离院", "defect"),
    ],
)
def test_giving_up_needs_a_signature(text, disposition, expected):
    documents = [{"text": text}]
    stay = {"disposition": disposition}
    assert outcome(WithdrawalUnsigned(), "日常病程记录", documents, encounter=stay) == expected


def test_a_notice_is_asked_for_by_the_level_alone():
    check = CriticalNotice(elements=(SIGNATURE,))
    stay = {"admitted_at": "2026-05-06 10:00", "discharged_at": "2026-05-14 09:00"}
    serious = stay | {"conditions": [{"level": "病重", "from": "2026-05-06 11:00"}]}
    assert outcome(check, "病危(重)通知书", [], encounter=stay) == "undetermined"
    assert outcome(check, "病危(重)通知书", [], encounter=stay | {"conditions": []}) == "not_applicable"
    assert outcome(check, "病危(重)通知书", [], encounter=serious) == "defect"
    assert outcome(check, "病危(重)通知书", [SIGNED], encounter=serious) == "pass"


def test_an_unset_list_judges_nothing():
    orders = [{"content": "人血白蛋白 10g"}]
    assert outcome(ListedItemsUnconsented(), "手术知情同意书", [], orders=orders) == "not_applicable"
