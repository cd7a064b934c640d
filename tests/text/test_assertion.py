from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.records.model import Span
from app.text.assertion import Assertion, assertion_at, find_mentions, subject_at

P, A, U = Assertion.PRESENT, Assertion.ABSENT, Assertion.UNCERTAIN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("否认高血压、糖尿病史，有冠心病史", {"高血压": A, "糖尿病": A, "冠心病": P}),
        ("无发热、咳嗽，有腹痛", {"发热": A, "咳嗽": A, "腹痛": P}),
        ("无明显诱因出现头痛", {"头痛": P}),
        ("患者无明显诱因下突发头痛", {"头痛": P}),
        ("无诱因头痛3天", {"头痛": P, "诱因": A}),
        ("肺炎不除外", {"肺炎": U}),
        ("不排除肺结核", {"肺结核": U}),
        ("肺部感染待排", {"肺部感染": U}),
        ("发热待查", {"发热": U}),
        ("考虑脑梗死", {"脑梗死": U}),
        ("脑梗死？", {"脑梗死": U}),
        ("肺癌（?）", {"肺癌": U}),
        ("右侧肢体无力", {"肢体无力": P}),
        ("无痛性血尿3天", {"血尿": P}),
        ("无尿2天", {"无尿": P}),
        ("腹部不适", {"腹部不适": P}),
        ("未婚，头痛", {"头痛": P}),
        ("非小细胞肺癌", {"肺癌": P}),
        ("双肺未闻及干湿啰音", {"啰音": A}),
        ("双下肢水肿：无", {"水肿": A}),
        ("水肿（-）", {"水肿": A}),
        ("Murphy征阴性", {"Murphy征": A}),
        ("压痛、反跳痛均阴性", {"压痛": A, "反跳痛": A}),
        ("肢体无力伴言语不清", {"肢体无力": P}),
        ("高血压病史不清", {"高血压": U}),
        ("头痛无缓解", {"头痛": P}),
        ("头痛未缓解，伴呕吐", {"头痛": P, "呕吐": P}),
        ("咳嗽无痰", {"咳嗽": P}),
        ("无咳嗽咳痰胸闷气促发热", {"发热": A, "胸闷": A}),
        ("否认肝炎、结核等传染病史，否认外伤史", {"肝炎": A, "结核": A, "外伤": A}),
        ("否认高血压病史，糖尿病史，冠心病史", {"高血压": A, "糖尿病": A, "冠心病": A}),
        ("否认高血压病史，20年前因阑尾炎行手术治疗", {"高血压": A, "阑尾炎": P, "手术": P}),
        ("无头晕，头痛明显", {"头晕": A, "头痛": P}),
        ("不伴恶心、呕吐", {"恶心": A, "呕吐": A}),
        ("患者未诉腹痛", {"腹痛": A}),
        ("如有发热及时就诊", {"发热": U}),
        ("观察有无出血", {"出血": U}),
        ("患者头痛，可能与高血压有关", {"头痛": P}),
        ("否认药物过敏史", {"过敏": A}),
        ("否认“高血压病、糖尿病”史", {"高血压": A, "糖尿病": A}),
        ("已排除肺栓塞", {"肺栓塞": A}),
        ("为排除肺栓塞行CT检查", {"肺栓塞": U}),
        ("不稳定型心绞痛", {"心绞痛": P}),
        ("无高血压史 有糖尿病史", {"高血压": A, "糖尿病": P}),
        ("未行手术治疗", {"手术": A}),
        ("1.肺炎？ 2.高血压", {"肺炎": U, "高血压": P}),
        ("未见明显肿大及压痛", {"肿大": A, "压痛": A}),
        ("无畏寒发热，无腰痛腰胀", {"畏寒": A, "发热": A, "腰痛": A, "腰胀": A}),
        ("既往史不详，有头痛", {"既往史": U, "头痛": P}),
        ("无发热但有咳嗽", {"发热": A, "咳嗽": P}),
        ("无恶心呕吐等不适，自行口服药物后头痛好转", {"恶心": A, "头痛": P}),
        ("动脉导管未闭伴肺动脉高压", {"肺动脉高压": P}),
        ("腹痛不缓解", {"腹痛": P}),
        ("腹软，无压痛反跳痛", {"压痛": A, "反跳痛": A}),
        ("肝脾肋下未及", {"肝脾肋下": A}),
        ("无手术史、输血史及食物药物过敏史", {"手术史": A, "输血史": A, "过敏史": A}),
        ("未予重视，2天前出现发热", {"发热": P}),
        ("诉无头痛，昨日发热一次", {"头痛": A, "发热": P}),
        ("否认手术、外伤史，输血史", {"手术": A, "外伤": A, "输血史": A}),
        ("否认发热，咳嗽3天", {"发热": A, "咳嗽": P}),
        ("无胸痛、咯血，咳嗽较前减轻", {"咯血": A, "咳嗽": P}),
        ("头痛，无？", {"头痛": P}),
        ("无症状性心肌缺血", {"心肌缺血": P}),
        ("外伤史：否认外伤史。", {"外伤": A}),
        ("手术史：否认手术史，输血史：无特殊", {"手术": A, "输血": A}),
        ("手术史：3年前行阑尾切除术", {"手术": P, "阑尾切除术": P}),
        ("手术史：否认其他手术史", {"手术": A}),
        ("否认孕前有糖尿病史，有甲亢史", {"糖尿病": A, "甲亢": P}),
        ("无遗传性疾病，如血友病、白化病", {"血友病": A, "白化病": A}),
        ("无皮疹，如出现发热及时就诊", {"皮疹": A, "发热": U}),
        ("无水肿、无尿频，无关节痛，无创伤", {"水肿": A, "尿频": A, "关节痛": A, "创伤": A}),
        ("皮疹已消退", {"皮疹": P}),
    ],
)
def test_assertion(text: str, expected: dict[str, Assertion]) -> None:
    found = {mention.term: mention.assertion for mention in find_mentions(text, tuple(expected))}
    assert found == expected


