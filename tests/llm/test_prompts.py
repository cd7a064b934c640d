"""Reading prompt files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.llm.prompts import Message, Prompt, load_prompt
from app.resources import PROMPTS

SOUND = """---
name: facts
version: 2
description: 判断病历是否写明各项事实
schema:
  type: object
  properties: {v: {enum: [T, F, U]}}
---
## system
只答 JSON。

## user
{% for line in lines %}
{{ line }}
{% endfor %}
问题：{{ question }}
"""


def written(folder: Path, source: str) -> Path:
    (folder / "facts.md").write_text(source, encoding="utf-8")
    return folder


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    prompt = load_prompt("facts", written(tmp_path, SOUND))
    assert (prompt.name, prompt.version, prompt.description) == ("facts", 2, "判断病历是否写明各项事实")
    assert prompt.schema == {"type": "object", "properties": {"v": {"enum": ["T", "F", "U"]}}}
    assert prompt.messages({"lines": ["[1]咳嗽。", "[2]发热。"], "question": "诱因？"}) == (
        Message("system", "只答 JSON。"),
        Message("user", "[1]咳嗽。\n[2]发热。\n问题：诱因？"),
    )


def test_a_prompt_needs_no_schema(tmp_path: Path) -> None:
    source = SOUND.replace("schema:\n  type: object\n  properties: {v: {enum: [T, F, U]}}\n", "")
    assert load_prompt("facts", written(tmp_path, source)).schema is None


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        pytest.param("---\nname", "name", "说明", id="no front matter"),
        pytest.param("name: facts\n", "name: other\n", "name", id="name is not the file's"),
        pytest.param("version: 2\n", "", "version", id="field missing"),
        pytest.param("version: 2\n", "version: two\n", "version", id="version no number"),
        pytest.param("version: 2\n", "version: 2\nauthor: x\n", "author", id="unknown field"),
        pytest.param("version: 2\n", "version: [\n", "YAML", id="no YAML"),
        pytest.param("name: facts\nversion: 2\n", "- a\n", "YAML", id="mixed YAML"),
        pytest.param("type: object", "type: thing", "schema", id="no JSON schema"),
        pytest.param("## user", "## users", "## user", id="no user part"),
        pytest.param("## system\n只答 JSON。\n", "", "## system", id="no system part"),
        pytest.param("只答 JSON。", "", "## system", id="empty part"),
        pytest.param("## system", "前言\n## system", "## system", id="stray text"),
        pytest.param("## user\n", "## user\n{% if %}", "## user 第 1 行", id="template syntax"),
    ],
)
def test_an_unsound_file_is_named_with_its_field(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in SOUND
    with pytest.raises(UserError) as error:
        load_prompt("facts", written(tmp_path, SOUND.replace(old, new, 1)))
    assert "facts.md" in str(error.value)
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"facts\.md"):
        load_prompt("facts", tmp_path)


def test_a_value_that_was_not_given_is_named(tmp_path: Path) -> None:
    prompt = load_prompt("facts", written(tmp_path, SOUND))
    with pytest.raises(UserError, match="question"):
        prompt.messages({"lines": []})


@pytest.mark.parametrize(
    ("old", "new"),
    [("只答 JSON", "只回答 JSON"), ("问题", "提问"), ("[T, F, U]", "[T, F]"), ("version: 2", "version: 3")],
)
def test_the_key_changes_with_whatever_changes_an_answer(tmp_path: Path, old: str, new: str) -> None:
    before = load_prompt("facts", written(tmp_path, SOUND)).key
    assert before.startswith("facts@2+")
    assert load_prompt("facts", written(tmp_path, SOUND.replace(old, new))).key != before


def test_the_key_does_not_change_with_the_description(tmp_path: Path) -> None:
    before = load_prompt("facts", written(tmp_path, SOUND)).key
    assert load_prompt("facts", written(tmp_path, SOUND.replace("判断病历", "核对病历"))).key == before


@given(st.text(alphabet="{}%#\n -usersystem患者<>&"))
def test_a_value_is_never_read_as_template(value: str) -> None:
    prompt = Prompt("p.md", "p", 1, "", None, system="{{ v }}|", user="{{ v }}|")
    assert prompt.messages({"v": value}) == (Message("system", f"{value}|"), Message("user", f"{value}|"))


@pytest.mark.parametrize("name", sorted(path.stem for path in PROMPTS.glob("*.md") if path.stem != "README"))
def test_every_shipped_prompt_is_sound(name: str) -> None:
    assert load_prompt(name).description
