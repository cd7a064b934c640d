"""One call a draft, as the program's faces use it; and what the first reading of fifty sentences mended."""

from datetime import datetime

import pytest

from app.cli.draft import _coverage
from app.drafting.assemble import without_own_day
from app.drafting.checks import run_checks
from app.drafting.compose import numbered
from app.drafting.drafter import open_drafter
from app.drafting.missing import Coverage, loses_day
from app.drafting.normal import NormalText
from app.drafting.plan import narrated
from app.drafting.sources import SourceItem, Stay
from app.drafting.verify import verify
from app.drafting.write import WrittenSentence
from app.labelling.found import judge
from app.labelling.json_file import read
from app.records.model import CHINA_TIME
from app.settings import Settings
from tests.drafting.stays import drafted_by, finished, note, saying, stay, words


def item(text, at="2026-05-08"):
    return SourceItem(text, None, datetime.fromisoformat(at).replace(tzinfo=CHINA_TIME), "state", 3, "")


def test_sentences_are_handed_over_in_order_while_the_draft_grows(tmp_path):
    shown = []
    with open_drafter(Settings(data_dir=tmp_path), use_model=False) as drafter:
        drafted = drafter.draft(stay(), on_sentence=shown.append)
    told = [(section.name, s) for section in drafted.draft.sections for s in section.sentences]
    assert [(placed.section, placed.sentence) for placed in shown] == told
    assert shown[0].section == "入院日期"
    assert drafted.draft.model is None
    assert drafted.failures == ()
    assert judge(read(drafted.draft.model_dump_json().encode()), drafted.key).status == "whole"


@pytest.mark.parametrize(
    ("found", "told"),
    [(Coverage(0, ()), "无须核对"), (Coverage(4, ()), "未提及0条（覆盖100%）")],
)
def test_coverage_of_nothing_is_no_hundred_per_cent(found, told):
    assert told in _coverage(found)


@pytest.mark.parametrize(
    ("source", "claim", "verdict"),
    [
        ("（2026-05-08）昨日行胸腔穿刺术，过程顺利。", "5月7日行胸腔穿刺术，过程顺利。", "supported"),
        ("（2026-05-08）昨日行胸腔穿刺术，过程顺利。", "5月8日行胸腔穿刺术，过程顺利。", "not_supported"),
        ("（2026-05-01）前日发热，今晨体温正常。", "4月29日发热，5月1日体温正常。", "supported"),
        ("（2026-05-01）前日发热，今晨体温正常。", "4月30日发热。", "not_supported"),
        ("（2026-01-01）昨晚23:00突发胸痛。", "2025年12月31日23:00突发胸痛。", "supported"),
        ("（2026-05-08）患者拟明日行胸腔穿刺术。", "5月9日行胸腔穿刺术。", "not_supported"),
        ("（2026-05-08）患者拟明日行胸腔穿刺术。", "拟5月9日行胸腔穿刺术。", "supported"),
        ("（2026-05-08）术前日禁食。", "5月6日禁食。", "not_supported"),
        ("（2026-05-08）手术后次日发热。", "5月9日发热。", "not_supported"),
        ("发病第7天，停用阿司匹林。", "7天停用阿司匹林。", "not_supported"),
        ("发病第7天，停用阿司匹林。", "发病第7天停用阿司匹林。", "supported"),
        ("体温正常7天。", "体温正常第7天。", "not_supported"),
        ("pH 7.26，PaCO2 88mmHg。", "pH7.26，PaCO2 88mmHg。", "supported"),
        ("pH 7.26，PaCO2 88mmHg。", "pH7.36，PaCO2 88mmHg。", "not_supported"),
        ("（2026-01-22）突发右侧呼吸音消失。", "1月22日：突发右侧呼吸音消失。", "supported"),
    ],
)
def test_verdicts(source, claim, verdict):
    assert verify(claim, [source]).verdict == verdict


def test_names_that_only_begin_like_a_disease():
    looked = {
        c.name: c.outcome
        for c in run_checks(NormalText.of("胎盘病理、肿瘤标志物、癌胚抗原、病情"), NormalText.of("x"))
    }
    assert looked["diagnoses"] == "not_applicable"


@pytest.mark.parametrize(
    ("text", "source", "shown"),
    [
        ("5月8日体温36.6℃，好转。", "体温36.6℃，好转", "体温36.6℃，好转。"),
        ("加用甲泼尼龙40mg，5月8日。", "加用甲泼尼龙40mg", "加用甲泼尼龙40mg。"),
        ("2026-05-08痰培养转阴，01-30停用。", "痰培养转阴，01-30停用", "痰培养转阴，01-30停用。"),
        ("5月8日手术。", "5月8日手术", "5月8日手术。"),
        ("15月8日，5月18日。", "无", "15月8日，5月18日。"),
        ("疼痛评分5-8分。", "疼痛评分5-8分", "疼痛评分5-8分。"),
    ],
)
def test_the_day_of_the_note_is_told_once(text, source, shown):
    assert without_own_day(WrittenSentence(text, (item(source),))) == shown


