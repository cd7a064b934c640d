"""What a model may invent, kind by kind: none of it passes the checks, whatever a judge says."""

import pytest

from app.drafting.sources import Stay
from app.drafting.verify import Opinion, verify
from tests.drafting.stays import all_citations, drafted_by, finished, note, resolves, saying, stay, words

ROUNDED = [
    ("复查血钾3.46mmol/L。", "复查血钾3.5mmol/L。"),
    ("复查血钾3.46mmol/L。", "复查血钾约3.5mmol/L。"),
    ("复查血钾3.46mmol/L。", "复查血钾3500μmol/L。"),
    ("患者体温38.6℃。", "患者体温39℃。"),
    ("术中出血约250ml。", "术中出血约300ml。"),
    ("复查肌酐133μmol/L。", "复查肌酐130μmol/L。"),
    ("血压152/84mmHg。", "血压150/84mmHg。"),
    ("血压152/84mmHg。", "血压150/80mmHg。"),
    ("左室射血分数62.4%。", "左室射血分数62%。"),
    ("引流液3天共160ml。", "引流液3天共约1.6L。"),
]
OTHER_UNITS = [
    ("予头孢曲松2g静滴qd。", "予头孢曲松2mg静滴qd。"),
    ("予地高辛0.125mg口服qd。", "予地高辛0.125g口服qd。"),
    ("予骨化三醇0.25μg口服bid。", "予骨化三醇0.25mg口服bid。"),
    ("予门冬胰岛素10U皮下注射。", "予门冬胰岛素10ml皮下注射。"),
    ("白细胞12.3×10^9/L。", "白细胞12.3×10^12/L。"),
    ("空腹血糖8.1mmol/L。", "空腹血糖8.1mg/dL。"),
    ("C反应蛋白86mg/L。", "C反应蛋白86g/L。"),
    ("抗感染治疗7天。", "抗感染治疗7周。"),
    ("予甲氨蝶呤10mg口服每周1次。", "予甲氨蝶呤10mg口服每日1次。"),
    ("吸氧3L/min。", "吸氧3ml/min。"),
    ("结节直径8mm。", "结节直径8cm。"),
    ("予肝素5000U静推。", "予肝素5000mg静推。"),
    ("血肌酐88μmol/L。", "血肌酐88mmol/L。"),
]
TURNED_ROUND = [
    ("复查幽门螺杆菌抗体阳性。", "复查幽门螺杆菌抗体阴性。"),
    ("HBsAg(-)。", "HBsAg(+)。"),
    ("HBsAg（－）。", "HBsAg阳性。"),
    ("大便潜血（++）。", "大便潜血阴性。"),
    ("左侧巴氏征阳性。", "左侧巴氏征未引出。"),
    ("双下肢静脉超声未见血栓。", "双下肢静脉超声见血栓。"),
    ("痰培养无细菌生长。", "痰培养有细菌生长。"),
    ("切缘未见癌累及。", "切缘可见癌累及。"),
    ("墨菲征阴性，麦氏点压痛阳性。", "墨菲征阳性，麦氏点压痛阳性。"),
    ("新冠核酸阴性，甲流抗原阳性。", "新冠核酸阳性，甲流抗原阳性。"),
    ("D-二聚体正常。", "D-二聚体升高。"),
    ("尿亚硝酸盐（+），尿蛋白（-）。", "尿亚硝酸盐（-），尿蛋白（-）。"),
]
OTHER_DAYS = [
    ("（2026-05-08）患者行胸腔穿刺术。", "5月9日行胸腔穿刺术。"),
    ("（2026-05-08）患者行胸腔穿刺术。", "5月18日行胸腔穿刺术。"),
    ("（2026-05-08）昨日行胸腔穿刺术，过程顺利。", "5月8日行胸腔穿刺术，过程顺利。"),
    ("（2026-05-08）患者拟明日行胸腔穿刺术。", "5月8日行胸腔穿刺术。"),
    ("患者于10:20突发胸痛。", "患者于10:50突发胸痛。"),
    ("术后第3天拔除引流管。", "术后第4天拔除引流管。"),
    ("入院前3天起病。", "入院前3周起病。"),
    ("（2026-05-08）患者突发胸痛。", "2025年5月8日患者突发胸痛。"),
    ("2026年5月8日手术。", "2026年8月5日手术。"),
]
OTHER_DRUGS = [
    ("予氯吡格雷75mg口服qd。", "予替格瑞洛75mg口服qd。"),
    ("予奥美拉唑40mg静滴bid。", "予艾司奥美拉唑40mg静滴bid。"),
    ("予艾司奥美拉唑40mg静滴bid。", "予奥美拉唑40mg静滴bid。"),
    ("予左氧氟沙星0.5g静滴qd。", "予氧氟沙星0.5g静滴qd。"),
    ("予左氨氯地平2.5mg口服qd。", "予氨氯地平2.5mg口服qd。"),
    ("予甲泼尼龙40mg静滴qd。", "予泼尼松龙40mg静滴qd。"),
    ("予头孢哌酮舒巴坦3g静滴q8h。", "予头孢哌酮3g静滴q8h。"),
    ("予头孢哌酮3g静滴q8h。", "予头孢哌酮舒巴坦3g静滴q8h。"),
    ("予门冬胰岛素10U皮下注射。", "予甘精胰岛素10U皮下注射。"),
    ("予拜新同30mg口服qd。", "予络活喜30mg口服qd。"),
    ("予低分子肝素4000U皮下注射。", "予肝素4000U皮下注射。"),
    ("予阿莫西林克拉维酸钾1.2g静滴。", "予阿莫西林1.2g静滴。"),
    ("予波立维75mg口服qd。", "予立普妥75mg口服qd。"),
    ("予单硝酸异山梨酯20mg口服bid。", "予硝酸异山梨酯20mg口服bid。"),
    ("予去甲肾上腺素静脉泵入。", "予肾上腺素静脉泵入。"),
    ("予异丙肾上腺素静脉泵入。", "予肾上腺素静脉泵入。"),
]
SAME = [
    ("予波立维75mg口服qd。", "予氯吡格雷75mg口服qd。"),
    ("予舒普深3g静滴q8h。", "予头孢哌酮舒巴坦3g静滴q8h。"),
    ("予拜新同30mg口服qd。", "予硝苯地平控释片30mg口服qd。"),
    ("予注射用头孢曲松钠2g静滴qd。", "予头孢曲松2g静滴qd。"),
    ("予硫酸氢氯吡格雷片75mg口服qd。", "予氯吡格雷75mg口服qd。"),
    ("予耐信40mg口服qd。", "予艾司奥美拉唑40mg口服qd。"),
    ("予埃索美拉唑40mg口服qd。", "予艾司奥美拉唑40mg口服qd。"),
    ("予头孢曲松2000mg静滴qd。", "予头孢曲松2g静滴qd。"),
    ("血压16/10kPa。", "血压120/75mmHg。"),
    ("HBsAg(-)。", "HBsAg阴性。"),
    ("大便潜血（+）。", "大便潜血阳性。"),
    ("（2026-05-08）今日行胸腔穿刺术。", "5月8日行胸腔穿刺术。"),
    ("（2026-05-08）昨日行胸腔穿刺术。", "昨日行胸腔穿刺术。"),
    ("（2026-05-08）5月7日行胸腔穿刺术。", "5月7日行胸腔穿刺术。"),
    ("血红蛋白11.8g/dL。", "血红蛋白118g/L。"),
    ("空腹血糖8.10mmol/L。", "空腹血糖8.1mmol/L。"),
]


