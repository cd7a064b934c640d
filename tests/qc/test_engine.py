import json

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.qc.checks import Check
from app.qc.ruling import OUTCOMES
from app.records.model import MedicalRecord

LATE = {
    "record_id": "R1",
    "encounter": {"admitted_at": "2026-05-06 10:20", "discharged_at": "2026-05-14 09:00"},
    "documents": [
        {
            "id": "D1",
            "type": "入院记录",
            "written_at": "2026-05-07 10:21",
            "text": "主诉：腹痛2天。\n现病史：2天前进食后腹痛。",
        }
    ],
}


def report_on(checker, **changes):
    return checker.check(MedicalRecord.model_validate({**LATE, **changes}))


def test_a_defect_has_its_place_and_reason(checker):
    report = report_on(checker)
    (finding,) = [f for f in report.result.findings if f.rule == "F-102"]
    assert finding.document_id == "D1"
    assert finding.message == "入院记录在入院后24小时1分才完成；要求：24小时内。"
    assert (finding.engine, finding.confidence, finding.ai_label) == ("rule", 1.0, None)


def test_a_kind_that_was_not_delivered_is_undetermined(checker):
    report = report_on(checker, documents=None, orders=[])
    assert report.result.outcomes["F-102"] == "undetermined"
    assert report.reasons["F-102"] == "未提供文书数据"


def test_a_rule_that_raises_is_an_error_of_that_rule_alone(checker, monkeypatch):
    check = checker.rules["F-102"].built_check
    monkeypatch.setattr(type(check), "rule_on", lambda *_: 1 / 0)
    report = report_on(checker)
    assert report.result.outcomes["F-102"] == "error"
    assert "ZeroDivisionError" in report.reasons["F-102"]
    assert report.result.outcomes["F-101"] == "pass"


def test_findings_keep_their_ids(checker):
    assert [f.id for f in report_on(checker).result.findings] == [
        f.id for f in report_on(checker).result.findings
    ]


def test_nothing_judged_is_no_score(checker):
    result = checker.check(MedicalRecord(record_id="R1")).result
    assert (result.score, result.grade) == (None, None)


def test_the_result_has_exactly_the_agreed_fields(checker):
    content = json.loads(report_on(checker).result.model_dump_json())
    assert list(content) == [
        "format",
        "record_id",
        "profile",
        "score",
        "grade",
        "vetoes",
        "outcomes",
        "findings",
        "label",
    ]
    assert list(content["findings"][0]) == [
        "id", "rule", "title", "category", "severity", "points", "document_id", "section",
        "evidence", "message", "suggestion", "basis", "engine", "confidence", "ai_label",
    ]  # fmt: skip


words = st.text(alphabet="主诉现病史：，。无否认右左侧腹痛3天前\n*℃１𬌗", max_size=60)
some_documents = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["入院记录", "首次病程记录", "日常病程记录", "手术记录", "出院记录", "会诊记录"]
            ),
            "text": words,
        },
        optional={
            "written_at": st.sampled_from(["2026-05-06 12:00", "1960-01-01 00:00", "2026-05-20 12:00"])
        },
    ),
    max_size=4,
)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some_documents, st.sampled_from([None, "2026-05-06 10:20", "2026-06-06 10:20"]))
def test_no_record_makes_a_check_fail(checker, contents, admitted):
    documents = [{"id": f"D{n}", **content} for n, content in enumerate(contents)]
    report = report_on(
        checker, documents=documents, encounter={"admitted_at": admitted, "discharged_at": "2026-05-14 09:00"}
    )
    assert set(report.result.outcomes.values()) <= set(OUTCOMES) - {"error"}
    texts = {document["id"]: document["text"] for document in documents}
    for finding in report.result.findings:
        for evidence in finding.evidence:
            assert texts[evidence.document_id][evidence.start : evidence.end] == evidence.quote


@pytest.mark.parametrize("name", ["01", "02", "03", "04"])
def test_less_coverage_never_adds_a_defect(checker, examples, name):
    (path,) = examples.glob(f"{name}-*.json")
    record = MedicalRecord.model_validate_json(path.read_text("utf-8"))
    before = defects(checker, record)
    for kind in sorted(record.delivered):
        fewer = record.model_copy(update={"coverage": tuple(record.delivered - {kind})})
        assert defects(checker, MedicalRecord.model_validate(fewer.model_dump(by_alias=True))) <= before, kind


def defects(checker, record) -> set[str]:
    return {code for code, outcome in checker.check(record).result.outcomes.items() if outcome == "defect"}


def test_checks_are_documented():
    from app.qc.checks import CHECKS

    for check in CHECKS.values():
        assert issubclass(check, Check)
        assert check.__doc__
