from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.qc.rule import Rule
from app.qc.scoring import Profile, load_profile, score
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
    with pytest.raises(UserError, match="没有名为 beijing 的评分方案；可用的有：.*national"):
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
