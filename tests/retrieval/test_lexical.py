import math

import pytest

from retrieval.lexical import Bm25, terms
from retrieval.search import reciprocal_rank_fusion


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("抢救记录", ["抢救", "救记", "记录"]),
        ("ＣＴ/MRI检查", ["ct", "mri", "检查"]),
        ("24小时内", ["24", "小时", "时内"]),
        ("MER-D&T-01", ["mer", "d", "t", "01"]),
        ("5.1", ["5.1"]),
        ("痰", ["痰"]),
        ("，。 \n", []),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


def test_bm25_worked_by_hand():
    # Three texts of 1, 2 and 3 bigrams, mean 2. "抢救" is in two of them: idf = ln(1 + 1.5/2.5) = 0.470004.
    # k1 1.2, b 0.75. Text 0: norm 1.2*(0.25+0.75*0.5) = 0.75, score idf*2.2/1.75 = 0.590862.
    # Text 2: norm 1.2*(0.25+0.75*1.5) = 1.65, score idf*2.2/2.65 = 0.390192.
    index = Bm25(["抢救", "首次病", "抢救记录"])
    assert math.log(1 + 1.5 / 2.5) == pytest.approx(0.470004, abs=1e-6)
    assert index.scores("抢救") == pytest.approx([0.590862, 0.0, 0.390192], abs=1e-6)
    assert index.ranking("抢救") == [0, 2]


def test_a_query_without_known_terms_finds_nothing():
    assert Bm25(["抢救"]).ranking("麻醉") == []
    assert Bm25([]).ranking("麻醉") == []


def test_fusion_worked_by_hand():
    # Item 7: ranks 1 and 3; item 8: rank 2 alone; item 9: ranks 3 and 1.
    fused = reciprocal_rank_fusion([[7, 8, 9], [9, 5, 7]])
    assert fused[7] == pytest.approx(1 / 61 + 1 / 63)
    assert fused[8] == pytest.approx(1 / 62)
    assert fused[9] == pytest.approx(1 / 63 + 1 / 61)
    assert max(fused, key=fused.get) == 7
    assert reciprocal_rank_fusion([[], []]) == {}
