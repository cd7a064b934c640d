from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assembly import open_checker
from app.qc.checks.demographics import age_of_code, age_of_name, sex_of_code
from app.records.readers.json_record import parse_record
from app.terms.codes import CodeRanges, has_form, plain_code, plain_level, plain_names
from app.terms.table import Term, store_table

DIAGNOSES = [
    Term("K80.100", "胆囊结石伴慢性胆囊炎"),
    Term("K80.200", "胆囊结石不伴胆囊炎"),
    Term("I10.x00", "特发性（原发性）高血压"),
    Term("I63.900", "脑梗死"),
    Term("A01.003+G01*", "伤寒并发脑膜炎"),
    Term("K76.800", "肝囊肿"),
]
OPERATIONS = [Term("51.2300", "腹腔镜下胆囊切除术", "三级"), Term("47.0100", "腹腔镜下阑尾切除术", "二级")]


@pytest.fixture
def with_tables(settings):
    at = datetime(2026, 5, 6, tzinfo=UTC)
    store_table(settings, "icd10", "icd10.csv", DIAGNOSES, at)
    store_table(settings, "icd9cm3", "icd9.csv", OPERATIONS, at)
    with open_checker(settings, use_model=False) as checker:
        yield checker


@pytest.fixture
def without_tables(settings):
    with open_checker(settings, use_model=False) as checker:
        yield checker


def ruling(checker, code, page):
    stay = parse_record({"record_id": "R1", "front_page": page}, "test")[0]
    report = checker.check_rule(checker.rules[code], stay)
    return (
        report.result.outcomes[code],
        report.reasons.get(code, ""),
        [f.message for f in report.result.findings],
    )


def main(name, code):
    return {
        "discharge_diagnosis_main": name,
        "discharge_diagnosis_main_code": code,
        "discharge_diagnosis_other": [],
    }


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("icd10", "I10", True),
        ("icd10", "I63.9", True),
        ("icd10", "K80.100x001", True),
        ("icd10", "A01.003+G01*", True),
        ("icd10", "A33.x", True),
        ("icd10", "M81400/3", True),
        ("icd10", "I63.", False),
        ("icd10", "I639", False),
        ("icd10", "i63.9", False),
        ("icd10", "163.9", False),
        ("icd10", "I1O", False),
        ("icd10", "I63,9", False),
        ("icd9cm3", "51.2300", True),
        ("icd9cm3", "36.0700x004", True),
        ("icd9cm3", "99.25", True),
        ("icd9cm3", "5.123", False),
        ("icd9cm3", "512300", False),
        ("icd9cm3", "51.23000", False),
    ],
)
def test_the_form_of_codes(kind, code, expected):
    assert has_form(kind, code) is expected


@pytest.mark.parametrize(
    ("ranges", "code", "inside"),
    [
        (["S00-T79"], "S72.000", True),
        (["S00-T79"], "T79.9", True),
        (["S00-T79"], "T80.0", False),
        (["O80-O84", "Z37"], "Z37.900", True),
        (["D07.4-D07.6"], "D07.500", True),
        (["D07.4-D07.6"], "D07", False),
        (["87-99"], "96.7200", True),
        (["87-99"], "51.23", False),
        (["C00-C97"], "c50.900", True),
        (["C00-C97"], "", False),
    ],
)
def test_ranges(ranges, code, inside):
    assert (code in CodeRanges(ranges)) is inside


@given(st.text(max_size=20))
def test_any_words_have_a_comparable_form(words):
    assert plain_code(plain_code(words)) == plain_code(words)
    for plain in plain_names(words):
        assert plain in plain_names(plain)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("高血压2级（高危）", "高血压2级(高危)"),
        ("胆囊结石伴有慢性胆囊炎", "胆囊结石合并慢性胆囊炎"),
        ("肺阿米巴病[阿米巴肺脓肿]", "阿米巴肺脓肿"),
        ("Ⅱ度房室传导阻滞", "2度房室传导阻滞"),
        ("未特指的霍乱", "霍乱"),
    ],
)
def test_names_written_in_two_ways(one, other):
    assert set(plain_names(one)) & set(plain_names(other))


