import json
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.qc.front_page import FrontPageView, chosen, items
from app.records.readers.json_record import parse_record


def record(page, **parts):
    return parse_record({"record_id": "R1", "front_page": page, **parts}, "test")[0]


def outcome(checker, code, page, **parts):
    return checker.check_rule(checker.rules[code], record(page, **parts)).result.outcomes[code]


@pytest.fixture
def page_rules(checker):
    return checker.limited_to([code for code in checker.rules if code.startswith("P-")])


STAY = {"admitted_at": "2026-05-06 10:20", "discharged_at": "2026-05-14 09:00"}


@pytest.mark.parametrize(
    ("choices", "written", "value"),
    [
        ("disposition", "1", "医嘱离院"),
        ("disposition", "1 医嘱离院", "医嘱离院"),
        ("disposition", "5.死亡", "死亡"),
        ("disposition", "1 死亡", "死亡"),
        ("disposition", "好转", None),
        ("disposition", "", None),
        ("rh", "(+)", "阳性"),
        ("incision", "II", "Ⅱ"),
        ("healing", "甲级", "甲"),
    ],
)
def test_values_in_their_several_forms(choices, written, value):
    assert chosen(choices, written) == value


@pytest.mark.parametrize(
    ("value", "text", "is_empty", "says"),
    [
        ("自费", "自费", False, True),
        ("-", "-", False, False),
        ("—", "-", False, False),
        ("", "", True, False),
        ("　", "", True, False),
        (None, "", True, False),
        ("null", "", True, False),
        (0, "0", False, True),
        (58.0, "58", False, True),
        ("Ａ１２", "A12", False, True),
    ],
)
def test_an_item_as_written(value, text, is_empty, says):
    entry = FrontPageView(record({"payment_method": value})).entry("payment_method")
    assert (entry.text, entry.is_empty, entry.says) == (text, is_empty, says)


def test_a_dash_is_no_answer_where_it_may_not_be():
    page = FrontPageView(record({"sex": "-", "payment_method": "-"}))
    assert page.entry("sex").is_empty
    assert not page.entry("payment_method").is_empty


def test_an_item_not_delivered_is_not_empty():
    assert not FrontPageView(record({"name": "林一舟"})).entry("sex").is_empty


@pytest.mark.parametrize("key", ["payment_method", "medical_payment_method", "付费方式"])
def test_every_name_of_an_item_is_read(key):
    assert FrontPageView(record({key: "自费"})).text("payment_method") == "自费"


def test_no_key_names_two_items():
    keys = [key for item in items().values() for key in item.keys]
    assert len(keys) == len(set(keys))


def test_diagnoses_that_the_page_does_not_code_come_from_the_record():
    page = FrontPageView(
        record(
            {"discharge_diagnosis_main": "高血压3级"},
            diagnoses=[
                {"stage": "出院", "rank": 1, "name": "脑梗死", "icd10": "I63.900"},
                {"stage": "出院", "rank": 2, "name": "高血压3级", "icd10": "I10"},
                {"stage": "初步", "rank": 1, "name": "头晕", "icd10": "R42"},
            ],
        )
    )
    assert page.main_diagnosis is not None
    assert (page.main_diagnosis.name, page.main_diagnosis.code) == ("高血压3级", "I10")


def test_numbers_and_times_that_are_none_stay_as_written():
    page = record({"length_of_stay": "-", "total_cost": "12,000元", "completed_at": "次日", "blood_type": 2})
    assert FrontPageView(page).entry("total_cost").number == 12000
    assert FrontPageView(page).entry("blood_type").choice == "B"
    assert FrontPageView(page).entry("length_of_stay").is_dash


def test_evidence_is_the_line_of_the_printed_page(checker):
    text = "姓名：林一舟　性别：男\n医疗付费方式：\n入院时间：2026-05-06 10:20　实际住院：9天"
    page = {"payment_method": "", "length_of_stay": 9}
    stay = record(page, encounter=STAY, documents=[{"id": "D1", "type": "病案首页", "text": text}])
    findings = {f.rule: f for f in checker.check(stay).result.findings if f.rule in ("P-103", "P-105")}
    assert [e.quote for e in findings["P-103"].evidence] == ["医疗付费方式："]
    assert [e.quote for e in findings["P-105"].evidence] == ["实际住院：9天", "入院时间：2026-05-06 10:20"]
    assert findings["P-105"].document_id == "D1"
    assert "2026-05-06入院、2026-05-14出院，为8天" in findings["P-105"].message


def test_all_empty_items_are_named_in_one_finding(checker):
    found = checker.check_rule(
        checker.rules["P-103"], record({"sex": "", "payment_method": None})
    ).result.findings
    assert [finding.message for finding in found] == ["首页付费方式、性别没有填写。"]


@pytest.mark.parametrize(
    ("born", "written", "expected"),
    [
        ("1961-05-06", "65", "pass"),
        ("1961-05-07", "65", "defect"),
        ("2000-02-29", "26岁", "pass"),
        ("2026-05-06", "0天", "pass"),
        ("2026-04-06", "1月", "pass"),
        ("2026-04-05", "2月", "defect"),
        ("2026-05-01", "5天", "pass"),
        ("2026-05-01", "5", "pass"),
        ("2026-05-01", "0", "pass"),
        ("2026-05-07", "0", "undetermined"),
        ("1961-05-06", "**", "undetermined"),
        ("1961-05-06", "成人", "undetermined"),
    ],
)
def test_age_by_birth_date(checker, born, written, expected):
    assert (
        outcome(checker, "P-110", {"age": written}, patient={"birth_date": born}, encounter=STAY) == expected
    )


