"""The logic rules of orders, reports and course notes on the example stays, whose defects are known."""

import json
from pathlib import Path

import pytest
import yaml

from app.qc.case import Case
from app.records.readers.json_record import parse_record

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.json"))
JUDGED = (
    "L-301", "L-302", "L-303", "L-304", "L-305", "L-306", "L-307", "L-308", "L-309", "L-310", "L-311", "L-312",
    "L-313", "L-314", "L-315", "L-316", "L-317", "L-319", "L-320", "L-321", "L-322", "L-323", "L-324", "L-325",
    "L-328", *(f"L-1{n:02}" for n in range(1, 18)), *(f"L-20{n}" for n in range(1, 8)),
)  # fmt: skip


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem[:2])
def test_known_defects_and_no_others(path, catalogue):
    record = parse_record(json.loads(path.read_text("utf-8")), path.name)[0]
    defects = path.with_suffix(".defects.yaml")
    known = {d["rule"] for d in yaml.safe_load(defects.read_text("utf-8"))} if defects.exists() else set()
    case = Case(record)
    found = set()
    for code in JUDGED:
        rule = catalogue.rules[code]
        if set(rule.needs) <= record.delivered:
            ruling = rule.built_check.rule_on(case, rule.applies_to)
            if ruling.outcome == "defect":
                found.add(code)
    assert found == known & set(JUDGED)
