"""What gives a person away is found with its exact place; what only looks like it is not."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.privacy.recognisers import RECOGNISERS, Kind, identifiers, is_id_number, recognise
from app.text.width import half_width


def found(text: str, kind: Kind) -> list[str]:
    return [identifier.span.of(text) for identifier in recognise(text) if identifier.kind is kind]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("身份证11010519491231002X。", [(3, 21)]),
        ("身份证11010519491231002x。", [(3, 21)]),
        ("身份证１１０１０５１９４９１２３１００２Ｘ。", [(3, 21)]),  # full width
        ("身份证号：110105491231002", [(5, 20)]),  # fifteen digits, with its label
        ("编码110105491231002", []),  # fifteen digits without it
        ("110105194912310021", []),  # wrong check digit
        ("110105194913310028", []),  # no thirteenth month
        ("211010519491231002X", []),  # nineteen characters
        ("A11010519491231002X", []),
        ("标本202605061020000123。", []),  # eighteen digits, no birth date
    ],
)
def test_id_numbers(text, spans):
    assert [tuple(i.span) for i in recognise(text) if i.kind is Kind.ID_NUMBER] == spans


def test_a_labelled_number_with_a_wrong_check_digit_still_does_not_stay():
    assert found("身份证110105194912310021。", Kind.NUMBER) == ["110105194912310021"]


@given(st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_no_id_number(place, by):
    good = "11010519491231002X"
    wrong = good[:place] + str((int(good[place]) + by) % 10) + good[place + 1 :]
    assert is_id_number(good)
    assert not is_id_number(wrong)


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("手机13800001234。", ["13800001234"]),
        ("家属：138-0000-1234", ["138-0000-1234"]),
        ("可拨+86 13800001234", ["+86 13800001234"]),
        ("１３８００００１２３４", ["１３８００００１２３４"]),
        ("座机0371-65551234转801", ["0371-65551234转801"]),
        ("(010)65551234", []),  # no blank after the bracket: a formula as likely as a number
        ("联系电话：65551234", ["65551234"]),
        ("电话随访3次", []),
        ("12800001234", []),  # no mobile begins with 128
        ("138000012345", []),  # twelve digits
        ("血小板139.12345678", []),
        ("0.13800001234", []),
        ("血压138/78mmHg，2026-05-06", []),
    ],
)
def test_phones(text, phones):
    assert found(text, Kind.PHONE) == phones


@pytest.mark.parametrize(
    ("text", "emails"),
    [("邮箱zhang.san@example.com。", ["zhang.san@example.com"]), ("q8h@3天", []), ("a@b", []), ("@某科", [])],
)
def test_emails(text, emails):
    assert found(text, Kind.EMAIL) == emails


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("住院号：ZY2026-005226", ["ZY2026-005226"]),
        ("住院号202605061020000123。", ["202605061020000123"]),
        ("病案号 BA0041826，", ["BA0041826"]),
        ("胸部CT（CT26-18731）：", ["CT26-18731"]),
        ("病理号：P26-02218", ["P26-02218"]),
        ("血袋号：0260512345", ["0260512345"]),
        ("车牌号：豫A·12345", ["豫A·12345"]),
        ("微信号：abc_1234", ["abc_1234"]),
        ("住院号：未知", []),
        ("CA19-9 37U/ml，CA125 12，NRS2002 1分，ICD I63.900", []),
        ("T12、L4-5椎体，G3P1，COVID-19，B12", []),
        ("D-二聚体0.45，LDL-C 3.12", []),
        ("卡号不详", []),
        ("血糖11.123456789012345", []),
    ],
)
def test_numbers(text, numbers):
    assert found(text, Kind.NUMBER) == numbers


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("现住址：观澜市桐溪区云岭路88号3栋2单元501室", ["观澜市桐溪区云岭路88号3栋2单元501室"]),
        ("籍贯：河北省保定市。", ["河北省保定市"]),
        ("工作单位：观澜纺织厂，职业", ["观澜纺织厂"]),
        ("家住浙江省杭州市西湖区，", ["浙江省杭州市西湖区"]),
        ("生于观澜市，久居本地", ["观澜市"]),
        ("在云岭路12号门前跌倒", ["在云岭路12号"]),
        ("住址：-", []),
        ("单位：mmol/L", []),
        ("右上腹压痛，胸前区隐痛，病区安静", []),
        ("神经内科三病区，第3号床", []),
        ("给药途径：静脉通路3条", []),
        ("四川口音，湖南菜", []),
        ("城市生活，乡村长大", []),
    ],
)
def test_addresses(text, addresses):
    assert found(text, Kind.ADDRESS) == addresses


@pytest.mark.parametrize(
    ("text", "hospitals"),
    [
        ("10:20到桐溪县人民医院，头颅CT", ["桐溪县人民医院"]),
        ("观澜市中心医院 急诊病历", ["观澜市中心医院"]),
        ("曾于云溪大学附属第一医院住院", ["云溪大学附属第一医院"]),
        ("在云岭路社区卫生服务中心取药", ["云岭路社区卫生服务中心"]),
        ("曾在当地医院就诊，后转我院", []),
        ("建议上级医院进一步诊治", []),
        ("外院查头颅CT", []),
        ("在某县医院行手术", []),
        ("患者拒绝住院", []),
    ],
)
def test_hospitals(text, hospitals):
    assert found(text, Kind.HOSPITAL) == hospitals


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("姓名：甄大川　性别：男", ["甄大川"]),
        ("姓 名：甄大川", []),  # a spaced label is found through the fields of the record
        ("姓名：买买提·艾力　性别", ["买买提·艾力"]),
        ("医师签名：祁远山　2026-05-06", ["祁远山"]),
        ("参加人员：岑伯衡主任医师、陶知夏、庾景行住院医师", ["岑伯衡", "陶知夏", "庾景行"]),
        ("术者：祁远山　一助：柏思齐　器械护士：闻莺", ["祁远山", "柏思齐", "闻莺"]),
        ("岑伯衡主任医师查房", ["岑伯衡"]),
        ("欧阳明月副主任医师会诊", ["欧阳明月"]),
        ("李主任指示", ["李"]),
        ("患者张三丰，男，63岁", ["张三丰"]),
        ("王小明，男，63岁，因腹痛入院", ["王小明"]),
        ("告知患者及其妻方若水，同意", ["方若水"]),
        ("患者女儿李晓燕签字", ["李晓燕"]),
        ("主任医师查房，主治医师记录", []),
        ("管床医师、值班医师已到", []),
        ("其母高血压，父亲糖尿病", []),
        ("患者高热，男性", []),
        ("患者：一夜安睡，无腹痛", []),
        ("家属表示理解", []),
        ("签名：未签", []),
        ("患者签名：　2026-05-06", []),
        ("姓名：\n性别：男", []),
        ("上级医师：同前", []),
        ("质控护士：", []),
        ("病史陈述者：患者本人，可靠", []),
        ("主治医师：骨质疏松明确", []),
        ("老年男性，63岁", []),
    ],
)
def test_names(text, names):
    assert found(text, Kind.NAME) == names


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("2026-05-12 15:06记录", ["2026-05-12 15:06"]),
        ("2026年5月6日、5月7日", ["2026年5月6日", "5月7日"]),
        ("2019年3月行手术", ["2019年3月"]),
        ("报告20260506", ["20260506"]),
        ("2019年行手术", []),  # a year alone tells little
        ("13月45日", []),
        ("血压120/80，第5天，3-5次", []),
        ("22026050612", []),
    ],
)
def test_dates(text, dates):
    assert found(text, Kind.DATE) == dates


def test_known_words_are_found_wherever_they_stand():
    text = "今日甄小舟来院，ZY26-1已核对，AZY26-1不是。"
    assert [i.span.of(text) for i in recognise(text, {"甄小舟", "ZY26-1"})] == ["甄小舟", "ZY26-1"]


def test_every_identifier_says_why_without_quoting():
    text = "姓名：甄大川，电话：13800001234，住址：观澜市云岭路8号，2026-05-06"
    for identifier in recognise(text):
        assert identifier.why
        assert identifier.span.of(text) not in identifier.why


PIECES = st.lists(
    st.sampled_from(
        ["姓名：", "甄大川", "患者", "，男，", "63岁", "主任医师", "身份证", "11010519491231002X", "138", "00001234",
         "住院号", "ZY2026-005226", "观澜市", "云岭路", "8号", "医院", "2026年5月6日", "05-06 10:20", "20260506", "\n", "　",
         "𬌗", "、", "：", "a@b.cn", "签名", "·", "3天", "-"]
    )
).map("".join)  # fmt: skip


@given(PIECES | st.text(max_size=60))
def test_spans_lie_in_order_in_the_text_without_overlap(text):
    spans = [identifier.span for identifier in recognise(text, {"甄大川", "ZY2026"})]
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(first.end <= second.start for first, second in pairwise(spans))


@pytest.mark.parametrize(
    "piece", ["患者于某路", "市", "张三李四", "1", "12-", "a.", "姓名：", "医院", " ", "男，"]
)
@pytest.mark.parametrize("find", RECOGNISERS)
@pytest.mark.timeout(120)
def test_no_text_takes_a_recogniser_long(find, piece):
    assert sum(1 for _ in find(half_width(piece * 10_000))) >= 0


def test_the_word_lists_have_no_double_entries():
    for name, words in identifiers().items():
        if isinstance(words, list):
            assert len(set(words)) == len(words), name
