"""Which document a stay calls for, and what stands in it."""

import pytest

from app.cli.main import main
from app.drafting.draft import NOT_GIVEN
from app.drafting.plan import PLANS, plan_for
from app.drafting.sources import Stay
from app.errors import UserError
from tests.drafting.stays import all_citations, finished, note, resolves, stay, words

DAY = {"admitted_at": "2026-05-06T10:00:00+08:00", "discharged_at": "2026-05-07T09:00:00+08:00"}
DIED = {
    "admitted_at": "2026-05-06T10:00:00+08:00",
    "died_at": "2026-05-08T03:12:00+08:00",
    "disposition": "死亡",
}
FIRST_NOTE = [
    note("D1", "首次病程记录", "主诉：腹痛2小时。\n现病史：2小时前饱餐后腹痛。", "2026-05-06T12:00:00+08:00")
]


def dying(**changes):
    documents = [
        *stay().model_dump(mode="json")["documents"][:2],
        note("D8", "抢救记录", "02:40突发意识丧失，心跳停止，予胸外按压、肾上腺素1mg静脉推注。"
             "03:12心电图呈直线，宣布临床死亡。死亡原因考虑重症肺炎、呼吸衰竭。", "2026-05-08T05:00:00+08:00"),
        note("D9", "死亡记录", "死亡原因：急性肺栓塞。", "2026-05-08T06:00:00+08:00"),
    ]  # fmt: skip
    diagnoses = [{"id": "DX1", "stage": "死亡", "name": "重症肺炎"}]
    return stay(**{"encounter": DIED, "documents": documents, "diagnoses": diagnoses} | changes)


@pytest.mark.parametrize(
    ("changes", "wanted", "drafted"),
    [
        ({}, None, "出院记录"),
        ({"encounter": DAY}, None, "出院记录"),  # an admission record is there
        ({"encounter": DAY, "documents": FIRST_NOTE}, None, "24小时内入出院记录"),
        ({"encounter": DAY | {"discharged_at": "2026-05-07T10:00:00+08:00"}, "documents": FIRST_NOTE}, None, "24小时内入出院记录"),
        ({"encounter": DAY | {"discharged_at": "2026-05-07T10:01:00+08:00"}, "documents": FIRST_NOTE}, None, "出院记录"),
        ({"encounter": DAY}, "24小时内入出院记录", "24小时内入出院记录"),
        ({"encounter": DIED}, None, "死亡记录"),
        ({"encounter": {"disposition": "死亡"}}, None, "死亡记录"),
        ({"encounter": DIED | {"died_at": "2026-05-06T20:00:00+08:00"}, "documents": FIRST_NOTE}, None, "24小时内入院死亡记录"),
        ({}, "阶段小结", "阶段小结"),
        ({}, "转科记录", "转科记录"),
    ],
)  # fmt: skip
def test_the_document_that_a_stay_calls_for(changes, wanted, drafted):
    assert plan_for(stay(**changes), wanted).document_type == drafted


@pytest.mark.parametrize(
    ("changes", "wanted", "reason"),
    [
        ({"encounter": DIED}, "出院记录", "已死亡"),
        ({}, "死亡记录", "没有死亡时间"),
        ({}, "24小时内入出院记录", "超过24小时"),
        ({}, "手术记录", "可以起草"),
        ({}, "其他", "可以起草"),
    ],
)
def test_documents_that_a_stay_does_not_call_for(changes, wanted, reason):
    with pytest.raises(UserError, match=reason):
        plan_for(stay(**changes), wanted)


def test_death_record():
    _, draft = finished(dying())
    assert [section.name for section in draft.sections] == [
        "入院日期", "死亡时间", "入院情况", "入院诊断", "诊疗经过", "死亡原因", "死亡诊断",
    ]  # fmt: skip
    assert words(draft, "死亡时间") == ["2026年5月8日3时12分"]
    assert words(draft, "死亡原因") == ["死亡原因考虑重症肺炎、呼吸衰竭。"]
    assert words(draft, "死亡诊断") == ["重症肺炎"]
    assert "肾上腺素1mg静脉推注" in "".join(words(draft, "诊疗经过"))
    assert all(resolves(dying(), citation) for citation in all_citations(draft))