@pytest.mark.parametrize(
    ("text", "term", "subject"),
    [
        ("父亲患高血压", "高血压", "family"),
        ("其母有糖尿病史。患者有高血压", "高血压", "patient"),
        ("父亲患高血压，患者有糖尿病", "糖尿病", "patient"),
        ("父母均死于肺癌", "肺癌", "family"),
        ("家族史：否认高血压", "高血压", "family"),
        ("家族史：父母健在，否认遗传病", "遗传病", "family"),
        ("家族史：无。\n体格检查：肿大", "肿大", "patient"),
        ("家族史：兄妹体健。既往史：高血压", "高血压", "patient"),
        ("家属诉患者头痛", "头痛", "patient"),
        ("被家属发现意识不清", "意识不清", "patient"),
        ("由家人送至我院，查CT示脑梗死", "脑梗死", "patient"),
        ("向患者及家属交代出血风险", "出血", "patient"),
        ("母乳喂养，腹泻3天", "腹泻", "patient"),
        ("同事有流感病史", "流感", "other"),
        ("既往史：有高血压。", "高血压", "patient"),
    ],
)
def test_subject(text: str, term: str, subject: str) -> None:
    assert [mention.subject for mention in find_mentions(text, (term,))] == [subject]


def test_one_place_reads_as_the_search_does() -> None:
    text = "否认高血压、糖尿病史，父亲有冠心病"
    for mention in find_mentions(text, ("高血压", "糖尿病", "冠心病")):
        assert assertion_at(text, mention.span) is mention.assertion
        assert subject_at(text, mention.span) == mention.subject


def test_longest_match_without_overlap() -> None:
    found = find_mentions("腹股沟疝修补术后，疝复发", ("疝", "疝修补术", "术后"))
    assert [(mention.term, mention.span) for mention in found] == [
        ("疝修补术", Span(3, 7)),
        ("疝", Span(9, 10)),
    ]


def test_full_width_text_and_terms_meet() -> None:
    assert [mention.span for mention in find_mentions("行ＰＣＩ术", ("PCI",))] == [Span(1, 4)]
    assert [mention.term for mention in find_mentions("行PCI术", ("ＰＣＩ",))] == ["PCI"]


def test_within_and_no_terms() -> None:
    assert [mention.span for mention in find_mentions("头痛，头痛", ("头痛",), Span(2, 5))] == [Span(3, 5)]
    assert find_mentions("头痛", ()) == ()


_TERMS = ("头痛", "发热", "高血压", "痛")


@given(st.text(alphabet="头痛发热高血压否认无未见，。；：\n 、可能父亲患者*𬌗？（）", max_size=300))
def test_mentions_lie_in_order_in_the_text(text: str) -> None:
    found = find_mentions(text, _TERMS)
    assert all(mention.span.of(text) == mention.term for mention in found)
    assert all(a.span.end <= b.span.start for a, b in pairwise(found))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["无", "头痛", "头痛、", "无头痛，", "否认", "父亲", "家族史：", "（", "可能", "未", "头痛家属"]
)
def test_long_repetitions_take_linear_time(piece: str) -> None:
    find_mentions(piece * 5_000, _TERMS)