def test_levels():
    assert [plain_level(each) for each in ("三级", "3", "Ⅲ级", " 3 级 ", "特级")] == ["三级"] * 4 + [None]


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        ("K80.100", "pass", ""),
        ("k80.100", "pass", ""),
        ("A01.003", "pass", ""),
        ("K80.101", "defect", "编码K80.101不在本院编码表中"),
        ("", "defect", "没有编码"),
    ],
)
def test_a_code_is_looked_up(with_tables, code, expected, words):
    page = {"coder": "己某", **main("胆囊结石伴慢性胆囊炎", code)}
    outcome, _, messages = ruling(with_tables, "P-211", page)
    assert outcome == expected
    assert words in "".join(messages)


def test_without_a_table_only_the_form_is_judged(without_tables):
    assert ruling(without_tables, "P-211", main("胆囊结石伴慢性胆囊炎", "K80.101"))[0] == "pass"
    assert ruling(without_tables, "P-211", main("胆囊结石伴慢性胆囊炎", "K80，1"))[0] == "defect"


def test_an_operation_code_is_looked_up(with_tables):
    page = {"coder": "己某", "operation_main": "腹腔镜下胆囊切除术", "operation_main_code": "51.2200"}
    assert ruling(with_tables, "P-303", page)[0] == "defect"
    assert ruling(with_tables, "P-303", {**page, "operation_main_code": "51.2300"})[0] == "pass"


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("胆囊结石伴慢性胆囊炎", "K80.100", "pass"),
        ("胆囊结石合并慢性胆囊炎", "K80.100", "pass"),
        ("高血压2级（高危）", "I10.x00", "pass"),
        ("右侧基底节区脑梗死", "I63.900", "pass"),
        ("肝囊肿", "I63.900", "defect"),
        ("胆囊结石伴慢性胆囊炎", "I63.900", "defect"),
        ("肾囊肿", "I63.900", "undetermined"),
        ("脑梗死", "I64.x00", "not_applicable"),
    ],
)
def test_a_name_against_its_code(with_tables, name, code, expected):
    assert ruling(with_tables, "P-212", main(name, code))[0] == expected


def test_without_a_table_the_reason_says_so(without_tables):
    outcome, reason, _ = ruling(without_tables, "P-212", main("肝囊肿", "K76.800"))
    assert (outcome, reason) == ("undetermined", "未导入本院编码表")


@pytest.mark.parametrize(
    ("level", "code", "expected"),
    [("三级", "51.2300", "pass"), ("2", "51.2300", "defect"), ("三级", "51.2200", "undetermined")],
)
def test_an_operation_level_against_the_table(with_tables, level, code, expected):
    page = {
        "operation_main": "腹腔镜下胆囊切除术",
        "operation_main_code": code,
        "operation_main_level": level,
    }
    assert ruling(with_tables, "P-308", page)[0] == expected


@pytest.mark.parametrize(
    ("kind", "code", "sex"),
    [
        ("icd10", "N40.x00", "男"),
        ("icd10", "D25.900", "女"),
        ("icd10", "O80.000", "女"),
        ("icd10", "C50.900", None),
        ("icd10", "N30.000", None),
        ("icd9cm3", "68.4100", "女"),
        ("icd9cm3", "60.2900", "男"),
        ("icd9cm3", "51.2300", None),
    ],
)
def test_codes_of_one_sex(kind, code, sex):
    assert sex_of_code(kind, code) == sex


@pytest.mark.parametrize(
    ("code", "age", "stage"),
    [
        ("P23.900", 28 / 365.25, None),
        ("P22.000", 28 / 365.25, None),
        ("P22.000", 29 / 365.25, "围产期"),
        ("O80.000", 29, None),
        ("O80.000", 71, "妊娠、分娩和产褥期"),
        ("N40.x00", 17, "成年或老年"),
        ("N40.x00", 18, None),
    ],
)
def test_codes_of_one_age(code, age, stage):
    assert age_of_code(code, age) == stage


@pytest.mark.parametrize(
    ("name", "age", "stage"),
    [
        ("新生儿肺炎", 0.05, None),
        ("新生儿肺炎", 1, "新生儿"),
        ("小儿腹泻", 63, "儿童"),
        ("新生儿窒息史", 3, None),
    ],
)
def test_names_of_one_age(name, age, stage):
    assert age_of_name(name, age) == stage
