"""The evaluation of drafts, on the model double."""

import json
import re

import pytest
from typer.testing import CliRunner

from app.cli.evaluate import eval_app
from app.drafting.draft import Draft, DraftSection, DraftSentence, ResourceCitation
from app.drafting.drafter import open_drafter
from app.drafting.entailment import ModelJudge
from app.drafting.sources import Stay
from app.llm.engines import open_model
from app.records.model import Evidence
from app.settings import Settings
from app.storage.cache import ContentCache
from eval.citations import CitedSentence, cited_sentences, judge_citations, unresolved
from eval.drafts import Evaluation, Tools, evaluate_stays
from eval.gold import Fact, GoldStay
from eval.whole_record import RecordJudge
from tests.drafting.stays import NOW, stay
from tests.support.model_server import ModelServer, Reply


@pytest.mark.parametrize(
    ("text", "sources", "is_supported", "relevant"),
    [
        ("患者体温36.5℃。", ["患者体温36.5℃。"], True, (True,)),
        ("患者体温38.5℃。", ["患者体温36.5℃。"], False, (False,)),
        ("体温36.5℃，予头孢曲松2g静滴。", ["体温36.5℃。", "予头孢曲松2g静滴。"], True, (True, True)),
        ("体温36.5℃，予头孢曲松2g静滴。", ["体温36.5℃。", "予头孢曲松2g静滴。", "双肺呼吸音清。"], True, (True, True, False)),
        ("患者体温36.5℃。", [], None, ()),
    ],
)  # fmt: skip
def test_citations(text, sources, is_supported, relevant):
    judged = judge_citations(CitedSentence(text, tuple(sources)), None)
    assert (judged.is_supported or False) == (is_supported or False)
    assert judged.relevant == relevant


def test_what_no_judge_can_tell_is_unscored():
    sentence = CitedSentence("切口甲级愈合。", ("切口对合良好，无红肿渗出，Ⅱ/甲愈合。",))
    assert judge_citations(sentence, None) == (None, ())


def draft_of(*citations):
    sentence = DraftSentence(text="无", citations=citations, verdict="supported")
    return Draft(
        record_id="T1",
        sections=(DraftSection(name="诊疗经过", sentences=(sentence,)),),
        label={},
        created_at=NOW,
    )


def test_citations_that_point_at_nothing():
    known = Stay(stay())
    text = known.record.documents[0].text
    good = Evidence(document_id="D1", start=0, end=2, quote=text[:2])
    bad = [
        Evidence(document_id="D1", start=1, end=3, quote=text[:2]),
        Evidence(document_id="D9", start=0, end=2, quote=text[:2]),
        ResourceCitation(resource="lab_results/L99"),
    ]
    fine = [
        good,
        ResourceCitation(resource="diagnoses/DX1"),
        ResourceCitation(resource="encounter/admitted_at"),
    ]
    assert list(unresolved(draft_of(*fine, *bad), known)) == bad


def test_dates_that_code_computes_are_not_judged_as_text():
    known = Stay(stay())
    assert cited_sentences(draft_of(ResourceCitation(resource="encounter/admitted_at")), known) == []


@pytest.mark.parametrize(
    ("sentence", "is_supported"),
    [
        ("复查白细胞6.8×10^9/L，较前下降。", True),
        ("复查白细胞16.8×10^9/L，较前下降。", False),
        ("行阑尾切除术。", False),
    ],
)
def test_sentences_without_citations_are_judged_by_the_record(sentence, is_supported):
    assert RecordJudge(Stay(stay()), None).is_supported(sentence) is is_supported


def answers(request):
    asked = request["messages"][-1]["content"]
    if "写出院记录" in asked:
        text = "**入院情况**：\n患者右侧胸痛3天入院。\n诊疗经过\n予阿莫西林1g口服。出院后"
        return Reply(text, finish_reason="length")
    if "陈述" in asked:
        return Reply('{"v":"支持"}')
    first = re.search(r"\[1\](?:（.*?）)?(.*)", asked)[1]
    return Reply(json.dumps([{"t": first, "s": [1]}], ensure_ascii=False))


def test_both_arms_are_measured_in_one_run(tmp_path):
    gold = GoldStay(
        "T1",
        stay(),
        (Fact(what="抗感染", says=("头孢曲松", "2g|2.0g")), Fact(what="手术", says=("切除术",))),
    )
    with ModelServer(answers) as server:
        settings = Settings(model=server.url, data_dir=tmp_path)
        with (
            open_model(settings) as model,
            ContentCache(tmp_path / "c.sqlite") as cache,
            open_drafter(settings, use_model=True, model=model) as drafter,
        ):
            tools = Tools(drafter, ModelJudge(model, cache), model, cache)
            (scores,) = evaluate_stays([gold], tools, tmp_path / "kept")
            (again,) = evaluate_stays([gold], tools)
    assert scores.draft.omitted == ("手术",)
    assert scores.draft.unsupported == 0
    assert scores.unresolved == 0
    assert scores.whole_record.sentences == 2
    assert scores.whole_record.unsupported == 1
    assert set(scores.whole_record.omitted) == {"抗感染", "手术"}
    assert again.draft.seconds == scores.draft.seconds
    assert again.whole_record.seconds == scores.whole_record.seconds
    assert json.loads((tmp_path / "kept" / "T1.whole.json").read_text("utf-8"))["sentences"]
    table = Evaluation([scores]).as_text()
    assert "整份病历一次生成" in table
    assert "手术" in table
    assert (
        json.loads(json.dumps(Evaluation([scores]).as_json()))["whole_record"]["unsupported"]["value"] == 0.5
    )


def run(*arguments):
    result = CliRunner().invoke(eval_app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_commands(tmp_path, monkeypatch):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / "a.json"
    file.write_text(stay().model_dump_json(by_alias=True), "utf-8")
    printed = json.loads(run("drafts", file, "--no-model"))
    assert printed["n_records"] == 1
    assert printed["draft"]["verbatim"]["value"] == 1.0
    assert printed["whole_record"]["n_records"] == 0
    assert "引文召回" in run("drafts", file, "--no-model", "--format-out", "text")
    assert "drafts  " in run("list")


CLAIMS = [
    {"id": "1", "claim": "体温36.5℃。", "sources": ["体温36.5℃。"], "label": "supported", "kind": "数值"},
    {"id": "2", "claim": "体温38.5℃。", "sources": ["体温36.5℃。"], "label": "not_supported", "kind": "数值"},
    {"id": "3", "claim": "体温38.5℃。", "sources": ["体温36.5℃。"], "label": "supported", "kind": "反例"},
    {"id": "4", "claim": "体温38.5℃。", "sources": ["体温36.5℃。"]},
]


def test_claims(tmp_path, monkeypatch):
    monkeypatch.setenv("BINGLI_DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / "claims.jsonl"
    file.write_text("\n".join(json.dumps(claim, ensure_ascii=False) for claim in CLAIMS), "utf-8")
    printed = json.loads(run("claims", file, "--no-model"))
    assert (printed["n"], printed["unscored"], printed["accuracy"]) == (4, 1, 0.6667)
    assert printed["by_kind"]["数值"]["accuracy"] == 1.0
    assert printed["confusion"]["supported"] == {
        "supported": 1, "not_supported": 1, "not_addressed": 0, "unverified": 0,
    }  # fmt: skip
    assert "反例" in run("claims", file, "--no-model", "--format-out", "text")
