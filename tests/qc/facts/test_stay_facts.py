"""Facts of the whole stay: where they are looked for, how several documents make one answer, when a model is asked."""

from contextlib import contextmanager

import pytest

from app.assembly import fact_prompts
from app.llm.engines import open_model
from app.qc.case import Case
from app.qc.catalogue import Catalogue
from app.qc.engine import Checker
from app.qc.facts.answering import FactAnswerer
from app.qc.facts.detectors.base import DETECTORS
from app.qc.facts.fact import Fact
from app.qc.facts.stay import SELECTIONS, STAY_DETECTORS
from app.qc.facts.words import told_in_words
from app.qc.rule import Rule
from app.qc.scoring import load_profile
from app.records.model import MedicalRecord
from app.records.readers.note import note_record
from app.resources import RULES
from app.text.reading import Reading
from tests.support.model_server import ModelServer, Reply, Token

TOLD = {
    "name": "drainage_told",
    "question": "病程是否写了引流的量？",
    "look_in": ["日常病程记录"],
    "said_by": r"引流[^。]{0,10}\d+ml",
    "about": "引流",
}
PLACED = {
    "name": "drain_placed",
    "question": "是否放置了引流？",
    "look_in": ["手术记录"],
    "said_by": "放置引流管",
    "asserted": True,
}
RULE = {
    "code": "N-999",
    "title": "引流情况未记录",
    "severity": "minor",
    "points": 1,
    "applies_to": ["日常病程记录"],
    "applies_when": "drain_placed",
    "defect_when": "not drainage_told",
    "message": "没有写引流的量。",
    "suggestion": "补写引流的量。",
    "basis": [{"source": "病历书写基本规范", "clause": "第二十二条", "level": "national"}],
    "examples": {"fail": ["略。"], "pass": ["略。"]},
}
OPERATION = "手术经过：切除胆囊，放置引流管一根。"


def record(*notes, operation=OPERATION):
    documents = [{"id": "OP", "type": "手术记录", "text": operation}] if operation else []
    documents += [{"id": f"D{n}", "type": "日常病程记录", "text": text} for n, text in enumerate(notes, 1)]
    return MedicalRecord.model_validate({"record_id": "R1", "documents": documents})


def checker(settings, model=None, **changes):
    from app.labelling.labeller import Labeller

    facts = {each["name"]: Fact.model_validate(each) for each in (PLACED, {**TOLD, **changes})}
    rules = {"N-999": Rule.model_validate(RULE)}
    answerer = FactAnswerer(facts, model, fact_prompts(), None)
    profile = load_profile(RULES / "profiles", "national").model_copy(update={"rules": {}})
    return Checker(Catalogue(rules, facts), profile, answerer, Labeller.of(settings))


@pytest.mark.parametrize(
    ("notes", "operation", "outcome"),
    [
        (("腹腔引流30ml。",), OPERATION, "pass"),
        (("切口干燥。", "腹腔引流30ml。"), OPERATION, "pass"),  # said by one is said
        (("切口干燥。", "体温正常。"), OPERATION, "defect"),
        (("切口干燥。", "引流通畅。"), OPERATION, "undetermined"),  # on the matter, but not the amount
        (("切口干燥。",), "手术经过：切除胆囊，未放置引流管。", "not_applicable"),
        (("切口干燥。",), None, "not_applicable"),  # no operation note, so nothing was placed
        ((), OPERATION, "not_applicable"),
        (("　",), OPERATION, "undetermined"),
    ],
)
def test_one_answer_for_the_stay(settings, notes, operation, outcome):
    result = checker(settings).check(record(*notes, operation=operation)).result
    assert result.outcomes["N-999"] == outcome


def test_a_rule_of_the_stay_is_found_once_and_shown_by_what_called_for_it(settings):
    (finding,) = checker(settings).check(record("切口干燥。", "体温正常。")).result.findings
    assert finding.document_id == "OP"
    assert [e.quote for e in finding.evidence] == ["放置引流管"]


def verdict(word, probability):
    other = {"是": "否", "否": "是"}[word]
    return Reply(tokens=[Token('"'), Token(word, probability, {other: 1 - probability}), Token('"')])


@contextmanager
def asking(settings, *replies):
    with (
        ModelServer(list(replies)) as server,
        open_model(settings.model_copy(update={"model": server.url, "model_timeout_seconds": 1.0})) as model,
    ):
        yield checker(settings, model, ask_model=True), server


@pytest.mark.parametrize(
    ("reply", "outcome"), [(verdict("是", 0.97), "pass"), (verdict("否", 0.97), "defect")]
)
def test_the_model_reads_what_words_leave_open_and_nothing_else(settings, reply, outcome):
    with asking(settings, reply) as (asked, server):
        result = asked.check(record("切口干燥。", "引流通畅。")).result
        assert len(server.requests) == 1
    assert result.outcomes["N-999"] == outcome
    assert [finding.engine for finding in result.findings] == ["llm"] * (outcome == "defect")
    assert "切口干燥" not in server.requests[0]["messages"][-1]["content"]


def test_no_model_call_where_the_rule_does_not_apply(settings):
    with asking(settings) as (asked, server):
        asked.check(record("引流通畅。", operation="手术经过：切除胆囊。"))
        assert server.requests == []


@pytest.mark.parametrize(
    ("words", "text", "value"),
    [
        ({}, "予溶栓治疗。", True),
        ({}, "无溶栓指征。", True),  # speaking of it is enough
        ({}, "予抗血小板。", False),
        ({"asserted": True}, "予溶栓治疗。", True),
        ({"asserted": True}, "未行溶栓。", False),
        ({"asserted": True}, "必要时溶栓。", None),
        ({"asserted": True}, "家族史：父亲曾溶栓。", False),
        ({"about": "再灌注"}, "再灌注时机已过。", None),
        ({"sections": ["诊疗计划"]}, "予溶栓治疗。", None),
        ({}, " ", None),
    ],
)
def test_words_alone(words, text, value):
    fact = Fact.model_validate({"name": "told", "question": "写了溶栓吗？", "said_by": "溶栓", **words})
    reading = Reading(note_record(text, "日常病程记录", "R1").documents[0])
    section = reading.section(*fact.sections) if fact.sections else None
    found = told_in_words(fact, reading, section)
    assert (found.value if found else None) is value


def test_every_pattern_of_the_facts_compiles(catalogue):
    for fact in catalogue.facts.values():
        for pattern in (fact.said, fact.topic):
            assert pattern is None or pattern.search("") is None or fact.name


def test_a_fact_is_decided_in_one_way(catalogue):
    for fact in catalogue.facts.values():
        ways = [bool(fact.detector), fact.said is not None, bool(fact.when)]
        assert sum(ways) == 1, fact.name
        assert fact.detector is None or fact.detector in {*DETECTORS, *STAY_DETECTORS}
        assert fact.among is None or (fact.among in SELECTIONS and fact.look_in), fact.name


def test_every_fact_is_asked_by_a_rule(catalogue):
    asked = {name for rule in catalogue.rules.values() for name in rule.fact_names}
    assert set(catalogue.facts) == asked


@pytest.mark.parametrize("name", sorted(STAY_DETECTORS))
def test_an_empty_stay_raises_nothing(name):
    found = STAY_DETECTORS[name](Case(MedicalRecord(record_id="R1")))
    assert found is None or found.value is False