@pytest.mark.parametrize(
    ("source", "text", "loses"),
    [
        ("昨日心电监护见房颤。", "心电监护见房颤。", True),
        ("昨日心电监护见房颤。", "昨日心电监护见房颤。", False),
        ("昨日心电监护见房颤。", "5月7日心电监护见房颤。", False),
        ("昨日心电监护见房颤。", "患者咳嗽好转。", False),
        ("今晨心电监护见房颤。", "心电监护见房颤。", False),
    ],
)
def test_another_day_than_the_note_s_is_not_lost(source, text, loses):
    assert loses_day(item(source), NormalText.of(text)) is loses


def test_a_sentence_that_loses_its_day_gives_way_to_its_source(tmp_path):
    told = "昨日心电监护提示房颤，最快142次/分。患者咳嗽较前减轻，停用氨溴索。"
    record = stay(documents=[note("D2", "日常病程记录", told, "2026-05-08T09:00:00+08:00")], lab_results=None)
    with saying(("心电监护提示房颤，最快142次/分，咳嗽较前减轻，停用氨溴索。", [1, 2])) as server:
        drafting, draft = drafted_by(server, record, tmp_path)
    assert [removed.reason for removed in drafting.tally.replaced] == ["漏写了出处中的日期"]
    assert any("昨日心电监护提示房颤" in text for text in words(draft, "诊疗经过"))


def lab(number, day, value, flag):
    return {"id": f"L{number}", "panel": "血常规", "item": "血红蛋白", "value": value, "unit": "g/L", "flag": flag,
            "sampled_at": f"2026-05-{day:02}T07:00:00+08:00"}  # fmt: skip


@pytest.mark.parametrize(("flag", "worst"), [("低", "62"), ("高", "98")])
def test_the_worst_of_several_values_is_told(flag, worst):
    labs = [lab(n, 6 + n, value, flag) for n, value in enumerate(("80", "75", "62", "98", "90"))]
    _, draft = finished(stay(lab_results=labs))
    (told,) = [text for text in words(draft, "诊疗经过") if "血红蛋白" in text]
    assert f"日{worst}g/L" in told
    assert "日80g/L" in told
    assert "日90g/L" in told


def test_implants_and_blood_of_an_operation_are_told():
    operation = {"id": "P1", "name": "髋关节置换术", "laterality": "右", "anesthesia": "腰麻", "started_at": "2026-05-08T09:00:00+08:00",
                 "implants": [{"name": "人工髋臼"}, {"name": "股骨柄"}], "blood_units": 2}  # fmt: skip
    _, draft = finished(stay(procedures=[operation]))
    assert "2026年5月8日在腰麻下行髋关节置换术（右侧），植入人工髋臼、股骨柄，输血2单位。" in words(
        draft, "诊疗经过"
    )


@pytest.mark.parametrize(("disposition", "is_told"), [("医嘱转院", True), ("医嘱离院", False)])
def test_leaving_for_another_hospital_is_told(disposition, is_told):
    encounter = stay().encounter.model_copy(update={"disposition": disposition})
    _, draft = finished(stay().model_copy(update={"encounter": encounter}))
    assert (f"离院方式：{disposition}。" in words(draft, "出院情况")) == is_told


@pytest.mark.parametrize(
    ("second", "is_told"), [("手术顺利，出血约80ml，未输血。", True), ("出血约80ml，未输血。", False), ("出血约90ml，未输血。", True)]
)  # fmt: skip
def test_what_a_longer_sentence_of_the_day_says_is_not_told_twice(second, is_told):
    first = "患者今日在全身麻醉下行阑尾切除术，手术历时30分钟，出血约80ml，未输血，安返病房。"
    notes = [
        note("D2", "术后首次病程记录", first, "2026-05-08T09:00:00+08:00"),
        note("D3", "手术记录", f"手术经过：{second}", "2026-05-08T10:00:00+08:00"),
    ]
    told = [each.text for each in narrated(Stay(stay(documents=notes)))]
    assert first in told
    assert (second in told) == is_told


@pytest.mark.parametrize(
    ("number", "name", "line"), [(1, "肺炎", "1.肺炎"), (2, "2型糖尿病", "2. 2型糖尿病")]
)
def test_a_list_number_does_not_run_into_a_name(number, name, line):
    assert numbered(number, name) == line


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("柏思齐主治医师查房：患者无腹痛，体温正常，症状好转。", "患者无腹痛，体温正常，症状好转。"),
        ("患者诉查房：不适，症状好转。", "患者诉查房：不适，症状好转。"),
    ],
)
def test_who_made_the_round_is_no_part_of_the_sentence(text, quote):
    record = stay(documents=[note("D2", "上级医师查房记录", text, "2026-05-08T09:00:00+08:00")])
    items = Stay(record).course
    assert [each.text for each in items] == [quote]
    assert items[0].citation.quote == quote
