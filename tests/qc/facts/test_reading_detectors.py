"""Detectors of examination, onset, discussion, support: near-misses side by side."""

import pytest

from app.qc.facts.detectors.base import DETECTORS
from app.records.readers.note import note_record
from app.text.reading import Reading


def value(name, text, section=None, kind="入院记录"):
    reading = Reading(note_record(text, kind, "R1").documents[0])
    found = DETECTORS[name](reading, reading.section(section) if section else None)
    return found.value if found else None


@pytest.mark.parametrize(
    ("general", "special", "expected"),
    [
        ("双下肢无水肿", "左下肢凹陷性水肿", True),
        ("双下肢水肿", "双下肢凹陷性水肿", False),
        ("心律齐", "心律绝对不齐", True),
        ("皮肤无黄染，巩膜无黄染", "皮肤无黄染，巩膜黄染", True),
        ("全身皮肤无黄染", "巩膜黄染", False),  # of another part
        ("腹软，无压痛", "右下腹压痛，余腹无压痛", False),  # both in one place
        ("腹平软，无压痛", "腹股沟中点压痛", False),
        ("四肢脊柱：左手无畸形", "右下肢短缩畸形", False),
        ("脊柱四肢无畸形", "右下肢短缩畸形", True),
        ("双肺未闻及湿啰音", "右肺可闻及哮鸣音", False),
        ("四肢肌力正常", "左上肢肌力5级", False),
    ],
)
def test_two_examinations_of_one_sign(general, special, expected):
    assert value("examinations_contradict", f"体格检查：{general}。\n专科检查：{special}。") is expected


@pytest.mark.parametrize(
    ("illness", "examined", "expected"),
    [
        ("1周前双下肢水肿，至今无消退", "双下肢无水肿", True),
        ("1周前双下肢水肿，间断出现，目前仍有", "双下肢无水肿", None),
        ("1周前双下肢水肿", "双下肢无水肿", None),
        ("1周前双下肢水肿，至今无消退", "双下肢水肿", False),
        ("无双下肢水肿", "双下肢无水肿", False),
        ("其父双下肢水肿，至今无消退", "双下肢无水肿", False),
    ],
)
def test_a_sign_that_lasts(illness, examined, expected):
    assert value("lasting_sign_denied", f"现病史：患者{illness}。\n体格检查：{examined}。") is expected


@pytest.mark.parametrize(
    ("chief", "examined", "expected"),
    [
        ("腹痛2天", "双肺呼吸音清，心律齐", True),
        ("腹痛2天", "腹平软", False),
        ("咳嗽3天", "咽红，心律齐", True),
        ("要求化疗", "心律齐", None),
        ("腹痛2天", "患者不配合检查", False),
        ("腹痛2天", "", None),
    ],
)
def test_the_system_complained_of(chief, examined, expected):
    assert value("complaint_unexamined", f"主诉：{chief}。\n体格检查：{examined}。") is expected


@pytest.mark.parametrize(
    ("illness", "expected"),
    [
        ("06:30起床时右侧无力", True),
        ("3小时前右侧无力", True),
        ("今晨右侧无力，最后正常时间昨晚", True),
        ("今晨右侧无力", False),
        ("今晨*小时前右侧无力", None),
        ("3天前右侧无力", None),
    ],
)
def test_the_hour_of_onset(illness, expected):
    assert value("onset_hour_told", f"现病史：患者{illness}。", "现病史") is expected


@pytest.mark.parametrize(
    ("chief", "window", "within_a_day", "over_a_week"),
    [
        ("右侧无力4小时", True, True, False),
        ("右侧无力5小时", False, True, False),
        ("右侧无力6小时", True, True, False),
        ("右侧无力24小时", True, True, False),
        ("右侧无力2天", False, False, False),
        ("头晕3年，右侧无力8天", False, False, True),
        ("右侧无力*小时", None, None, None),
        ("右侧无力", None, None, None),
    ],
)
def test_the_time_since_onset(chief, window, within_a_day, over_a_week):
    text = f"主诉：{chief}。"
    assert value("onset_in_reperfusion_window", text) is window
    assert value("onset_within_a_day", text) is within_a_day
    assert value("onset_over_a_week", text) is over_a_week


@pytest.mark.parametrize(
    ("diagnosis", "reasons", "expected"),
    [
        ("急性阑尾炎", "1. 转移性右下腹痛1天；2. 麦氏点压痛。", True),
        ("急性阑尾炎", "1. 咳嗽咳痰5天；2. 双肺湿啰音。", False),
        ("急性阑尾炎", "1. 急性阑尾炎诊断明确；2. 双肺湿啰音。", False),  # its own name is no reason
        ("肺炎", "患者无咳嗽，无发热，未闻及啰音。", False),
        ("急性阑尾炎？", "1. 咳嗽咳痰5天；2. 双肺湿啰音。", None),
        ("川崎病", "1. 发热5天；2. 双眼结膜充血。", None),
        ("急性阑尾炎", "见病例特点及以上所述内容。", None),
    ],
)
def test_reasons_that_support(diagnosis, reasons, expected):
    text = f"初步诊断：1. {diagnosis}。\n诊断依据：{reasons}"
    assert value("reasons_support_diagnosis", text, "诊断依据", "首次病程记录") is expected


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("呼吸心跳骤停。", True),
        ("呼吸、循环功能衰竭。", True),
        ("急性心肌梗死致心跳骤停。", False),
        ("呼吸衰竭。", False),
        ("", None),
    ],
)
def test_a_cause_that_is_only_the_end(cause, expected):
    assert value("death_cause_is_terminal", f"死亡原因：{cause}\n", "死亡原因", "死亡记录") is expected


@pytest.mark.parametrize(
    ("speeches", "expected"),
    [
        (("同意。", "同意以上意见，无补充。"), False),
        (("建议查铁蛋白和骨髓穿刺。", "建议查铁蛋白和骨髓穿刺。"), False),  # word for word the same
        (("建议查铁蛋白和骨髓穿刺。", "同意。"), True),
        (("同意。",), None),
    ],
)
def test_what_speakers_say(speeches, expected):
    names = ("沈一凡主治医师", "顾明远主任医师")
    text = "\n".join(f"{name}：{said}" for name, said in zip(names, speeches, strict=False))
    assert value("speeches_specific", text, kind="疑难病例讨论记录") is expected