class Yes:
    """A judge that believes everything."""

    def judge(self, claim, sources):
        return Opinion(1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("source", "lie"), [*ROUNDED, *OTHER_UNITS, *TURNED_ROUND, *OTHER_DAYS, *OTHER_DRUGS]
)
def test_an_invention_is_never_supported(source, lie):
    assert verify(lie, [source], Yes()).verdict != "supported"


@pytest.mark.parametrize(("source", "claim"), SAME)
def test_the_same_in_other_words_is_supported(source, claim):
    assert verify(claim, [source], Yes()).verdict == "supported"


@pytest.mark.parametrize(
    ("source", "lie"), [ROUNDED[0], OTHER_UNITS[0], TURNED_ROUND[0], OTHER_DAYS[2], OTHER_DRUGS[1]]
)
def test_an_invention_never_reaches_the_draft(source, lie, tmp_path):
    told = source.rpartition("）")[2] if source.startswith("（2") else source
    course = note("D2", "日常病程记录", f"{told}患者咳嗽较前减轻，停用氨溴索。", "2026-05-08T09:00:00+08:00")
    record = stay(documents=[course], lab_results=None)
    with saying((lie, [1, 2])) as server:
        drafting, draft = drafted_by(server, record, tmp_path)
    assert server.requests
    assert lie not in "".join(words(draft, "诊疗经过"))
    assert lie in [removed.text for removed in drafting.tally.replaced]


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("引流液由淡红转鲜红且每小时超过50ml提示出血，转黄绿提示胆漏。", False),
        ("收缩压超过160mmHg及时通知值班医师。", False),
        ("引流液由淡红转为黄绿，提示胆漏，予腹腔引流。", True),
        ("收缩压升至172mmHg，予硝苯地平10mg口服。", True),
    ],
)
def test_what_to_watch_for_is_not_told_as_having_happened(text, is_told):
    record = stay(documents=[note("D1", "术后首次病程记录", text, "2026-05-08T09:00:00+08:00")])
    _, draft = finished(record)
    assert (text in "".join(words(draft, "诊疗经过"))) == is_told


