from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.records.model import DOCUMENT_TYPES, DocumentType
from app.text.sections import is_blank, section, split_sections


def named(text: str, kind: DocumentType = "入院记录") -> list[tuple[str, str]]:
    return [(each.name, each.body.of(text)) for each in split_sections(text, kind)]


@pytest.mark.parametrize(
    "text",
    [
        "主诉：头痛3天",
        "主诉:头痛3天",
        "主 诉：头痛3天",
        "主　诉：头痛3天",
        "【主诉】头痛3天",
        "【主诉】：头痛3天",
        "[主诉]：头痛3天",
        "1.主诉：头痛3天",
        "1、主诉：头痛3天",
        "（1）主诉：头痛3天",
        "一、主诉：头痛3天",
        "（一）主诉：头痛3天",
        "（一）主诉\n头痛3天",
        "①主诉：头痛3天",
        "主诉 头痛3天",
        "主 诉 头痛3天",
        "主诉\n头痛3天",
        "  主诉：头痛3天",
        "**主诉**：头痛3天",
        "## 主诉\n头痛3天",
        "主诉（患者本人述）：头痛3天",
        "患者主诉：头痛3天",
    ],
)
def test_heading_is_found_in_every_form(text: str) -> None:
    assert named(text) == [("主诉", "头痛3天")]


@pytest.mark.parametrize(
    "text",
    [
        "主诉头痛3天",
        "患者主诉头痛。",
        "患者既往史不详。",
        "追问既往史无特殊。",
        "补充既往史：有青霉素过敏",
        "详见现病史。",
        "颈部：无抵抗。腹部：平软。",
        "外院辅助检查：头颅CT未见异常",
        "头晕、呕吐，既往史：不详",
        "其诊断：脑梗死",
        "T：36.5℃",
    ],
)
def test_words_that_are_no_heading(text: str) -> None:
    assert [name for name, _ in named(text)] == [""]


def test_headings_inside_a_running_paragraph() -> None:
    text = (
        "主诉：咳嗽3天。现病史：受凉后起病，患者主诉胸闷。既往史：体健。 个人史：无烟酒嗜好；2.家族史：无。"
    )
    assert named(text) == [
        ("主诉", "咳嗽3天。"),
        ("现病史", "受凉后起病，患者主诉胸闷。"),
        ("既往史", "体健。"),
        ("个人史", "无烟酒嗜好；"),
        ("家族史", "无。"),
    ]


def test_items_on_one_line() -> None:
    text = "姓名：甲某 性别：女　年龄：48岁  民族：汉族\n病史叙述者：本人"
    assert [name for name, _ in named(text)] == ["姓名", "性别", "年龄", "民族", "病史陈述者"]
    assert named(text)[1] == ("性别", "女")


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("既往病史", "既往史"),
        ("婚姻史", "婚育史"),
        ("初始诊断", "初步诊断"),
        ("病史叙述者", "病史陈述者"),
        ("专科情况", "专科检查"),
        ("实验室检查", "辅助检查"),
        ("辅助检查及特检", "辅助检查"),
        ("入院时间", "入院日期"),
        ("查体", "体格检查"),
    ],
)
def test_aliases(written: str, canonical: str) -> None:
    text = f"{written}：内容"
    assert named(text) == [(canonical, "内容")]
    found = section(split_sections(text), written)
    assert found is not None
    assert found.heading.of(text) == written


def test_inner_headings_of_the_examination_are_no_sections() -> None:
    text = "体格检查：\n一般情况：发育正常。\n颈部：软。腹部：平软。\n生命体征：平稳。\n专科检查：无特殊。"
    assert [name for name, _ in named(text)] == ["体格检查", "专科检查"]


def test_history_inside_the_case_features_belongs_to_them() -> None:
    text = "一、病例特点：\n1.主诉：头痛3天。\n2.查体：颈软。\n3.辅助检查：CT无异常。\n二、初步诊断：头痛\n三、诊断依据：1.主诉：头痛。"
    assert [name for name, _ in named(text, "首次病程记录")] == ["病例特点", "初步诊断", "诊断依据"]


def test_a_weak_name_heads_a_section_only_in_its_document_and_at_a_line_start() -> None:
    assert named("诊断：脑梗死", "出院记录")[0][0] == "出院诊断"
    assert named("诊断：脑梗死", "死亡记录")[0][0] == "死亡诊断"
    assert named("诊断：脑梗死", "其他")[0][0] == ""
    assert [name for name, _ in named("辅助检查：外院病理。诊断：腺癌", "入院记录")] == ["辅助检查"]


