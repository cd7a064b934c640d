from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.qc.rule import Rule
from app.qc.scoring import Profile, assessed, load_profile, score
from app.resources import RULES


def rule(code: str, severity: str = "minor", points: float = 1, supersedes: tuple[str, ...] = ()) -> Rule:
    return Rule.model_validate(
        {
            "code": code,
            "title": "缺某项内容",
            "severity": severity,
            "points": points,
            "applies_to": ["入院记录"],
            "check": "section_missing",
            "parameters": {"sections": ["主诉"]},
            "message": "没有写。",
            "suggestion": "补写。",
            "basis": [{"source": "病历书写基本规范", "clause": "第十八条", "level": "national"}],
            "supersedes": supersedes,
            "examples": {"fail": ["现病史：无"], "pass": ["主诉：腹痛2天。"]},
        }
    )


PROFILE = Profile.model_validate(
    {
        "name": "t",
        "title": "测试",
        "level": "hospital",
        "note": "测试",
        "grades": [
            {"grade": "甲", "at_least": 90},
            {"grade": "乙", "at_least": 75},
            {"grade": "丙", "at_least": 0},
        ],
        "veto": {"deduct": 10, "cap": "乙", "count_for_lowest": 3},
        "items": [{"name": "入院记录", "full": 4, "rules": ["F-1*"]}],
    }
)


@pytest.mark.parametrize(
    ("rules", "value", "grade", "vetoes"),
    [
        ([], 100, "甲", ()),
        ([rule("F-201", points=10)], 90, "甲", ()),  # on the line
        ([rule("F-201", points=10), rule("F-202", points=0.5)], 89.5, "乙", ()),
        ([rule("F-101", "veto", 10)], 90, "乙", ("F-101",)),  # 90 points, yet capped
        (
            [rule("F-101", points=3), rule("F-102", points=3)],
            96,
            "甲",
            (),
        ),  # the item's 4 points are all there is
        (
            [rule("F-101", "veto", 10), rule("F-102", points=3)],
            87,
            "乙",
            ("F-101",),
        ),  # a veto is outside the cap
        ([rule(f"F-{n}01", "veto", 10) for n in (1, 2, 3)], 70, "丙", ("F-101", "F-201", "F-301")),
        ([rule("F-310", points=5, supersedes=("F-311",)), rule("F-311", points=3)], 95, "甲", ()),
        ([rule("F-715", "hint", 0)], 100, "甲", ()),
    ],
)
def test_score(rules, value, grade, vetoes):
    found = score(rules, PROFILE)
    assert (found.value, found.grade, found.vetoes) == (value, grade, vetoes)


@given(st.lists(st.sampled_from(["F-101", "F-102", "F-201", "L-101"]), unique=True))
def test_the_score_is_the_full_score_less_the_deductions(codes):
    found = score([rule(code, points=3) for code in codes], PROFILE)
    assert found.value == 100 - sum(found.deductions.values())


def test_every_bundled_profile_loads():
    for path in sorted((RULES / "profiles").glob("*.yaml")):
        assert load_profile(RULES / "profiles", path.stem).name == path.stem


def test_an_unknown_profile_names_those_that_exist():
    with pytest.raises(UserError, match=r"没有名为 beijing 的评分方案；可用的有：.*national"):
        load_profile(RULES / "profiles", "beijing")


def test_a_profile_cannot_change_a_rule_that_does_not_exist():
    changed = PROFILE.model_copy(update={"rules": {"F-999": {}}})
    with pytest.raises(UserError, match="F-999"):
        changed.applied_to({})


def test_a_broken_profile_names_the_field(tmp_path: Path):
    (tmp_path / "x.yaml").write_text(
        "name: x\ntitle: x\nlevel: hospital\nnote: x\ngrades: []\nveto: {deduct: 1, cap: 乙}\n"
    )
    with pytest.raises(UserError, match="grades"):
        load_profile(tmp_path, "x")


def with_vetoes(veto: dict[str, object], rules: dict[str, object] | None = None) -> Profile:
    content = PROFILE.model_dump() | {"veto": veto, "rules": rules or {}}
    return Profile.model_validate(content)


VETOES = [rule(code, "veto", 10) for code in ("F-101", "F-201", "F-310")]


@pytest.mark.parametrize(
    ("veto", "changes", "n", "value", "grade", "deciding"),
    [
        # a fixed deduction alone leaves a record with one veto on the line
        ({"deduct": 10, "cap": None}, {}, 1, 90, "甲", ()),
        ({"deduct": 10, "cap": None}, {}, 2, 80, "乙", ()),
        ({"deduct": 10, "deduct_once": True, "cap": "乙"}, {}, 3, 90, "乙", ("F-101", "F-201", "F-310")),
        ({"deduct": 0, "cap": "乙"}, {}, 1, 100, "乙", ("F-101",)),
        ({"deduct": 0, "cap": "乙"}, {"F-101": {"veto": {"cap": "丙"}}}, 2, 100, "丙", ("F-101",)),
        # counted apart: the veto that is 丙 by itself is not one of the three
        ({"deduct": 0, "cap": "乙", "count_for_lowest": 3}, {}, 3, 100, "丙", ("F-101", "F-201", "F-310")),
        ({"deduct": 0, "cap": "乙", "count_for_lowest": 3}, {}, 2, 100, "乙", ("F-101", "F-201")),
        (
            {"deduct": 0, "cap": "乙", "count_for_lowest": 3},
            {"F-101": {"veto": {"cap": "丙"}}},
            3,
            100,
            "丙",
            ("F-101",),
        ),
        ({"deduct": 10, "cap": "乙"}, {"F-101": {"veto": {"deduct": 30}}}, 1, 70, "丙", ()),
    ],
)
def test_kinds_of_vetoes(veto, changes, n, value, grade, deciding):
    found = score(VETOES[:n], with_vetoes(veto, changes))
    assert (found.value, found.grade, found.deciding) == (value, grade, deciding)


def test_a_veto_of_a_profile_makes_the_rule_one():
    changed = with_vetoes({"deduct": 0, "cap": "乙"}, {"F-105": {"veto": {"cap": "丙"}}})
    applied = changed.applied_to({"F-105": rule("F-105", points=1)})
    assert applied["F-105"].severity == "veto"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({"F-101": "pass", "F-102": "defect"}, (4, 4)),
        ({"F-101": "pass", "F-102": "undetermined"}, (2, 4)),
        ({"F-101": "error", "F-102": "undetermined", "F-103": "not_applicable"}, (0, 4)),
        ({"F-101": "not_applicable"}, (0, 0)),
        ({"L-101": "pass"}, (0, 0)),  # in no item
    ],
)
def test_the_share_of_the_score_that_was_judged(outcomes, expected):
    assert assessed(outcomes, PROFILE) == expected


def test_every_rule_belongs_to_an_item_of_every_bundled_profile(catalogue):
    for path in sorted((RULES / "profiles").glob("*.yaml")):
        profile = load_profile(RULES / "profiles", path.stem)
        rules = profile.applied_to(catalogue.rules)
        if path.stem != "chip2025":
            assert [code for code in rules if profile.item_of(code) is None] == []


def test_the_items_of_zhejiang_are_worth_a_hundred():
    assert sum(item.full for item in load_profile(RULES / "profiles", "zhejiang-2021").items) == 100
