import json
import stat
from datetime import UTC, datetime

import pytest

from app.errors import UserError
from app.labelling.label import (
    AIGC,
    NOTICE,
    Label,
    LabelError,
    Seal,
    has_explicit_elements,
    label_key,
    new_label,
    parse_aigc,
    seal_of,
    sealed,
    to_json,
)
from app.settings import Settings

KEY = b"a secret of the tests"
PRODUCER = "001191110000000000000010001"
SECOND = datetime(2026, 5, 14, 1, 0, tzinfo=UTC)


@pytest.fixture
def label() -> Label:
    return new_label(PRODUCER, KEY, "患者好转出院。", SECOND)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        (NOTICE, True),
        ("以下内容由人工智能合成", True),
        ("AIGC生成", True),
        ("（AI 生成）", True),
        ("本内容由智能辅助生成", False),
        ("本内容由机器撰写", False),
        ("由AI撰写", False),
        ("既往AIDS病史，血栓生成", False),
        ("AI指数18次/小时。未见血栓生成。", False),
        ("", False),
    ],
)
def test_a_notice_names_both_elements_in_one_sentence(text: str, holds: bool) -> None:
    assert has_explicit_elements(text) is holds


def test_a_new_label_is_complete_and_sealed(label: Label) -> None:
    aigc = label.AIGC
    assert json.loads(to_json(aigc)).keys() == {
        "Label",
        "ContentProducer",
        "ProduceID",
        "ReservedCode1",
        "ContentPropagator",
        "PropagateID",
        "ReservedCode2",
    }
    assert aigc.Label == "1"
    assert (
        (aigc.ContentPropagator, aigc.PropagateID)
        == (aigc.ContentProducer, aigc.ProduceID)
        == (
            PRODUCER,
            aigc.ProduceID,
        )
    )
    assert aigc.ReservedCode1.startswith("HMAC-SHA256:v1:")
    assert label.notice == NOTICE
    assert seal_of(aigc, KEY, "患者好转出院。") is Seal.HOLDS


def test_the_number_depends_on_content_and_second(label: Label) -> None:
    assert new_label(PRODUCER, KEY, "患者好转出院。", SECOND) == label
    others = [
        new_label(PRODUCER, KEY, "患者好转出院！", SECOND),
        new_label(PRODUCER, KEY, "患者好转出院。", SECOND.replace(second=1)),
    ]
    assert len({label.AIGC.ProduceID, *(other.AIGC.ProduceID for other in others)}) == 3


def test_sealing_anew_keeps_the_number(label: Label) -> None:
    again = sealed(label, KEY, "另一种格式里的样子")
    assert again.AIGC.ProduceID == label.AIGC.ProduceID
    assert seal_of(again.AIGC, KEY, "另一种格式里的样子") is Seal.HOLDS
    assert seal_of(label.AIGC, KEY, "另一种格式里的样子") is Seal.BROKEN


@pytest.mark.parametrize(
    "field", ["Label", "ContentProducer", "ProduceID", "ContentPropagator", "PropagateID", "ReservedCode2"]
)
def test_every_other_field_is_under_the_seal(label: Label, field: str) -> None:
    changed = label.AIGC.model_copy(update={field: "2"})
    assert seal_of(changed, KEY, "患者好转出院。") is Seal.BROKEN


def test_seals_of_others_are_told_from_broken_ones(label: Label) -> None:
    value = label.AIGC.ReservedCode1
    cases = {
        "": Seal.NOT_OURS,
        "SM3withSM2:abc": Seal.NOT_OURS,
        value[:-1]: Seal.BROKEN,
        "HMAC-SHA256:v1:": Seal.BROKEN,
        value[:-1] + ("0" if value[-1] != "0" else "1"): Seal.BROKEN,
        value.upper().replace("SHA256:V1", "SHA256:v1"): Seal.BROKEN,
    }
    assert {
        code: seal_of(label.AIGC.model_copy(update={"ReservedCode1": code}), KEY, "患者好转出院。")
        for code in cases
    } == cases
    assert seal_of(label.AIGC, b"another key", "患者好转出院。") is Seal.NOT_OURS


@pytest.mark.parametrize("producer", ["", "某医院", "a b", 'a"b', "a\\b", "a\n", "a\x7f", "é", "Ａ"])
def test_forbidden_characters_are_rejected(producer: str) -> None:
    with pytest.raises(LabelError, match="ContentProducer"):
        new_label(producer, KEY, "")


def test_every_allowed_character_is_accepted() -> None:
    allowed = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')
    assert len(allowed) == 92
    label = new_label(allowed, KEY, "")
    assert parse_aigc(to_json(label.AIGC)) == label.AIGC


def test_both_forms_of_the_object_are_read(label: Label) -> None:
    bare = to_json(label.AIGC)
    assert parse_aigc(bare) == parse_aigc(f'{{"AIGC":{bare}}}') == label.AIGC


def test_the_producer_need_not_propagate(label: Label) -> None:
    fields = label.AIGC.model_dump() | {"ContentPropagator": "", "PropagateID": "", "ReservedCode1": ""}
    assert AIGC.model_validate(fields).ContentPropagator == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda fields: fields.pop("ReservedCode2"), "缺少键 ReservedCode2"),
        (lambda fields: fields.update(Model="x"), "未知的键 Model"),
        (lambda fields: fields.update(label="1"), "未知的键 label"),
        (lambda fields: fields.update(Label="4"), "Label 的值应为"),
        (lambda fields: fields.update(Label=1), "Label 的值应为"),
        (lambda fields: fields.update(ProduceID=7), "ProduceID 的值不是字符串"),
        (lambda fields: fields.update(ProduceID=""), "ProduceID 的值为空"),
        (lambda fields: fields.update(ReservedCode2="预留"), "ReservedCode2"),
    ],
)
def test_a_label_that_does_not_comply_says_why(label: Label, change, complaint: str) -> None:
    fields = label.AIGC.model_dump()
    change(fields)
    with pytest.raises(LabelError, match=complaint):
        parse_aigc(json.dumps(fields))


@pytest.mark.parametrize("text", ["", "{", "[]", '"AIGC"', "null", "[" * 100_000])
def test_what_is_no_object_is_rejected(text: str) -> None:
    with pytest.raises(LabelError):
        parse_aigc(text)


def test_a_double_key_is_rejected(label: Label) -> None:
    with pytest.raises(LabelError, match="键 Label 重复"):
        parse_aigc(to_json(label.AIGC).replace('{"Label":"1"', '{"Label":"1","Label":"1"'))


def test_the_key_is_made_once_for_its_owner_only(tmp_path) -> None:
    settings = Settings(data_dir=tmp_path / "new" / "data")
    key = label_key(settings)
    files = list(settings.data_dir.iterdir())
    assert len(key) == 32
    assert label_key(settings) == key
    assert [file.name for file in files] == ["label.key"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_a_given_key_comes_first(tmp_path) -> None:
    assert label_key(Settings(data_dir=tmp_path, label_key="机密")) == "机密".encode()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "zz", "abcd", "密"])
def test_a_damaged_key_file_is_reported(tmp_path, content: str) -> None:
    (tmp_path / "label.key").write_text(content)
    with pytest.raises(UserError, match=r"label\.key"):
        label_key(Settings(data_dir=tmp_path))


def test_a_data_folder_that_cannot_be_made_is_reported(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="无法读写标识密钥"):
        label_key(Settings(data_dir=tmp_path / "file" / "data"))
