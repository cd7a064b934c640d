from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.laterality import find_sides


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("左侧肢体无力", [("左侧肢体", "左", "肢体")]),
        ("右下肢水肿", [("右下肢", "右", "下肢")]),
        ("左肺上叶结节", [("左肺上叶", "左", "肺上叶")]),
        ("左侧的乳腺", [("左侧的乳腺", "左", "乳腺")]),
        ("双肺呼吸音清", [("双肺", "双侧", "肺")]),
        ("双侧扁桃体无肿大", [("双侧扁桃体", "双侧", "扁桃体")]),
        ("两侧胸腔积液", [("两侧胸腔积液", "双侧", "胸腔积液")]),
        ("左、右侧", [("左", "左", None), ("右侧", "右", None)]),
        ("膝腱反射左：正常，右：亢进", [("左", "左", None), ("右", "右", None)]),
        ("左侧腹股沟区", [("左侧腹股沟区", "左", "腹股沟区")]),
        (
            "左侧大脑中动脉闭塞，右侧肢体偏瘫",
            [("左侧大脑中动脉", "左", "大脑中动脉"), ("右侧肢体", "右", "肢体")],
        ),
    ],
)
def test_sides(text: str, expected: list[tuple[str, str, str | None]]) -> None:
    assert [(each.span.of(text), each.side, each.site) for each in find_sides(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "3天左右", "左氧氟沙星", "左旋多巴", "右美托咪定", "右旋糖酐", "左甲状腺素钠", "左心室肥大", "右束支传导阻滞", "左前降支",
        "双氯芬酸", "双歧杆菌", "双相情感障碍", "两天", "两次", "核左移", "左侧卧位", "右利手", "双J管", "左向右分流", "心左界不大",
    ],
)  # fmt: skip
def test_no_side(text: str) -> None:
    assert find_sides(text) == ()


@given(st.text(alphabet="左右双两侧肺下肢氧旋心的，。 𬌗\n", max_size=80))
def test_spans_lie_in_order_in_the_text(text: str) -> None:
    found = find_sides(text)
    assert all(0 <= each.span.start < each.span.end <= len(text) for each in found)
    assert all(each.site is None or each.span.of(text).endswith(each.site) for each in found)
    assert all(a.span.end <= b.span.start for a, b in pairwise(found))
