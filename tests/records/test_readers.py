import json
from pathlib import Path

import pytest

from app.errors import UserError
from app.records.readers import read_source, sources_in

NOTE = "入院记录\n姓名：周小舟 性别：女 年龄：42岁\n入院时间：2026-05-06 10:20\n主诉：右上腹痛2天。\n现病史：2天前进食后出现右上腹痛。\n记录时间：2026-05-06 14:00\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_plain_note(tmp_path):
    read = read_source(write(tmp_path / "张三.txt", NOTE))
    document = read.record.documents[0]
    assert document.kind == "入院记录"
    assert document.text == NOTE
    assert document.completed_at.isoformat() == "2026-05-06T14:00:00+08:00"
    assert read.record.encounter.admitted_at.isoformat() == "2026-05-06T10:20:00+08:00"
    assert (read.record.patient.sex, read.record.patient.age) == ("女", "42岁")


@pytest.mark.parametrize(
    ("name", "text", "given", "kind"),
    [
        ("出院小结.txt", "入院情况：右上腹痛。", None, "出院记录"),
        ("a.txt", "首次病程记录\n病例特点：中年女性。", None, "首次病程记录"),
        ("a.txt", "主诉：腹痛2天。\n现病史：2天前腹痛。", None, "入院记录"),
        ("a.txt", "今日腹痛减轻。", "日常病程记录", "日常病程记录"),
        ("02_admission.txt", "腹痛2天。", None, "入院记录"),
    ],
)
def test_the_type_of_a_note(tmp_path, name, text, given, kind):
    assert read_source(write(tmp_path / name, text), given).record.documents[0].kind == kind


def test_gb18030_is_read(tmp_path):
    read = read_source(write(tmp_path / "入院记录.txt", NOTE.encode("gb18030")))
    assert read.record.documents[0].text == NOTE


def test_a_byte_order_mark_is_no_text(tmp_path):
    assert (
        read_source(write(tmp_path / "入院记录.txt", b"\xef\xbb\xbf" + NOTE.encode()))
        .record.documents[0]
        .text
        == NOTE
    )


def test_a_folder_of_text_files(tmp_path):
    write(tmp_path / "admission.txt", NOTE)
    write(
        tmp_path / "病程记录.txt",
        "2026-05-06 16:00 首次病程记录\n病例特点：中年女性，急性起病。\n"
        "2026年5月7日 09:10 陈明远主任医师查房记录\n腹痛减轻。\n"
        "2026-05-08 08:30\n今日无发热，2026-05-07复查血常规正常。\n",
    )
    write(tmp_path / "outpatient_card.txt", "门诊卡。")
    read = read_source(tmp_path)
    assert [d.kind for d in read.record.documents] == [
        "入院记录",
        "其他",
        "首次病程记录",
        "上级医师查房记录",
        "日常病程记录",
    ]
    rounds = read.record.documents[3]
    assert (rounds.participants[0].name, rounds.participants[0].title) == ("陈明远", "主任医师")
    assert rounds.completed_at.isoformat() == "2026-05-07T09:10:00+08:00"
    assert read.record.documents[4].text.endswith("复查血常规正常。")
    assert read.warnings == ("文件名看不出文书类型，按“其他”处理：outpatient_card.txt",)


def test_unknown_fields_are_reported_once(tmp_path):
    content = {"record_id": "R", "ward_round": 1, "orders": [{"nurse": "a"}, {"nurse": "b"}]}
    read = read_source(write(tmp_path / "r.json", json.dumps(content)))
    assert read.warnings == ("有未知字段，已原样保留在 extra：MedicalRecord.ward_round、Order.nurse",)


def test_a_folder_of_records(tmp_path):
    for name in ("b.json", "a.json"):
        write(tmp_path / name, '{"record_id": "R"}')
    assert [path.name for path in sources_in(tmp_path)] == ["a.json", "b.json"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("空.txt", b"", "是空文件，请检查导出是否完整。"),
        ("空白.txt", b" \n\n", "是空文件"),
        ("坏.json", b'{"record_id": ', "不是有效的 JSON（第 1 行第 15 列），请检查文件是否完整。"),
        ("表.json", b"[]", "的顶层不是 JSON 对象"),
        ("缺.json", b'{"format": "bingli/record/1"}', "字段 record_id：缺少必填字段，请更正后再试。"),
        (
            "缺文.json",
            '{"record_id": "R", "documents": [{"id": "D", "type": "入院记录"}]}'.encode(),
            "字段 documents.0.text：缺少必填字段",
        ),
        (
            "日.json",
            b'{"record_id": "R", "encounter": {"admitted_at": "2026-02-30T10:00:00+08:00"}}',
            "“2026-02-30T10:00:00+08:00”不是有效的 ISO 8601 时间",
        ),
        ("断.txt", "主诉：腹痛。\n现病史：腹痛".encode()[:-1], "在一个汉字中间截断，请重新导出完整的文件。"),
        ("断国标.txt", "主诉：腹痛。\n现病史：腹痛".encode("gb18030")[:-1], "也不是完整的 GB18030 文本"),
        ("图.txt", b"\x89PNG\r\n\x1a\n\x00\x00", "请"),
        ("谜.txt", "今日腹痛减轻。".encode(), "是哪种文书，请用 --type 说明"),
        ("版本.json", b'{"format": "bingli/record/9", "record_id": "R"}', "字段 format：取值不在规定范围内"),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path, name, content, sentence):
    with pytest.raises(UserError) as caught:
        read_source(write(tmp_path / name, content))
    assert sentence in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_too_large_for_one_stay(tmp_path):
    path = tmp_path / "大.json"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    with pytest.raises(UserError, match="有 50 MB，超过一份病历的上限 20 MB"):
        read_source(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"找不到 .*不在\.json，请检查路径。"):
        read_source(tmp_path / "不在.json")


def test_an_error_never_shows_the_value_of_a_text_field(tmp_path):
    content = '{"record_id": "R", "patient": {"name": {"secret": "王某某"}}}'
    with pytest.raises(UserError) as caught:
        read_source(write(tmp_path / "r.json", content))
    assert "王某某" not in str(caught.value)
