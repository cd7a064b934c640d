from datetime import datetime

import pytest

from app.qc.case import Case
from app.qc.reminders import due_by
from app.records.model import CHINA_TIME, MedicalRecord


@pytest.fixture
def course_rules(catalogue):
    return [
        catalogue.rules[code]
        for code in ("F-101", "F-102", "F-201", "F-202", "F-205", "F-210", "F-213", "F-223")
    ]


def reminders(rules, as_of, **parts):
    encounter = {"admitted_at": "2026-05-06 09:00", "conditions": []} | parts.pop("encounter", {})
    record = MedicalRecord.model_validate(
        {"record_id": "R", "documents": [], "encounter": encounter, **parts}
    )
    moment = datetime.fromisoformat(as_of).replace(tzinfo=CHINA_TIME)
    return [(f"{r.due_at:%m-%d %H:%M}", r.what, r.rule) for r in due_by(Case(record, moment), rules)]


def test_a_new_patient_has_everything_coming(course_rules):
    assert reminders(course_rules, "2026-05-06 10:00") == [
        ("05-06 17:00", "首次病程记录", "F-201"),
        ("05-07 09:00", "入院记录或再次或多次入院记录", "F-102"),
        ("05-07 09:00", "入院记录或再次或多次入院记录或24小时内入出院记录或24小时内入院死亡记录", "F-101"),
        ("05-08 09:00", "主治医师查房记录", "F-205"),
        ("06-07 00:00", "阶段小结", "F-223"),
    ]


@pytest.mark.parametrize(
    ("conditions", "as_of", "due"),
    [
        ([], "2026-05-07 10:00", "05-10 00:00"),
        ([], "2026-05-10 00:00", "05-10 00:00"),
        ([], "2026-05-10 00:01", None),
        ([{"level": "病危", "from": "2026-05-06 10:00"}], "2026-05-06 20:00", "05-08 00:00"),
        ([{"level": "病危", "from": "2026-05-06 10:00"}], "2026-05-07 20:00", "05-08 00:00"),
    ],
)
def test_the_next_course_note_is_due_by_the_condition(course_rules, conditions, as_of, due):
    first = {"id": "D1", "type": "首次病程记录", "text": "略", "written_at": "2026-05-06 12:00"}
    found = reminders(course_rules, as_of, documents=[first], encounter={"conditions": conditions})
    assert [at for at, what, _ in found if what == "病程记录"] == ([due] if due else [])


def test_nothing_is_coming_once_the_stay_is_over(course_rules):
    assert reminders(course_rules, "2026-05-06 10:00", encounter={"discharged_at": "2026-05-06 09:30"}) == []
