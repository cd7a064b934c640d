import json

from app.records.readers.json_record import parse_record
from eval.bench import bench, table
from eval.synthetic import synthetic_stay


def test_a_generated_stay_is_a_whole_record_and_always_the_same():
    record, warnings = parse_record(synthetic_stay(7), "合成病历")
    assert warnings == ()
    assert len(record.documents) == 20
    assert 18_000 <= sum(len(document.text) for document in record.documents) <= 23_000
    assert {
        "documents",
        "orders",
        "lab_results",
        "exam_reports",
        "procedures",
        "vitals",
        "diagnoses",
        "front_page",
    } <= record.delivered
    assert all(document.kind != "其他" for document in record.documents)
    assert synthetic_stay(7) == synthetic_stay(7)
    assert synthetic_stay(7)["documents"] != synthetic_stay(8)["documents"]


def test_the_bench_measures_every_part():
    found = bench(1, [])
    assert found.audit_ms == found.reading_ms + found.checking_ms + found.writing_ms
    assert found.multiple > 1
    assert abs(sum(cost.share for cost in found.rule_costs) - 1) < 1e-6
    assert len(found.rule_costs) == found.rules
    assert json.loads(json.dumps(found.as_json()))["aims"]["stays_a_second"] == 100
    assert found.rule_costs[0].code in table(found)
