"""Labels inside JSON: findings and notes with ``ai_label``, results one a line."""

import json

import pytest

from app.labelling.json_file import labelled
from app.labelling.label import new_label
from app.labelling.verify import verify

KEY = b"k" * 32
MESSAGE = "主诉未写明持续时间。"


def label_of(text):
    return new_label("0011", KEY, text).model_dump()


def finding(message=MESSAGE, label=None):
    return {"id": "F1", "message": message, "ai_label": label or label_of(MESSAGE)}


def whole(record_id, *findings):
    content = {"record_id": record_id, "findings": list(findings)}
    return labelled(content, new_label("0011", KEY, json.dumps(content)), KEY)


def plain(record_id):
    return {"record_id": record_id, "findings": [{"message": "没有签名。", "ai_label": None}], "label": None}


def tampered(record_id):
    changed = whole(record_id, finding())
    changed["findings"][0]["message"] = "主诉写得很好。"
    return changed


def written(path, *objects):
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects), "utf-8")
    return path


@pytest.mark.parametrize(
    ("objects", "status"),
    [
        ([whole("a", finding()), plain("b"), whole("c")], "whole"),
        ([whole("a", finding()), tampered("b")], "tampered"),
        ([whole("a", finding("主诉写得很好。")), plain("b")], "tampered"),
        ([plain("a"), plain("b")], "absent"),
        ([{"record_id": "a", "findings": [finding(label={"AIGC": {"Label": "1"}, "notice": "AI生成"})]}, plain("b")], "incomplete"),
    ],
)  # fmt: skip
def test_results_one_a_line(tmp_path, objects, status):
    assert verify(written(tmp_path / "results.jsonl", *objects), KEY).status == status


def test_the_line_and_the_finding_are_named(tmp_path):
    found = verify(written(tmp_path / "results.jsonl", plain("a"), tampered("b")), KEY)
    assert any(problem.startswith("第2行：完整性") for problem in found.problems)
    assert any(problem.startswith("第2行发现F1：完整性") for problem in found.problems)


@pytest.mark.parametrize(("text", "status"), [("患者好转。", "whole"), ("患者恶化。", "tampered")])
def test_a_generated_note_of_a_record(tmp_path, text, status):
    record = {"record_id": "a", "documents": [{"id": "D1", "text": text, "ai_label": label_of("患者好转。")}]}
    assert verify(written(tmp_path / "record.json", record), KEY).status == status


def test_findings_without_a_label_of_the_whole(tmp_path):
    assert verify(written(tmp_path / "result.json", {"findings": [finding()]}), KEY).status == "whole"


def test_a_note_that_was_sealed_with_another_key(tmp_path):
    label = new_label("0011", b"x" * 32, "患者好转。").model_dump()
    record = {"documents": [{"id": "D1", "text": "患者好转。", "ai_label": label}]}
    assert verify(written(tmp_path / "record.json", record), KEY).status == "unverifiable"


def test_many_problems_are_told_in_part(tmp_path):
    found = verify(written(tmp_path / "r.jsonl", *(tampered(str(n)) for n in range(30))), KEY)
    assert len(found.problems) == 21
    assert found.problems[-1] == "另有40处"
