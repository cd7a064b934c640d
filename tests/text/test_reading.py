from app.records.model import Document
from app.text.reading import Reading
from app.text.sentences import split_sentences

TEXT = "入院记录\n主 诉：右侧肢体无力３天。\n现病史：患者3天前起病。无头痛；无呕吐。\n既往史：\n"


def reading() -> Reading:
    return Reading(Document(id="D01", type="入院记录", text=TEXT))


def test_everything_points_into_the_text() -> None:
    read = reading()
    assert len(read.half) == len(TEXT)
    assert [each.name for each in read.sections] == ["", "主诉", "现病史", "既往史"]
    assert read.sentences == split_sentences(TEXT)


def test_the_sentences_of_a_section() -> None:
    read = reading()
    history = read.section("现病史")
    assert history is not None
    assert [sentence.quote for sentence in read.sentences_of(history)] == [
        "患者3天前起病。",
        "无头痛；",
        "无呕吐。",
    ]
    assert all(
        TEXT[sentence.start : sentence.end] == sentence.quote for sentence in read.sentences_of(history)
    )


def test_bodies_of_present_empty_and_missing_sections() -> None:
    read = reading()
    assert read.body("主诉") == "右侧肢体无力３天。"
    assert read.body("既往史") == ""
    assert read.body("过敏史", "家族史") == ""
    assert read.section("家族史") is None


def test_each_part_is_worked_out_once() -> None:
    read = reading()
    assert read.sections is read.sections
    assert read.sentences is read.sentences
