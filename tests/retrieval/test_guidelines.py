"""The digests of guidelines, and which of them a finding cites."""

import re

import pytest

from app.qc.case import Case
from app.qc.guidance import Guidance
from app.qc.rule import Rule
from app.qc.ruling import Hit
from app.records.model import Evidence
from app.records.readers.json_record import parse_record
from app.resources import CORPUS
from retrieval.corpus import Chunk, load_corpus, load_guidelines
from retrieval.search import KnowledgeBase


@pytest.fixture(scope="module")
def guidelines():
    return load_guidelines(CORPUS)


@pytest.fixture(scope="module")
def guidance():
    return Guidance(CORPUS, lambda _: None)


def test_every_guideline_names_its_source_and_says_that_it_is_a_digest(guidelines):
    files = sorted((CORPUS / "guidelines").glob("*.yaml"))
    assert len(files) == len(guidelines) >= 20
    for file in files:
        text = file.read_text("utf-8")
        assert re.search(r"^issuer: \S", text, re.M), file.name
        assert re.search(r"^year: (?:19|20)\d\d$", text, re.M), file.name
        assert "用自己的话" in text, file.name


def test_every_passage_is_in_the_corpus_and_is_no_regulation_unless_the_state_issued_it(guidelines):
    known = {chunk.id: chunk for document in load_corpus(CORPUS) for chunk in document.chunks}
    levels = {"guideline": 0, "national": 0}
    for guideline in guidelines:
        assert guideline.scope.diagnoses or guideline.scope.rules, guideline.name
        assert len(guideline.passages) >= 3, guideline.name
        for chunk in guideline.passages.values():
            assert known[chunk.id] == chunk
            levels[chunk.level] += 1
    assert levels["national"] < levels["guideline"]


def stay(diagnosis, age="63岁", **more):
    text = f"主诉：不适3天。\n现病史：3天前起病。\n初步诊断：{diagnosis}"
    documents = [
        {"id": "D1", "type": "入院记录", "text": text},
        {"id": "D2", "type": "出院记录", "text": "出院情况：好转。"},
    ]
    return Case(
        parse_record({"record_id": "R", "patient": {"age": age}, "documents": documents} | more, "测试")[0]
    )


def rule(code="N-105"):
    return Rule.model_validate(
        {
            "code": code,
            "title": "某处有缺陷",
            "severity": "minor",
            "points": 1,
            "defect_when": "some_fact",
            "applies_to": ["入院记录"],
            "message": "缺了某项。",
            "suggestion": "补上。",
            "basis": [{"source": "病历书写基本规范", "level": "national"}],
            "examples": {"fail": ["甲"], "pass": ["乙"]},
        }
    )


HISTORY = Hit("D1", "现病史")


@pytest.mark.parametrize(
    ("case", "hit", "source"),
    [
        (stay("急性脑梗死"), HISTORY, "中国急性缺血性卒中诊治指南2023"),
        (stay("左侧基底节区脑梗塞"), HISTORY, "中国急性缺血性卒中诊治指南2023"),
        (stay("急性ST段抬高型心肌梗死"), HISTORY, "急性ST段抬高型心肌梗死诊断和治疗指南（2019）"),
        (stay("高血压病3级 很高危\n2.急性脑梗死"), HISTORY, "中国高血压防治指南（2018年修订版）"),
        (stay("2型糖尿病"), Hit("D1", "体格检查"), "中国2型糖尿病防治指南（2020年版）"),
        (stay("右股骨颈骨折"), HISTORY, "老年髋部骨折诊疗与管理指南（2022年版）"),
        (stay("左胫骨骨折"), HISTORY, "临床诊疗指南·骨科分册"),
        (stay("右肺上叶腺癌"), HISTORY, "原发性肺癌诊疗指南（2022年版）"),
        (stay("社区获得性肺炎"), HISTORY, "中国成人社区获得性肺炎诊断和治疗指南（2016年版）"),
        (stay("支气管肺炎", "3岁"), HISTORY, "儿童社区获得性肺炎诊疗规范（2019年版）"),
        (stay("急性脑梗死"), Hit("D2"), "中国急性缺血性卒中诊治指南2023"),
        # near misses: doubted, past, of the family, of another part, not covered, of no aspect
        (stay("脑梗死待查"), HISTORY, None),
        (stay("疑似肺炎"), HISTORY, None),
        (stay("脑梗死？"), HISTORY, None),
        (stay("陈旧性脑梗死"), HISTORY, None),
        (stay("脑梗死后遗症"), HISTORY, None),
        (stay("脑梗死个人史"), HISTORY, None),
        (stay("高血压家族史"), HISTORY, None),
        (stay("肺动脉高压"), HISTORY, None),
        (stay("银屑病"), HISTORY, None),
        (stay("急性脑梗死"), Hit("D1", "婚育史"), None),
        (stay("急性脑梗死"), Hit(None), None),
    ],
)  # fmt: skip
def test_the_diagnosis_at_hand_decides(guidance, case, hit, source):
    cited = guidance.basis(case, rule(), hit)
    assert [basis.source for basis in cited] == ([source] if source else [])
    assert {basis.level for basis in cited} <= {"inferred"}


def test_only_content_rules_cite_guidelines(guidance):
    assert guidance.basis(stay("急性脑梗死"), rule("F-101"), HISTORY) == ()


def test_a_rule_on_a_topic_cites_it_whatever_the_diagnosis(guidance):
    (cited,) = guidance.basis(stay("银屑病"), rule("S-402"), Hit(None))
    assert cited.source == "肺血栓栓塞症诊治与预防指南（2018）"
    (cited,) = guidance.basis(stay("银屑病"), rule("S-801"), Hit(None))
    assert (cited.source, cited.level) == ("临床输血技术规范", "national")


def test_a_finding_on_one_diagnosis_of_a_list_cites_that_one(guidance):
    case = stay("急性脑梗死\n2.2型糖尿病\n3.低钾血症")

    def hit(quote):
        start = case.record.documents[0].text.index(quote)
        place = Evidence(document_id="D1", start=start, end=start + len(quote), quote=quote)
        return Hit("D1", "初步诊断", (place,))

    (cited,) = guidance.basis(case, rule(), hit("2型糖尿病"))
    assert cited.source.startswith("中国2型糖尿病")
    assert guidance.basis(case, rule(), hit("低钾血症")) == ()


def test_what_no_guideline_covers_is_looked_up_in_the_hospitals_own_files(tmp_path):
    file = tmp_path / "本院银屑病诊疗常规.txt"
    file.write_text("第一条 银屑病患者入院时写明皮损面积和既往治疗。\n第二条 湿疹另有规定。", "utf-8")
    kb = KnowledgeBase(tmp_path / "kb")
    kb.add(file)
    asked: list[str] = []

    def own(name: str) -> Chunk | None:
        asked.append(name)
        return kb.own_passage(name)

    guidance = Guidance(CORPUS, own)
    for _ in range(3):
        (cited,) = guidance.basis(stay("银屑病"), rule(), HISTORY)
        assert (cited.source, cited.level) == ("本院银屑病诊疗常规.txt", "hospital")
    assert asked == ["银屑病"]
    assert guidance.basis(stay("白癜风"), rule(), HISTORY) == ()
    assert "急性脑梗死" not in asked
