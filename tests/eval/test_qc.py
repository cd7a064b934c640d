import json

import pytest

from app.assembly import open_checker
from app.errors import UserError
from app.settings import load_settings
from eval.qc import PROFILE, Judged, LabelledNote, Problem, evaluate, judge, load_notes, task_items

NOTE = "主诉：腹痛1天。\n现病史：患者1天前出现腹痛。\n入院诊断：1.腹痛"


def note(identifier: str, *labels: str, text: str = NOTE) -> LabelledNote:
    problems = tuple(Problem(rule_id=label) for label in labels)
    return LabelledNote(record_id=identifier, emr_content=text, problems=problems)


def test_counts_micro_and_macro():
    notes = [note("a", "IC-ZS-01-V1", "EN-JW-01-V1"), note("b", "EN-JW-01-V1"), note("c")]
    judged = [
        Judged("a", ("EN-JW-01-V1",), ("CO-XB-04-V1",)),
        Judged("b", ("EN-JW-01-V1", "DQ-RZ-02-V1"), ()),
        Judged("c", (), ("CO-XB-04-V1",)),
    ]
    found = evaluate(notes, judged).as_json()
    assert list(found) == ["n_records", "micro", "macro", "rules", "undetermined"]
    assert (found["n_records"], found["undetermined"]) == (3, 2)
    # two found rightly, one wrongly (DQ-RZ-02), one missed (IC-ZS-01)
    assert found["micro"] == {"precision": 0.6667, "recall": 0.6667, "f1": 0.6667}
    assert found["macro"] == {"f1": 0.3333}  # (1 + 0 + 0) / 3: items that occur nowhere say nothing
    assert found["rules"]["EN-JW-01-V1"] == {
        "tp": 2, "fp": 0, "fn": 0, "precision": 1.0, "recall": 1.0, "f1": 1.0, "n": 2,
    }  # fmt: skip
    assert len(found["rules"]) == 19


def test_judgements_of_other_notes_are_refused():
    with pytest.raises(ValueError, match="other notes"):
        evaluate([note("a")], [Judged("b", (), ())])


def test_only_the_rules_of_the_task_are_judged(settings):
    with open_checker(load_settings(profile=PROFILE, data_dir=settings.data_dir), use_model=False) as checker:
        assert set(task_items()) <= set(checker.rules)
        (judged,) = judge(checker, [note("a")])
    assert {"EN-XB-01-V1", "EN-XB-02-V1", "DQ-RZ-02-V1"} <= set(judged.predicted)
    assert set(judged.predicted) <= set(task_items().values())
    assert not set(judged.predicted) & set(judged.undetermined)


@pytest.mark.parametrize("as_lines", [False, True])
def test_a_list_and_lines_are_read_alike(tmp_path, as_lines):
    entries = [
        {"record_id": n, "record_type": "入院记录", "emr_content": NOTE, "problems": []} for n in ("a", "b")
    ]
    lines = "\n".join(json.dumps(entry) for entry in entries)
    path = tmp_path / "notes.json"
    path.write_text(lines if as_lines else json.dumps(entries), "utf-8")
    assert [each.record_id for each in load_notes(path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "空文件"),
        ("[]", "没有病历"),
        ("{ 这不是", "不是 JSON"),
        ('{"a": 1}', "不是 chip2025 格式"),
        ('[{"record_id": "a", "emr_content": "x"}]', "第 1 条的 problems"),
        ('[{"record_id": "a", "emr_content": "x", "problems": [{"field": "y"}]}]', "problems.0.rule_id"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, content, said):
    path = tmp_path / "notes.json"
    path.write_text(content, "utf-8")
    with pytest.raises(UserError, match=said) as caught:
        load_notes(path)
    assert str(caught.value).count("。") == 1
