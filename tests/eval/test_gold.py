"""The bundled stays: they read, they are checked without exceptions, and their gold facts are in the record."""

import pytest

from app.assembly import open_checker
from app.drafting.normal import normalise
from app.drafting.plan import plan_for
from app.errors import UserError
from app.settings import Settings
from eval.gold import STAYS, Fact, load_stays, omitted

BUNDLED = load_stays([STAYS])


def test_there_are_ten_of_different_kinds():
    assert len({gold.record.record_id for gold in BUNDLED}) == 10
    assert len({gold.record.encounter.department for gold in BUNDLED}) >= 9
    days = [
        (end - gold.record.encounter.admitted_at).days
        for gold in BUNDLED
        if (end := gold.record.encounter.discharged_at or gold.record.encounter.died_at)
    ]
    assert max(days) >= 59
    assert {plan_for(gold.record).document_type for gold in BUNDLED} == {"出院记录", "死亡记录"}


@pytest.mark.parametrize("gold", BUNDLED, ids=lambda gold: gold.name)
def test_the_record_holds_every_gold_fact(gold):
    record = gold.record
    texts = [normalise(line) for d in record.documents for line in d.text.splitlines()]
    data = [o.content for o in record.orders] + [d.name for d in record.diagnoses]
    data += [f"{lab.item}{lab.value}{lab.unit or ''}" for lab in record.lab_results]
    data += [f"{e.impression}" for e in record.exam_reports or ()]
    data += [f"{p.started_at:%-m月%-d日}{p.laterality or ''}{p.name}" for p in record.procedures or ()]
    data += [
        "离院方式：" + str(record.encounter.disposition),
        f"{record.encounter.died_at:%H:%M}" if record.encounter.died_at else "",
    ]
    texts += [normalise(text) for text in data]
    assert len(gold.facts) >= 10
    assert [fact.what for fact in gold.facts if not fact.is_told_by(texts)] == []


def test_they_are_checked_without_exceptions(tmp_path):
    with open_checker(Settings(data_dir=tmp_path), use_model=False) as checker:
        for gold in BUNDLED:
            assert "error" not in checker.check(gold.record).result.outcomes.values(), gold.name


FACT = Fact(what="低钾", says=("血钾|钾", "2.6"))


@pytest.mark.parametrize(
    ("sections", "is_told"),
    [
        ([["血钾2.6mmol/L。"]], True),
        ([["K+ 2.6mmol/L。"]], True),
        ([["血钾降低。", "为2.6mmol/L。"]], True),
        ([["血钾降低。", "血压120/80mmHg。", "乳酸2.6mmol/L。"]], False),
        ([["血钾降低。"], ["乳酸2.6mmol/L。"]], False),
        ([], False),
    ],
)
def test_a_fact_is_told_within_two_neighbouring_sentences(sections, is_told):
    assert (omitted([FACT], sections) == ()) == is_told


def test_a_folder_without_stays(tmp_path):
    with pytest.raises(UserError, match="没有病历"):
        load_stays([tmp_path])


def test_a_gold_file_of_another_form(tmp_path):
    (tmp_path / "a.json").write_text(BUNDLED[0].record.model_dump_json(by_alias=True), "utf-8")
    (tmp_path / "a.gold.yaml").write_text("facts: [{what: 甲}]", "utf-8")
    with pytest.raises(UserError, match="says"):
        load_stays([tmp_path])