# --- somebody else's notes ---

STRANGER = "姓名：王二妹　性别：女　年龄：29岁\n患者今日突发大出血，急诊行剖宫产术。"


def with_note(text):
    foreign = note("D9", "日常病程记录", text, "2026-05-09T09:00:00+08:00")
    return stay(documents=[*stay().model_dump(mode="json")["documents"], foreign])


def test_a_note_of_another_patient_is_shown_and_no_source():
    record = with_note(STRANGER)
    _, draft = finished(record)
    (shown,) = draft.section("待核实").sentences
    assert "王二妹" in shown.text
    assert "未作出处" in shown.text
    assert {citation.document_id for citation in shown.citations} == {"D9"}
    told = [text for s in draft.sections if s.name != "待核实" for text in words(draft, s.name)]
    assert not any("剖宫产" in text for text in (*told, *(omission.what for omission in draft.missing)))
    assert all(resolves(record, citation) for citation in all_citations(draft))


@pytest.mark.parametrize(
    ("text", "problems", "is_source"),
    [
        (STRANGER, 3, False),
        ("姓名：王二妹\n患者突发胸痛。", 1, False),
        ("患者，女，29岁，突发胸痛。", 2, False),
        ("患者，女，63岁，突发胸痛。", 1, True),  # may be a slip of the pen
        ("患者，男，64岁，突发胸痛。", 0, True),  # had a birthday
        ("患者家属，女，60岁，诉患者突发胸痛。", 0, True),
        ("患者突发胸痛。", 0, True),
    ],
)
def test_who_a_note_speaks_of(text, problems, is_source):
    told = Stay(with_note(text))
    assert sum(len(stranger.problems) for stranger in told.strangers) == problems
    assert ("D9" in {item.citation.document_id for item in told.course}) == is_source


def test_a_note_of_another_patient_never_reaches_the_model(tmp_path):
    with saying(("患者行剖宫产术。", [1])) as server:
        drafted_by(server, with_note(STRANGER), tmp_path)
    assert server.requests
    assert not any("大出血" in str(request["messages"]) for request in server.requests)
