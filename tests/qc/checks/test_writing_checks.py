import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.writing import (
    CompletionTimeMissing,
    DocumentEmpty,
    PlaceholderLeft,
    TimeFormat,
    Untidy,
    WrongWords,
)
from app.records.model import MedicalRecord

KIND = "日常病程记录"


def ruling(check, text, **document):
    documents = [{"id": "D1", "type": KIND, "text": text, **document}]
    return check.rule_on(
        Case(MedicalRecord.model_validate({"record_id": "R", "documents": documents})), (KIND,)
    )


def quotes(check, text, **document):
    return [e.quote for hit in ruling(check, text, **document).hits for e in hit.evidence]


@pytest.mark.parametrize(
    ("text", "is_empty"),
    [
        ("", True),
        (" \n　", True),
        ("日常病程记录\n医师签名：林一舟", True),
        ("查房意见：\n诊疗计划：", True),
        ("患者今日无发热咳嗽", True),
        ("患者今日无发热咳嗽痰", False),
        ("诊疗计划：" + "继续目前治疗方案观察", False),
        ("T 36.5℃ P 78次/分", True),
    ],
)
def test_empty_documents(text, is_empty):
    assert (ruling(DocumentEmpty(), text).outcome == "defect") is is_empty


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("5月6日下午3点查房\n无不适", "下午3点"),
        ("2026-05-06 下午15:00\n无不适", None),
        ("2026-05-06 3:00 PM\n无不适", "3:00 PM"),
        ("2026-05-06 上午９:30\n无不适", "上午９:"),
        ("2026-05-06 15:00\n昨日下午3点腹痛", None),
        ("患者昨日，下午3点起腹痛", None),
        ("五月六日 病程记录", "五月六日"),
        ("5月6日 15:00\n无不适", "5月6日"),
        ("05-06 15:00\n无不适", "05-06"),
        ("患者于5月6日就诊", None),
        ("*月*日下午*点\n无不适", None),
        ("2026年5月6日 15时00分\n无不适", None),
        ("2026-05-06\n讨论时间：晚8点", "晚8点"),
    ],
)
def test_times_of_record(text, found):
    assert quotes(TimeFormat(), text) == ([found] if found else [])


def test_a_year_that_data_give_need_not_be_written():
    assert ruling(TimeFormat(), "5月6日 15:00\n无不适", written_at="2026-05-06 15:00").outcome == "pass"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("右肺可闻及XX啰音", ["XX"]),
        ("右肺可闻及ＸＸ啰音", ["ＸＸ"]),
        ("发热xx天", ["xx"]),
        ("核型46,XX", []),
        ("核型：46，XX", []),
        ("凝血因子XIII", []),
        ("结节约3×4×5mm", []),
        ("住院号******", []),
        ("拟行______术", ["______"]),
        ("患者签名：______", []),
        ("日期：____年__月__日", []),
        ("主诉{主诉}", ["{主诉}"]),
        ("P53{D*}（+）", []),
        ("【请填写体征】", ["【请填写体征】"]),
        ("【入院诊断】脑梗死", []),
        ("请选择合适的时机手术", []),
        ("标识：□有 □无", ["□有 □无"]),
        ("标识：☑有 □无", []),
        ("标识：□有\n过敏：☑无", ["□有"]),
    ],
)
def test_placeholders(text, found):
    assert quotes(PlaceholderLeft(), text) == found


WORDS = WrongWords(words={"即往史": "既往史", "愈后": "预后", "罗音": "啰音"}, inside=("治愈后",))


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("即往史：无", "“即往史”应为“既往史”"),
        ("治愈后出院，愈后良好", "“愈后”应为“预后”"),
        ("患者说“即往史”", None),
        ("闻及罗音，罗音散在", "“罗音”应为“啰音”"),
        ("既往史：无", None),
    ],
)
def test_wrong_words(text, changes):
    hits = ruling(WORDS, text).hits
    assert [hit.details["changes"] for hit in hits] == ([changes] if changes else [])


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("目前诊断：1.脑梗死 2.高血压 3.冠心病 3.糖尿病", ["目前诊断编号重复（3）"]),
        ("目前诊断：1.脑梗死 3.高血压", ["目前诊断编号跳号（3）"]),
        ("目前诊断：1.脑梗死 2.高血压2级 3.2型糖尿病 4.冠心病", []),
        ("目前诊断：1.右肺占位（1.5cm） 2.高血压", []),
        ("目前诊断：1、脑梗死；2、高血压\n修正诊断：1、脑出血", []),
        ("目前诊断：第3、4、5肋骨骨折", []),
        ("病理诊断：1.腺癌。3.淋巴结未见癌。", []),
        (f"{'今日体温正常腹部无压痛' * 2}。\n{'今日体温正常腹部无压痛' * 2}。", ["同一段落重复出现"]),
        ("今日体温正常腹部无压痛" * 6, ["整段没有标点"]),
        ("今日体温正常腹部无压痛" * 6 + "。", []),
    ],
)
def test_untidy(text, problems):
    assert [hit.details["problem"] for hit in ruling(Untidy(), text).hits] == problems


def test_times_of_completion_are_judged_only_where_the_source_gives_any():
    check = CompletionTimeMissing()
    assert ruling(check, "无不适。").outcome == "undetermined"
    assert ruling(check, "无不适。", written_at="2026-05-06 15:00").outcome == "pass"


@given(st.text(alphabet="患者，。；：\n \u3000X□{}_【】“”1.、签名下午3点月日年℃𬌗", max_size=80))
def test_evidence_is_verbatim_whatever_the_text(text):
    for check in (DocumentEmpty(), TimeFormat(), PlaceholderLeft(), WORDS, Untidy()):
        for hit in ruling(check, text).hits:
            assert all(text[e.start : e.end] == e.quote for e in hit.evidence)