def test_one_heading_for_two_sections_gives_both() -> None:
    text = "月经婚育史：适龄结婚。\n个人史、家族史：无特殊。"
    assert named(text) == [
        ("婚育史", "适龄结婚。"),
        ("月经史", "适龄结婚。"),
        ("个人史", "无特殊。"),
        ("家族史", "无特殊。"),
    ]


def test_repeated_headings_are_kept_in_order_but_not_their_echo() -> None:
    assert named("主诉：\n现病史：甲\n主诉：乙") == [("主诉", ""), ("现病史", "甲"), ("主诉", "乙")]
    assert named("家族史： 家族史：无。") == [("家族史", "家族史：无。")]
    text = "主诉：\n现病史：甲\n主诉：乙"
    filled = section(split_sections(text), "主诉")
    assert filled is not None
    assert filled.body.of(text) == "乙"


def test_text_before_the_first_heading() -> None:
    assert named("入院记录\n主诉：头痛") == [("", "入院记录"), ("主诉", "头痛")]
    assert named(" \n　主诉：头痛") == [("主诉", "头痛")]
    assert named(" \n") == []


def test_section_takes_the_first_name_that_is_there() -> None:
    sections = split_sections("诊断依据：甲\n鉴别诊断：乙")
    found = section(sections, "拟诊讨论", "鉴别诊断", "诊断依据")
    assert found is not None
    assert found.name == "鉴别诊断"
    assert section(sections, "主诉") is None


# 病历书写基本规范 第十三至二十六条: what each document has to hold.
REQUIRED: dict[DocumentType, str] = {
    "门(急)诊病历": "就诊时间 科别 主诉 现病史 既往史 体格检查 辅助检查 诊断 治疗意见 医师签名",
    "入院记录": "姓名 性别 年龄 民族 婚姻状况 出生地 职业 入院时间 记录时间 病史陈述者 主诉 现病史 既往史 个人史 婚育史 月经史 "
    "家族史 体格检查 专科情况 辅助检查 初步诊断 医师签名",
    "再次或多次入院记录": "主诉 现病史 既往史 个人史 婚育史 月经史 家族史 体格检查 专科情况 辅助检查 初步诊断",
    "24小时内入出院记录": "姓名 性别 年龄 职业 入院时间 出院时间 主诉 入院情况 入院诊断 诊疗经过 出院情况 出院诊断 出院医嘱 医师签名",
    "24小时内入院死亡记录": "姓名 入院时间 死亡时间 主诉 入院情况 入院诊断 诊疗（抢救）经过 死亡原因 死亡诊断 医师签名",
    "首次病程记录": "病例特点 拟诊讨论 初步诊断 诊断依据 鉴别诊断 诊疗计划",
    "日常病程记录": "病情变化 辅助检查 诊疗措施",
    "上级医师查房记录": "补充的病史和体征 病情分析 诊断依据 鉴别诊断 诊疗计划 诊疗意见",
    "疑难病例讨论记录": "讨论日期 主持人 参加人员 具体讨论意见 主持人小结意见",
    "交接班记录": "入院日期 交班日期 姓名 主诉 入院情况 入院诊断 诊疗经过 目前情况 目前诊断 交班注意事项 医师签名",
    "转科记录": "入院日期 转出日期 转出科室 转入科室 主诉 入院情况 入院诊断 诊疗经过 目前情况 目前诊断 转科目的及注意事项 医师签名",
    "阶段小结": "入院日期 小结日期 姓名 主诉 入院情况 入院诊断 诊疗经过 目前情况 目前诊断 诊疗计划 医师签名",
    "抢救记录": "病情变化情况 抢救时间及措施 参加抢救人员姓名及职称",
    "有创诊疗操作记录": "操作名称 操作时间 操作步骤 操作结果及患者一般情况 术后注意事项 操作医师签名",
    "会诊记录": "病情及诊疗情况 会诊理由和目的 会诊意见 会诊科别 会诊时间 申请医师签名",
    "术前小结": "简要病情 术前诊断 手术指征 拟施手术名称和方式 拟施麻醉方式 注意事项 手术者术前查看患者情况",
    "术前讨论记录": "术前准备情况 手术指征 手术方案 可能出现的意外及防范措施 参加者 具体讨论意见 主持人小结 讨论日期 记录者",
    "麻醉术前访视记录": "一般情况 简要病史 辅助检查 拟行手术方式 拟行麻醉方式 麻醉适应证及注意问题 术前麻醉医嘱",
    "麻醉记录": "术前特殊情况 麻醉前用药 术前诊断 术中诊断 手术方式及日期 麻醉方式 麻醉诱导 特殊情况及处理",
    "手术记录": "手术日期 术前诊断 术中诊断 手术名称 手术者 助手 麻醉方法 手术经过 术中出现的情况及处理",
    "手术安全核查记录": "患者身份 手术部位 手术方式 麻醉方式 手术及麻醉风险 物品清点 血型",
    "手术清点记录": "姓名 住院号 手术日期 手术名称 器械敷料数量 巡回护士 器械护士",
    "术后首次病程记录": "手术时间 术中诊断 麻醉方式 手术方式 手术简要经过 术后处理措施 术后应当特别注意观察的事项",
    "麻醉术后访视记录": "一般情况 麻醉恢复情况 清醒时间 术后医嘱 是否拔管",
    "出院记录": "入院日期 出院日期 入院情况 入院诊断 诊疗经过 出院诊断 出院情况 出院医嘱 医师签名",
    "死亡记录": "入院日期 死亡时间 入院情况 入院诊断 诊疗经过 死亡原因 死亡诊断",
    "死亡病例讨论记录": "讨论日期 主持人 参加人员 具体讨论意见 主持人小结意见 记录者",
    "病危(重)通知书": "姓名 性别 年龄 科别 目前诊断及危重情况 患方签名 医师签名",
    "手术知情同意书": "术前诊断 手术名称 并发症 手术风险 患者签署意见 患者签名 经治医师签名",
    "麻醉知情同意书": "病案号 术前诊断 拟行手术方式 拟行麻醉方式 基础疾病及特殊情况 拟行有创操作和监测 麻醉风险 麻醉医师签名",
    "输血治疗知情同意书": "诊断 输血指征 拟输成份 输血前有关检查结果 风险及不良后果 患者签署意见 医师签名",
    "特殊检查(治疗)同意书": "项目名称 目的 并发症 风险 患者签名 医师签名",
    "授权委托书": "委托人 受托人 与患者关系 授权事项",
    "输血记录": "输血指征 输血成分 血型 输血时间 输血过程 输血反应 输血疗效评价",
    "护理记录": "姓名 科别 住院号 床号 页码 出入液量 生命体征 护理措施和效果 护士签名",
}