@given(born=st.dates(date(1930, 1, 1), date(2026, 5, 6)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_the_right_age_is_never_a_defect(checker, born):
    on = date(2026, 5, 6)
    years = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    age = f"{years}岁" if years else f"{(on - born).days}天"
    parts = {"patient": {"birth_date": born.isoformat()}, "encounter": STAY}
    assert outcome(checker, "P-110", {"age": age}, **parts) == "pass"
    assert outcome(checker, "P-109", {"age": age}, **parts) == "pass"


@given(days=st.integers(0, 400), hour=st.integers(0, 23), other=st.integers(-3, 3).filter(bool))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_length_of_stay_counts_nights(checker, days, hour, other):
    left = date(2026, 5, 6) + timedelta(days=days)
    encounter = {"admitted_at": "2026-05-06 23:59", "discharged_at": f"{left}T{hour:02}:00:00+08:00"}
    if days == 0:
        encounter["admitted_at"] = "2026-05-06 00:00"
    assert outcome(checker, "P-105", {"length_of_stay": days}, encounter=encounter) == "pass"
    expected = "pass" if days + other in (0, 1) and days == 0 else "defect"
    assert outcome(checker, "P-105", {"length_of_stay": days + other}, encounter=encounter) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("家属要求自动出院，签字后离院。", "defect"),
        ("患者自动出院。", "defect"),
        ("家属拒绝自动出院。", "pass"),
        ("若患者自动出院，风险自负。", "pass"),
        ("既往曾自动出院。病情好转出院。", "pass"),
        ("患者要求出院，予以出院。", "pass"),
        ("建议转往上级医院继续治疗，家属要求先回家。", "pass"),
        ("转往省立医院继续治疗。", "defect"),
    ],
)
def test_how_the_discharge_record_tells_it(checker, text, expected):
    documents = [{"id": "D1", "type": "出院记录", "text": f"出院情况：{text}"}]
    assert outcome(checker, "P-108", {"disposition": "医嘱离院"}, documents=documents) == expected


@pytest.mark.parametrize(
    ("advice", "expected"),
    [
        ("3周后再次入院化疗。", "defect"),
        ("一月后返院手术。", "defect"),
        ("31天后入院行第2次化疗。", "defect"),
        ("2月后返院手术。", "pass"),
        ("1周后门诊复查。", "pass"),
        ("必要时再次入院。", "pass"),
        ("如3天后仍发热则再次入院。", "pass"),
        ("1周内出现腹痛立即再次入院。", "pass"),
        ("注意休息1周。", "pass"),
    ],
)
def test_a_planned_readmission(checker, advice, expected):
    text = f"入院情况：发热3天后入院。\n出院医嘱：{advice}"
    documents = [{"id": "D1", "type": "出院记录", "text": text}]
    page = {"readmission_plan_31_days": "无", "readmission_purpose": "-"}
    assert outcome(checker, "P-115", page, documents=documents) == expected


@pytest.mark.parametrize(
    ("fees", "total", "expected"),
    [
        ({"nursing": 400, "western_medicine": 600}, 1000, "pass"),
        ({"nursing": 400, "western_medicine": 599}, 1000, "pass"),
        ({"nursing": 400, "western_medicine": 598.99}, 1000, "defect"),
        (
            {"nursing": "400.00", "western_medicine": "600元", "other": None, "imaging": "-"},
            "1,000.00",
            "pass",
        ),
        ({"surgical_treatment": 1000, "surgery": 700, "anesthesia": 300}, 1000, "pass"),
        ({"nursing": "4**", "western_medicine": 600}, 1000, "undetermined"),
        ({}, 1000, "undetermined"),
        ([], 1000, "undetermined"),
    ],
)
def test_fees_add_up(checker, fees, total, expected):
    assert outcome(checker, "P-113", {"fees": fees, "total_cost": total}) == expected


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10**6) | st.floats(allow_nan=True) | st.text(max_size=12)
    | st.sampled_from(["-", "1", "2026-05-06", "2026-05-06 10:20", "S06.200", "死亡", "3***", "有"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "code", "date"]), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip
NAMED = {"discharge_diagnosis_main", "operation_main", "length_of_stay", "blood_type", "rh", "drug_allergy", "completed_at", "total_cost"}  # fmt: skip
PAGES = st.fixed_dictionaries(
    {},
    optional={
        key: st.text(max_size=8) | st.integers(0, 99) | st.none() if key in NAMED else ANYTHING
        for key in items()
    },
)


@given(page=PAGES, is_over=st.booleans())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=80,
    deadline=None,
)
def test_no_page_breaks_a_rule(page_rules, page, is_over):
    encounter = STAY if is_over else {"admitted_at": "2026-05-06 10:20"}
    parts = {
        "patient": {"birth_date": "2026-05-01"},
        "encounter": encounter,
        "allergies": [{"substance": "青霉素"}],
    }
    outcomes = page_rules.check(
        record(page, procedures=[{"kind": "手术", "name": "阑尾切除术"}], **parts)
    ).result.outcomes
    assert {code for code, given in outcomes.items() if given == "error"} == set()


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("01", set()), ("02", set()), ("03", set()), ("04", {"P-103"})],
)
def test_the_example_stays(page_rules, examples, prefix, expected):
    path = next(examples.glob(f"{prefix}-*.json"))
    stay = parse_record(json.loads(path.read_text("utf-8")), path.name)[0]
    assert {finding.rule for finding in page_rules.check(stay).result.findings} == expected
