"""What diseases, procedures and drugs make a record tell; and the specialty rules on the example stays."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.specialty import Expected, ExpectedUntold, Trigger, confirmed_diagnoses
from app.records.model import MedicalRecord
from app.records.readers.json_record import parse_record

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.json"))
NOTE = "日常病程记录"
STAY = {"admitted_at": "2026-05-05 09:00", "discharged_at": "2026-05-16 09:00"}


def case_of(text="略。", *, at="2026-05-05 12:00", encounter=None, **parts):
    documents = [{"id": "D1", "type": NOTE, "text": text, "written_at": at}]
    content = {"record_id": "R", "encounter": encounter or STAY, "documents": documents, **parts}
    return Case(MedicalRecord.model_validate(content))


def diagnosed(name, stage="出院", **more):
    return {"stage": stage, "rank": 1, "name": name, **more}


def outcome(check, case):
    return check.rule_on(case, (NOTE,)).outcome


SCORE = (Expected(name="评分", text="NIHSS|GCS"),)


@pytest.mark.parametrize(
    ("diagnoses", "expected"),
    [
        ([diagnosed("急性脑梗死")], "defect"),
        ([diagnosed("急性脑梗死？")], "not_applicable"),
        ([diagnosed("急性脑梗死待排")], "not_applicable"),
        ([diagnosed("急性脑梗死", "初步"), diagnosed("眩晕")], "not_applicable"),
        ([diagnosed("陈旧性急性脑梗死")], "not_applicable"),
        ([diagnosed("神经系统疾病", icd10="I63.900")], "defect"),
        ([diagnosed("神经系统疾病", icd10="I69.300")], "not_applicable"),
        ([diagnosed("急性脑梗死", "病理")], "undetermined"),
        ([], "undetermined"),
    ],
)
def test_only_a_confirmed_final_diagnosis_triggers(diagnoses, expected):
    trigger = Trigger(diagnoses="急性脑梗死", icd10="I63", not_diagnoses="陈旧")
    assert (
        outcome(ExpectedUntold(triggers=(trigger,), expected=SCORE), case_of(diagnoses=diagnoses)) == expected
    )


def test_diagnoses_of_a_stay_in_hospital_are_those_made_so_far():
    case = case_of(encounter={"admitted_at": "2026-05-05 09:00"}, diagnoses=[diagnosed("肺炎", "初步")])
    assert [d.name for d in confirmed_diagnoses(case).last] == ["肺炎"]


def test_diagnoses_are_read_from_the_documents_where_none_are_given():
    case = case_of("初步诊断：1.肺炎 2.肺癌待查")
    found = confirmed_diagnoses(case)
    assert [d.name for d in found.on_admission] == ["肺炎"]
    assert found.are_given


@pytest.mark.parametrize(
    ("at", "ended", "expected"),
    [
        ("2026-05-06 09:00", "2026-05-16 09:00", "pass"),
        ("2026-05-06 09:01", "2026-05-16 09:00", "not_applicable"),  # nothing was written in time
        ("2026-05-05 12:00", "2026-05-06 08:59", "not_applicable"),
        ("2026-05-05 12:00", None, "not_applicable"),
    ],
)
def test_the_limit_is_inclusive_and_must_have_passed(at, ended, expected):
    check = ExpectedUntold(triggers=(Trigger(diagnoses="脑梗"),), expected=SCORE, by="admission", hours=24)
    encounter = {"admitted_at": "2026-05-05 09:00", "discharged_at": ended}
    case = case_of("NIHSS 5分。", at=at, encounter=encounter, diagnoses=[diagnosed("急性脑梗死")])
    assert outcome(check, case) == expected


def test_a_late_admission_note_still_tells_of_the_admission():
    check = ExpectedUntold(triggers=(Trigger(diagnoses="脑梗"),), expected=SCORE, by="admission", hours=24)
    late = {"id": "D2", "type": "入院记录", "text": "NIHSS 5分。", "written_at": "2026-05-06 11:00"}
    early = {"id": "D1", "type": NOTE, "text": "略。", "written_at": "2026-05-05 12:00"}
    content = {"record_id": "R", "encounter": STAY, "diagnoses": [diagnosed("脑梗死")]}
    for documents, expected in (([early, late], "pass"), ([early, {**late, "type": NOTE}], "defect")):
        case = Case(MedicalRecord.model_validate({**content, "documents": documents}))
        assert check.rule_on(case, (NOTE, "入院记录")).outcome == expected


def test_data_that_were_not_delivered_leave_it_open():
    check = ExpectedUntold(
        triggers=(Trigger(diagnoses="肺炎"),), expected=(Expected(name="影像", text="胸片", reports="胸"),)
    )
    diagnoses = [diagnosed("肺炎")]
    assert outcome(check, case_of(diagnoses=diagnoses)) == "undetermined"
    assert outcome(check, case_of(diagnoses=diagnoses, exam_reports=[])) == "defect"
    assert outcome(check, case_of("外院胸片示炎症。", diagnoses=diagnoses)) == "pass"


def test_drugs_count_as_ordered_or_as_named():
    check = ExpectedUntold(
        triggers=(Trigger(diagnoses="脑梗"),), expected=(Expected(name="抗栓", drugs=("抗血小板药",)),)
    )
    given = [{"category": "药品", "content": "硫酸氢氯吡格雷片 75mg qd", "ordered_at": "2026-05-05 10:00"}]
    cancelled = [{**given[0], "stopped_at": "2026-05-05 10:05"}]
    diagnoses = [diagnosed("脑梗死")]
    assert outcome(check, case_of(diagnoses=diagnoses, orders=given)) == "pass"
    assert outcome(check, case_of(diagnoses=diagnoses, orders=cancelled)) == "defect"
    assert outcome(check, case_of("予氯吡格雷。", diagnoses=diagnoses, orders=[])) == "pass"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今日行非计划再次手术。", "defect"),
        ("无非计划再次手术。", "not_applicable"),
        ("其父曾非计划再次手术。", "not_applicable"),
    ],
)
def test_a_text_trigger_must_be_asserted_of_the_patient(text, expected):
    check = ExpectedUntold(
        triggers=(Trigger(operations=2, text="非计划再次手术"),),
        expected=(Expected(name="原因", text="原因"),),
    )
    procedures = [{"kind": "手术", "name": "胃切除术"}, {"kind": "手术", "name": "剖腹探查术"}]
    assert outcome(check, case_of(text, procedures=procedures)) == expected


def test_the_hit_names_what_is_missing_where_the_disease_is_written():
    check = ExpectedUntold(triggers=(Trigger(diagnoses="脑梗"),), expected=SCORE)
    case = case_of("诊断急性脑梗死明确。", diagnoses=[diagnosed("急性脑梗死")])
    (hit,) = check.rule_on(case, (NOTE,)).hits
    assert hit.details == {"trigger": "急性脑梗死", "missing": "评分"}
    assert [e.quote for e in hit.evidence] == ["急性脑梗死"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_more_text_never_makes_it_missing(before, after):
    check = ExpectedUntold(triggers=(Trigger(diagnoses="脑梗"),), expected=SCORE)
    case = case_of(f"{before}NIHSS{after}", diagnoses=[diagnosed("急性脑梗死")])
    assert outcome(check, case) == "pass"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem[:2])
def test_known_defects_and_no_others(path, catalogue):
    record = parse_record(json.loads(path.read_text("utf-8")), path.name)[0]
    defects = path.with_suffix(".defects.yaml")
    known = {d["rule"] for d in yaml.safe_load(defects.read_text("utf-8"))} if defects.exists() else set()
    case = Case(record)
    rules = [r for code, r in catalogue.rules.items() if code.startswith("S-") and r.check is not None]
    found = {
        rule.code
        for rule in rules
        if set(rule.needs) <= record.delivered
        and rule.built_check.rule_on(case, rule.applies_to).outcome == "defect"
    }
    assert found == {code for code in known if code.startswith("S-")}