@pytest.mark.parametrize(("kind", "elements"), REQUIRED.items())
def test_every_required_element_is_found_as_a_section(kind: DocumentType, elements: str) -> None:
    words = elements.split()
    text = "\n".join(f"{word}：内容{number}" for number, word in enumerate(words))
    found = split_sections(text, kind)
    bodies = [each.body.of(text) for each in found]
    missing = [
        word for number, word in enumerate(words) if not any(body == f"内容{number}" for body in bodies)
    ]
    # An element may be told inside another (体格检查 in 病情变化), but never be lost between two.
    assert missing == []


def test_the_table_covers_every_document_with_text_of_its_own() -> None:
    assert set(DOCUMENT_TYPES) - set(REQUIRED) == {"病案首页", "其他"}


@pytest.mark.parametrize(
    "text", ["", " \n　", "None", "null", "[]", "['']", "-", "—", "/", "____", "：", "空", "“”", "………"]
)
def test_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["无", "否认", "不详", "*", "T", "0", "未见异常", "空腹血糖", "None明显"])
def test_not_blank(text: str) -> None:
    assert not is_blank(text)


_PIECES = [
    "主诉",
    "现 病史",
    "：",
    ":",
    "【",
    "】",
    "。",
    "\n",
    " ",
    "　",
    "一、",
    "1.",
    "（",
    "）",
    "*",
    "𬌗",
    "３",
    "体格检查",
    "查体",
    "无",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=60).map("".join), st.sampled_from(DOCUMENT_TYPES))
def test_sections_lie_in_order_in_the_text(text: str, kind: DocumentType) -> None:
    found = split_sections(text, kind)
    for each in found:
        assert 0 <= each.heading.start <= each.heading.end <= each.body.start <= each.body.end <= len(text)
        assert each.body.of(text) == each.body.of(text).strip()
    for first, second in pairwise(found):
        assert first.heading == second.heading or first.body.end <= second.heading.start


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["主", "主 ", "主诉", "（", "1.", "：", "【", "*", "一、", "\n ", "主诉："])
def test_long_repetitions_take_linear_time(piece: str) -> None:
    split_sections(piece * 20_000)
    is_blank(piece * 20_000)