def test_a_cause_of_death_is_never_inferred():
    _, draft = finished(stay(encounter=DIED, diagnoses=None))
    assert words(draft, "死亡原因") == words(draft, "死亡诊断") == [NOT_GIVEN]


def test_a_day_in_hospital():
    _, draft = finished(stay(encounter=DAY, documents=FIRST_NOTE))
    assert words(draft, "主诉") == ["腹痛2小时。"]
    assert words(draft, "入院情况") == ["2小时前饱餐后腹痛。"]


def test_interim_summary():
    documents = [
        *stay().model_dump(mode="json")["documents"][:2],
        note("D4", "日常病程记录", "患者精神可，体温37.1℃。明日复查血常规。拟行胸部CT。", "2026-05-10T09:00:00+08:00"),
    ]  # fmt: skip
    record = stay(
        documents=documents,
        encounter={"admitted_at": "2026-05-06T10:20:00+08:00"},
        diagnoses=None,
        orders=None,
    )
    _, draft = finished(record, document_type="阶段小结")
    assert words(draft, "小结日期") == ["截至2026年5月10日9时00分"]
    assert words(draft, "目前诊断") == ["右下肺炎"]
    assert words(draft, "诊疗计划") == ["明日复查血常规。", "拟行胸部CT。"]
    assert "患者精神可，体温37.1℃。" in words(draft, "目前情况")
    assert all(resolves(record, citation) for citation in all_citations(draft))


def test_corrected_diagnoses_stand_before_those_of_the_admission():
    diagnoses = [{"stage": "修正", "name": "肺结核"}, {"stage": "入院", "name": "右下肺炎"}]
    _, draft = finished(stay(diagnoses=diagnoses), document_type="阶段小结")
    assert words(draft, "目前诊断") == ["修正诊断：肺结核", "入院诊断：右下肺炎"]


def transferred():
    documents = [
        *stay().model_dump(mode="json")["documents"],
        note("D7", "转科记录", "患者已转入，病情平稳。", "2026-05-09T16:00:00+08:00"),
        note("D8", "日常病程记录", "氧合恶化，拟转入重症医学科。", "2026-05-09T10:00:00+08:00"),
    ]
    moved = {"from_department": "呼吸内科", "to_department": "重症医学科", "at": "2026-05-09T15:00:00+08:00"}
    return stay(
        documents=documents, encounter={"admitted_at": "2026-05-06T10:20:00+08:00", "transfers": [moved]}
    )


def test_transfer_record():
    _, draft = finished(transferred(), document_type="转科记录")
    assert words(draft, "转科日期") == ["2026年5月9日15时00分"]
    assert (words(draft, "转出科室"), words(draft, "转入科室")) == (["呼吸内科"], ["重症医学科"])
    assert "氧合恶化，拟转入重症医学科。" in words(draft, "转科目的及注意事项")


def test_nothing_after_the_transfer_is_told():
    plan = PLANS["转科记录"]
    told = Stay(transferred(), without=("转科记录",), until=plan.until(transferred()))
    assert {item.citation.document_id for item in told.course} == {"D2", "D8"}
    assert told.take_home  # an order without a time cannot be told to be later


def test_a_document_is_no_source_of_itself():
    _, draft = finished(dying())
    assert not any("肺栓塞" in text for section in draft.sections for text in words(draft, section.name))


def test_type_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "r.json"
    path.write_text(stay().model_dump_json(by_alias=True), "utf-8")
    out = str(tmp_path / "d.md")
    assert main(["draft", str(path), "--out", out, "--no-model", "--type", "阶段小结"]) == 0
    assert "# 阶段小结（草稿）" in (tmp_path / "d.md").read_text("utf-8")
    capsys.readouterr()
    assert main(["draft", str(path), "--out", out, "--no-model", "--type", "死亡记录"]) == 2
    assert "不应写死亡记录" in capsys.readouterr().err
