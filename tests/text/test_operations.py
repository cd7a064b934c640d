import pytest

from app.text.anaesthesia import kinds_of_anaesthesia, same_anaesthesia
from app.text.operations import read_operation, same_operation, spine_levels, split_operations, ways_in_differ


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("开腹胆囊切除＋胆总管探查", ("开腹胆囊切除", "胆总管探查")),
        ("右侧人工全髋关节置换术（后外侧入路，生物型假体）", ("右侧人工全髋关节置换术",)),
        ("L4/5椎间盘髓核摘除术+椎间融合术", ("L4/5椎间盘髓核摘除术", "椎间融合术")),
        ("", ()),
    ],
)
def test_lists_are_cut_into_operations(text, names):
    assert split_operations(text) == names


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("腹腔镜下胆囊切除术", "LC", True),
        ("右侧人工全髋关节置换术", "全髋置换术", True),
        ("股骨颈骨折内固定术", "人工全髋关节置换术", False),
        ("胆总管探查术", "腹腔镜胆囊切除术", False),
        ("甲状腺左叶切除术", "甲状腺腺叶切除术", True),
        ("剖腹探查术", "阑尾切除术", None),
    ],
)
def test_names_of_operations_are_compared(a, b, same):
    assert same_operation(a, b) is same
    assert same_operation(b, a) is same


def test_open_and_endoscopic_differ_only_where_both_are_said():
    assert ways_in_differ("开腹胆囊切除术", "腹腔镜下胆囊切除术")
    assert not ways_in_differ("胆囊切除术", "腹腔镜下胆囊切除术")
    assert not ways_in_differ("开腹胆囊切除术", "腹腔镜下胆囊切除术（备中转开腹）中转开腹")


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("L4/5椎间盘突出", {"L4", "L5"}),
        ("腰4-5", {"L4", "L5"}),
        ("L5/S1", {"L5", "S1"}),
        ("颈5/6", {"C5", "C6"}),
        ("Ⅱ期，3级", set()),
    ],
)
def test_levels_of_the_spine(text, levels):
    assert spine_levels(text) == levels


def test_a_name_of_nothing_known_is_its_own_core():
    assert read_operation("某某术").organs == frozenset()
    assert read_operation("某某术").core == "某某"


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("气管插管全身麻醉", "全麻", True),
        ("蛛网膜下腔阻滞", "椎管内麻醉", True),
        ("腰麻-硬膜外联合麻醉", "腰硬联合麻醉", True),
        ("全麻＋神经阻滞", "全身麻醉", True),
        ("腰硬联合麻醉", "全身麻醉", False),
        ("局麻", "表面麻醉", False),
    ],
)
def test_anaesthesia(a, b, same):
    assert same_anaesthesia(kinds_of_anaesthesia(a), kinds_of_anaesthesia(b)) is same
